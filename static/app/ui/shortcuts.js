/** Single keys that act while nothing is being written. */

import {byId} from './dom.js';

/** @type {Record<string, string>} */
const BUTTONS = {m: 'control-mic', v: 'control-cam', h: 'control-hand', c: 'control-chat',
    p: 'control-people'};

/**
 * @param {{isIn: boolean}} session
 * @param {Record<string, () => void>} others By key.
 */
export function listenForKeys(session, others) {
    document.addEventListener('keydown', (event) => {
        const {target} = event;
        if (!session.isIn || event.ctrlKey || event.metaKey || event.altKey || event.repeat
            || event.defaultPrevented || document.querySelector('dialog[open], .menu')
            || (target instanceof Element
                && target.closest('input, textarea, select, [contenteditable]')))
            return;
        const key = event.key.toLowerCase();
        const id = BUTTONS[key];
        if (id)
            byId(id, HTMLButtonElement).click();
        else if (others[key])
            others[key]();
        else
            return;
        event.preventDefault();
    });
}
