/** All texts of the page that are not in its HTML. */

import {en} from './en.js';

/** @typedef {keyof typeof en} TextKey */

/**
 * The text for `key`, with `{name}` filled in from `values`.
 *
 * @param {TextKey} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function text(key, values = {}) {
    return en[key].replace(/\{([\w-]+)\}/g, (whole, name) => String(values[name] ?? whole));
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
    return date.toLocaleTimeString(undefined, {hour: '2-digit', minute: '2-digit'});
}
