/** @import {ServerConnection} from './connection.js' */
/** @import {Message} from './types.js' */

import {randomId} from './id.js';
import {receiveTransfer} from './invitation.js';
import {Stream} from './stream.js';

/** @type {Record<string, (sc: ServerConnection, m: Message) => void>} */
const receivers = {
    handshake, joined, user, offer, answer, renegotiate, encodings, close, abort, ice, chat,
    usermessage,
    chathistory: chat,
    ping: (sc) => void sc.send({type: 'pong'}),
    pong: () => {},
};

/**
 * Acts on one message of the server. Messages of unknown type are left for later versions.
 *
 * @param {ServerConnection} sc
 * @param {Message} m
 */
export function receive(sc, m) {
    const receiver = Object.hasOwn(receivers, m.type) ? receivers[m.type] : null;
    if (receiver)
        receiver(sc, m);
    else
        console.warn('Unknown message', m.type);
}

/** @param {ServerConnection} sc @param {Message} m */
function handshake(sc, m) {
    if (!m.version?.includes('2')) {
        sc.onerror?.call(sc, new Error(`unknown protocol version ${m.version}`));
        sc.close();
        return;
    }
    sc.version = '2';
    sc.serverFeatures = m.features ?? [];
    sc.onconnected?.call(sc);
}

/** @param {ServerConnection} sc @param {Message} m */
function joined(sc, m) {
    const kind = /** @type {import('./connection.js').JoinedKind} */ (m.kind);
    if (kind === 'join' || kind === 'change') {
        sc.group = m.group ?? sc.group;
        sc.username = m.username ?? sc.username;
        sc.permissions = m.permissions ?? [];
        sc.rtcConfiguration = m.rtcConfiguration ?? sc.rtcConfiguration;
    } else if (kind === 'leave') {
        sc.wasJoined = false;
        sc.forget();
    }
    if (kind === 'join')
        sc.wasJoined = true;
    if (kind === 'wait')
        sc.operatorsPresent = m.operators ?? true;
    sc.onjoined?.call(sc, kind, m.group ?? '', m.permissions ?? [], m.status ?? {}, m.data ?? null,
        m.error ?? '', m.value ?? '');
    if (kind === 'join' && sc.reconnection.joined() && sc.wasJoined)
        sc.resume();
}

/** @param {ServerConnection} sc @param {Message} m */
function user(sc, m) {
    const id = m.id ?? '';
    const kind = /** @type {'add' | 'change' | 'delete'} */ (m.kind);
    if (kind === 'delete') {
        if (!Object.hasOwn(sc.users, id))
            return;
        delete sc.users[id];
    } else {
        sc.users[id] = {
            username: m.username ?? '',
            permissions: m.permissions ?? [],
            data: m.data ?? {},
            streams: sc.users[id]?.streams ?? {},
        };
        if (id === sc.id)
            sc.userdata = sc.users[id].data;
    }
    sc.onuser?.call(sc, id, kind);
}

/** @param {ServerConnection} sc @param {Message} m */
function offer(sc, m) {
    const id = m.id ?? '';
    let stream = sc.down[id];
    if (!stream) {
        const old = m.replace ? sc.down[m.replace] : undefined;
        stream = new Stream(sc, id, old?.localId ?? randomId(), false);
        stream.label = m.label ?? '';
        stream.source = m.source ?? '';
        stream.username = m.username ?? '';
        old?.close(true);
        sc.down[id] = stream;
        sc.ondownstream?.call(sc, stream);
    }
    void stream.negotiation.accept(m.sdp ?? '');
}

/** @param {ServerConnection} sc @param {Message} m */
function answer(sc, m) {
    void sc.up[m.id ?? '']?.negotiation.answered(m.sdp ?? '');
}

/** @param {ServerConnection} sc @param {Message} m */
function renegotiate(sc, m) {
    sc.up[m.id ?? '']?.restartIce();
}

/** @param {ServerConnection} sc @param {Message} m */
function encodings(sc, m) {
    sc.up[m.id ?? '']?.watched.tell(m.encodings ?? []);
}

/** @param {ServerConnection} sc @param {Message} m */
function close(sc, m) {
    sc.down[m.id ?? '']?.close();
}

/** @param {ServerConnection} sc @param {Message} m */
function abort(sc, m) {
    const stream = sc.up[m.id ?? ''];
    stream?.onabort?.call(stream);
    stream?.close();
}

/** @param {ServerConnection} sc @param {Message} m */
function ice(sc, m) {
    const stream = sc.up[m.id ?? ''] ?? sc.down[m.id ?? ''];
    if (m.candidate)
        void stream?.negotiation.addCandidate(m.candidate);
}

/** @param {ServerConnection} sc @param {Message} m */
function chat(sc, m) {
    sc.onchat?.call(sc, m.id ?? '', m.source ?? '', m.dest ?? '', m.username ?? '', date(m.time),
        m.privileged ?? false, m.type === 'chathistory', m.kind ?? '', m.value);
}

/** @param {ServerConnection} sc @param {Message} m */
function usermessage(sc, m) {
    // Only the server may clear the chat: it says so without a source.
    if (m.kind === 'clearchat') {
        if (m.privileged && !m.source)
            sc.onclearchat?.call(sc, m.value?.id, m.value?.userId);
        return;
    }
    if (m.kind === 'filetransfer') {
        receiveTransfer(sc, m);
        return;
    }
    sc.onusermessage?.call(sc, m.source ?? '', m.dest ?? '', m.username ?? '', date(m.time),
        m.privileged ?? false, m.kind ?? '', m.error ?? '', m.value);
}

/** @param {string | number | undefined} time */
function date(time) {
    const parsed = new Date(time ?? NaN);
    return Number.isNaN(parsed.getTime()) ? new Date() : parsed;
}
