/** Login at an authentication server: name and password are given to it, not to the meeting. */

/** @import {Credentials} from '../../protocol/types.js' */

import {text} from '../text/text.js';

/** The authentication server said no. */
export class LoginError extends Error {}

/**
 * Asks an authentication server for a token.
 *
 * @param {string} server Its URL.
 * @param {string} location The URL of the group.
 * @param {string} username
 * @param {string} password
 * @returns {Promise<Credentials>} The password itself if the server has no opinion. Fails with a
 *     {@link LoginError} if it refuses, with another error if it cannot be asked.
 */
export async function login(server, location, username, password) {
    let response;
    try {
        response = await fetch(server, {
            method: 'POST', headers: {'Content-Type': 'application/json'}, credentials: 'omit',
            body: JSON.stringify({location, username, password}),
        });
    } catch {
        throw new Error(text('fail.auth-unreachable'));
    }
    if (response.status === 204)
        return {type: 'password', password};
    if (response.status === 401 || response.status === 403)
        throw new LoginError(text('fail.not-authorised'));
    if (!response.ok)
        throw new Error(text('fail.auth-failed', {message: `${response.status} ${response.statusText}`}));
    const token = (await response.text()).trim();
    if (!token)
        throw new Error(text('fail.auth-failed', {message: 'no token'}));
    return {type: 'token', token};
}
