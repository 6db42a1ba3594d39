/** Why the server did not let somebody in, or sent them away, in words a person can act on. */

import {text} from '../text/text.js';

/** @typedef {import('../text/text.js').TextKey} TextKey */

/**
 * @typedef {object} Refusal
 * @property {string} message
 * @property {'username' | 'password' | null} field Where in the join form it can be mended.
 */

/** By the stable code of the server. @type {Record<string, {key: TextKey, field?: 'username'}>} */
const byCode = {
    'need-username': {key: 'fail.need-username', field: 'username'},
    'duplicate-username': {key: 'fail.duplicate-username', field: 'username'},
    banned: {key: 'fail.banned'},
    'lobby-refused': {key: 'fail.lobby-refused'},
    'lobby-full': {key: 'fail.lobby-full'},
};

/** By its words, where it gives no code. @type {Record<string, {key: TextKey, field?: 'password'}>} */
const byWords = {
    'not authorised': {key: 'fail.not-authorised', field: 'password'},
    'group does not exist': {key: 'fail.no-group'},
    'illegal group name': {key: 'fail.bad-group'},
    'too many users': {key: 'fail.full'},
    'this group is locked': {key: 'fail.locked'},
    'this group is not open yet': {key: 'fail.not-yet'},
    'this group is closed': {key: 'fail.over'},
    'there are no operators in this group': {key: 'fail.no-operator'},
};

/**
 * Explains a `joined` of kind `fail`.
 *
 * @param {string} code Its `error`, may be empty.
 * @param {string} words Its `value`.
 * @param {boolean} withToken The user came with an invitation.
 * @returns {Refusal}
 */
export function refusal(code, words, withToken) {
    if (withToken && words === 'not authorised' && !code)
        return {message: text('fail.not-authorised.token'), field: null};
    const known = Object.hasOwn(byCode, code) ? byCode[code]
        : Object.hasOwn(byWords, words) ? byWords[words] : null;
    if (known)
        return {message: text(known.key), field: known.field ?? null};
    // The lock of a group may have a message of its own.
    return {message: text('fail.other', {message: words || code || '?'}), field: null};
}

/**
 * @typedef {object} Kick
 * @property {string} who Who did it; empty for the server.
 * @property {string} message
 * @property {string} [error] Its stable code, if there is one.
 */

/**
 * Explains the end of a connection that the user did not ask for.
 *
 * @param {Kick | null} kick The server said before that it would.
 * @param {number} code Of the WebSocket.
 * @param {string} reason Of the WebSocket.
 * @param {boolean} joined It had worked before.
 */
export function ending(kick, code, reason, joined) {
    if (kick) {
        if (kick.message === 'server is shutting down')
            return text('end.shutdown');
        if (kick.error === 'banned')
            return kick.message && kick.message !== 'you are banned'
                ? `${text('end.banned')} ${text('end.reason', {message: kick.message})}`
                : text('end.banned');
        const who = kick.who ? text('end.kicked', {who: kick.who}) : text('end.kicked.server');
        return kick.message && kick.message !== 'you have been kicked out'
            ? `${who} ${text('end.reason', {message: kick.message})}` : who;
    }
    if (code !== 1006 && reason)
        return text('end.closed', {message: reason});
    return text(joined ? 'end.lost' : 'fail.unreachable');
}

/**
 * Whether a refusal is of the kind that passes when the server has noticed that the connection we
 * lost is gone: our former self still has the name or the seat.
 *
 * @param {string} code
 * @param {string} words
 */
export function passes(code, words) {
    return code === 'duplicate-username' || code === 'too-many-users' || words === 'too many users';
}
