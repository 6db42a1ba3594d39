/** A narrow line between one page and the server: what a queue before a slow link does. */

import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import {LossyLine} from './lossy.js';

/**
 * Beside losses it has a rate, a delay and a queue, all of what goes to the page. The kernels of
 * build machines often have no netem; this needs none, and no privileges.
 */
export class ShapedLine extends LossyLine {
    /** bit/s */
    rate = Infinity;
    /** ms */
    delay = 0;
    /** Bytes that wait at most; what comes then is dropped. */
    queue = 40_000;
    /** Bytes that have gone through to the page. */
    carried = 0;
    /** Datagrams that found the queue full. */
    overflowed = 0;
    /** @private */
    closed = false;
    /** @private */
    waiting = 0;
    /** When the last of them has left. @private */
    free = 0;

    /** @param {number} far */
    static async to(far) {
        const near = createSocket('udp4').bind(0);
        await once(near, 'listening');
        return new ShapedLine(near, far);
    }

    /** @override @protected @param {{address: string, port: number}} from The page. */
    line({address, port}) {
        let line = this.lines.get(port);
        if (line)
            return line;
        line = createSocket('udp4');
        this.lines.set(port, line);
        line.on('message', (data) => this.pass(data, () => this.near.send(data, port, address)));
        return line;
    }

    /** @override What is on its way is lost. */
    close() {
        this.closed = true;
        super.close();
    }

    /** @private @param {Buffer} data @param {() => void} send */
    pass(data, send) {
        if (this.waiting + data.length > this.queue) {
            this.overflowed++;
            return;
        }
        const now = performance.now();
        const takes = Number.isFinite(this.rate) ? data.length * 8_000 / this.rate : 0;
        this.free = Math.max(this.free, now) + takes;
        this.waiting += data.length;
        setTimeout(() => {
            this.waiting -= data.length;
            this.carried += data.length;
            if (Math.random() >= this.loss)
                setTimeout(() => this.closed || send(), this.delay);
        }, this.free - now);
    }
}
