/** The page of one group: the form in front of the meeting, and the way in. */

/** @import {GroupStatus} from '../protocol/types.js' */
/** @import {Session} from './session.js' */

import {pageTitle} from './logic/names.js';
import {text} from './text/text.js';
import {byId} from './ui/dom.js';
import {JoinForm} from './ui/join.js';
import {dress} from './ui/language.js';

/** @returns {Promise<GroupStatus>} */
async function loadStatus() {
    const response = await fetch(new URL('.status', location.origin + location.pathname));
    if (!response.ok)
        throw new Error(response.status === 404 ? text('fail.no-group')
            : text('fail.status', {message: `${response.status} ${response.statusText}`}));
    return response.json();
}

/** @param {GroupStatus} status */
function start(status) {
    if (status.redirect) {
        location.href = status.redirect;
        return;
    }
    const query = new URLSearchParams(location.search);
    if (status.authPortal && !query.has('token')) {
        location.href = status.authPortal;
        return;
    }
    /** @type {Promise<Session> | null} */
    let room = null;
    // The rest of the page is large, and not needed to fill in a form.
    const enter = () => room ??= import('./room.js').then(({openRoom}) => openRoom(status, form))
        .catch((error) => {
            room = null;
            throw error;
        });
    const form = new JoinForm(status, query, async (username, credentials) => {
        try {
            (await enter()).join(username, credentials);
        } catch (error) {
            console.warn(error);
            form.refuse({message: text('fail.unreachable'), field: null});
        }
    }, async () => (await enter()).leave());
    byId('join', HTMLElement).removeAttribute('aria-busy');
    performance.mark('usable');
    document.title = pageTitle(status);
    (form.username.value ? form.button : form.username).focus();
    const later = window.requestIdleCallback ?? ((/** @type {() => void} */ act) => setTimeout(act, 300));
    later(() => void enter().catch(() => {}));
}

dress().then(loadStatus).then(start, (error) => {
    const notice = byId('join-notice', HTMLElement);
    notice.textContent = error instanceof TypeError ? text('fail.unreachable')
        : error instanceof Error ? error.message : String(error);
    notice.classList.add('error');
    notice.hidden = false;
    byId('join-button', HTMLButtonElement).disabled = true;
});
