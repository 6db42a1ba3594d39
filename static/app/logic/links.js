/** Finds the links in a message. */

/** Ends before punctuation that belongs to the sentence. */
const LINK = /https?:\/\/[^\s<>"“”]+[^\s<>"“”.,;:!?'’)\]}]/giu;

/**
 * @param {string} message
 * @returns {{text: string, link: boolean}[]} The whole message, in pieces.
 */
export function splitLinks(message) {
    const pieces = [];
    let end = 0;
    for (const match of message.matchAll(LINK)) {
        if (match.index > end)
            pieces.push({text: message.slice(end, match.index), link: false});
        pieces.push({text: match[0], link: true});
        end = match.index + match[0].length;
    }
    if (end < message.length)
        pieces.push({text: message.slice(end), link: false});
    return pieces;
}
