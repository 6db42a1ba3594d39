/** @import {ServerConnection} from './connection.js' */

/** A silent server is asked for a sign of life after this long, ms. */
const PING_AFTER = 25_000;
/** A server that does not give one is given up after this long, ms. */
const LOST_AFTER = 20_000;
/** The same when the network has just changed, ms. */
const LOST_SOON = 5_000;

/**
 * Finds out that the server is gone when the network does not say so, and looks for new paths
 * when the network is another.
 */
export class KeepAlive {
    /** @param {ServerConnection} connection */
    constructor(connection) {
        this.connection = connection;
        /** @type {ReturnType<typeof setInterval> | undefined} */
        this.timer = undefined;
        this.lastHeard = 0;
        /** When an unanswered ping was sent, 0 for none. */
        this.asked = 0;
        this.patience = LOST_AFTER;
        this.moved = this.moved.bind(this);
        /** The kind of network, where the browser tells. @type {EventTarget | undefined} */
        this.network = /** @type {any} */ (navigator).connection;
    }

    start() {
        this.heard();
        this.timer = setInterval(() => this.check(), 1_000);
        window.addEventListener('online', this.moved);
        this.network?.addEventListener?.('change', this.moved);
    }

    stop() {
        clearInterval(this.timer);
        window.removeEventListener('online', this.moved);
        this.network?.removeEventListener?.('change', this.moved);
    }

    /** A message arrived. */
    heard() {
        this.lastHeard = performance.now();
        this.asked = 0;
        this.patience = LOST_AFTER;
    }

    /** @private The network is another: is the server still there, and by which path? */
    moved() {
        this.asked = performance.now();
        this.patience = LOST_SOON;
        this.connection.send({type: 'ping'});
        for (const stream of [...Object.values(this.connection.up),
            ...Object.values(this.connection.down)])
            stream.restartIce();
    }

    /** @private */
    check() {
        const now = performance.now();
        if (this.asked && now - this.asked > this.patience) {
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
