/** Publishing and watching on the library alone: what tests need of a page. */

import {launch, newPage} from './browsers.js';
import {Server} from './server.js';

/** @import {Browser, Page} from 'puppeteer-core' */

/** Pictures 960, 480 and 240 wide. @type {RTCRtpEncodingParameters[]} */
export const SIMULCAST = [
    {rid: 'f', maxBitrate: 500_000},
    {rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 200_000},
    {rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 80_000},
];

/** A server, and both browsers. */
export class Watching {
    /** @private @type {Server | undefined} */
    server;
    /** @private @type {Map<string, Browser>} */
    browsers = new Map();

    /**
     * @param {Record<string, object>} groups
     * @param {string[]} [flags] Of Chromium.
     */
    async start(groups, flags) {
        this.server = await Server.start(groups);
        for (const name of /** @type {const} */ (['chromium', 'firefox']))
            this.browsers.set(name, await launch(name, flags));
    }

    async stop() {
        for (const browser of this.browsers.values())
            await browser.close();
        await this.server?.stop();
    }

    /** @param {string} browser Its name. @returns {Promise<Page>} A page with the {@link tools}. */
    async open(browser) {
        const {page} = await newPage(/** @type {Browser} */ (this.browsers.get(browser)));
        await page.goto(`${this.server?.url}/`);
        await page.evaluate(tools);
        return page;
    }
}

/**
 * Asks a page for one of its {@link tools}.
 *
 * @param {Page} page
 * @param {string} tool
 * @param {any[]} given
 * @returns {Promise<any>}
 */
export function ask(page, tool, ...given) {
    return page.evaluate((name, all) => /** @type {any} */ (window).tools[name](...all), tool, given);
}

/** Runs in the page: leaves what it makes in `window.tools`. */
function tools() {
    /** @type {any} */
    const w = window;
    /** @type {any} */
    let stream;
    const video = document.createElement('video');
    video.muted = true;
    /** When pictures were shown, ms. */
    let times = /** @type {number[]} */ ([]);

    /** @param {() => any} ask @param {() => string} what */
    async function until(ask, what) {
        const end = performance.now() + 90_000;
        while (!await ask()) {
            if (performance.now() > end)
                throw new Error(`not in time: ${what()}`);
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
    }

    /** @param {string} group @param {string} username @param {string[]} [features] */
    async function enter(group, username, features = ['window']) {
        const path = '/protocol.js';
        const {ServerConnection} = await import(path);
        const status = await (await fetch(`/group/${group}/.status`)).json();
        const sc = new ServerConnection();
        sc.features = features;
        let joined = false;
        sc.onconnected = () => sc.join(group, username, {type: 'password', password: ''});
        sc.onjoined = () => joined = true;
        sc.ondownstream = (/** @type {any} */ down) => {
            stream = down;
            down.ondowntrack = () => {
                video.srcObject = down.stream;
                void video.play();
            };
        };
        sc.connect(status.endpoint);
        await until(() => joined, () => 'joined');
        return sc;
    }

    w.tools = {
        /** @param {string} group @param {any[]} sendEncodings @param {string[]} [features] */
        async send(group, sendEncodings, features) {
            const sc = await enter(group, 'sender', features);
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [960, 540];
            const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
            let frame = 0;
            setInterval(() => {
                context.fillStyle = `hsl(${frame++ * 3 % 360} 60% 50%)`;
                context.fillRect(0, 0, canvas.width, canvas.height);
                context.fillStyle = 'white';
                context.fillRect(frame * 9 % 900, 200, 60, 60);
            }, 50);
            stream = sc.newUpStream();
            stream.label = 'camera';
            const [track] = canvas.captureStream(20).getVideoTracks();
            stream.pc.addTransceiver(track, {direction: 'sendonly', streams: [stream.stream],
                sendEncodings});
            if (features) {
                const audio = new AudioContext();
                const hum = audio.createOscillator();
                const sound = audio.createMediaStreamDestination();
                hum.connect(sound);
                hum.start();
                stream.addTrack(sound.stream.getAudioTracks()[0]);
            }
        },
        /** Frames sent so far of each encoding, and packets of sound. */
        async sent() {
            /** @type {Record<string, number>} */
            const sent = {};
            for (const one of (await stream.pc.getStats()).values()) {
                if (one.type === 'outbound-rtp')
                    sent[one.kind === 'audio' ? 'sound' : one.rid || 'one'] = one.kind === 'audio' ? one.packetsSent : one.framesSent;
            }
            return sent;
        },
        /** Keyframes that the sender was asked for. */
        async asked() {
            let asked = 0;
            for (const one of (await stream.pc.getStats()).values())
                asked += one.type === 'outbound-rtp' ? (one.pliCount ?? 0) + (one.firCount ?? 0) : 0;
            return asked;
        },
        /** What the sender makes of it, for the messages of tests. */
        async sends() {
            const told = [];
            for (const one of (await stream.pc.getStats()).values()) {
                if (one.type === 'outbound-rtp') {
                    told.push(`${one.rid ?? one.scalabilityMode}: ${one.frameWidth} wide, ${one.framesPerSecond}`
                        + ` a second, ${one.targetBitrate} bit/s, ${one.qualityLimitationReason}`);
                } else if (one.type === 'candidate-pair' && one.nominated) {
                    told.push(`path ${one.availableOutgoingBitrate} bit/s`);
                }
            }
            return told.join('; ');
        },
        /** @param {string} group */
        async watch(group) {
            document.body.append(video);
            const shown = () => {
                times.push(performance.now());
                video.requestVideoFrameCallback(shown);
            };
            video.requestVideoFrameCallback(shown);
            const sc = await enter(group, 'watcher');
            sc.request({'': ['audio', 'video']});
            await until(() => video.videoWidth > 0, () => 'a picture');
        },
        /** @param {number} width */
        shows: (width) => until(() => video.videoWidth === width,
            () => `${width} wide, but ${video.videoWidth}`),
        /** @param {number} count */
        pictures(count) {
            const before = times.length;
            return until(() => times.length >= before + count, () => `${count} pictures`);
        },
        /** @param {string[]} what */
        request: (what) => stream.requestStream(what),
        /** @param {number} width @param {number} height */
        window: (width, height) => stream.setWindow({width, height}),
        /** What was shown since this was asked last. */
        watched() {
            let longest = 0;
            for (let at = 1; at < times.length; at++)
                longest = Math.max(longest, (times[at] ?? 0) - (times[at - 1] ?? 0));
            const pictures = times.length;
            times = times.slice(-1);
            return {longest, pictures};
        },
    };
}
