/** @import {ServerConnection} from './connection.js' */

/** A silent server is asked for a sign of life after this long, ms. */
const PING_AFTER = 25_000;
/** A server that does not give one is given up after this long, ms. */
const LOST_AFTER = 20_000;

/** Finds out that the server is gone when the network does not say so. */
export class KeepAlive {
    /** @param {ServerConnection} connection */
    constructor(connection) {
        this.connection = connection;
        /** @type {ReturnType<typeof setInterval> | undefined} */
        this.timer = undefined;
        this.lastHeard = 0;
        /** When an unanswered ping was sent, 0 for none. */
        this.asked = 0;
    }

    start() {
        this.heard();
        this.timer = setInterval(() => this.check(), 5_000);
    }

    stop() {
        clearInterval(this.timer);
    }

    /** A message arrived. */
    heard() {
        this.lastHeard = performance.now();
        this.asked = 0;
    }

    /** @private */
    check() {
        const now = performance.now();
        if (this.asked && now - this.asked > LOST_AFTER) {
            // The close handshake cannot be answered either, so its end is not waited for.
            this.stop();
            const socket = this.connection.socket;
            if (socket) {
                socket.onclose = socket.onmessage = null;
                socket.close();
            }
            this.connection.closed(1006, 'The server does not answer');
        } else if (!this.asked && now - this.lastHeard > PING_AFTER) {
            this.asked = now;
            this.connection.send({type: 'ping'});
        }
    }
}
