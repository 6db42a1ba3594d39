/** @import {GroupStatus, User} from './types.js' */

import {randomId} from './id.js';
import {KeepAlive} from './keepalive.js';
import {receive} from './receive.js';
import {Speaker} from './speaker.js';
import {Stream} from './stream.js';

/**
 * A connection to the server, with the streams that belong to it. Set the callbacks, then
 * {@link connect}. Every callback is called with the connection as `this`.
 */
export class ServerConnection extends Speaker {
    constructor() {
        super();
        /** @type {string[]} */
        this.permissions = [];
        /** What we said about ourselves, see `setdata`. @type {Record<string, any>} */
        this.userdata = {};
        /** The others and ourselves, by client id. @type {Record<string, User>} */
        this.users = {};
        /** Streams we send, by id. @type {Record<string, Stream>} */
        this.up = {};
        /** Streams we receive, by id. @type {Record<string, Stream>} */
        this.down = {};
        /** What the server recommends. @type {RTCConfiguration | null} */
        this.rtcConfiguration = null;
        /** The version of the protocol, once agreed on. @type {string | null} */
        this.version = null;
        /** @private */
        this.keepAlive = new KeepAlive(this);

        /** The server greeted us: time to join. @type {null | (() => void)} */
        this.onconnected = null;
        /** Something failed that the user should know. @type {null | ((error: unknown) => void)} */
        this.onerror = null;
        /** The socket and all streams are closed.
         * @type {null | ((code: number, reason: string) => void)} */
        this.onclose = null;
        /** Somebody came, changed or went; see {@link users}.
         * @type {null | ((id: string, kind: 'add' | 'change' | 'delete') => void)} */
        this.onuser = null;
        /** The server answered a join, or changed our membership.
         * @type {null | ((kind: 'join' | 'fail' | 'change' | 'leave' | 'redirect', group: string,
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
        /** Somebody offers a file. Reserved for file transfer.
         * @type {null | ((transfer: any) => void)} */
        this.onfiletransfer = null;
    }

    /**
     * Opens the socket. The outcome is told by {@link onconnected} or {@link onclose}.
     *
     * @param {string} url The `endpoint` of the group's status.
     */
    connect(url) {
        if (this.socket)
            throw new Error('already connected');
        const socket = this.socket = new WebSocket(url);
        socket.onopen = () => {
            this.send({type: 'handshake', version: ['2'], id: this.id});
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
        this.forget();
        this.socket = null;
        this.onclose?.call(this, code, reason);
    }

    /** Closes all streams and forgets all users, as after leaving a group. */
    forget() {
        for (const stream of [...Object.values(this.up), ...Object.values(this.down)])
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
        this.socket?.close(1000, 'Close requested by client');
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
