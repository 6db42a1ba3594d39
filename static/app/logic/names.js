/** How people and groups are called and told apart. */

import {text} from '../text/text.js';

/** How many colours of crystals the style sheet has. */
const COLOURS = 8;

/**
 * @param {string | null | undefined} username
 * @returns {string} Never empty.
 */
export function displayName(username) {
    return username?.trim() || text('people.anonymous');
}

/**
 * One or two letters that stand for a name.
 *
 * @param {string} name
 */
export function initials(name) {
    const words = name.split(/[\s._-]+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
    const first = (/** @type {string | undefined} */ word) =>
        [...(word ?? '').replace(/^[^\p{L}\p{N}]+/u, '')][0] ?? '';
    const letters = first(words[0]) + (words.length > 1 ? first(words.at(-1)) : '');
    return letters.toLocaleUpperCase() || '?';
}

/**
 * The same name has the same colour everywhere.
 *
 * @param {string} name
 * @returns {number} 0 to 7
 */
export function colourOf(name) {
    // FNV-1a: names that differ little differ in colour.
    let hash = 0x811c9dc5;
    for (const char of name)
        hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
    return ((hash ^ hash >>> 15) >>> 0) % COLOURS;
}

/**
 * The path of a group's page.
 *
 * @param {string} group
 */
export function groupPath(group) {
    return `/group/${group.split('/').map(encodeURIComponent).join('/')}/`;
}

/**
 * What somebody typed as a group, made a name: a pasted link is understood too.
 *
 * @param {string} typed
 * @returns {string} Empty if there is none in it.
 */
export function groupFrom(typed) {
    let name = typed.trim();
    const link = /^https?:\/\/[^/]+\/group\/([^?#]*)/.exec(name);
    if (link) {
        try {
            name = decodeURIComponent(link[1] ?? '');
        } catch {
            name = link[1] ?? '';
        }
    }
    return name.split('/').filter(Boolean).join('/');
}

/**
 * What the window is called.
 *
 * @param {{name: string, displayName?: string}} status Of the group.
 */
export function pageTitle(status) {
    return `${status.displayName || status.name} · Perikon`;
}
