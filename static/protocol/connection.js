/** @import {GroupStatus, User} from './types.js' */

/** @typedef {'join' | 'fail' | 'change' | 'leave' | 'redirect' | 'wait'} JoinedKind */

import {randomId} from './id.js';
import {KeepAlive} from './keepalive.js';
import {receive} from './receive.js';
import {Reconnection} from './reconnection.js';
import {Speaker} from './speaker.js';
import {Stream} from './stream.js';
import {TransferredFile} from './transfer.js';

/**
 * A connection to the server, with the streams that belong to it. Set the callbacks, then
 * {@link connect}. Every callback is called with the connection as `this`.
 */
export class ServerConnection extends Speaker {
    constructor() {
        super();
        /** @type {string[]} */
        this.permissions = [];
        /** The others and ourselves, by client id. @type {Record<string, User>} */
        this.users = {};
        /** Streams we send, by id. @type {Record<string, Stream>} */
        this.up = {};
        /** Streams we receive, by id. @type {Record<string, Stream>} */
        this.down = {};
        /** What the server recommends. @type {RTCConfiguration | null} */
        this.rtcConfiguration = null;
        /** Additions to the protocol that the application understands, see docs/protocol.md.
         * @type {string[]} */
        this.features = [];
        /** Those of them that the server has, once greeted. @type {string[]} */
        this.serverFeatures = [];
        /** The version of the protocol, once agreed on. @type {string | null} */
        this.version = null;
        /** While we wait to be let in: somebody is there who could. */
        this.operatorsPresent = true;
        /** Files on their way, by {@link TransferredFile#fullId}.
         * @type {Record<string, TransferredFile>} */
        this.transferredFiles = {};
        /** Come back by itself when the connection is lost after joining: {@link onconnected} is
         * called again, and streams that go up are sent again. */
        this.reconnect = false;
        /** We were let into the group. */
        this.wasJoined = false;
        this.reconnection = new Reconnection(this);
        /** @private */
        this.keepAlive = new KeepAlive(this);
        /** @private The endpoint. */
        this.url = '';

        /** The server greeted us: time to join. @type {null | (() => void)} */
        this.onconnected = null;
        /** Something failed that the user should know. @type {null | ((error: unknown) => void)} */
        this.onerror = null;
        /** The socket and all streams are closed.
         * @type {null | ((code: number, reason: string) => void)} */
        this.onclose = null;
        /** The connection was lost; the next of the attempts to come back is in `delay` ms. All
         * down streams are closed, streams that go up wait. Without {@link reconnect} there is
         * {@link onclose} instead.
         * @type {null | ((attempt: number, delay: number, code: number, reason: string) => void)} */
        this.onreconnecting = null;
        /** We are in the group again, after `onjoined`. @type {null | (() => void)} */
        this.onreconnected = null;
        /** Somebody came, changed or went; see {@link users}.
         * @type {null | ((id: string, kind: 'add' | 'change' | 'delete') => void)} */
        this.onuser = null;
        /** The server answered a join, or changed our membership.
         * `wait`: in the waiting room, with the feature `lobby`.
         * @type {null | ((kind: JoinedKind, group: string,
         *     permissions: string[], status: GroupStatus, data: any, error: string,
         *     message: string) => void)} */
        this.onjoined = null;
        /** The server pushes a stream: set its callbacks now.
         * @type {null | ((stream: Stream) => void)} */
        this.ondownstream = null;
        /** @type {null | ((id: string, source: string, dest: string, username: string,
         *     time: Date, privileged: boolean, history: boolean, kind: string,
         *     message: any) => void)} */
        this.onchat = null;
        /** Chat is to be forgotten: all, one user's, or one message.
         * @type {null | ((id: string | undefined, userId: string | undefined) => void)} */
        this.onclearchat = null;
        /** @type {null | ((source: string, dest: string, username: string, time: Date,
         *     privileged: boolean, kind: string, error: string, message: any) => void)} */
        this.onusermessage = null;
        /** A file is offered, by somebody or by us: set its `onevent`, then `receive` or `cancel`.
         * @type {null | ((transfer: TransferredFile) => void)} */
        this.onfiletransfer = null;
    }

    /**
     * Opens the socket. The outcome is told by {@link onconnected} or {@link onclose}.
     *
     * @param {string} url The `endpoint` of the group's status.
     */
    connect(url) {
        if (this.socket || this.reconnection.active)
            throw new Error('already connected');
        this.url = url;
        this.wasJoined = false;
        this.open();
    }

    /** Opens the socket, for the first time or again. */
    open() {
        const socket = this.socket = new WebSocket(this.url);
        socket.onopen = () => {
            this.send({type: 'handshake', version: ['2'], id: this.id,
                features: this.features.length > 0 ? this.features : undefined});
            this.keepAlive.start();
        };
        socket.onmessage = (event) => {
            this.keepAlive.heard();
            try {
                receive(this, JSON.parse(event.data));
            } catch (error) {
                console.error('Bad message from the server', error);
                this.onerror?.call(this, error);
            }
        };
        socket.onclose = (event) => this.closed(event.code, event.reason);
    }

    /**
     * The socket is gone. For {@link KeepAlive} and the socket itself only.
     *
     * @param {number} code
     * @param {string} reason
     */
    closed(code, reason) {
        this.keepAlive.stop();
        this.socket = null;
        const {userdata} = this;
        if (this.reconnection.lost(code, reason)) {
            for (const stream of Object.values(this.up))
                stream.suspend();
            this.forget(true);
            // The server has forgotten the old id, or soon will; what we said of us holds on.
            this.id = randomId();
            this.userdata = userdata;
            return;
        }
        this.reconnection.stop();
        this.forget();
        for (const transfer of Object.values(this.transferredFiles))
            transfer.close();
        this.onclose?.call(this, code, reason);
    }

    /** Streams that waited for the connection are sent again. */
    resume() {
        for (const stream of Object.values(this.up)) {
            // Made meanwhile, it could not be offered.
            stream.suspend();
            stream.source = this.id;
            stream.resume();
        }
        this.onreconnected?.call(this);
    }

    /**
     * Closes all streams and forgets all users, as after leaving a group.
     *
     * @param {boolean} [keepUp] Streams that go up are not closed.
     */
    forget(keepUp = false) {
        for (const stream of [...keepUp ? [] : Object.values(this.up), ...Object.values(this.down)])
            stream.close();
        for (const id of Object.keys(this.users)) {
            delete this.users[id];
            this.onuser?.call(this, id, 'delete');
        }
        this.permissions = [];
        this.userdata = {};
    }

    /** Leaves, and closes the socket. {@link onclose} follows. */
    close() {
        const waiting = this.reconnection.active && !this.socket;
        this.reconnection.stop();
        this.wasJoined = false;
        if (waiting)
            this.closed(1000, 'Close requested by client');
        else
            this.socket?.close(1000, 'Close requested by client');
    }

    /** A join was refused for a reason that will pass: tries again in a while. */
    retry() {
        const {socket} = this;
        if (!socket)
            return;
        socket.onclose = socket.onmessage = null;
        socket.close();
        this.closed(4000, 'Tried again by client');
    }

    /**
     * Offers a file to somebody; `onfiletransfer` is called with it.
     *
     * @param {string} id A client id.
     * @param {File} file
     * @returns {TransferredFile}
     */
    sendFile(id, file) {
        return TransferredFile.offer(this, id, file);
    }

    /**
     * Makes a stream to publish; give it tracks with `pc.addTrack`, and it is offered.
     *
     * @param {string} [localId] Replace the stream that has this `localId`.
     * @returns {Stream}
     */
    newUpStream(localId) {
        const old = localId ? this.findByLocalId(localId) : null;
        const stream = new Stream(this, randomId(), localId ?? randomId(), true);
        stream.source = this.id;
        stream.username = this.username ?? '';
        if (old) {
            stream.label = old.label;
            stream.replaces = old.offered ? old.id : old.replaces;
            old.close(true);
        }
        this.up[stream.id] = stream;
        return stream;
    }

    /**
     * @param {string} localId
     * @returns {Stream | null} The up stream of this name.
     */
    findByLocalId(localId) {
        return Object.values(this.up).find((stream) => stream.localId === localId) ?? null;
    }
}
