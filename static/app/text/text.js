/** All texts of the page, in the reader's language. */

import {en} from './en.js';

/** @typedef {keyof typeof en} TextKey */
/** @typedef {Record<TextKey, string>} Table */

/** The languages there are, as their speakers call them. @type {Record<string, string>} */
export const LANGUAGES = {
    en: 'English', fr: 'Français', de: 'Deutsch', es: 'Español', ar: 'العربية',
};
/** Those that are written from right to left. */
const RIGHT_TO_LEFT = ['ar'];

/** @type {Table} */
let table = en;
let current = 'en';

/**
 * Which of our languages somebody wants.
 *
 * @param {string} chosen A language of {@link LANGUAGES}, or '' for the browser's.
 * @param {readonly string[]} preferred As the browser lists them.
 */
export function pickLanguage(chosen, preferred) {
    if (Object.hasOwn(LANGUAGES, chosen))
        return chosen;
    for (const tag of preferred) {
        const language = tag.toLowerCase().split('-')[0] ?? '';
        if (Object.hasOwn(LANGUAGES, language))
            return language;
    }
    return 'en';
}

/**
 * Loads a language's table; all texts are of it from then on.
 *
 * @param {string} language One of {@link LANGUAGES}.
 */
export async function loadLanguage(language) {
    const module = language === 'en' ? {en} : await import(`./${language}.js`);
    table = module[language];
    current = language;
}

/** The language that texts are in. */
export function language() {
    return current;
}

/** @returns {'rtl' | 'ltr'} */
export function direction() {
    return RIGHT_TO_LEFT.includes(current) ? 'rtl' : 'ltr';
}

/**
 * The text for `key`, with `{name}` filled in from `values`.
 *
 * @param {TextKey} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function text(key, values = {}) {
    return table[key].replace(/\{([\w-]+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * Whether there is such a text; for keys that are put together.
 *
 * @param {string} key
 * @returns {key is TextKey}
 */
export function isText(key) {
    return Object.hasOwn(en, key);
}

/**
 * How many people are in a group, in words.
 *
 * @param {number} n
 */
export function countText(n) {
    return n === 0 ? text('group.count.0') : n === 1 ? text('group.count.1')
        : text('group.count.n', {n});
}

/**
 * The time of day, as the reader's language writes it.
 *
 * @param {Date} date
 */
export function clock(date) {
    return date.toLocaleTimeString(current, {hour: '2-digit', minute: '2-digit'});
}

/**
 * A day and a time of day.
 *
 * @param {Date} date
 */
export function dayAndTime(date) {
    return date.toLocaleString(current, {dateStyle: 'medium', timeStyle: 'short'});
}

/**
 * A number of bytes, short.
 *
 * @param {number} bytes
 */
export function byteText(bytes) {
    const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte'];
    const step = bytes < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(bytes) / 3));
    return new Intl.NumberFormat(current, {style: 'unit', unit: units[step] ?? 'byte',
        unitDisplay: 'short', maximumFractionDigits: step > 1 ? 1 : 0})
        .format(bytes / 1000 ** step);
}
