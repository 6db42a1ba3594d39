/** @import {Credentials, MediaRequest, Message} from './types.js' */

import {randomId} from './id.js';

/** What a client says to the server: the sending half of a connection. */
export class Speaker {
    constructor() {
        /** The id of this client, drawn anew for each connection. */
        this.id = randomId();
        /** @type {WebSocket | null} */
        this.socket = null;
        /** The group that is being joined, or was. @type {string | null} */
        this.group = null;
        /** What we said about ourselves, see `setdata`; given along when we come back.
         * @type {Record<string, any>} */
        this.userdata = {};
        /** The name that the server gave us. @type {string | null} */
        this.username = null;
    }

    /**
     * Sends a message of the protocol; one that comes too late is dropped.
     *
     * @param {Message} message
     * @returns {boolean} False if there is no open socket.
     */
    send(message) {
        if (this.socket?.readyState !== WebSocket.OPEN)
            return false;
        this.socket.send(JSON.stringify(message));
        return true;
    }

    /**
     * Asks to join a group; {@link onjoined} tells the answer. Two forms:
     * `join(group, username, credentials, data)` and, as README.FRONTEND has it,
     * `join(group, 'join', username, password)`.
     *
     * @param {string} group
     * @param {string} username
     * @param {Credentials} [credentials]
     * @param {Record<string, any> | string} [data]
     * @returns {void}
     */
    join(group, username, credentials = '', data) {
        if (typeof data === 'string') {
            this.join(group, /** @type {string} */ (credentials), data);
            return;
        }
        this.group = group;
        /** @type {Message} */
        const message = {type: 'join', kind: 'join', group, data: data ?? this.userdata};
        if (username)
            message.username = username;
        if (typeof credentials === 'string')
            message.password = credentials;
        else if (credentials.type === 'token')
            message.token = credentials.token;
        else
            message.password = credentials.password;
        this.send(message);
    }

    /** @param {string} group The group that was joined. */
    leave(group) {
        this.send({type: 'join', kind: 'leave', group});
    }

    /**
     * Says which streams we want to be pushed, by label; `''` is for all other labels.
     *
     * @param {Record<string, MediaRequest[]>} what
     */
    request(what) {
        this.send({type: 'request', request: what});
    }

    /**
     * Sends a chat message, to all or to one. Two forms: `chat(kind, dest, value)` and, as
     * README.FRONTEND has it, `chat(username, kind, dest, value)`.
     *
     * @param {...any} args kind: '', 'me' or 'caption'; dest: a client id, '' for all.
     */
    chat(...args) {
        const [kind, dest, value] = args.length > 3 ? args.slice(1) : args;
        this.sendFrom({type: 'chat', kind, dest, value});
    }

    /**
     * Sends an application's own message; it is not kept in the history.
     *
     * @param {string} kind
     * @param {string} dest A client id, or '' for all.
     * @param {any} [value]
     * @param {boolean} [noecho] Do not send it back to us.
     */
    userMessage(kind, dest, value, noecho) {
        this.sendFrom({type: 'usermessage', kind, dest, value, noecho: noecho || undefined});
    }

    /**
     * Asks the server to act on a user: op, unop, present, unpresent, kick, identify, setdata …
     *
     * @param {string} kind
     * @param {string} dest A client id.
     * @param {any} [value]
     */
    userAction(kind, dest, value) {
        this.sendFrom({type: 'useraction', kind, dest, value});
    }

    /**
     * Asks the server to act on the group: clearchat, lock, unlock, record, subgroups …
     *
     * @param {string} kind
     * @param {any} [value]
     */
    groupAction(kind, value) {
        this.sendFrom({type: 'groupaction', kind, value});
    }

    /** @private @param {Message} message */
    sendFrom(message) {
        this.send({...message, source: this.id, username: this.username ?? undefined,
            kind: message.kind || undefined, dest: message.dest || undefined});
    }
}
