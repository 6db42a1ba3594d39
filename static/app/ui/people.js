/** @import {Session} from '../session.js' */
/** @import {Action} from '../logic/people.js' */
/** @import {MenuItem} from './menu.js' */

import {colourOf, displayName, initials} from '../logic/names.js';
import {actionsFor, roleOf, sortPeople} from '../logic/people.js';
import {text} from '../text/text.js';
import {ask} from './dialog.js';
import {byId, crystal, h, icon} from './dom.js';
import {spoken} from './language.js';
import {openMenu} from './menu.js';

/** @type {Record<Action, string>} */
const icons = {
    message: 'chat', file: 'file', warn: 'warning', shutup: 'chat', unshutup: 'chat', ban: 'ban',
    mute: 'mic-off', present: 'camera', unpresent: 'camera-off', op: 'key',
    unop: 'key', identify: 'info', kick: 'leave',
};

/** The list of who is here, and what can be done to them. */
export class People {
    /**
     * @param {Session} session
     * @param {{message: (id: string) => void, file: (id: string) => void,
     *     ban: (id: string, name: string) => void, bans: () => void, invite: () => void}} open
     *     What is wanted of other parts of the page.
     */
    constructor(session, open) {
        this.session = session;
        this.open = open;
        this.invite = byId('people-invite', HTMLButtonElement);
        this.invite.addEventListener('click', () => open.invite());
        this.list = byId('people-list', HTMLElement);
        this.groupMenu = byId('group-menu', HTMLButtonElement);
        this.groupMenu.addEventListener('click', () => openMenu(this.groupMenu, this.groupItems()));
        session.on('people', () => this.schedule());
        session.on('permissions', () => this.schedule());
        session.on('status', () => this.schedule());
        spoken.on('changed', () => this.schedule());
    }

    /** @private Many come at once when we join: the list is drawn once. */
    schedule() {
        if (this.scheduled)
            return;
        this.scheduled = true;
        queueMicrotask(() => {
            this.scheduled = false;
            this.draw();
        });
    }

    /** @private */
    scheduled = false;

    /** @private */
    draw() {
        const {connection, permissions, status} = this.session;
        const people = sortPeople(connection.users, connection.id);
        // Rows stay where they are: one that is replaced under a pointer loses the click.
        const rows = new Map([...this.list.children]
            .map((row) => [row.getAttribute('data-client'), row]));
        people.forEach(([id, user], at) => {
            const row = this.row(id, user, rows.get(id));
            rows.delete(id);
            if (this.list.children[at] !== row)
                this.list.insertBefore(row, this.list.children[at] ?? null);
        });
        rows.forEach((gone) => gone.remove());
        byId('people-count', HTMLElement).textContent = String(people.length);
        byId('people-badge', HTMLElement).textContent = String(people.length);
        byId('group-lock', HTMLElement).hidden = !status.locked;
        byId('group-recording', HTMLElement).hidden = !this.session.isRecording;
        this.groupMenu.hidden = !permissions.includes('op');
        this.invite.hidden = !permissions.includes('token');
    }

    /**
     * The row of a person, made or brought up to date.
     *
     * @private
     * @param {string} id
     * @param {import('../../protocol/types.js').User} user
     * @param {Element} [old]
     */
    row(id, user, old) {
        const {connection, permissions} = this.session;
        const name = displayName(user.username);
        const self = id === connection.id;
        const role = text(`people.role.${roleOf(user.permissions)}`);
        const actions = actionsFor(permissions, user.permissions, self).filter((action) =>
            action !== 'ban' || connection.serverFeatures.includes('ban'));
        const face = h('span', {class: 'person-face'},
            crystal(initials(name), colourOf(name)),
            h('span', {class: 'person-name'},
                h('span', {class: 'person-who'}, h('bdi', {}, name), self && ` ${text('people.you')}`),
                role && h('span', {class: 'person-role'}, role)),
            user.data['raisehand'] && h('span', {class: 'person-sign person-hand', role: 'img',
                'aria-label': text('people.hand', {who: name})}, icon('hand')),
            user.data['muted'] && h('span', {class: 'person-sign', role: 'img',
                'aria-label': text('people.muted', {who: name})}, icon('mic-off')));
        const row = old ?? h('li', {class: 'person', 'data-client': id}, face);
        if (old)
            old.querySelector('.person-face')?.replaceWith(face);
        let button = row.querySelector('button');
        if (actions.length === 0) {
            button?.remove();
            return row;
        }
        if (!button) {
            button = h('button', {type: 'button', class: 'icon-button', 'aria-haspopup': 'menu',
                'aria-expanded': 'false'}, icon('more'));
            row.append(button);
        }
        const opener = button;
        opener.setAttribute('aria-label', text('people.menu', {who: name}));
        opener.onclick = () =>
            openMenu(opener, actions.map((action) => this.item(action, id, name)));
        return row;
    }

    /**
     * @private
     * @param {Action} action
     * @param {string} id
     * @param {string} name
     * @returns {MenuItem}
     */
    item(action, id, name) {
        return {
            label: text(`action.${action}`), icon: icons[action], danger: action === 'kick' || action === 'ban',
            act: () => void this.act(action, id, name),
        };
    }

    /** @private @param {Action} action @param {string} id @param {string} name */
    async act(action, id, name) {
        const {connection} = this.session;
        if (action === 'message') {
            this.open.message(id);
        } else if (action === 'file') {
            this.open.file(id);
        } else if (action === 'ban') {
            this.open.ban(id, name);
        } else if (action === 'warn') {
            const words = await ask(text('action.warn.confirm', {who: name}), text('action.warn.send'),
                text('chat.message'));
            if (words)
                connection.userMessage('warning', id, words);
        } else if (action === 'mute') {
            connection.userMessage('mute', id);
        } else if (action === 'kick') {
            const reason = await ask(text('action.kick.confirm', {who: name}),
                text('action.kick'), text('action.kick.reason'));
            if (reason !== null)
                connection.userAction('kick', id, reason || undefined);
        } else {
            connection.userAction(action, id);
        }
    }

    /** @private @returns {MenuItem[]} */
    groupItems() {
        const {connection, status} = this.session;
        const lock = status.locked ? 'unlock' : 'lock';
        return [
            {label: text(`action.${lock}`), icon: lock, act: () => connection.groupAction(lock)},
            {label: text('action.muteall'), icon: 'mic-off',
                act: () => connection.userMessage('mute', '', undefined, true)},
            {label: text('action.subgroups'), icon: 'people', act: () => {
                this.open.message('');
                connection.groupAction('subgroups');
            }},
            ...connection.serverFeatures.includes('ban')
                ? [{label: text('ban.title'), icon: 'ban', act: () => this.open.bans()}] : [],
            {
                label: text('action.clearchat'), icon: 'trash', danger: true,
                act: async () => {
                    if (await ask(text('action.clearchat.confirm'), text('action.clearchat'))
                        !== null)
                        connection.groupAction('clearchat');
                },
            },
        ];
    }
}
