/** Invitations: made, listed, prolonged and revoked. */

/** @import {Token} from '../hear.js' */
/** @import {Session} from '../session.js' */

import {groupPath} from '../logic/names.js';
import {dayAndTime, text} from '../text/text.js';
import {openDialog} from './dialog.js';
import {h} from './dom.js';
import {notify} from './notices.js';

/** How long an invitation may last, in hours. */
const SPANS = [1, 24, 7 * 24, 30 * 24, 365 * 24];

/** The roles that can be given, with what they mean. */
const ROLES = {
    op: ['op', 'present', 'message', 'caption', 'token'],
    present: ['present', 'message'], message: ['message'], observe: /** @type {string[]} */ ([]),
};

/** The window of invitations. */
export class Invitations {
    /** @param {Session} session */
    constructor(session) {
        this.session = session;
        /** @private @type {HTMLDialogElement | null} */
        this.dialog = null;
        /** @private */
        this.list = h('div', {class: 'entries', id: 'invite-list'});
        session.on('token', (token, error) => this.made(token, error));
        session.on('tokens', (tokens, error) => error
            ? notify(text('invite.failed', {message: String(tokens)}), 'error') : this.show(tokens));
    }

    /** @param {{username?: string, expires?: Date}} [wish] */
    open({username = '', expires} = {}) {
        const {permissions} = this.session;
        const name = h('input', {class: 'input', id: 'invite-name', autocomplete: 'off',
            maxlength: '100', value: username});
        const span = h('select', {class: 'input', id: 'invite-span'}, ...SPANS.map((hours) =>
            h('option', {value: String(hours)}, spanText(hours))),
        expires && h('option', {value: 'wish'}, dayAndTime(expires)));
        span.value = expires ? 'wish' : '24';
        // Nobody can give more than they have.
        const roles = /** @type {(keyof typeof ROLES)[]} */ (Object.keys(ROLES)).filter((role) =>
            ROLES[role].every((permission) => permissions.includes(permission)));
        const role = h('select', {class: 'input', id: 'invite-role'}, ...roles.map((value) =>
            h('option', {value}, text(`invite.role.${value}`))));
        role.value = roles.includes('present') ? 'present' : roles[0] ?? '';
        const form = h('form', {id: 'invite-form'},
            h('div', {class: 'choices'},
                h('label', {class: 'field'}, h('span', {}, text('invite.name')), name,
                    h('small', {}, text('invite.name.hint'))),
                h('label', {class: 'field'}, h('span', {}, text('invite.span')), span),
                h('label', {class: 'field'}, h('span', {}, text('invite.role')), role)),
            h('div', {class: 'dialog-buttons'},
                h('button', {type: 'submit', class: 'button button-primary'}, text('invite.make'))));
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            const until = span.value === 'wish' && expires ? expires
                : new Date(Date.now() + Number(span.value) * 3_600_000);
            this.session.connection.groupAction('maketoken', {
                group: this.session.status.name, expires: until.toISOString(),
                permissions: ROLES[/** @type {keyof typeof ROLES} */ (role.value)],
                ...name.value.trim() && {username: name.value.trim()},
            });
        });
        this.list.replaceChildren();
        const op = permissions.includes('op');
        this.dialog = openDialog(text('invite.title'), h('p', {class: 'note'}, text('invite.hint')),
            form, h('h3', {}, text(op ? 'invite.all' : 'invite.mine')), this.list);
        this.dialog.addEventListener('close', () => this.dialog = null);
        this.refresh();
    }

    /** @private */
    refresh() {
        if (this.session.permissions.includes('op'))
            this.session.connection.groupAction('listtokens');
    }

    /** @private @param {Token | string} token @param {string} error */
    made(token, error) {
        if (error || typeof token !== 'object') {
            notify(text('invite.failed', {message: String(token)}), 'error');
            return;
        }
        const entry = this.entry(token);
        if (!this.dialog) {
            notify(text('invite.made', {url: this.url(token)}));
            return;
        }
        this.list.querySelector(`[data-token="${CSS.escape(token.token)}"]`)?.remove();
        this.list.querySelector('.note')?.remove();
        this.list.prepend(entry);
        if (new Date(token.expires ?? 0) > new Date())
            entry.querySelector('input')?.select();
    }

    /** @private @param {Token[]} tokens */
    show(tokens) {
        if (!this.dialog) {
            this.open();
            return;
        }
        const now = new Date();
        const valid = tokens.filter(({expires}) => !expires || new Date(expires) > now);
        this.list.replaceChildren(...valid.reverse().map((token) => this.entry(token)));
        if (valid.length === 0)
            this.list.append(h('p', {class: 'note'}, text('invite.none')));
    }

    /** @private @param {Token} token */
    url(token) {
        return `${location.origin}${groupPath(token.group || this.session.status.name)}?token=${
            encodeURIComponent(token.token)}`;
    }

    /** @private @param {Token} token */
    entry(token) {
        const url = this.url(token);
        const expires = token.expires ? new Date(token.expires) : null;
        const over = !!expires && expires <= new Date();
        const field = h('input', {class: 'input', readonly: true, value: url, dir: 'ltr',
            'aria-label': text('invite.link')});
        const edit = (/** @type {Date} */ until) => this.session.connection.groupAction('edittoken',
            {token: token.token, group: token.group, expires: until.toISOString()});
        const day = 24 * 3_600_000;
        return h('div', {class: 'entry', 'data-token': token.token},
            h('div', {},
                h('b', {dir: 'auto'}, token.username || text('invite.anyone')),
                h('small', {}, over ? text('invite.over')
                    : expires ? text('invite.until', {time: dayAndTime(expires)}) : '',
                ` · ${roleText(token.permissions ?? [])}`)),
            !over && h('div', {class: 'copy-row'}, field,
                h('button', {type: 'button', class: 'button button-small', onclick: async () => {
                    field.select();
                    try {
                        await navigator.clipboard.writeText(url);
                        notify(text('stage.copied'));
                    } catch {
                        notify(text('stage.copy-failed', {url}), 'warning');
                    }
                }}, text('invite.copy'))),
            !over && h('button', {type: 'button', class: 'button button-small',
                onclick: () => edit(new Date(Math.max(Date.now(), expires?.getTime() ?? 0) + day))},
            text('invite.longer')),
            !over && h('button', {type: 'button', class: 'button button-small button-danger',
                onclick: () => edit(new Date(Date.now() - 1000))}, text('invite.revoke')));
    }
}

/** @param {number} hours */
function spanText(hours) {
    const [n, unit] = hours < 24 ? [hours, 'hour'] : hours < 365 * 24 ? [hours / 24, 'day']
        : [1, 'year'];
    return new Intl.NumberFormat(document.documentElement.lang,
        {style: 'unit', unit: String(unit), unitDisplay: 'long'}).format(Number(n));
}

/** @param {string[]} permissions */
function roleText(permissions) {
    const role = /** @type {const} */ (['op', 'present', 'message'])
        .find((one) => permissions.includes(one)) ?? 'observe';
    return text(`invite.role.${role}`);
}
