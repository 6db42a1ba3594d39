/** @import {Session} from '../session.js' */
/** @import {Stream} from '../../protocol.js' */

import {Emitter} from '../logic/emitter.js';
import {text} from '../text/text.js';
import {CaptureError, capture, captureScreen} from './capture.js';

/**
 * What we send: a stream of camera and microphone, and one of the screen.
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
        /** @private One change of devices at a time. @type {Promise<void>} */
        this.queue = Promise.resolve();
        session.on('ended', () => this.stop());
        session.on('permissions', (now) => {
            if (!now.includes('present'))
                this.stop();
        });
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
     */
    start(microphone, camera) {
        return this.next(async () => {
            if (!microphone && !camera)
                return;
            this.take(await capture(microphone, camera));
            this.publishCamera();
        });
    }

    /** @param {boolean} on */
    setMicrophone(on) {
        return this.next(async () => {
            if (this.microphone) {
                this.microphone.enabled = on;
            } else if (on) {
                this.take(await capture(true, false));
                this.publishCamera();
            }
            this.tellMuted();
        });
    }

    /** @param {boolean} on */
    setCamera(on) {
        return this.next(async () => {
            if (on && !this.camera) {
                this.take(await capture(false, true));
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
            this.screenStream = this.publish('screenshare', screen.getTracks(), 'screen');
        });
    }

    /** Turns everything off. */
    stop() {
        for (const track of [this.microphone, this.camera, ...this.screen?.getTracks() ?? []])
            track?.stop();
        this.microphone = this.camera = this.screen = null;
        this.cameraStream?.close();
        this.screenStream?.close();
        this.cameraStream = this.screenStream = null;
        this.emit('change');
    }

    /** @private @param {() => Promise<void>} step */
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

    /** @private @param {MediaStream} stream */
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
        this.tellMuted();
    }

    /** @private Publishes what there is; a stream with other tracks replaces the one before. */
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
     * @param {'camera' | 'screenshare'} label
     * @param {MediaStreamTrack[]} tracks
     * @param {'both' | 'screen'} device
     * @param {string} [localId]
     */
    publish(label, tracks, device, localId) {
        const stream = this.session.connection.newUpStream(localId);
        const what = text(`media.${device}`);
        stream.label = label;
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
        for (const track of tracks) {
            stream.stream.addTrack(track);
            stream.pc.addTrack(track, stream.stream);
        }
        return stream;
    }

    /** @private @param {Stream} stream It was closed, by us or by the server. */
    ended(stream) {
        if (stream === this.screenStream) {
            for (const track of this.screen?.getTracks() ?? [])
                track.stop();
            this.screen = this.screenStream = null;
        } else if (stream === this.cameraStream) {
            this.microphone?.stop();
            this.camera?.stop();
            this.microphone = this.camera = this.cameraStream = null;
        }
        this.emit('change');
    }

    /** @private The others see that our microphone is off. */
    tellMuted() {
        const sc = this.session.connection;
        const muted = this.microphone && !this.microphone.enabled ? true : null;
        if ((sc.userdata['muted'] ?? null) !== muted)
            sc.userAction('setdata', sc.id, {muted});
    }
}
