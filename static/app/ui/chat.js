/** @import {Session} from '../session.js' */
/** @import {ChatMessage} from '../logic/chatlog.js' */

import {readLine} from '../logic/command.js';
import {splitLinks} from '../logic/links.js';
import {displayName} from '../logic/names.js';
import {sortPeople} from '../logic/people.js';
import {clock, text} from '../text/text.js';
import {byId, h} from './dom.js';
import {announce, notify} from './notices.js';

/** The conversation in writing. */
export class Chat {
    /**
     * @param {Session} session
     * @param {() => void} onunread
     */
    constructor(session, onunread) {
        this.session = session;
        this.onunread = onunread;
        this.open = false;
        this.unread = 0;
        this.list = byId('chat-list', HTMLElement);
        this.form = byId('chat-form', HTMLFormElement);
        this.input = byId('chat-input', HTMLTextAreaElement);
        this.to = byId('chat-to', HTMLSelectElement);
        this.problem = byId('chat-problem', HTMLElement);
        this.form.addEventListener('submit', (event) => {
            event.preventDefault();
            this.submit();
        });
        this.input.addEventListener('keydown', (event) => {
            if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
                event.preventDefault();
                this.submit();
            }
        });
        this.input.addEventListener('input', () => this.fit());
        this.to.addEventListener('change', () => this.markPrivate());
        session.on('chat', (message) => this.add(message));
        session.on('chatcleared', () => this.redraw());
        session.on('people', () => this.listPeople());
        session.on('permissions', (now) => this.setWritable(now.includes('message')));
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

    /**
     * Prepares a message to one person, or to all.
     *
     * @param {string} id A client id, or ''.
     */
    writeTo(id) {
        this.to.value = id;
        this.markPrivate();
        this.input.focus();
    }

    /** @private */
    markPrivate() {
        this.form.classList.toggle('private', this.to.value !== '');
    }

    /** @private @param {boolean} writable */
    setWritable(writable) {
        this.input.disabled = this.to.disabled = !writable;
        byId('chat-send', HTMLButtonElement).disabled = !writable;
        byId('chat-denied', HTMLElement).hidden = writable;
    }

    /** @private */
    listPeople() {
        const {connection} = this.session;
        const chosen = this.to.value;
        const others = sortPeople(connection.users, connection.id)
            .filter(([id]) => id !== connection.id);
        // Somebody who left stays chosen, or the rest of a private message would go to all.
        if (chosen && !connection.users[chosen]) {
            const gone = [...this.to.options].find(({value}) => value === chosen);
            others.push([chosen, {username: gone?.dataset['name'] ?? '', permissions: [],
                data: {}, streams: {}}]);
        }
        this.to.replaceChildren(h('option', {value: ''}, text('chat.everyone')),
            ...others.map(([id, {username}]) => h('option',
                {value: id, 'data-name': username}, displayName(username))));
        this.to.value = chosen;
    }

    /** @private */
    submit() {
        const line = readLine(this.input.value);
        const {connection} = this.session;
        const dest = this.to.value;
        this.complain('');
        if (line.kind === 'nothing')
            return;
        if (line.kind === 'unknown')
            return this.complain(text('chat.unknown-command', {name: line.name}));
        if (line.kind === 'me-empty')
            return this.complain(text('chat.me-empty'));
        if (dest && !connection.users[dest]) {
            const who = displayName(this.to.selectedOptions[0]?.dataset['name']);
            return this.complain(text('chat.gone', {who}));
        }
        if (this.session.state !== 'joined')
            return this.complain(text('chat.not-sent'));
        const kind = line.kind === 'me' ? 'me' : '';
        connection.chat(kind, dest, line.message);
        // The server sends us back what goes to all, but not what is private.
        if (dest && dest !== connection.id) {
            const added = this.session.chatLog.add({
                id: '', source: connection.id, dest, username: connection.username ?? '',
                time: new Date(), privileged: false, history: false, kind, message: line.message,
            });
            if (added)
                this.add(added);
        }
        this.input.value = '';
        this.fit();
        this.input.focus();
    }

    /** @private @param {string} problem */
    complain(problem) {
        this.problem.textContent = problem;
        this.problem.hidden = !problem;
    }

    /** @private The field grows with what is written in it. */
    fit() {
        this.input.style.height = 'auto';
        this.input.style.height = `${Math.min(this.input.scrollHeight + 2, 140)}px`;
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
        const body = h('p', {class: 'message-text', dir: 'auto'},
            message.kind === 'me' && h('b', {}, `${who} `),
            ...splitLinks(message.message).map((piece) => piece.link
                ? h('a', {href: piece.text, target: '_blank', rel: 'noopener noreferrer'},
                    piece.text)
                : piece.text));
        const time = h('time', {datetime: message.time.toISOString(),
            title: message.time.toLocaleString()}, clock(message.time));
        const item = h('li', {class: 'message'},
            !message.joined && h('div', {class: 'message-head'},
                message.kind !== 'me' && h('b', {dir: 'auto'}, who),
                message.dest && h('span', {class: 'message-private'}, own
                    ? text('chat.private.to', {who: this.session.nameOf(message.dest)})
                    : text('chat.private.from')),
                time),
            body);
        item.classList.toggle('own', own);
        item.classList.toggle('private', message.dest !== '');
        item.classList.toggle('me', message.kind === 'me');
        item.classList.toggle('joined', message.joined);
        return item;
    }
}
