/** @import {Session} from '../session.js' */
/** @import {Stream} from '../../protocol.js' */

import {Emitter} from '../logic/emitter.js';
import {text} from '../text/text.js';
import {CaptureError, capture, captureScreen, how} from './capture.js';
import {FilePlayer} from './player.js';
import {announceMuted, publish} from './publish.js';
import {followSettings} from './switching.js';

/**
 * What we send: a stream of camera and microphone, one of the screen, and files that we play.
 *
 * `change` follows every change; `problem` is for the user's eyes.
 *
 * @extends {Emitter<{change: [], problem: [message: string]}>}
 */
export class LocalMedia extends Emitter {
    /** @param {Session} session */
    constructor(session) {
        super();
        this.session = session;
        /** @type {MediaStreamTrack | null} */
        this.microphone = null;
        /** @type {MediaStreamTrack | null} */
        this.camera = null;
        /** @type {MediaStream | null} */
        this.screen = null;
        /** @type {Stream | null} */
        this.cameraStream = null;
        /** @type {Stream | null} */
        this.screenStream = null;
        /** Files that are played, by the `localId` of their stream.
         * @type {Map<string, FilePlayer>} */
        this.players = new Map();
        /** One change of devices at a time. @type {Promise<void>} */
        this.queue = Promise.resolve();
        session.on('ended', () => this.stop());
        session.on('reconnected', () => announceMuted(session, this.microphone));
        session.on('permissions', (now) => {
            if (!now.includes('present'))
                this.stop();
        });
        followSettings(this);
    }

    get microphoneOn() {
        return !!this.microphone?.enabled;
    }

    get cameraOn() {
        return !!this.camera;
    }

    get screenOn() {
        return !!this.screen;
    }

    /**
     * Turns camera and microphone on together, as when joining: one question of the browser.
     *
     * @param {boolean} microphone
     * @param {boolean} camera
     * @param {MediaStream | null} [ready] What the preview has of them already; it is ours now.
     */
    start(microphone, camera, ready = null) {
        return this.next(async () => {
            const hasAudio = !!ready?.getAudioTracks().length;
            const hasVideo = !!ready?.getVideoTracks().length;
            for (const track of ready?.getTracks() ?? []) {
                if (!(track.kind === 'audio' ? microphone : camera))
                    track.stop();
                else
                    this.take(new MediaStream([track]));
            }
            if ((microphone && !hasAudio) || (camera && !hasVideo)) {
                this.take(await capture(microphone && !hasAudio, camera && !hasVideo, how()));
            }
            if (this.microphone || this.camera)
                this.publishCamera();
        });
    }

    /** @param {boolean} on */
    setMicrophone(on) {
        return this.next(async () => {
            if (this.microphone) {
                this.microphone.enabled = on;
            } else if (on) {
                this.take(await capture(true, false, how()));
                this.publishCamera();
            }
            announceMuted(this.session, this.microphone);
        });
    }

    /** @param {boolean} on */
    setCamera(on) {
        return this.next(async () => {
            if (on && !this.camera) {
                this.take(await capture(false, true, how()));
            } else if (!on && this.camera) {
                this.camera.stop();
                this.camera = null;
            }
            this.publishCamera();
        });
    }

    /** @param {boolean} on */
    setScreen(on) {
        return this.next(async () => {
            if (!on) {
                this.screenStream?.close();
                return;
            }
            const screen = this.screen ?? await captureScreen();
            if (!screen || this.screen)
                return;
            this.screen = screen;
            for (const track of screen.getVideoTracks()) {
                track.contentHint = 'detail';
                track.onended = () => void this.setScreen(false);
            }
            for (const track of screen.getAudioTracks())
                track.contentHint = 'music';
            this.screenStream = this.publish('screenshare', screen.getTracks(), 'screen');
        });
    }

    /** @param {File} file A video or sound that is played to all. */
    playFile(file) {
        return this.next(async () => {
            const player = await FilePlayer.open(file);
            const stream = this.publish('video', player.tracks, 'file');
            this.players.set(stream.localId, player);
            player.onended = () => stream.close();
        });
    }

    /** Turns everything off. */
    stop() {
        for (const track of [this.microphone, this.camera, ...this.screen?.getTracks() ?? []])
            track?.stop();
        this.microphone = this.camera = this.screen = null;
        this.cameraStream?.close();
        this.screenStream?.close();
        for (const localId of [...this.players.keys()])
            this.session.connection.findByLocalId(localId)?.close();
        this.cameraStream = this.screenStream = null;
        this.emit('change');
    }

    /** @param {() => Promise<void>} step Is done after those before it. */
    next(step) {
        this.queue = this.queue.then(async () => {
            try {
                if (this.session.isIn)
                    await step();
                // It may have ended while the browser was asking.
                if (!this.session.isIn)
                    this.stop();
            } catch (error) {
                this.emit('problem', error instanceof CaptureError ? error.message : String(error));
            }
            this.emit('change');
        });
        return this.queue;
    }

    /** @param {MediaStream} stream Its tracks are camera and microphone from now on. */
    take(stream) {
        for (const track of stream.getTracks()) {
            const kind = track.kind === 'audio' ? 'microphone' : 'camera';
            this[kind]?.stop();
            this[kind] = track;
            // Unplugged, or forbidden while in use.
            track.onended = () => {
                if (this[kind] === track) {
                    this[kind] = null;
                    this.publishCamera();
                    this.emit('change');
                }
            };
        }
        announceMuted(this.session, this.microphone);
    }

    /** Publishes what there is; a stream with other tracks replaces the one before. */
    publishCamera() {
        const tracks = [this.microphone, this.camera].filter((track) => track !== null);
        const before = this.cameraStream;
        this.cameraStream = null;
        if (tracks.length === 0)
            before?.close();
        else
            this.cameraStream = this.publish('camera', tracks, 'both', before?.localId);
    }

    /**
     * @private
     * @param {import('./publish.js').Label} label
     * @param {MediaStreamTrack[]} tracks
     * @param {'both' | 'screen' | 'file'} device
     * @param {string} [localId]
     */
    publish(label, tracks, device, localId) {
        const stream = publish(this.session, label, tracks, localId);
        const what = text(`media.${device}`);
        stream.onabort = () => this.emit('problem',
            this.session.permissions.includes('present') ? text('media.refused', {what})
                : text('present.denied'));
        stream.onerror = (error) => this.emit('problem',
            text('media.stream-failed', {what, message: String(error)}));
        stream.onstatus = () => this.emit('change');
        stream.onclose = (replace) => {
            if (!replace)
                this.ended(stream);
        };
        return stream;
    }

    /** @private @param {Stream} stream It was closed, by us or by the server. */
    ended(stream) {
        const player = this.players.get(stream.localId);
        if (stream === this.screenStream) {
            for (const track of this.screen?.getTracks() ?? [])
                track.stop();
            this.screen = this.screenStream = null;
        } else if (stream === this.cameraStream) {
            this.microphone?.stop();
            this.camera?.stop();
            this.microphone = this.camera = this.cameraStream = null;
        } else if (player) {
            this.players.delete(stream.localId);
            player.stop();
        }
        this.emit('change');
    }
}
