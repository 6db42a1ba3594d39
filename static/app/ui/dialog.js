/** Questions that want an answer before anything else, and windows over the page. */

import {text} from '../text/text.js';
import {h, icon} from './dom.js';

/** Makes the ids of titles differ. */
let made = 0;

/**
 * Asks.
 *
 * @param {string} question
 * @param {string} yes What the button says.
 * @param {string} [input] The label of a text that may be given along.
 * @param {...Node} more What else belongs to the question.
 * @returns {Promise<string | null>} Null for no.
 */
export function ask(question, yes, input, ...more) {
    const field = input ? h('input', {type: 'text', class: 'input', autocomplete: 'off'}) : null;
    const id = `dialog-${++made}`;
    const dialog = h('dialog', {class: 'dialog', 'aria-labelledby': id},
        h('form', {method: 'dialog'},
            h('h2', {id}, question),
            ...more,
            field && h('label', {class: 'field'}, h('span', {}, input ?? ''), field),
            h('div', {class: 'dialog-buttons'},
                h('button', {type: 'button', class: 'button', onclick: () => dialog.close()},
                    text('action.cancel')),
                h('button', {type: 'submit', value: 'yes', class: 'button button-danger'}, yes))));
    show(dialog);
    return new Promise((resolve) => {
        dialog.addEventListener('close', () =>
            resolve(dialog.returnValue === 'yes' ? field?.value.trim() ?? '' : null));
    });
}

/**
 * A window over the page, with a button that closes it.
 *
 * @param {string} title
 * @param {...(Node | string)} body
 */
export function openDialog(title, ...body) {
    const id = `dialog-${++made}`;
    const dialog = h('dialog', {class: 'dialog dialog-wide', 'aria-labelledby': id},
        h('div', {class: 'dialog-head'}, h('h2', {id}, title),
            h('button', {type: 'button', class: 'icon-button', 'aria-label': text('dialog.close'),
                onclick: () => dialog.close()}, icon('close'))),
        h('div', {class: 'dialog-body', tabindex: '0', role: 'group', 'aria-labelledby': id}, ...body));
    show(dialog);
    return dialog;
}

/** @param {HTMLDialogElement} dialog */
function show(dialog) {
    const before = document.activeElement;
    // What fills the screen lies over all that is not inside it.
    (document.fullscreenElement ?? document.body).append(dialog);
    dialog.addEventListener('close', () => {
        dialog.remove();
        if (before instanceof HTMLElement && before.isConnected)
            before.focus();
    });
    dialog.showModal();
}
