/** What others say, the server among them. */

/** @import {ChatMessage} from './logic/chatlog.js' */
/** @import {Session} from './session.js' */

import {displayName} from './logic/names.js';
import {text} from './text/text.js';

/** @typedef {{id: string, username: string, since: string}} Waiting Somebody in the waiting room. */
/** @typedef {{id: string, username?: string, address?: string, message?: string, by?: string,
 *     expires?: string}} Ban */
/** @typedef {{id: string, speaks: boolean, withheld?: boolean}} Speaker A stream of who spoke. */
/** @typedef {{token: string, group?: string, username?: string, permissions?: string[],
 *     expires?: string, issuedBy?: string, issuedAt?: string}} Token An invitation. */

/**
 * Keeps what is said, and shows captions.
 *
 * @param {Session} session
 * @param {Omit<ChatMessage, 'kind' | 'message' | 'joined'> & {kind: string, message: unknown}} said
 */
export function hearChat(session, {kind, message, ...said}) {
    if (typeof message !== 'string')
        return;
    if (kind === 'caption' && !said.history)
        session.emit('caption', displayName(said.username), message);
    if (kind !== '' && kind !== 'me')
        return;
    const added = session.chatLog.add({...said, kind, message});
    if (added)
        session.emit('chat', added);
}

/**
 * Acts on a privileged message that is not chat.
 *
 * @param {Session} session
 * @param {{source: string, username: string, kind: string, error: string, message: any}} what
 */
export function hear(session, {source, username, kind, error, message}) {
    const who = displayName(username);
    switch (kind) {
    case 'kicked':
        session.kick = {who: username, error,
            message: typeof message === 'string' ? message : ''};
        break;
    case 'mute':
        session.emit('mute', who);
        break;
    case 'userinfo':
        session.emit('notice', text('action.identity', {
            who: displayName(message?.username), address: String(message?.address ?? '?'),
        }), 'info');
        break;
    case 'token':
        session.emit('token', message, error);
        break;
    case 'tokenlist':
        session.emit('tokens', Array.isArray(message) ? message : [], error);
        break;
    case 'lobby':
        session.lobby = Array.isArray(message) ? message : [];
        session.emit('lobby', session.lobby);
        break;
    case 'speakers':
        session.emit('speakers', Array.isArray(message) ? message : []);
        break;
    case 'ban':
        session.emit('ban', message);
        break;
    case 'banlist':
        session.emit('bans', Array.isArray(message) ? message : []);
        break;
    case 'error':
    case 'warning':
    case 'info':
        session.emit('notice', source ? text('server.from', {who, message: String(message)})
            : text(kind === 'error' ? 'server.error' : 'server.warning',
                {message: String(message)}), kind);
        break;
    }
}
