/** What a line typed into the chat means. */

/**
 * @typedef {{kind: 'say', message: string} | {kind: 'nothing'}
 *     | {kind: 'command', name: string, rest: string}} Line
 */

/**
 * A line that begins with a slash is a command, never a message; two slashes escape one.
 *
 * @param {string} typed
 * @returns {Line}
 */
export function readLine(typed) {
    const line = typed.trimEnd();
    if (line.trim() === '')
        return {kind: 'nothing'};
    if (line.startsWith('//'))
        return {kind: 'say', message: line.slice(1)};
    if (!line.startsWith('/'))
        return {kind: 'say', message: line};
    const [, name = '', rest = ''] = /^\/(\S*)\s*([^]*)$/.exec(line) ?? [];
    return {kind: 'command', name, rest};
}
