/** What the commands of the chat do. */

/** @import {Session} from './session.js' */

import {findCommand, findUser, firstParameter} from './logic/commands.js';
import {parseExpiry} from './logic/expiry.js';
import {displayName} from './logic/names.js';
import {CHOICES, DEFAULTS} from './logic/preferences.js';
import {settings} from './settings.js';
import {text} from './text/text.js';

/** Why a command could not be done, in words. */
export class CommandError extends Error {}

/**
 * What the page does for a command.
 *
 * @typedef {object} Page
 * @property {() => void} help
 * @property {() => void} statistics
 * @property {() => void} presentFile
 * @property {(id: string) => void} sendFile
 * @property {(invitation: {username?: string, expires?: Date}) => void} invite
 * @property {() => void} listTokens
 * @property {() => void} listBans
 * @property {(kind: '' | 'me', dest: string, message: string) => void} say
 * @property {(message: string) => void} tell
 */

/**
 * Runs a command. Fails with a {@link CommandError}.
 *
 * @param {string} name
 * @param {string} rest What stands behind it.
 * @param {Session} session
 * @param {Page} page
 */
export function runCommand(name, rest, session, page) {
    const command = findCommand(name);
    const run = Object.hasOwn(actions, name) ? actions[name] : null;
    if (!command || !run)
        throw new CommandError(text('chat.unknown-command', {name}));
    if (command.needs && !session.permissions.includes(command.needs))
        throw new CommandError(text('command.denied', {name}));
    run({session, page, rest: rest.trim(), name});
}

/** @typedef {{session: Session, page: Page, rest: string, name: string}} Call */

/** @type {Record<string, (call: Call) => void>} */
const actions = {
    help: ({page}) => page.help(),
    me({page, rest}) {
        page.say('me', '', needed(rest, 'me'));
    },
    msg(call) {
        const [id, message] = person(call);
        call.page.say('', id, needed(message, 'msg'));
    },
    raise: ({session}) => session.raiseHand(true),
    unraise: ({session}) => session.raiseHand(false),
    leave: ({session}) => session.leave(),
    set: changeSetting,
    unset({rest}) {
        if (!Object.hasOwn(DEFAULTS, rest))
            throw new CommandError(text('command.no-setting', {name: rest}));
        const name = /** @type {keyof typeof DEFAULTS} */ (rest);
        settings.set(name, DEFAULTS[name]);
    },
    stats: ({page}) => page.statistics(),
    renegotiate({session}) {
        const {up, down} = session.connection;
        for (const stream of [...Object.values(up), ...Object.values(down)])
            stream.restartIce();
    },
    presentfile: ({page}) => page.presentFile(),
    sendfile(call) {
        call.page.sendFile(person(call)[0]);
    },
    caption: ({session, rest}) => session.connection.chat('caption', '', needed(rest, 'caption')),
    invite({page, rest}) {
        const [first, second] = firstParameter(rest);
        const only = second ? null : parseExpiry(first);
        const expires = second ? parseExpiry(second) : only;
        if (second && !expires)
            throw new CommandError(text('command.bad-time', {time: second}));
        page.invite({...!only && first && {username: first}, ...expires && {expires}});
    },
    reinvite({session, rest}) {
        const [token, time] = firstParameter(rest);
        const expires = parseExpiry(time || '1d');
        if (!expires)
            throw new CommandError(text('command.bad-time', {time}));
        session.connection.groupAction('edittoken',
            {token: needed(token, 'reinvite'), expires: expires.toISOString()});
    },
    revoke({session, rest}) {
        session.connection.groupAction('edittoken',
            {token: needed(rest, 'revoke'), expires: new Date(Date.now() - 1000).toISOString()});
    },
    listtokens: ({page}) => page.listTokens(),
    clear(call) {
        const {connection} = call.session;
        connection.groupAction('clearchat', call.rest ? {userId: person(call)[0]} : undefined);
    },
    lock: ({session, rest}) => session.connection.groupAction('lock', rest || undefined),
    unlock: simple, record: simple, unrecord: simple, subgroups: simple,
    op: onUser, unop: onUser, present: onUser, unpresent: onUser, shutup: onUser,
    unshutup: onUser, identify: onUser,
    kick(call) {
        const [id, message] = person(call);
        call.session.connection.userAction('kick', id, message || undefined);
    },
    mute(call) {
        call.session.connection.userMessage('mute', person(call)[0]);
    },
    muteall: ({session}) => session.connection.userMessage('mute', '', undefined, true),
    warn(call) {
        const [id, message] = person(call);
        call.session.connection.userMessage('warning', id, needed(message, 'warn'));
    },
    wall: ({session, rest}) => session.connection.userMessage('warning', '', needed(rest, 'wall')),
    ban(call) {
        const [id, time] = person(call);
        const expires = time ? parseExpiry(time) : null;
        if (time && !expires && time !== 'never')
            throw new CommandError(text('command.bad-time', {time}));
        call.session.connection.userAction('ban', id,
            time ? {expires: expires?.toISOString() ?? 'never'} : undefined);
    },
    unban: ({session, rest}) => session.connection.groupAction('unban', needed(rest, 'unban')),
    bans: ({page}) => page.listBans(),
    admit(call) {
        if (!call.rest)
            return call.session.connection.groupAction('admit');
        const users = Object.fromEntries(call.session.lobby.map((one) => [one.id, one]));
        const id = findUser(users, firstParameter(call.rest)[0]);
        if (!id)
            throw new CommandError(text('command.no-user', {name: call.rest}));
        call.session.connection.userAction('admit', id);
    },
};

/** @param {Call} call */
function simple({session, name}) {
    session.connection.groupAction(name);
}

/** @param {Call} call */
function onUser(call) {
    call.session.connection.userAction(call.name, person(call)[0]);
}

/**
 * The person that the first parameter names.
 *
 * @param {Call} call
 * @returns {[id: string, rest: string]}
 */
function person({session, rest, name}) {
    const [first, more] = firstParameter(rest);
    const {users} = session.connection;
    const id = findUser(users, needed(first, name));
    if (!id)
        throw new CommandError(text('command.no-user', {name: displayName(first)}));
    return [id, more];
}

/** @param {string} parameter @param {string} name */
function needed(parameter, name) {
    if (!parameter)
        throw new CommandError(text('command.needs', {usage: `/${name} ${findCommand(name)?.parameters}`}));
    return parameter;
}

/** @param {Call} call */
function changeSetting({page, rest}) {
    const [name, value] = firstParameter(rest);
    if (!name) {
        page.tell(settings.entries().map(([key, now]) => `${key} ${JSON.stringify(now)}`).join('\n'));
        return;
    }
    if (!Object.hasOwn(DEFAULTS, name))
        throw new CommandError(text('command.no-setting', {name}));
    const key = /** @type {keyof typeof DEFAULTS} */ (name);
    /** @type {readonly string[] | undefined} */
    const choices = /** @type {any} */ (CHOICES)[name];
    const standard = DEFAULTS[key];
    const wanted = typeof standard === 'boolean' ? !['false', 'no', 'off', '0'].includes(value) : value;
    if (choices && !choices.includes(value))
        throw new CommandError(text('command.bad-value', {name, choices: choices.join(', ')}));
    settings.set(key, wanted);
}
