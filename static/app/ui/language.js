/** Puts the reader's language into the page. */

import {direction, isText, language, loadLanguage, pickLanguage, text} from '../text/text.js';
import {settings} from '../settings.js';

/** Where a text goes, by the attribute that names it. */
const PLACES = {
    'data-label': 'aria-label', 'data-placeholder': 'placeholder', 'data-title': 'title',
    'data-short-text': 'data-short',
};

/** Chooses and loads the language, and fills in the page. Also sets the theme. */
export async function dress() {
    try {
        await loadLanguage(pickLanguage(settings.get('language'), navigator.languages));
    } catch {
        // The texts could not be had: those in English are there.
    }
    document.documentElement.lang = language();
    document.documentElement.dir = direction();
    translate(document.documentElement);
    const theme = () => document.documentElement.dataset['theme'] = settings.get('theme');
    settings.on('theme', theme);
    theme();
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
