/** @import {Session} from '../session.js' */
/** @import {LocalMedia} from '../media/local.js' */

import {text} from '../text/text.js';
import {byId, setIcon} from './dom.js';
import {spoken} from './language.js';
import {notify} from './notices.js';

/** The buttons for what we send, and for the hand. */
export class Controls {
    /** @param {Session} session @param {LocalMedia} media */
    constructor(session, media) {
        this.session = session;
        this.media = media;
        this.mic = byId('control-mic', HTMLButtonElement);
        this.cam = byId('control-cam', HTMLButtonElement);
        this.screen = byId('control-screen', HTMLButtonElement);
        this.hand = byId('control-hand', HTMLButtonElement);
        // Phones cannot share their screen.
        this.screen.hidden = !navigator.mediaDevices?.getDisplayMedia;
        this.on(this.mic, () => media.setMicrophone(!media.microphoneOn));
        this.on(this.cam, () => media.setCamera(!media.cameraOn));
        this.on(this.screen, () => media.setScreen(!media.screenOn));
        this.hand.addEventListener('click', () => session.raiseHand(!session.handRaised));
        byId('control-leave', HTMLButtonElement).addEventListener('click', () => session.leave());
        media.on('change', () => this.update());
        media.on('problem', (message) => notify(message, 'error'));
        session.on('people', () => this.update());
        session.on('permissions', (now, before) => {
            this.update();
            this.tell(now, before);
        });
        spoken.on('changed', () => this.update());
        this.update();
    }

    /**
     * A button that may not be used says why when it is pressed.
     *
     * @private
     * @param {HTMLButtonElement} button
     * @param {() => Promise<void>} act
     */
    on(button, act) {
        button.addEventListener('click', async () => {
            if (!this.session.permissions.includes('present')) {
                notify(text('present.denied'), 'warning');
                return;
            }
            button.classList.add('busy');
            await act();
            button.classList.remove('busy');
        });
    }

    /** @private */
    update() {
        const {media} = this;
        const denied = !this.session.permissions.includes('present');
        show(this.mic, media.microphoneOn, denied, media.microphoneOn ? 'mic' : 'mic-off',
            text(media.microphoneOn ? 'control.mute' : 'control.unmute'), text('control.mic.short'));
        show(this.cam, media.cameraOn, denied, media.cameraOn ? 'camera' : 'camera-off',
            text(media.cameraOn ? 'control.cam.off' : 'control.cam.on'),
            text('control.cam.short'));
        show(this.screen, media.screenOn, denied, media.screenOn ? 'screen-off' : 'screen',
            text(media.screenOn ? 'control.screen.off' : 'control.screen.on'),
            text(media.screenOn ? 'control.screen.short.off' : 'control.screen.short.on'));
        const raised = this.session.handRaised;
        show(this.hand, raised, false, 'hand', text(raised ? 'control.hand.lower' : 'control.hand.raise'),
            text('control.hand.short'));
        this.hand.setAttribute('aria-pressed', String(raised));
    }

    /**
     * Says what has changed about our rights.
     *
     * @private
     * @param {string[]} now
     * @param {string[] | null} before Null when joining.
     */
    tell(now, before) {
        if (!before) {
            if (!now.includes('present'))
                notify(text('present.none'));
            return;
        }
        if (now.includes('present') !== before.includes('present'))
            notify(text(now.includes('present') ? 'present.granted' : 'present.revoked'));
        if (now.includes('op') !== before.includes('op'))
            notify(text(now.includes('op') ? 'op.granted' : 'op.revoked'));
        if (now.includes('message') !== before.includes('message'))
            notify(text(now.includes('message') ? 'message.granted' : 'message.revoked'));
    }
}

/**
 * @param {HTMLButtonElement} button
 * @param {boolean} on
 * @param {boolean} denied
 * @param {string} icon
 * @param {string} label
 * @param {string} [short] What a phone has room for.
 */
function show(button, on, denied, icon, label, short = label) {
    button.classList.toggle('on', on);
    button.setAttribute('aria-disabled', String(denied));
    setIcon(button, icon);
    const words = button.querySelector('.control-label');
    if (words) {
        words.textContent = label;
        words.setAttribute('data-short', short);
    }
    button.setAttribute('aria-label', label);
    button.title = label;
}
