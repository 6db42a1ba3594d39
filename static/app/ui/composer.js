/** @import {Session} from '../session.js' */
/** @import {Page} from '../commands.js' */

import {CommandError, runCommand} from '../commands.js';
import {complete} from '../logic/commands.js';
import {readLine} from '../logic/command.js';
import {displayName} from '../logic/names.js';
import {sortPeople} from '../logic/people.js';
import {text} from '../text/text.js';
import {byId, h} from './dom.js';

/** Where messages are written: to whom, and what; with commands and their completion. */
export class Composer {
    /** @param {Session} session @param {Page} page */
    constructor(session, page) {
        this.session = session;
        this.page = page;
        this.form = byId('chat-form', HTMLFormElement);
        this.input = byId('chat-input', HTMLTextAreaElement);
        this.to = byId('chat-to', HTMLSelectElement);
        this.problem = byId('chat-problem', HTMLElement);
        this.list = byId('chat-completions', HTMLElement);
        /** @private @type {{value: string}[]} */
        this.offers = [];
        /** @private */
        this.chosen = -1;
        this.form.addEventListener('submit', (event) => {
            event.preventDefault();
            this.submit();
        });
        this.input.addEventListener('keydown', (event) => this.key(event));
        this.input.addEventListener('input', () => {
            this.fit();
            this.offer();
        });
        this.input.addEventListener('blur', () => setTimeout(() => this.close(), 150));
        this.to.addEventListener('change', () => this.markPrivate());
        session.on('people', () => this.listPeople());
        session.on('permissions', (now) => this.setWritable(now));
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

    /** @private @param {string[]} permissions */
    setWritable(permissions) {
        const writable = permissions.includes('message');
        // Who may do something else can type the command for it.
        const usable = writable || permissions.length > 0;
        this.input.disabled = !usable;
        this.to.disabled = !writable;
        byId('chat-send', HTMLButtonElement).disabled = !usable;
        byId('chat-denied', HTMLElement).hidden = writable;
    }

    /** Offers those who are here to be written to. */
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

    /** @private @param {KeyboardEvent} event */
    key(event) {
        const open = !this.list.hidden;
        if (open && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
            const step = event.key === 'ArrowDown' ? 1 : -1;
            this.choose((this.chosen + step + this.offers.length) % this.offers.length);
        } else if (open && event.key === 'Tab' && !event.shiftKey) {
            this.accept(Math.max(0, this.chosen));
        } else if (open && event.key === 'Enter' && this.chosen >= 0) {
            this.accept(this.chosen);
        } else if (open && event.key === 'Escape') {
            this.close();
        } else if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
            this.submit();
        } else {
            return;
        }
        event.preventDefault();
    }

    /** @private Offers what the line could become. */
    offer() {
        const {connection, permissions} = this.session;
        const names = sortPeople(connection.users, connection.id)
            .map(([, {username}]) => username).filter(Boolean);
        const offers = complete(this.input.value, permissions, names);
        this.offers = offers;
        this.list.replaceChildren(...offers.map(({value, hint, help}, index) => h('li', {
            role: 'option', id: `completion-${index}`, class: 'completion', 'aria-selected': 'false',
            onpointerdown: (/** @type {Event} */ event) => {
                event.preventDefault();
                this.accept(index);
            },
        }, h('span', {class: 'completion-name', dir: 'ltr'}, value.trim(),
            hint && h('span', {class: 'completion-hint'}, ` ${hint}`)),
        help && h('span', {class: 'completion-help'}, text(help)))));
        this.list.hidden = offers.length === 0;
        this.choose(-1);
    }

    /** @private @param {number} index */
    choose(index) {
        this.chosen = index;
        [...this.list.children].forEach((child, at) => {
            child.setAttribute('aria-selected', String(at === index));
            if (at === index)
                child.scrollIntoView({block: 'nearest'});
        });
        if (index >= 0)
            this.input.setAttribute('aria-activedescendant', `completion-${index}`);
        else
            this.input.removeAttribute('aria-activedescendant');
    }

    /** @private @param {number} index */
    accept(index) {
        const offer = this.offers[index];
        if (!offer)
            return;
        this.input.value = offer.value;
        this.input.focus();
        this.offer();
    }

    /** @private */
    close() {
        this.list.hidden = true;
        this.choose(-1);
    }

    /** @private */
    submit() {
        const line = readLine(this.input.value);
        this.complain('');
        this.close();
        if (line.kind === 'nothing')
            return;
        try {
            if (line.kind === 'command')
                runCommand(line.name, line.rest, this.session, {...this.page,
                    say: (kind, dest, message) => this.send(kind, dest || this.to.value, message)});
            else
                this.send('', this.to.value, line.message);
        } catch (error) {
            if (!(error instanceof CommandError))
                throw error;
            return this.complain(error.message);
        }
        this.input.value = '';
        this.fit();
        this.input.focus();
    }

    /** @private @param {'' | 'me'} kind @param {string} dest @param {string} message */
    send(kind, dest, message) {
        const {connection} = this.session;
        if (!this.session.permissions.includes('message') && this.session.state === 'joined')
            throw new CommandError(text('chat.denied'));
        if (this.session.state !== 'joined')
            throw new CommandError(text('chat.not-sent'));
        if (dest && !connection.users[dest]) {
            const who = displayName(this.to.selectedOptions[0]?.dataset['name']);
            throw new CommandError(text('chat.gone', {who}));
        }
        this.page.say(kind, dest, message);
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
}
