/** @import {ServerConnection} from './connection.js' */

/** The first wait, and the longest, ms. */
const FIRST = 500;
const LONGEST = 15_000;
/** A membership that lasted this long counts as one that works, ms. */
const PROVEN = 10_000;

/**
 * Comes back when the network has taken the socket away: waits, longer from time to time, and
 * connects again. The application joins in its `onconnected` as it did the first time, so it can
 * give credentials that are still good; streams we sent are then sent again.
 */
export class Reconnection {
    /** @param {ServerConnection} connection */
    constructor(connection) {
        this.connection = connection;
        /** The connection is lost, and we are coming back. */
        this.active = false;
        /** How often it was tried since the loss. */
        this.attempt = 0;
        /** @private When we were last let in. */
        this.since = 0;
        /** @private @type {ReturnType<typeof setTimeout> | undefined} */
        this.timer = undefined;
        this.hurry = this.hurry.bind(this);
    }

    /**
     * The socket was closed.
     *
     * @param {number} code
     * @param {string} reason
     * @returns {boolean} True if we come back, so that it is not the end.
     */
    lost(code, reason) {
        const {connection} = this;
        // 1000 is a goodbye, 1002 and 1008 would only repeat themselves.
        if (!connection.reconnect || [1000, 1002, 1003, 1007, 1008, 1009].includes(code)
            || !(this.active || connection.wasJoined))
            return false;
        if (!this.active || (this.since && performance.now() - this.since > PROVEN))
            this.attempt = 0;
        this.active = true;
        this.since = 0;
        this.attempt += 1;
        const most = Math.min(LONGEST, FIRST * 2 ** (this.attempt - 1));
        const delay = most * (0.5 + Math.random() / 2);
        this.timer = setTimeout(this.hurry, delay);
        window.addEventListener('online', this.hurry);
        connection.onreconnecting?.call(connection, this.attempt, delay, code, reason);
        return true;
    }

    /** Tries now. */
    hurry() {
        this.stopWaiting();
        if (this.active && !this.connection.socket)
            this.connection.open();
    }

    /** We are in again. */
    joined() {
        this.since = performance.now();
        const was = this.active;
        this.active = false;
        return was;
    }

    /** Gives up. */
    stop() {
        this.stopWaiting();
        this.active = false;
        this.attempt = 0;
    }

    /** @private */
    stopWaiting() {
        clearTimeout(this.timer);
        window.removeEventListener('online', this.hurry);
    }
}
