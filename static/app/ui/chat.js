/** @import {Session} from '../session.js' */
/** @import {ChatMessage} from '../logic/chatlog.js' */
/** @import {Page} from '../commands.js' */

import {markup} from '../logic/markup.js';
import {displayName} from '../logic/names.js';
import {settings} from '../settings.js';
import {clock, language, text} from '../text/text.js';
import {Composer} from './composer.js';
import {byId, h, icon} from './dom.js';
import {spoken} from './language.js';
import {openMenu} from './menu.js';
import {announce, notify} from './notices.js';

/** The conversation in writing. */
export class Chat {
    /**
     * @param {Session} session
     * @param {() => void} onunread
     * @param {Omit<Page, 'say'>} page
     */
    constructor(session, onunread, page) {
        this.session = session;
        this.onunread = onunread;
        this.open = false;
        this.unread = 0;
        this.list = byId('chat-list', HTMLElement);
        this.composer = new Composer(session, {...page,
            say: (kind, dest, message) => this.say(kind, dest, message)});
        session.on('chat', (message) => this.add(message));
        session.on('chatcleared', () => this.redraw());
        spoken.on('changed', () => {
            this.redraw();
            this.composer.listPeople();
            onunread();
        });
        session.on('permissions', (now, before) => {
            if (before && now.includes('op') !== before.includes('op'))
                this.redraw();
        });
    }

    /** @param {boolean} open The panel is in view. */
    setOpen(open) {
        this.open = open;
        if (open) {
            this.unread = 0;
            this.onunread();
            this.list.scrollTop = this.list.scrollHeight;
        }
    }

    /** @param {string} id A client id, or ''. */
    writeTo(id) {
        this.composer.writeTo(id);
    }

    /** @private @param {'' | 'me'} kind @param {string} dest @param {string} message */
    say(kind, dest, message) {
        const {connection} = this.session;
        connection.chat(kind, dest, message);
        // The server sends us back what goes to all, but not what is private.
        if (dest && dest !== connection.id) {
            const added = this.session.chatLog.add({
                id: '', source: connection.id, dest, username: connection.username ?? '',
                time: new Date(), privileged: false, history: false, kind, message,
            });
            if (added)
                this.add(added);
        }
    }

    /** @private */
    redraw() {
        this.list.replaceChildren(...this.session.chatLog.messages.map((m) => this.draw(m)));
    }

    /** @private @param {ChatMessage} message */
    add(message) {
        const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 60;
        const own = this.session.ownIds.has(message.source);
        this.list.append(this.draw(message));
        if (atEnd || own)
            this.list.scrollTop = this.list.scrollHeight;
        if (message.history || own)
            return;
        if (!this.open || document.hidden) {
            this.unread += 1;
            this.onunread();
        }
        const said = {who: this.author(message), message: message.message};
        announce(text(message.dest ? 'chat.said.private' : 'chat.said', said));
        if (message.dest && !this.open)
            notify(text('chat.said.private', said));
        if (document.hidden && settings.get('notifications') && 'Notification' in window
            && Notification.permission === 'granted') {
            const note = new Notification(said.who, {body: message.message, tag: 'perikon-chat'});
            note.onclick = () => window.focus();
        }
    }

    /** @private @param {ChatMessage} message */
    author(message) {
        return message.source || message.username ? displayName(message.username)
            : text('chat.server');
    }

    /** @private @param {ChatMessage} message */
    draw(message) {
        const own = this.session.ownIds.has(message.source);
        const who = this.author(message);
        const body = h('div', {class: 'message-text', dir: 'auto'},
            message.kind === 'me' && h('b', {}, `${who} `),
            ...markup(message.message).map((piece) => {
                switch (piece.kind) {
                case 'link':
                    return h('a', {href: piece.text, target: '_blank', rel: 'noopener noreferrer'},
                        piece.text);
                case 'code':
                    return h('code', {class: 'code-word', dir: 'ltr'}, piece.text);
                case 'block':
                    return h('pre', {class: 'code-block', dir: 'ltr', tabindex: '0'},
                        h('code', {}, piece.text));
                default:
                    return piece.text;
                }
            }));
        const time = h('time', {datetime: message.time.toISOString(),
            title: message.time.toLocaleString(language())}, clock(message.time));
        const item = h('li', {class: 'message'},
            !message.joined && h('div', {class: 'message-head'},
                message.kind !== 'me' && h('b', {dir: 'auto'}, who),
                message.dest && h('span', {class: 'message-private'}, own
                    ? text('chat.private.to', {who: this.session.nameOf(message.dest)})
                    : text('chat.private.from')),
                time),
            body, this.menu(message, who));
        item.classList.toggle('own', own);
        item.classList.toggle('private', message.dest !== '');
        item.classList.toggle('me', message.kind === 'me');
        item.classList.toggle('joined', message.joined);
        return item;
    }

    /** @private @param {ChatMessage} message @param {string} who */
    menu(message, who) {
        const {connection, permissions} = this.session;
        const button = h('button', {type: 'button', class: 'icon-button message-menu',
            'aria-haspopup': 'menu', 'aria-expanded': 'false',
            'aria-label': text('chat.menu', {who, time: clock(message.time)})}, icon('more'));
        const clear = (/** @type {any} */ what) => () => connection.groupAction('clearchat', what);
        const op = permissions.includes('op') && !message.dest;
        button.addEventListener('click', () => openMenu(button, [
            {label: text('chat.copy'), icon: 'copy',
                act: () => void navigator.clipboard.writeText(message.message).then(
                    () => notify(text('chat.copied')), () => notify(text('chat.copy-failed'), 'warning'))},
            ...op && message.id ? [{label: text('chat.delete'), icon: 'trash', danger: true,
                act: clear({id: message.id, userId: message.source})}] : [],
            ...op && message.source ? [{label: text('chat.delete-all', {who}), icon: 'trash',
                danger: true, act: clear({userId: message.source})}] : [],
        ]));
        return button;
    }
}
