/** Questions that want an answer before anything else. */

import {text} from '../text/text.js';
import {h} from './dom.js';

/**
 * Asks.
 *
 * @param {string} question
 * @param {string} yes What the button says.
 * @param {string} [input] The label of a text that may be given along.
 * @returns {Promise<string | null>} Null for no.
 */
export function ask(question, yes, input) {
    const field = input ? h('input', {type: 'text', class: 'input', autocomplete: 'off'}) : null;
    const title = h('h2', {id: 'dialog-title'}, question);
    const dialog = h('dialog', {class: 'dialog', 'aria-labelledby': 'dialog-title'},
        h('form', {method: 'dialog'},
            title,
            field && h('label', {class: 'field'}, h('span', {}, input ?? ''), field),
            h('div', {class: 'dialog-buttons'},
                h('button', {type: 'button', class: 'button', onclick: () => dialog.close()},
                    text('action.cancel')),
                h('button', {type: 'submit', value: 'yes', class: 'button button-danger'}, yes))));
    document.body.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
        dialog.addEventListener('close', () => {
            dialog.remove();
            resolve(dialog.returnValue === 'yes' ? field?.value.trim() ?? '' : null);
        });
    });
}
