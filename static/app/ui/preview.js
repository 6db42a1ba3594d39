/** Seeing and hearing oneself before the others do. */

import {CaptureError, capture, devices, how, mayCapture} from '../media/capture.js';
import {Meter} from '../media/meter.js';
import {settings} from '../settings.js';
import {text} from '../text/text.js';
import {byId, setIcon} from './dom.js';
import {fillDevices} from './devices.js';
import {spoken} from './language.js';

export class Preview {
    constructor() {
        this.video = byId('preview-video', HTMLVideoElement);
        this.note = byId('preview-note', HTMLElement);
        this.ask = byId('preview-ask', HTMLButtonElement);
        this.meterBar = byId('preview-level', HTMLMeterElement);
        this.mic = byId('join-mic', HTMLButtonElement);
        this.cam = byId('join-cam', HTMLButtonElement);
        /** @type {MediaStreamTrack | null} */
        this.audio = null;
        /** @type {MediaStreamTrack | null} */
        this.picture = null;
        /** @private @type {Meter | null} */
        this.meter = null;
        /** @private One change at a time. @type {Promise<void>} */
        this.queue = Promise.resolve();
        /** The form is in view. */
        this.open = true;
        this.setPressed(this.mic, 'mic', settings.get('startMicrophone'));
        this.setPressed(this.cam, 'cam', settings.get('startCamera'));
        this.mic.addEventListener('click', () => this.toggle(this.mic, 'mic', 'startMicrophone'));
        this.cam.addEventListener('click', () => this.toggle(this.cam, 'cam', 'startCamera'));
        this.ask.addEventListener('click', () => {
            this.asked = true;
            void this.update();
        });
        const blur = byId('join-blur', HTMLInputElement);
        blur.checked = settings.get('blur');
        blur.addEventListener('change', () => settings.set('blur', blur.checked));
        settings.on('blur', (on) => blur.checked = on);
        settings.on('camera', () => this.again('picture'));
        settings.on('blur', () => this.again('picture'));
        settings.on('microphone', () => this.again('audio'));
        settings.on('mirror', () => this.show());
        spoken.on('changed', () => {
            this.setPressed(this.mic, 'mic', this.wantsMicrophone);
            this.setPressed(this.cam, 'cam', this.wantsCamera);
            void this.update();
            void this.listDevices();
        });
        navigator.mediaDevices?.addEventListener?.('devicechange', () => void this.listDevices());
        void this.begin();
    }

    /** @private The user has agreed to be seen, by whatever button. */
    asked = false;

    get wantsMicrophone() {
        return this.mic.getAttribute('aria-pressed') === 'true';
    }

    get wantsCamera() {
        return this.cam.getAttribute('aria-pressed') === 'true';
    }

    /** @private */
    async begin() {
        this.asked = await mayCapture();
        await this.update();
    }

    /** The form is in view again. */
    reopen() {
        this.open = true;
        void this.update();
    }

    /** @returns {MediaStream | null} What is captured: the caller's from now on. */
    handOver() {
        this.open = false;
        const tracks = [this.audio, this.picture].filter((track) => track !== null);
        this.meter?.stop();
        this.meter = this.audio = this.picture = null;
        this.video.srcObject = null;
        for (const track of tracks)
            track.onended = null;
        return tracks.length > 0 ? new MediaStream(tracks) : null;
    }

    /**
     * @private
     * @param {HTMLButtonElement} button
     * @param {'mic' | 'cam'} name
     * @param {'startMicrophone' | 'startCamera'} setting
     */
    toggle(button, name, setting) {
        const on = button.getAttribute('aria-pressed') !== 'true';
        this.setPressed(button, name, on);
        settings.set(setting, on);
        void this.update();
    }

    /** @private @param {HTMLButtonElement} button @param {'mic' | 'cam'} name @param {boolean} on */
    setPressed(button, name, on) {
        button.setAttribute('aria-pressed', String(on));
        const file = name === 'mic' ? 'mic' : 'camera';
        setIcon(button, on ? file : `${file}-off`);
        const label = button.querySelector('.toggle-label');
        if (label)
            label.textContent = text(`join.${name}.${on ? 'on' : 'off'}`);
    }

    /** @private @param {'audio' | 'picture'} which Another device is wanted. */
    again(which) {
        if (!this.open)
            return;
        this[which]?.stop();
        this[which] = null;
        void this.update();
    }

    /** @private Captures what is wanted and not there, lets go of what is not wanted. */
    update() {
        this.queue = this.queue.then(async () => {
            if (!this.wantsMicrophone) {
                this.audio?.stop();
                this.audio = null;
            }
            if (!this.wantsCamera) {
                this.picture?.stop();
                this.picture = null;
            }
            const audio = this.wantsMicrophone && !this.audio;
            const video = this.wantsCamera && !this.picture;
            let problem = '';
            if (this.open && this.asked && (audio || video)) {
                try {
                    this.take(await capture(audio, video, how()));
                } catch (error) {
                    problem = error instanceof CaptureError ? error.message : String(error);
                }
                await this.listDevices();
            }
            if (this.open)
                this.show(problem);
        });
        return this.queue;
    }

    /** @private @param {MediaStream} stream */
    take(stream) {
        for (const track of stream.getTracks()) {
            // The form was left while the browser was asking.
            if (!this.open) {
                track.stop();
                continue;
            }
            const which = track.kind === 'audio' ? 'audio' : 'picture';
            this[which] = track;
            track.onended = () => this.again(which);
        }
    }

    /** @private @param {string} [problem] */
    show(problem = '') {
        const {picture, audio} = this;
        const shown = this.video.srcObject instanceof MediaStream
            ? this.video.srcObject.getTracks()[0] : undefined;
        if (shown !== (picture ?? undefined))
            this.video.srcObject = picture && new MediaStream([picture]);
        this.video.hidden = !picture;
        this.video.classList.toggle('mirrored', settings.get('mirror'));
        const waiting = !this.asked && (this.wantsCamera || this.wantsMicrophone);
        this.ask.hidden = !waiting;
        this.note.textContent = problem
            || (waiting ? text('join.preview.ask') : picture ? '' : text('join.preview.off'));
        this.note.hidden = !this.note.textContent;
        this.meter?.stop();
        this.meter = null;
        this.meterBar.hidden = !audio;
        if (audio)
            this.meter = new Meter(audio, (level) => this.meterBar.value = level);
    }

    /** @private */
    async listDevices() {
        const found = await devices();
        for (const kind of /** @type {const} */ (['camera', 'microphone', 'speaker']))
            fillDevices(byId(`join-${kind}`, HTMLSelectElement), kind, found[kind]);
        byId('join-devices', HTMLElement).hidden = !Object.values(found).flat()
            .some(({label}) => label);
    }
}
