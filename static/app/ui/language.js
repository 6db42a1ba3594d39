/** Puts the reader's language into the page. */

import {direction, isText, language, loadLanguage, pickLanguage, text} from '../text/text.js';
import {Emitter} from '../logic/emitter.js';
import {settings} from '../settings.js';

/** Where a text goes, by the attribute that names it. */
const PLACES = {
    'data-label': 'aria-label', 'data-placeholder': 'placeholder', 'data-title': 'title',
    'data-short-text': 'data-short',
};

/**
 * Tells when all texts are in another language: who has put texts into the page does so again.
 *
 * @type {Emitter<{changed: []}>}
 */
export const spoken = new Emitter();

/** Chooses and loads the language, and fills in the page; again when another is chosen. Also sets
 * the theme. */
export async function dress() {
    let last = speak();
    // The tables come one after the other, or the slowest would win.
    settings.on('language', () => last = last.then(speak).then(() => spoken.emit('changed')));
    await last;
    const theme = () => document.documentElement.dataset['theme'] = settings.get('theme');
    settings.on('theme', theme);
    theme();
}

async function speak() {
    try {
        await loadLanguage(pickLanguage(settings.get('language'), navigator.languages));
    } catch {
        // The texts could not be had: those of before are there, or else English ones.
    }
    document.documentElement.lang = language();
    document.documentElement.dir = direction();
    translate(document.documentElement);
}

/** @param {Element} root */
export function translate(root) {
    for (const element of root.querySelectorAll('[data-text]')) {
        const key = element.getAttribute('data-text') ?? '';
        if (isText(key))
            element.textContent = text(key);
    }
    for (const [from, to] of Object.entries(PLACES)) {
        for (const element of root.querySelectorAll(`[${from}]`)) {
            const key = element.getAttribute(from) ?? '';
            if (isText(key))
                element.setAttribute(to, text(key));
        }
    }
}
