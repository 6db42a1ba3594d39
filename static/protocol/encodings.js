/** How pictures are sent: their layers, the bounds of their rate, and what nobody watches. */

/** @import {WatchedEncoding} from './types.js' */

/** The rate of the small picture, bit/s: so much a receiver of `video-low` is promised. */
const LOW = 100_000;
/** That of the middle picture, bit/s: what narrow lines carry, of which the small one uses a part. */
const MIDDLE = 400_000;
/** Pictures so high, in pixels, are worth one between the large and the small. */
const HIGH = 540;
/** An encoding that rests is bound by this. */
const REST = {maxBitrate: 30_000, maxFramerate: 1};
/** A browser that refuses, perhaps as it is negotiating, is asked again after this, ms … */
const RETRY = 500;
/** … and so many times, each after twice as long. */
const RETRIES = 6;

/** The next smaller encoding comes so long after the smallest, ms: by then more is known of the path. */
const GROWS = 8_000;

/** The last change of a sender's parameters: the next has to begin with what that one left.
 * @type {WeakMap<RTCRtpSender, Promise<void>>} */
const changes = new WeakMap();

/** @typedef {Pick<RTCRtpEncodingParameters, 'maxBitrate' | 'maxFramerate'>} Bounds */

/**
 * How the encodings of a sender are bound whatever the server says, and how they were made to be with
 * that: who finds them otherwise knows that the application bounds them anew. By rid.
 *
 * @type {WeakMap<RTCRtpSender, Map<string | undefined, {own: Bounds, made: Bounds}>>}
 */
const bounds = new WeakMap();

/**
 * Changes the parameters of a sender, after all changes before.
 *
 * @param {RTCRtpSender} sender
 * @param {(parameters: RTCRtpSendParameters) => (() => void) | null} edit Null if there is nothing to
 *     change; otherwise what is to be done once it was changed.
 * @returns {Promise<void>}
 */
function change(sender, edit) {
    const before = changes.get(sender) ?? Promise.resolve();
    const after = before.then(async () => {
        const parameters = sender.getParameters();
        const done = edit(parameters);
        if (done) {
            await sender.setParameters(parameters);
            done();
        }
    });
    changes.set(sender, after.catch(() => {}));
    return after;
}

/**
 * @param {MediaStreamTrack} track
 * @param {{maxBitrate?: number, simulcast?: boolean}} how See {@link Stream#addTrack}.
 * @returns {{sendEncodings?: RTCRtpEncodingParameters[]}}
 */
export function encodingsFor(track, {maxBitrate, simulcast}) {
    if (track.kind !== 'video')
        return {};
    const high = maxBitrate ? {maxBitrate} : {};
    if (simulcast) {
        const middle = {rid: 'm', scaleResolutionDownBy: 2, maxBitrate: middleRate(maxBitrate)};
        return {sendEncodings: [{rid: 'h', ...high},
            ...(track.getSettings().height ?? 0) >= HIGH ? [middle] : [],
            {rid: 'l', scaleResolutionDownBy: 4, maxBitrate: LOW}]};
    }
    return maxBitrate ? {sendEncodings: [high]} : {};
}

/** @param {number} [bitrate] The bound of the large picture, bit/s, if it has one. */
const middleRate = (bitrate) => bitrate ? Math.min(MIDDLE, Math.ceil(bitrate / 2)) : MIDDLE;

/** What is sent of the pictures of one peer connection: no more than the server says that can be
 * made use of. */
export class Watched {
    /**
     * @param {RTCPeerConnection} pc
     * @param {number} [beside] See {@link Watched#beside}.
     */
    constructor(pc, beside) {
        this.pc = pc;
        /** How many of the smaller encodings are sent beside the largest, if that is; as the sender
         * is made if undefined. */
        this.beside = beside;
        /** What the server said last. @type {WatchedEncoding[]} */
        this.told = [];
        /** @private @type {ReturnType<typeof setTimeout> | undefined} */
        this.timer = undefined;
        /** @private @type {ReturnType<typeof setTimeout> | undefined} */
        this.growing = undefined;
    }

    /** @param {WatchedEncoding[]} told All encodings of the pictures. */
    tell(told) {
        this.told = told;
        void this.apply();
    }

    /** @param {boolean} smaller Encodings are sent beside the largest. */
    send(smaller) {
        const before = this.beside;
        if (smaller === (before === undefined ? undefined : before > 0))
            return;
        clearTimeout(this.growing);
        this.beside = smaller ? Infinity : 0;
        if (smaller && before === 0) {
            // The path is not known to carry more than the largest: for all at once a browser
            // would take away from that.
            this.beside = 1;
            this.growing = setTimeout(() => {
                this.beside = Infinity;
                void this.apply();
            }, GROWS);
        }
        void this.apply();
    }

    /**
     * Bounds the rate of the largest pictures, and so that of the middle ones.
     *
     * @param {number} bitrate bit/s, 0 for no bound.
     */
    async bound(bitrate) {
        await Promise.all(this.pc.getTransceivers().map((transceiver) => {
            const {sender} = transceiver;
            return change(sender, ({encodings}) => {
                const largest = encodings?.[0];
                if (sender.track?.kind !== 'video' || !largest)
                    return null;
                const each = boundsOf(sender, encodings);
                for (const {rid} of encodings) {
                    const own = each.get(rid)?.own;
                    if (own && (rid === 'm' || rid === largest.rid))
                        own.maxBitrate = rid === 'm' ? middleRate(bitrate) : bitrate || undefined;
                }
                return this.heed(transceiver, encodings);
            });
        }));
    }

    /**
     * Makes it so. To be called again when a negotiation ends: it may have been in the way.
     *
     * @param {number} [retries]
     */
    async apply(retries = RETRIES) {
        clearTimeout(this.timer);
        const {told, beside} = this;
        try {
            await Promise.all(this.pc.getTransceivers().map((transceiver) =>
                change(transceiver.sender, ({encodings}) => this.heed(transceiver, encodings))));
        } catch (error) {
            // What goes on being sent does no harm.
            if (told !== this.told || beside !== this.beside || this.pc.signalingState === 'closed')
                return;
            if (retries > 0) {
                clearTimeout(this.timer);
                this.timer = setTimeout(() => void this.apply(retries - 1),
                    RETRY * 2 ** (RETRIES - retries));
            } else {
                console.warn('Encodings cannot be paused', error);
            }
        }
    }

    /** The peer connection is given up. */
    stop() {
        this.told = [];
        clearTimeout(this.timer);
        clearTimeout(this.growing);
    }

    /**
     * Makes the encodings of a sender what we and the server want of them. Where nothing is
     * watched, the smallest rests: a browser that sends no pictures at all forgets what its path
     * carries, and takes half a minute to find out again.
     *
     * @private
     * @param {RTCRtpTransceiver} transceiver
     * @param {RTCRtpEncodingParameters[]} encodings Its own: changed in place.
     * @returns {(() => void) | null} To be called when they are in force; null if nothing is
     *     different.
     */
    heed({mid, sender}, encodings = []) {
        const {beside} = this;
        const told = this.told.filter((one) => one.mid === mid);
        const each = boundsOf(sender, encodings);
        // The only one has no rid on the wire, whatever the browser calls it.
        const tells = (/** @type {RTCRtpEncodingParameters} */ {rid}) => told.find((one) =>
            one.rid === undefined ? encodings.length === 1 : one.rid === rid);
        let watched = encodings.filter((encoding) => tells(encoding)?.active
            ?? (beside === undefined ? encoding.active ?? true : true));
        const [largest, ...others] = encodings;
        if (beside !== undefined && largest && watched.includes(largest)) {
            const rest = others.slice(0, Math.max(others.length - beside, 0));
            watched = watched.filter((encoding) => !rest.includes(encoding));
        }
        const [smallest] = [...encodings].sort((a, b) =>
            (b.scaleResolutionDownBy ?? 1) - (a.scaleResolutionDownBy ?? 1));
        let changed = false;
        for (const encoding of encodings) {
            const rests = told.length > 0 && watched.length === 0 && encoding === smallest;
            const active = rests || watched.includes(encoding);
            const {maxBitrate, maxFramerate} = each.get(encoding.rid)?.own ?? {};
            const least = lesser(maxBitrate, tells(encoding)?.maxBitrate);
            const next = rests ? {...REST, maxBitrate: lesser(least, REST.maxBitrate)}
                : {maxBitrate: least, maxFramerate};
            changed ||= active !== (encoding.active ?? true) || !isEqual(next, encoding);
            encoding.active = active;
            set(encoding, 'maxBitrate', next.maxBitrate);
            set(encoding, 'maxFramerate', next.maxFramerate);
        }
        return changed ? () => {
            for (const encoding of encodings) {
                const {maxBitrate, maxFramerate} = encoding;
                const own = each.get(encoding.rid)?.own ?? {};
                each.set(encoding.rid, {own, made: {maxBitrate, maxFramerate}});
            }
        } : null;
    }
}

/** @param {Bounds} bounds @param {keyof Bounds} name @param {number} [value] */
function set(bounds, name, value) {
    if (value === undefined)
        delete bounds[name];
    else
        bounds[name] = value;
}

/** @param {Bounds} a @param {Bounds} b */
const isEqual = (a, b) => a.maxBitrate === b.maxBitrate && a.maxFramerate === b.maxFramerate;

/** The lesser of two bounds, if there is one. @param {number} [a] @param {number} [b] */
const lesser = (a, b) => a === undefined || b === undefined ? a ?? b : Math.min(a, b);

/**
 * How the encodings of a sender are bound, whatever the server says, and what that made of them.
 *
 * @param {RTCRtpSender} sender
 * @param {RTCRtpEncodingParameters[]} encodings As they are.
 */
function boundsOf(sender, encodings) {
    const each = bounds.get(sender) ?? new Map();
    bounds.set(sender, each);
    for (const {rid, maxBitrate, maxFramerate} of encodings) {
        const now = {maxBitrate, maxFramerate};
        if (!isEqual(each.get(rid)?.made ?? {maxBitrate: NaN}, now))
            each.set(rid, {own: now, made: {...now}});
    }
    return each;
}

/**
 * What of its parameters a sender may be made with again.
 *
 * @param {RTCRtpSender} sender
 * @returns {{sendEncodings?: RTCRtpEncodingParameters[]}}
 */
export function kept(sender) {
    const {encodings = []} = sender.getParameters();
    const each = boundsOf(sender, encodings);
    const sendEncodings = encodings.map(({rid, scaleResolutionDownBy}) => {
        const {maxBitrate, maxFramerate} = each.get(rid)?.own ?? {};
        return {
            ...rid && {rid}, ...maxBitrate && {maxBitrate}, ...maxFramerate && {maxFramerate},
            ...scaleResolutionDownBy && {scaleResolutionDownBy},
        };
    });
    return sender.track?.kind === 'video' && sendEncodings.length > 0 ? {sendEncodings} : {};
}
