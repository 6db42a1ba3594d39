/** The first page: which meetings there are, and a way into any other. */

/** @import {GroupStatus} from '../protocol/types.js' */

import {groupFrom, groupPath} from './logic/names.js';
import {countText, text} from './text/text.js';
import {byId, h, icon} from './ui/dom.js';
import {dress} from './ui/language.js';

const form = byId('go-form', HTMLFormElement);
const input = byId('go-name', HTMLInputElement);
const problem = byId('go-problem', HTMLElement);

form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const name = groupFrom(input.value);
    if (!name) {
        input.focus();
        return;
    }
    complain(name.startsWith('.') ? text('landing.bad-name') : await check(name));
    if (problem.hidden)
        location.href = groupPath(name);
});

/**
 * Looks whether there is such a group, so that a slip of the pen is told at once.
 *
 * @param {string} name
 * @returns {Promise<string>} What is wrong, or ''.
 */
async function check(name) {
    try {
        const response = await fetch(`${groupPath(name)}.status`);
        return response.status === 404 ? text('landing.missing', {name}) : '';
    } catch {
        return text('landing.unreachable');
    }
}

/** @param {string} message */
function complain(message) {
    problem.textContent = message;
    problem.hidden = !message;
    input.setAttribute('aria-invalid', String(!!message));
    if (message)
        input.focus();
}

async function listGroups() {
    const list = byId('public-groups', HTMLElement);
    const note = byId('public-note', HTMLElement);
    try {
        const response = await fetch('/public-groups.json');
        if (!response.ok)
            throw new Error(response.statusText);
        /** @type {GroupStatus[]} */
        const groups = await response.json() ?? [];
        list.replaceChildren(...groups.map(card));
        note.textContent = groups.length ? '' : text('landing.none');
    } catch {
        note.textContent = text('landing.failed');
    }
    note.hidden = !note.textContent;
}

/** @param {GroupStatus} group */
function card(group) {
    const full = group.displayName || group.name;
    const count = group.clientCount ?? 0;
    const item = h('li', {class: 'group'},
        h('a', {class: 'group-link', href: group.redirect || groupPath(group.name)}, full),
        group.description && h('p', {class: 'group-description', dir: 'auto'}, group.description),
        h('p', {class: 'group-facts'},
            h('span', {class: count > 0 ? 'count live' : 'count'}, countText(count)),
            group.locked && h('span', {class: 'locked'}, icon('lock'), text('group.locked'))));
    return item;
}

void dress().then(listGroups);
