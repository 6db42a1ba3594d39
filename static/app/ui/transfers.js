/** @import {Session} from '../session.js' */
/** @import {TransferredFile} from '../../protocol.js' */

import {displayName} from '../logic/names.js';
import {byteText, text} from '../text/text.js';
import {byId, h} from './dom.js';
import {announce} from './notices.js';

/** From this size on a file goes to disk piece by piece where the browser lets it, bytes. */
const LARGE = 32 * 1024 * 1024;
/** How long what is over stays in view, ms. */
const STAY = 6_000;

/** Files on their way: a card for each, with its buttons and how far it is. */
export class Transfers {
    /** @param {Session} session */
    constructor(session) {
        this.list = byId('transfers', HTMLElement);
        session.on('transfer', (transfer) => this.add(transfer));
    }

    /** @private @param {TransferredFile} transfer */
    add(transfer) {
        const who = displayName(transfer.username);
        const what = {who, name: transfer.name, size: byteText(transfer.size)};
        const words = text(transfer.up ? 'transfer.to' : 'transfer.from', what);
        const state = h('p', {class: 'transfer-state'});
        const bar = h('progress', {max: String(Math.max(1, transfer.size)), value: '0',
            'aria-label': words});
        const accept = h('button', {type: 'button', class: 'button button-small button-primary',
            onclick: () => void this.accept(transfer)}, text('transfer.accept'));
        const cancel = h('button', {type: 'button', class: 'button button-small',
            onclick: () => transfer.cancel(text('transfer.cancelled-by-user'))},
        text(transfer.up ? 'action.cancel' : 'transfer.refuse'));
        const buttons = h('div', {class: 'transfer-buttons'}, !transfer.up && accept, cancel);
        const card = h('div', {class: 'transfer', role: 'group', 'aria-label': words},
            h('p', {dir: 'auto'}, words), bar, state, buttons);
        bar.hidden = true;
        this.list.append(card);
        announce(words);
        let drawn = 0;
        transfer.onevent = (now, data) => {
            // Many pieces come in a frame.
            if (now === 'connected' && !bar.hidden && performance.now() - drawn < 100)
                return;
            drawn = performance.now();
            const over = ['done', 'cancelled', 'closed'].includes(now);
            accept.hidden = now !== 'inviting';
            cancel.hidden = over;
            cancel.textContent = text(now === 'inviting' && !transfer.up ? 'transfer.refuse'
                : 'action.cancel');
            bar.hidden = now !== 'connected' && now !== 'done';
            bar.value = transfer.datalen;
            if (now !== 'closed')
                state.textContent = this.describe(transfer, now);
            if (now === 'done') {
                bar.value = transfer.size;
                if (data instanceof Blob)
                    save(data, transfer.name);
            }
            if (now === 'done' || now === 'cancelled')
                announce(`${words}: ${state.textContent}`);
            if (now === 'closed')
                setTimeout(() => card.remove(), STAY);
        };
        state.textContent = transfer.up ? text('transfer.waiting', {who}) : '';
    }

    /** @private @param {TransferredFile} transfer @param {string} now */
    describe(transfer, now) {
        switch (now) {
        case 'inviting':
            return text('transfer.waiting', {who: displayName(transfer.username)});
        case 'connecting':
            return text('transfer.connecting');
        case 'connected':
            return text('transfer.progress',
                {done: byteText(transfer.datalen), size: byteText(transfer.size)});
        case 'done':
            return text(transfer.up ? 'transfer.sent' : 'transfer.received');
        case 'cancelled':
            return transfer.error ? text('transfer.failed', {message: transfer.error})
                : text('transfer.cancelled');
        default:
            return '';
        }
    }

    /**
     * Small files are kept in memory; large ones go to a place on disk that the browser keeps for
     * the page, and are handed over from there.
     *
     * @private
     * @param {TransferredFile} transfer
     */
    async accept(transfer) {
        if (transfer.size < LARGE)
            return transfer.receive();
        let place;
        try {
            place = await openPlace(transfer);
        } catch {
            // No such place, as in a private window: memory it is.
            return transfer.receive();
        }
        const {handle, sink} = place;
        const told = transfer.onevent;
        transfer.onevent = (state, data) => {
            told?.call(transfer, state, data);
            if (state === 'done')
                void handle.getFile().then((file) => save(file, transfer.name));
        };
        return transfer.receive(sink);
    }
}

/** @param {TransferredFile} transfer */
async function openPlace(transfer) {
    const root = await navigator.storage.getDirectory();
    // What was left there by earlier visits has been handed over, or never will be.
    for await (const name of /** @type {any} */ (root).keys()) {
        if (name.startsWith('received-') && !placed.has(name))
            await root.removeEntry(name).catch(() => {});
    }
    const name = `received-${transfer.id}`;
    placed.add(name);
    const handle = await root.getFileHandle(name, {create: true});
    return {handle, sink: /** @type {WritableStream<any>} */ (await handle.createWritable())};
}

/** Files of this visit. @type {Set<string>} */
const placed = new Set();

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
    const url = URL.createObjectURL(blob);
    const link = h('a', {href: url, download: name || 'file'});
    document.body.append(link);
    link.click();
    link.remove();
    // The browser needs it until it has copied all.
    setTimeout(() => URL.revokeObjectURL(url), 10 * 60_000);
}
