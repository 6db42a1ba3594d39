/** A menu that opens at a button, by the pattern of WAI-ARIA. */

import {byId, h, icon} from './dom.js';

/**
 * @typedef {object} MenuItem
 * @property {string} label
 * @property {string} icon
 * @property {boolean} [danger]
 * @property {boolean} [checked] It is a choice that is made, or not.
 * @property {() => void} act
 */

/** Closes the menu that is open; true gives the focus back. @type {(refocus: boolean) => void} */
let closeOpen = () => {};

/**
 * Opens a menu under (or above) a button, or closes it; there is never more than one.
 *
 * @param {HTMLElement} button
 * @param {MenuItem[]} items
 */
export function openMenu(button, items) {
    if (button.getAttribute('aria-expanded') === 'true') {
        closeOpen(true);
        return;
    }
    closeOpen(false);
    const close = (/** @type {boolean} */ refocus) => {
        menu.remove();
        button.setAttribute('aria-expanded', 'false');
        document.removeEventListener('pointerdown', outside, true);
        window.removeEventListener('resize', shut);
        closeOpen = () => {};
        if (refocus)
            button.focus();
    };
    closeOpen = close;
    const shut = () => close(false);
    const outside = (/** @type {Event} */ event) => {
        const {target} = event;
        if (target instanceof Node && !menu.contains(target) && !button.contains(target))
            close(false);
    };
    const entries = items.map((item) => h('button', {
        type: 'button', tabindex: '-1',
        role: item.checked === undefined ? 'menuitem' : 'menuitemcheckbox',
        'aria-checked': item.checked === undefined ? null : String(item.checked),
        class: item.danger ? 'menu-item menu-danger' : 'menu-item',
        onclick: () => {
            close(true);
            item.act();
        },
    }, icon(item.checked ? 'check' : item.icon), item.label));
    const menu = h('div', {class: 'menu', role: 'menu',
        'aria-label': button.getAttribute('aria-label') ?? button.textContent?.trim(),
        onkeydown: (/** @type {KeyboardEvent} */ event) => {
            const at = entries.findIndex((entry) => entry === document.activeElement);
            // A letter goes to the next item that begins with it.
            const letter = event.key.length === 1 && !event.ctrlKey && !event.metaKey
                ? entries.findIndex((entry, index) => index > at && entry.textContent
                    ?.toLocaleLowerCase().startsWith(event.key.toLocaleLowerCase())) : -1;
            const to = letter >= 0 ? letter : {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1}[event.key];
            if (to !== undefined) {
                entries.at(to % entries.length)?.focus();
                event.preventDefault();
            } else if (event.key === 'Escape' || event.key === 'Tab') {
                event.preventDefault();
                event.stopPropagation();
                close(true);
            }
        },
    }, ...entries);
    (document.fullscreenElement ?? byId('menus', HTMLElement)).append(menu);
    place(menu, button.getBoundingClientRect());
    button.setAttribute('aria-expanded', 'true');
    document.addEventListener('pointerdown', outside, true);
    window.addEventListener('resize', shut);
    entries[0]?.focus();
}

/** @param {HTMLElement} menu @param {DOMRect} at */
function place(menu, at) {
    const margin = 8;
    const {width, height} = menu.getBoundingClientRect();
    const wished = document.dir === 'rtl' ? at.left : at.right - width;
    const left = Math.max(margin, Math.min(wished, innerWidth - width - margin));
    const below = at.bottom + 4;
    const top = below + height + margin <= innerHeight ? below
        : Math.max(margin, at.top - height - 4);
    menu.style.left = `${left}px`;
    menu.style.top = `${top}px`;
}
