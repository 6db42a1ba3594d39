/** Roles, and who may do what to whom. */

/** @typedef {import('../../protocol/types.js').User} User */
/** @typedef {'op' | 'present' | 'message' | 'observe'} Role */
/** @typedef {'message' | 'file' | 'mute' | 'warn' | 'present' | 'unpresent' | 'op' | 'unop'
 *     | 'shutup' | 'unshutup' | 'identify' | 'kick' | 'ban'} Action */

/**
 * @param {string[]} permissions
 * @returns {Role} The highest of them.
 */
export function roleOf(permissions) {
    if (permissions.includes('op'))
        return 'op';
    if (permissions.includes('present'))
        return 'present';
    return permissions.includes('message') ? 'message' : 'observe';
}

/**
 * What somebody with `own` permissions may do to another.
 *
 * @param {string[]} own
 * @param {string[]} theirs
 * @param {boolean} self It is the same person.
 * @returns {Action[]}
 */
export function actionsFor(own, theirs, self) {
    /** @type {Action[]} */
    const actions = [];
    if (self)
        return actions;
    if (own.includes('message'))
        actions.push('message', 'file');
    if (own.includes('op')) {
        actions.push('mute', 'warn');
        actions.push(theirs.includes('present') ? 'unpresent' : 'present');
        actions.push(theirs.includes('op') ? 'unop' : 'op');
        actions.push(theirs.includes('message') ? 'shutup' : 'unshutup');
        actions.push('identify', 'kick', 'ban');
    }
    return actions;
}

/**
 * The order of the list: oneself, raised hands, operators, then by name.
 *
 * @param {Record<string, User>} users
 * @param {string} self
 * @returns {[string, User][]}
 */
export function sortPeople(users, self) {
    /** @param {[string, User]} entry */
    const rank = ([id, user]) => id === self ? 0 : user.data['raisehand'] ? 1
        : user.permissions.includes('op') ? 2 : 3;
    return Object.entries(users).sort((a, b) => rank(a) - rank(b)
        || a[1].username.localeCompare(b[1].username, undefined, {sensitivity: 'base', numeric: true})
        || (a[0] < b[0] ? -1 : 1));
}
