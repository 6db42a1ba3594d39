/** Short messages over the page, and words for screen readers only. */

import {text} from '../text/text.js';
import {byId, h, icon} from './dom.js';

/** How long a notice stays, ms. */
const STAY = {info: 6_000, warning: 12_000, error: 15_000};
/** No more than these at a time. */
const MOST = 4;

/**
 * @param {string} message
 * @param {'info' | 'warning' | 'error'} [level]
 * @param {{label: string, act: () => void}} [action] A button in it.
 */
export function notify(message, level = 'info', action) {
    const list = byId('notices', HTMLElement);
    for (const other of list.children) {
        if (other.getAttribute('data-message') === message)
            other.remove();
    }
    while (list.children.length >= MOST)
        list.firstElementChild?.remove();
    const remove = () => notice.remove();
    const notice = h('div', {
        class: `notice notice-${level}`, 'data-message': message,
        role: level === 'info' ? 'status' : 'alert',
    },
    icon(level === 'info' ? 'info' : 'warning'),
    h('p', {}, message),
    action && h('button', {type: 'button', class: 'button button-small',
        onclick: () => (remove(), action.act())}, action.label),
    h('button', {type: 'button', class: 'icon-button', 'aria-label': text('notices.dismiss'), onclick: remove},
        icon('close')));
    list.append(notice);
    let timer = setTimeout(remove, STAY[level]);
    // Nobody is hurried who is reading it or about to press its button.
    const hold = () => clearTimeout(timer);
    const release = () => timer = setTimeout(remove, STAY[level]);
    notice.addEventListener('pointerenter', hold);
    notice.addEventListener('focusin', hold);
    notice.addEventListener('pointerleave', release);
    notice.addEventListener('focusout', release);
}

export function clearNotices() {
    byId('notices', HTMLElement).replaceChildren();
}

/**
 * Tells those who hear the page.
 *
 * @param {string} message
 */
export function announce(message) {
    const region = byId('announcer', HTMLElement);
    region.append(h('p', {}, message));
    while (region.children.length > 5)
        region.firstElementChild?.remove();
}
