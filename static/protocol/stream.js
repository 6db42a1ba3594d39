/** @import {ServerConnection} from './connection.js' */
/** @import {MediaRequest, TrackStats} from './types.js' */

import {encodingsFor, kept, Watched} from './encodings.js';
import {randomId} from './id.js';
import {Negotiation} from './negotiation.js';
import {Patience} from './patience.js';
import {preferRedundancy} from './redundancy.js';
import {sample} from './stats.js';

/** A connection that is merely interrupted is given this long to mend itself, ms. */
const RESTART_AFTER = 4_000;

/**
 * Related tracks that travel together, such as a camera and its microphone: *up* when we send
 * them, *down* when we receive them. Every callback is called with the stream as `this`.
 */
export class Stream {
    /**
     * Made by {@link ServerConnection#newUpStream} and by the server's offers only.
     *
     * @param {ServerConnection} sc
     * @param {string} id
     * @param {string} localId
     * @param {boolean} up
     */
    constructor(sc, id, localId, up) {
        this.sc = sc;
        /** The id on the wire. */
        this.id = id;
        /** Stays the same when the stream is replaced by another. */
        this.localId = localId;
        this.up = up;
        /** `camera`, `screenshare` or `video`. */
        this.label = '';
        /** The client id of who sends it. */
        this.source = '';
        /** The name of who sends it. */
        this.username = '';
        /** The tracks. */
        this.stream = new MediaStream();
        /** Figures by track id, see {@link setStatsInterval}.
         * @type {Record<string, TrackStats>} */
        this.stats = {};
        /** For the application. @type {Record<string, any>} */
        this.userdata = {};
        /** The id of the stream that the first offer replaces. @type {string | undefined} */
        this.replaces = undefined;
        /** The server has heard of it. */
        this.offered = false;
        /** Another one after the connection was lost and found again. */
        this.pc = new RTCPeerConnection(sc.rtcConfiguration ?? {});
        /** What we send is paused while nobody watches it, with the feature `encodings`. */
        this.watched = new Watched(this.pc);
        /** Sound that we receive waits longer where that saves some of it.
         * @private */
        this.patience = new Patience(this.pc, () => Object.keys(sc.down).length);
        /** What was sent when the connection was lost.
         * @private @type {{track: MediaStreamTrack, init: RTCRtpTransceiverInit}[] | null} */
        this.suspended = null;
        this.isClosed = false;

        /** It ended; `replace` when another with the same `localId` follows at once.
         * @type {null | ((replace: boolean) => void)} */
        this.onclose = null;
        /** @type {null | ((error: unknown) => void)} */
        this.onerror = null;
        /** The server refuses it; it is closed next. @type {null | (() => void)} */
        this.onabort = null;
        /** A track arrived. @type {null | ((track: MediaStreamTrack,
         *     transceiver: RTCRtpTransceiver, stream: MediaStream) => void)} */
        this.ondowntrack = null;
        /** @type {null | ((status: RTCIceConnectionState) => void)} */
        this.onstatus = null;
        /** An offer was answered. @type {null | (() => void)} */
        this.onnegotiationcompleted = null;
        /** @type {null | ((stats: Record<string, TrackStats>) => void)} */
        this.onstats = null;

        this.negotiation = new Negotiation(this);
        /** @private @type {ReturnType<typeof setInterval> | undefined} */
        this.statsTimer = undefined;
        /** @private @type {ReturnType<typeof setTimeout> | undefined} */
        this.restartTimer = undefined;
        this.listen();
    }

    /** @private */
    listen() {
        const {pc} = this;
        if (this.up)
            pc.onnegotiationneeded = () => this.negotiation.offer();
        pc.onicecandidate = ({candidate}) => {
            if (candidate?.candidate)
                this.sc.send({type: 'ice', id: this.id, candidate: candidate.toJSON()});
        };
        pc.oniceconnectionstatechange = () => {
            clearTimeout(this.restartTimer);
            if (pc.iceConnectionState === 'failed')
                this.restartIce();
            else if (pc.iceConnectionState === 'disconnected')
                this.restartTimer = setTimeout(() => this.restartIce(), RESTART_AFTER);
            this.onstatus?.call(this, pc.iceConnectionState);
        };
        pc.ontrack = ({track, transceiver}) => {
            this.stream.addTrack(track);
            this.patience.add(transceiver.receiver);
            const user = this.sc.users[this.source];
            if (user) {
                const kinds = user.streams[this.label] ??= {audio: false, video: false};
                kinds[/** @type {'audio' | 'video'} */ (track.kind)] = true;
                this.sc.onuser?.call(this.sc, this.source, 'change');
            }
            this.ondowntrack?.call(this, track, transceiver, this.stream);
        };
    }

    /**
     * Sends a track. `pc.addTrack` does as well; this one also bounds and layers pictures.
     *
     * @param {MediaStreamTrack} track
     * @param {{maxBitrate?: number, simulcast?: boolean}} [how] bit/s; with `simulcast`
     *     smaller pictures go beside the large one, the smallest for who asks for `video-low`.
     */
    addTrack(track, {maxBitrate, simulcast = false} = {}) {
        if (!this.stream.getTracks().includes(track))
            this.stream.addTrack(track);
        preferRedundancy(this.pc.addTransceiver(track, {direction: 'sendonly',
            streams: [this.stream], ...encodingsFor(track, {maxBitrate, simulcast})}));
    }

    /**
     * Bounds the rate of the pictures that are sent, from now on.
     *
     * @param {number} bitrate bit/s, 0 for no bound.
     */
    async setMaxBitrate(bitrate) {
        await this.watched.bound(bitrate);
    }

    /**
     * Of pictures that are sent with `simulcast`, whether the smaller are sent beside the largest:
     * from now on, without an offer, and nobody's picture is interrupted. Where there is nobody
     * but one receiver the largest alone is better: its rate follows what that one can take.
     *
     * @param {boolean} smaller
     */
    sendSmaller(smaller) {
        this.watched.send(smaller);
    }

    /** The connection was lost: what is sent is kept for {@link resume}. */
    suspend() {
        if (this.suspended || this.isClosed)
            return;
        this.suspended = this.pc.getTransceivers().flatMap(({sender}) => sender.track ? [{
            track: sender.track,
            init: {direction: 'sendonly', streams: [this.stream],
                ...kept(sender)},
        }] : []);
        this.stats = {};
        this.dismantle();
    }

    /** It waits for the connection. */
    get isSuspended() {
        return this.suspended !== null;
    }

    /** Sends again, as a new stream on the wire that is the same to the application. */
    resume() {
        const {suspended, sc} = this;
        if (!suspended || this.isClosed)
            return;
        this.suspended = null;
        delete sc.up[this.id];
        this.id = randomId();
        sc.up[this.id] = this;
        this.offered = false;
        this.replaces = undefined;
        this.pc = new RTCPeerConnection(sc.rtcConfiguration ?? {});
        this.watched = new Watched(this.pc, this.watched.beside && Infinity);
        this.negotiation = new Negotiation(this);
        this.listen();
        for (const {track, init} of suspended)
            preferRedundancy(this.pc.addTransceiver(track, init));
    }

    /** @private */
    dismantle() {
        const {pc} = this;
        clearTimeout(this.restartTimer);
        this.watched.stop();
        pc.onnegotiationneeded = pc.onicecandidate = pc.oniceconnectionstatechange = null;
        pc.ontrack = null;
        pc.close();
    }

    /** Looks for a new path through the network. */
    restartIce() {
        if (this.isClosed || this.suspended)
            return;
        if (this.up)
            this.pc.restartIce();
        else
            this.sc.send({type: 'renegotiate', id: this.id});
    }

    /**
     * Narrows or widens what we want of a down stream, whatever its label.
     *
     * @param {MediaRequest[]} what
     */
    requestStream(what) {
        this.sc.send({type: 'requestStream', id: this.id, request: what});
    }

    /**
     * Says how we show a down stream, so that we are sent pictures of that size. Nothing happens if
     * the server does not understand it, or was not told that we do: see `features`.
     *
     * @param {{width: number, height: number, priority?: boolean}} how In pixels of the screen; 0
     *     by 0 while nobody sees it. `priority` is for what is shown large.
     */
    setWindow({width, height, priority = false}) {
        if (this.sc.serverFeatures.includes('window'))
            this.sc.send({type: 'window', id: this.id, width, height, priority});
    }

    /**
     * Calls {@link onstats} every so often.
     *
     * @param {number} ms 0 ends it.
     */
    setStatsInterval(ms) {
        clearInterval(this.statsTimer);
        if (ms > 0) {
            this.statsTimer = setInterval(async () => {
                if (this.suspended)
                    return;
                this.stats = await sample(this.pc, this.up, this.stats);
                if (!this.isClosed)
                    this.onstats?.call(this, this.stats);
            }, ms);
        }
    }

    /** Refuses a down stream; the server closes it. */
    abort() {
        if (!this.up && !this.isClosed)
            this.sc.send({type: 'abort', id: this.id});
    }

    /**
     * Ends the stream here, and at the server if it goes up.
     *
     * @param {boolean} [replace] Another with the same `localId` follows.
     */
    close(replace = false) {
        if (this.isClosed)
            return;
        this.isClosed = true;
        clearInterval(this.statsTimer);
        clearTimeout(this.restartTimer);
        this.watched.stop();
        this.patience.stop();
        if (this.up && this.offered && !replace)
            this.sc.send({type: 'close', id: this.id});
        this.pc.close();
        delete (this.up ? this.sc.up : this.sc.down)[this.id];
        const user = this.sc.users[this.source];
        if (user?.streams[this.label]) {
            delete user.streams[this.label];
            this.sc.onuser?.call(this.sc, this.source, 'change');
        }
        this.onclose?.call(this, replace);
    }
}
