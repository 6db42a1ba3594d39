/** @import {ServerConnection} from './connection.js' */
/** @import {Message} from './types.js' */

import {TransferredFile, VERSION} from './transfer.js';

/**
 * A message about a file.
 *
 * @param {ServerConnection} sc
 * @param {Message} m
 */
export function receiveTransfer(sc, m) {
    const value = m.value;
    if (!m.source || m.dest !== sc.id || typeof value?.id !== 'string')
        return;
    if (value.type === 'invite') {
        invited(sc, m);
        return;
    }
    const transfer = sc.transferredFiles[`${m.source}-${value.id}`];
    transfer?.heard(value).catch((error) => {
        // A candidate that is refused is no reason to lose the others.
        if (value.type === 'ice')
            console.warn('Candidate refused', error);
        else
            transfer.cancel(String(error));
    });
}

/** @param {ServerConnection} sc @param {Message} m */
function invited(sc, m) {
    const {id, name, size, mimetype, version} = m.value;
    const source = m.source ?? '';
    const refuse = (/** @type {string} */ message) =>
        sc.userMessage('filetransfer', source, {type: 'cancel', id, message});
    if (!Array.isArray(version) || !version.includes(VERSION))
        return refuse('unknown version of the file transfer protocol');
    if (typeof name !== 'string' || !Number.isSafeInteger(size) || size < 0)
        return refuse('bad invitation');
    if (sc.transferredFiles[`${source}-${id}`])
        return;
    const transfer = new TransferredFile(sc, source, id, false, {
        name: name.replace(/[/\\\p{Cc}]/gu, '_'), size, mimetype: String(mimetype ?? ''),
        username: m.username ?? '',
    });
    transfer.state = 'inviting';
    if (!sc.onfiletransfer)
        return transfer.cancel('this client takes no files');
    try {
        sc.onfiletransfer.call(sc, transfer);
    } catch (error) {
        transfer.cancel(error instanceof Error ? error.message : String(error));
    }
}
