/** A bad line between one page and the server. */

import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import {networkInterfaces} from 'node:os';

/**
 * RFC 7983: RTP and RTCP begin like this. The rest is left alone.
 *
 * @param {Buffer} data
 * @param {number} loss 0 to 1
 */
function isLost(data, loss) {
    const media = (data[0] ?? 0) >= 128 && (data[0] ?? 0) < 192;
    return media && Math.random() < loss;
}

export class LossyLine {
    /**
     * @protected
     * @param {import('node:dgram').Socket} near Where the page sends to.
     * @param {number} far The server's port.
     */
    constructor(near, far) {
        this.near = near;
        this.far = far;
        this.port = near.address().port;
        /** Of the packets with media that go to the page, how many are lost, 0 to 1. */
        this.loss = 0;
        /** @private @type {ReturnType<typeof setTimeout> | undefined} */
        this.weather = undefined;
        /** The same of those that come from it. */
        this.lossUp = 0;
        /** One socket to the server for each of the page. @type {Map<number, import('node:dgram').Socket>} */
        this.lines = new Map();
        // Firefox does not begin to talk to loopback by itself.
        this.address = Object.values(networkInterfaces()).flat().find((one) =>
            one?.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1';
        near.on('message', (data, from) => {
            if (!isLost(data, this.lossUp))
                this.line(from).send(data, far, '127.0.0.1');
        });
    }

    /**
     * Loses all for `bad` ms, and nothing for `good` ms, on average each, until `loss` is wanted to
     * be something else: see {@link settle}.
     *
     * @param {number} good
     * @param {number} bad
     */
    rage(good, bad) {
        this.loss = this.loss ? 0 : 1;
        const lasts = -(this.loss ? bad : good) * Math.log(1 - Math.random());
        this.weather = setTimeout(() => this.rage(good, bad), lasts);
    }

    /** Nothing is lost any more. */
    settle() {
        clearTimeout(this.weather);
        this.loss = 0;
    }

    /** @param {number} far */
    static async to(far) {
        const near = createSocket('udp4').bind(0);
        await once(near, 'listening');
        return new LossyLine(near, far);
    }

    /** @protected @param {{address: string, port: number}} from The page. */
    line({address, port}) {
        let line = this.lines.get(port);
        if (!line) {
            line = createSocket('udp4');
            this.lines.set(port, line);
            line.on('message', (data) => {
                if (!isLost(data, this.loss))
                    this.near.send(data, port, address);
            });
        }
        return line;
    }

    /**
     * Makes the page use this line: to be called before it is opened. The page believes that the
     * server is at our end, and the server does not learn where the page is.
     *
     * @param {import('puppeteer-core').Page} page
     */
    lead(page) {
        return page.evaluateOnNewDocument((far, near) => {
            const {setRemoteDescription, addIceCandidate} = RTCPeerConnection.prototype;
            /** @param {any} what A description or a candidate. */
            const led = (what) => JSON.parse(JSON.stringify(what).replaceAll(far, near));
            /** @type {any} */
            const peer = RTCPeerConnection.prototype;
            peer.setRemoteDescription = function(/** @type {any} */ description) {
                return /** @type {any} */ (setRemoteDescription).call(this, led(description));
            };
            peer.addIceCandidate = function(/** @type {any} */ candidate) {
                return /** @type {any} */ (addIceCandidate).call(this, candidate && led(candidate));
            };
            const {send} = WebSocket.prototype;
            WebSocket.prototype.send = function(/** @type {any} */ data) {
                const message = JSON.parse(String(data));
                if (message.type !== 'ice')
                    send.call(this, message.sdp ? JSON.stringify(
                        {...message, sdp: message.sdp.replace(/a=candidate:.*\r\n/g, '')}) : data);
            };
        }, `127.0.0.1 ${this.far} typ`, `${this.address} ${this.port} typ`);
    }

    close() {
        this.settle();
        this.near.close();
        for (const line of this.lines.values())
            line.close();
    }
}
