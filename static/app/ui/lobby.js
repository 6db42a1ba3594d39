/** Who waits to come in, and who may never. */

/** @import {Ban, Waiting} from '../hear.js' */
/** @import {Session} from '../session.js' */

import {colourOf, displayName, initials} from '../logic/names.js';
import {dayAndTime, text} from '../text/text.js';
import {ask, openDialog} from './dialog.js';
import {byId, crystal, h} from './dom.js';
import {spoken} from './language.js';
import {notify} from './notices.js';

/** The waiting room, above the list of people. */
export class Lobby {
    /** @param {Session} session @param {() => void} onlook The list is wanted. */
    constructor(session, onlook) {
        this.session = session;
        this.box = byId('lobby', HTMLElement);
        this.list = byId('lobby-list', HTMLElement);
        /** @private @type {Set<string>} */
        this.known = new Set();
        byId('lobby-all', HTMLButtonElement).addEventListener('click', () =>
            session.connection.groupAction('admit'));
        spoken.on('changed', () => this.draw(session.lobby));
        session.on('lobby', (waiting) => {
            this.draw(waiting);
            const fresh = waiting.filter(({id}) => !this.known.has(id));
            this.known = new Set(waiting.map(({id}) => id));
            for (const {username} of fresh) {
                notify(text('lobby.came', {who: displayName(username)}), 'info',
                    {label: text('lobby.look'), act: onlook});
            }
        });
    }

    /** @private @param {Waiting[]} waiting */
    draw(waiting) {
        this.box.hidden = waiting.length === 0;
        byId('lobby-all', HTMLElement).hidden = waiting.length < 2;
        const {connection} = this.session;
        this.list.replaceChildren(...waiting.map(({id, username}) => {
            const name = displayName(username);
            return h('li', {class: 'person'},
                crystal(initials(name), colourOf(name)),
                h('span', {class: 'person-name'}, h('span', {class: 'person-who'}, h('bdi', {}, name))),
                h('button', {type: 'button', class: 'button button-small button-primary',
                    'aria-label': text('lobby.admit.who', {who: name}),
                    onclick: () => connection.userAction('admit', id)}, text('lobby.admit')),
                h('button', {type: 'button', class: 'button button-small',
                    'aria-label': text('lobby.refuse.who', {who: name}),
                    onclick: () => connection.userAction('refuse', id)}, text('lobby.refuse')));
        }));
    }
}

/** The list of bans, and the question before one. */
export class Bans {
    /** @param {Session} session */
    constructor(session) {
        this.session = session;
        this.list = h('div', {class: 'entries', id: 'ban-list'});
        /** @private @type {HTMLDialogElement | null} */
        this.dialog = null;
        session.on('bans', (bans) => this.show(bans));
        session.on('ban', (ban) => notify(text('ban.made',
            {who: displayName(ban.username) || ban.address || '?'})));
    }

    open() {
        this.session.connection.groupAction('bans');
    }

    /** @param {string} id A client id. @param {string} name */
    async ask(id, name) {
        const span = h('select', {class: 'input'},
            ...['3600000', '86400000', '604800000', 'never'].map((value) => h('option', {value},
                text(`ban.span.${/** @type {'never'} */ (value)}`))));
        const message = await ask(text('ban.confirm', {who: name}), text('action.ban'),
            text('action.kick.reason'),
            h('label', {class: 'field'}, h('span', {}, text('ban.span')), span));
        if (message === null)
            return;
        this.session.connection.userAction('ban', id, {
            expires: span.value === 'never' ? 'never' : Number(span.value),
            ...message && {message},
        });
    }

    /** @private @param {Ban[]} bans */
    show(bans) {
        this.list.replaceChildren(...bans.map((ban) => h('div', {class: 'entry'},
            h('div', {},
                h('b', {dir: 'auto'}, [ban.username, ban.address].filter(Boolean).join(' · ')),
                h('small', {}, ban.expires ? text('invite.until', {time: dayAndTime(new Date(ban.expires))})
                    : text('ban.span.never'), ban.message ? ` · ${ban.message}` : '')),
            h('button', {type: 'button', class: 'button button-small',
                onclick: () => this.session.connection.groupAction('unban', ban.id)},
            text('ban.lift')))));
        if (bans.length === 0)
            this.list.append(h('p', {class: 'note'}, text('ban.none')));
        if (!this.dialog) {
            this.dialog = openDialog(text('ban.title'), this.list);
            this.dialog.addEventListener('close', () => this.dialog = null);
        }
    }
}
