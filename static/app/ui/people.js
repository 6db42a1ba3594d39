/** @import {Session} from '../session.js' */
/** @import {Action} from '../logic/people.js' */
/** @import {MenuItem} from './menu.js' */

import {colourOf, displayName, initials} from '../logic/names.js';
import {actionsFor, roleOf, sortPeople} from '../logic/people.js';
import {text} from '../text/text.js';
import {ask} from './dialog.js';
import {byId, crystal, h, icon} from './dom.js';
import {openMenu} from './menu.js';

/** @type {Record<Action, string>} */
const icons = {
    message: 'chat', mute: 'mic-off', present: 'camera', unpresent: 'camera-off', op: 'key',
    unop: 'key', identify: 'info', kick: 'leave',
};

/** The list of who is here, and what can be done to them. */
export class People {
    /**
     * @param {Session} session
     * @param {(id: string) => void} onmessage A private message to this client is wanted.
     */
    constructor(session, onmessage) {
        this.session = session;
        this.onmessage = onmessage;
        this.list = byId('people-list', HTMLElement);
        this.groupMenu = byId('group-menu', HTMLButtonElement);
        this.groupMenu.addEventListener('click', () => openMenu(this.groupMenu, this.groupItems()));
        session.on('people', () => this.schedule());
        session.on('permissions', () => this.schedule());
        session.on('status', () => this.schedule());
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
        const focused = document.activeElement?.closest('[data-client]')
            ?.getAttribute('data-client');
        this.list.replaceChildren(...people.map(([id, user]) => this.row(id, user)));
        if (focused) {
            const row = [...this.list.children]
                .find((child) => child.getAttribute('data-client') === focused);
            row?.querySelector('button')?.focus();
        }
        byId('people-count', HTMLElement).textContent = String(people.length);
        byId('people-badge', HTMLElement).textContent = String(people.length);
        byId('group-lock', HTMLElement).hidden = !status.locked;
        this.groupMenu.hidden = !permissions.includes('op');
    }

    /**
     * @private
     * @param {string} id
     * @param {import('../../protocol/types.js').User} user
     */
    row(id, user) {
        const {connection, permissions} = this.session;
        const name = displayName(user.username);
        const self = id === connection.id;
        const role = text(`people.role.${roleOf(user.permissions)}`);
        const actions = actionsFor(permissions, user.permissions, self);
        const row = h('li', {class: 'person', 'data-client': id},
            crystal(initials(name), colourOf(name)),
            h('span', {class: 'person-name'},
                h('span', {class: 'person-who'}, name, self && ` ${text('people.you')}`),
                role && h('span', {class: 'person-role'}, role)),
            user.data['muted'] && h('span', {class: 'person-sign', role: 'img',
                'aria-label': text('people.muted', {who: name})}, icon('mic-off')));
        if (actions.length > 0) {
            const button = h('button', {type: 'button', class: 'icon-button',
                'aria-label': text('people.menu', {who: name}), 'aria-haspopup': 'menu',
                'aria-expanded': 'false', onclick: () => openMenu(button,
                    actions.map((action) => this.item(action, id, name)))}, icon('more'));
            row.append(button);
        }
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
            label: text(`action.${action}`), icon: icons[action], danger: action === 'kick',
            act: () => void this.act(action, id, name),
        };
    }

    /** @private @param {Action} action @param {string} id @param {string} name */
    async act(action, id, name) {
        const {connection} = this.session;
        if (action === 'message') {
            this.onmessage(id);
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
