/** @import {Credentials, GroupStatus} from '../../protocol/types.js' */
/** @import {Refusal} from '../logic/refusal.js' */

import {login} from '../logic/login.js';
import {settings} from '../settings.js';
import {countText, text} from '../text/text.js';
import {byId} from './dom.js';
import {spoken} from './language.js';
import {Preview} from './preview.js';

/** The form in front of the meeting. */
export class JoinForm {
    /**
     * @param {GroupStatus} status
     * @param {URLSearchParams} query Of the page: `token` and `username`.
     * @param {(username: string, credentials: () => Promise<Credentials>) => void} onjoin
     * @param {() => void} oncancel
     */
    constructor(status, query, onjoin, oncancel) {
        this.status = status;
        this.token = query.get('token');
        this.onjoin = onjoin;
        this.form = byId('join-form', HTMLFormElement);
        this.username = byId('join-username', HTMLInputElement);
        this.password = byId('join-password', HTMLInputElement);
        this.button = byId('join-button', HTMLButtonElement);
        this.notice = byId('join-notice', HTMLElement);
        this.preview = new Preview();
        this.showStatus(status);
        spoken.on('changed', () => {
            this.showStatus(status);
            this.label(this.says);
        });
        this.username.value = query.get('username') ?? settings.get('username');
        // An invitation says itself who may come, and mostly who it is for.
        if (this.token) {
            byId('join-password-field', HTMLElement).hidden = true;
            byId('join-username-field', HTMLElement).hidden = !query.has('username');
        }
        if (status.authPortal) {
            byId('join-portal-link', HTMLAnchorElement).href = status.authPortal;
            byId('join-portal', HTMLElement).hidden = false;
        }
        byId('join-cancel', HTMLButtonElement).addEventListener('click', oncancel);
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

    /**
     * Waits to be let in by an operator.
     *
     * @param {string} message
     */
    wait(message) {
        this.setBusy(true);
        this.label('join.waiting');
        byId('join-cancel', HTMLButtonElement).hidden = false;
        this.say(message);
    }

    /** @private */
    submit() {
        this.say('');
        const named = !byId('join-username-field', HTMLElement).hidden;
        const username = named ? this.username.value.trim() : '';
        if (named && username)
            settings.set('username', username);
        this.setBusy(true);
        const password = this.password.value;
        this.onjoin(username, () => this.credentials(username, password));
    }

    /** @private @param {string} username @param {string} password @returns {Promise<Credentials>} */
    async credentials(username, password) {
        const {token, status} = this;
        if (token)
            return {type: 'token', token};
        if (status.authServer) {
            const location_ = status.location ?? location.origin + location.pathname;
            return login(status.authServer, location_, username, password);
        }
        return {type: 'password', password};
    }

    /** @private What the button says. @type {'join.button' | 'join.joining' | 'join.waiting' | 'join.again'} */
    says = 'join.button';

    /** @private @param {JoinForm['says']} key */
    label(key) {
        this.says = key;
        this.button.textContent = text(key);
    }

    /** @param {boolean} busy */
    setBusy(busy) {
        this.button.disabled = busy;
        this.label(busy ? 'join.joining' : 'join.button');
        byId('join-cancel', HTMLButtonElement).hidden = true;
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
        this.label('join.again');
        this.say(message, wanted ? 'info' : 'error');
        this.button.focus();
        this.preview.reopen();
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
