/** The commands that can be typed into the chat. What they do is in `app/commands.js`. */

/** @typedef {import('../text/text.js').TextKey} TextKey */

/**
 * @typedef {object} Command
 * @property {string} name
 * @property {string} [parameters]
 * @property {TextKey} help
 * @property {string} [needs] A permission.
 * @property {boolean} [user] The first parameter is a person.
 */

/** @type {Command[]} */
export const COMMANDS = [
    {name: 'help', help: 'command.help'},
    {name: 'me', parameters: 'message', help: 'command.me', needs: 'message'},
    {name: 'msg', parameters: 'user message', help: 'command.msg', needs: 'message', user: true},
    {name: 'raise', help: 'command.raise'},
    {name: 'unraise', help: 'command.unraise'},
    {name: 'leave', help: 'command.leave'},
    {name: 'set', parameters: '[setting [value]]', help: 'command.set'},
    {name: 'unset', parameters: 'setting', help: 'command.unset'},
    {name: 'stats', help: 'command.stats'},
    {name: 'renegotiate', help: 'command.renegotiate'},
    {name: 'presentfile', help: 'command.presentfile', needs: 'present'},
    {name: 'sendfile', parameters: 'user', help: 'command.sendfile', needs: 'message', user: true},
    {name: 'caption', parameters: 'words', help: 'command.caption', needs: 'caption'},
    {name: 'invite', parameters: '[user] [expiry]', help: 'command.invite', needs: 'token'},
    {name: 'reinvite', parameters: 'token [expiry]', help: 'command.reinvite', needs: 'token'},
    {name: 'revoke', parameters: 'token', help: 'command.revoke', needs: 'token'},
    {name: 'listtokens', help: 'command.listtokens', needs: 'token'},
    {name: 'clear', parameters: '[user]', help: 'command.clear', needs: 'op', user: true},
    {name: 'lock', parameters: '[message]', help: 'command.lock', needs: 'op'},
    {name: 'unlock', help: 'command.unlock', needs: 'op'},
    {name: 'record', help: 'command.record', needs: 'record'},
    {name: 'unrecord', help: 'command.unrecord', needs: 'record'},
    {name: 'subgroups', help: 'command.subgroups', needs: 'op'},
    {name: 'op', parameters: 'user', help: 'command.op', needs: 'op', user: true},
    {name: 'unop', parameters: 'user', help: 'command.unop', needs: 'op', user: true},
    {name: 'present', parameters: 'user', help: 'command.present', needs: 'op', user: true},
    {name: 'unpresent', parameters: 'user', help: 'command.unpresent', needs: 'op', user: true},
    {name: 'shutup', parameters: 'user', help: 'command.shutup', needs: 'op', user: true},
    {name: 'unshutup', parameters: 'user', help: 'command.unshutup', needs: 'op', user: true},
    {name: 'mute', parameters: 'user', help: 'command.mute', needs: 'op', user: true},
    {name: 'muteall', help: 'command.muteall', needs: 'op'},
    {name: 'warn', parameters: 'user message', help: 'command.warn', needs: 'op', user: true},
    {name: 'wall', parameters: 'message', help: 'command.wall', needs: 'op'},
    {name: 'identify', parameters: 'user', help: 'command.identify', needs: 'op', user: true},
    {name: 'kick', parameters: 'user [message]', help: 'command.kick', needs: 'op', user: true},
    {name: 'ban', parameters: 'user [expiry]', help: 'command.ban', needs: 'op', user: true},
    {name: 'unban', parameters: 'id', help: 'command.unban', needs: 'op'},
    {name: 'bans', help: 'command.bans', needs: 'op'},
    {name: 'admit', parameters: '[user]', help: 'command.admit', needs: 'op'},
];

/**
 * @param {string[]} permissions
 * @returns {Command[]} What somebody with them may use.
 */
export function commandsFor(permissions) {
    return COMMANDS.filter(({needs}) => !needs || permissions.includes(needs));
}

/** @param {string} name @returns {Command | undefined} */
export function findCommand(name) {
    return COMMANDS.find((command) => command.name === name);
}

/**
 * Takes the first parameter off: a word, or more of them in quotes.
 *
 * @param {string} rest
 * @returns {[first: string, rest: string]}
 */
export function firstParameter(rest) {
    const quoted = /^\s*(["'])(.*?)\1(?:\s+([^]*))?$/.exec(rest);
    if (quoted)
        return [quoted[2] ?? '', quoted[3] ?? ''];
    const plain = /^\s*(\S*)\s*([^]*)$/.exec(rest);
    return [plain?.[1] ?? '', plain?.[2] ?? ''];
}

/**
 * @param {string} name
 * @returns {string} The name as a parameter.
 */
export function asParameter(name) {
    return /\s|^["']/.test(name) || name === '' ? (name.includes('"') ? `'${name}'` : `"${name}"`)
        : name;
}

/**
 * What the line that is being written could become.
 *
 * @param {string} line
 * @param {string[]} permissions
 * @param {string[]} names Of the people here.
 * @returns {{value: string, hint: string, help: TextKey | null}[]} `value` is the whole line.
 */
export function complete(line, permissions, names) {
    const command = /^\/(\w*)$/.exec(line);
    if (command) {
        const begun = (command[1] ?? '').toLowerCase();
        return commandsFor(permissions).filter(({name}) => name.startsWith(begun))
            .map(({name, parameters, help}) => ({
                value: `/${name}${parameters ? ' ' : ''}`, hint: parameters ?? '', help}));
    }
    const parameter = /^\/(\w+) +(["']?)([^"']*)$/.exec(line);
    if (!parameter || !findCommand(parameter[1] ?? '')?.user)
        return [];
    const begun = (parameter[3] ?? '').toLocaleLowerCase();
    return [...new Set(names)].filter((name) => name.toLocaleLowerCase().startsWith(begun)
        && asParameter(name) !== `${parameter[2]}${parameter[3]}`)
        .map((name) => ({value: `/${parameter[1]} ${asParameter(name)} `, hint: '', help: null}));
}

/**
 * Who is meant by a parameter: a name, or the beginning of exactly one.
 *
 * @param {Record<string, {username: string}>} users
 * @param {string} parameter
 * @returns {string | null} A client id.
 */
export function findUser(users, parameter) {
    if (Object.hasOwn(users, parameter))
        return parameter;
    const wanted = parameter.toLocaleLowerCase();
    /** @param {(name: string) => boolean} test */
    const ids = (test) => Object.keys(users).filter((id) => test(users[id]?.username ?? ''));
    const exact = ids((name) => name === parameter);
    const [id, ...more] = exact.length > 0 ? exact
        : ids((name) => !!wanted && name.toLocaleLowerCase().startsWith(wanted));
    return id && more.length === 0 ? id : null;
}
