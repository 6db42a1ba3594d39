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

/** How what rests is bound otherwise. @type {WeakMap<RTCRtpSender, Bounds>} */
const bounds = new WeakMap();

/**
 * Changes the parameters of a sender, after all changes before.
 *
 * @param {RTCRtpSender} sender
 * @param {(parameters: RTCRtpSendParameters) => boolean} edit False if there is nothing to change.
 * @returns {Promise<void>}
 */
function change(sender, edit) {
    const before = changes.get(sender) ?? Promise.resolve();
    const after = before.then(async () => {
        const parameters = sender.getParameters();
        if (edit(parameters))
            await sender.setParameters(parameters);
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

/**
 * Bounds the rate of a sender's largest picture, and so that of the middle one.
 *
 * @param {RTCRtpSender} sender
 * @param {number} bitrate bit/s, 0 for no bound.
 */
export function bound(sender, bitrate) {
    return change(sender, ({encodings}) => {
        const largest = encodings?.[0];
        if (sender.track?.kind !== 'video' || !largest)
            return false;
        if (isResting(largest)) {
            bounds.set(sender, {...boundsOf(sender, largest), maxBitrate: bitrate || undefined});
            return false;
        }
        if (bitrate > 0)
            largest.maxBitrate = bitrate;
        else
            delete largest.maxBitrate;
        const middle = encodings.find(({rid}) => rid === 'm');
        if (middle)
            middle.maxBitrate = middleRate(bitrate);
        return true;
    });
}

/** Pauses what the server says that nobody watches, of one peer connection. */
export class Watched {
    /**
     * @param {RTCPeerConnection} pc
     * @param {number} [beside] See {@link beside}.
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
     * Makes it so. To be called again when a negotiation ends: it may have been in the way.
     *
     * @param {number} [retries]
     */
    async apply(retries = RETRIES) {
        clearTimeout(this.timer);
        const {told, beside} = this;
        try {
            await Promise.all(this.pc.getTransceivers().map(({mid, sender}) => {
                const own = told.filter((one) => one.mid === mid);
                return change(sender, ({encodings}) => activate(sender, encodings, own, beside));
            }));
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
}

/**
 * Where nothing is watched, the smallest encoding rests: a browser that sends no pictures at all
 * forgets what its path carries, and takes half a minute to find out again.
 *
 * @param {RTCRtpSender} sender
 * @param {RTCRtpEncodingParameters[] | undefined} encodings Its own: changed in place.
 * @param {WatchedEncoding[]} told Of the same section.
 * @param {number} [beside] So many smaller ones are sent beside the largest.
 * @returns {boolean} Some are different now.
 */
function activate(sender, encodings = [], told, beside) {
    if (told.length === 0 && (beside === undefined || encodings.length < 2))
        return false;
    let watched = encodings.filter((encoding) => {
        // The only one has no rid on the wire, whatever the browser calls it.
        const one = told.find(({rid}) => rid === undefined ? encodings.length === 1
            : rid === encoding.rid);
        return one?.active ?? (beside === undefined ? encoding.active ?? true : true);
    });
    const [largest, ...others] = encodings;
    if (beside !== undefined && largest && watched.includes(largest)) {
        const rest = others.slice(0, Math.max(others.length - beside, 0));
        watched = watched.filter((encoding) => !rest.includes(encoding));
    }
    const [smallest] = [...encodings].sort((a, b) =>
        (b.scaleResolutionDownBy ?? 1) - (a.scaleResolutionDownBy ?? 1));
    let changed = false;
    for (const encoding of encodings) {
        const rests = watched.length === 0 && encoding === smallest;
        const active = rests || watched.includes(encoding);
        changed ||= active !== (encoding.active ?? true) || rests !== isResting(encoding);
        encoding.active = active;
        if (rests && !isResting(encoding)) {
            const {maxBitrate, maxFramerate} = encoding;
            bounds.set(sender, {maxBitrate, maxFramerate});
            encoding.maxBitrate = Math.min(maxBitrate ?? REST.maxBitrate, REST.maxBitrate);
            encoding.maxFramerate = REST.maxFramerate;
        } else if (!rests) {
            Object.assign(encoding, boundsOf(sender, encoding));
        }
    }
    return changed;
}

/** @param {RTCRtpEncodingParameters} encoding */
const isResting = (encoding) => encoding.maxFramerate === REST.maxFramerate;

/**
 * How an encoding is bound while it is watched.
 *
 * @param {RTCRtpSender} sender
 * @param {RTCRtpEncodingParameters} encoding
 * @returns {Bounds}
 */
function boundsOf(sender, encoding) {
    const {maxBitrate, maxFramerate} = isResting(encoding) ? bounds.get(sender) ?? {} : encoding;
    return {maxBitrate, maxFramerate};
}

/**
 * What of its parameters a sender may be made with again.
 *
 * @param {RTCRtpSender} sender
 * @returns {{sendEncodings?: RTCRtpEncodingParameters[]}}
 */
export function kept(sender) {
    const sendEncodings = (sender.getParameters().encodings ?? [])
        .map((encoding) => {
            const {rid, scaleResolutionDownBy} = encoding;
            const {maxBitrate, maxFramerate} = boundsOf(sender, encoding);
            return {
                ...rid && {rid}, ...maxBitrate && {maxBitrate}, ...maxFramerate && {maxFramerate},
                ...scaleResolutionDownBy && {scaleResolutionDownBy},
            };
        });
    return sender.track?.kind === 'video' && sendEncodings.length > 0 ? {sendEncodings} : {};
}
