/** What a message looks like: links, code in a line and in blocks. Never HTML. */

import {splitLinks} from './links.js';

/**
 * @typedef {{kind: 'text' | 'link' | 'code' | 'block', text: string}} Piece
 */

/** Blocks between lines of three backticks, or words between single ones. */
const CODE = /```[^\S\n]*\w*\n([^]*?)\n?```|(?<!`)`([^`\n]+)`(?!`)/g;

/**
 * @param {string} message
 * @returns {Piece[]} The whole message, in pieces.
 */
export function markup(message) {
    /** @type {Piece[]} */
    const pieces = [];
    let end = 0;
    for (const match of message.matchAll(CODE)) {
        addText(pieces, message.slice(end, match.index), match[1] !== undefined);
        pieces.push(match[1] !== undefined ? {kind: 'block', text: match[1]}
            : {kind: 'code', text: match[2] ?? ''});
        end = match.index + match[0].length;
    }
    const last = message.slice(end);
    addText(pieces, pieces.at(-1)?.kind === 'block' ? last.replace(/^\n/, '') : last, false);
    return pieces;
}

/** @param {Piece[]} pieces @param {string} words @param {boolean} block A block follows. */
function addText(pieces, words, block) {
    for (const {text, link} of splitLinks(block ? words.replace(/\n$/, '') : words))
        pieces.push({kind: link ? 'link' : 'text', text});
}
