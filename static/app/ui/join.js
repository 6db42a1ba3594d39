/** @import {Credentials, GroupStatus} from '../../protocol/types.js' */
/** @import {Refusal} from '../logic/refusal.js' */

import {countText, text} from '../text/text.js';
import {byId, setIcon} from './dom.js';

/** Where the name of last time is kept. */
const NAME_KEY = 'perikon.username';

/** The form in front of the meeting. */
export class JoinForm {
    /**
     * @param {GroupStatus} status
     * @param {URLSearchParams} query Of the page: `token` and `username`.
     * @param {(username: string, credentials: Credentials) => void} onjoin
     */
    constructor(status, query, onjoin) {
        this.token = query.get('token');
        this.onjoin = onjoin;
        this.form = byId('join-form', HTMLFormElement);
        this.username = byId('join-username', HTMLInputElement);
        this.password = byId('join-password', HTMLInputElement);
        this.button = byId('join-button', HTMLButtonElement);
        this.notice = byId('join-notice', HTMLElement);
        this.mic = byId('join-mic', HTMLButtonElement);
        this.cam = byId('join-cam', HTMLButtonElement);
        this.showStatus(status);
        this.username.value = query.get('username') ?? remembered();
        // An invitation says itself who may come, and mostly who it is for.
        if (this.token) {
            byId('join-password-field', HTMLElement).hidden = true;
            byId('join-username-field', HTMLElement).hidden = !query.has('username');
        }
        for (const [button, name] of /** @type {const} */ ([[this.mic, 'mic'], [this.cam, 'cam']])) {
            button.addEventListener('click', () => this.toggle(button, name));
        }
        this.form.addEventListener('submit', (event) => {
            event.preventDefault();
            this.submit();
        });
    }

    /** @param {GroupStatus} status */
    showStatus(status) {
        byId('join-title', HTMLElement).textContent = status.displayName || status.name;
        const description = byId('join-description', HTMLElement);
        description.textContent = status.description ?? '';
        description.hidden = !status.description;
        const count = byId('join-count', HTMLElement);
        count.hidden = status.clientCount === undefined;
        count.textContent = countText(status.clientCount ?? 0);
        byId('join-locked', HTMLElement).hidden = !status.locked;
    }

    get wantsMicrophone() {
        return this.mic.getAttribute('aria-pressed') === 'true';
    }

    get wantsCamera() {
        return this.cam.getAttribute('aria-pressed') === 'true';
    }

    /** @private @param {HTMLButtonElement} button @param {'mic' | 'cam'} name */
    toggle(button, name) {
        const on = button.getAttribute('aria-pressed') !== 'true';
        button.setAttribute('aria-pressed', String(on));
        const file = name === 'mic' ? 'mic' : 'camera';
        setIcon(button, on ? file : `${file}-off`);
        const label = button.querySelector('.toggle-label');
        if (label)
            label.textContent = text(`join.${name}.${on ? 'on' : 'off'}`);
    }

    /** @private */
    submit() {
        this.say('');
        const named = !byId('join-username-field', HTMLElement).hidden;
        const username = named ? this.username.value.trim() : '';
        if (named && username)
            remember(username);
        this.setBusy(true);
        this.onjoin(username, this.token ? {type: 'token', token: this.token}
            : {type: 'password', password: this.password.value});
    }

    /** @param {boolean} busy */
    setBusy(busy) {
        this.button.disabled = busy;
        this.button.textContent = text(busy ? 'join.joining' : 'join.button');
    }

    /** @param {Refusal} refusal */
    refuse({message, field}) {
        this.setBusy(false);
        this.say(message, 'error');
        this.username.setAttribute('aria-invalid', String(field === 'username'));
        this.password.setAttribute('aria-invalid', String(field === 'password'));
        if (field === 'username')
            byId('join-username-field', HTMLElement).hidden = false;
        (field === 'username' ? this.username : field === 'password' ? this.password
            : this.button).focus();
        if (field === 'password')
            this.password.select();
    }

    /**
     * Shows the form after a meeting.
     *
     * @param {string} message
     * @param {boolean} wanted We left of our own will.
     */
    returned(message, wanted) {
        this.setBusy(false);
        this.button.textContent = text('join.again');
        this.say(message, wanted ? 'info' : 'error');
        this.button.focus();
    }

    /** @param {string} message @param {'info' | 'error'} [level] */
    say(message, level = 'info') {
        this.notice.textContent = message;
        this.notice.hidden = !message;
        this.notice.classList.toggle('error', level === 'error');
        if (!message) {
            this.username.removeAttribute('aria-invalid');
            this.password.removeAttribute('aria-invalid');
        }
    }
}

/** @returns {string} */
function remembered() {
    try {
        return localStorage.getItem(NAME_KEY) ?? '';
    } catch {
        // The browser keeps nothing for us; then nothing is remembered.
        return '';
    }
}

/** @param {string} username */
function remember(username) {
    try {
        localStorage.setItem(NAME_KEY, username);
    } catch {
        // As above.
    }
}
