/** Encodings and layers: who is sent which, between real browsers. */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {launch, newPage} from './harness/browsers.js';
import {GROUPS, Server} from './harness/server.js';

/** @import {Browser, Page} from 'puppeteer-core' */

const SIMULCAST = [
    {rid: 'f', maxBitrate: 500_000},
    {rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 200_000},
    {rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 80_000},
];
/** @param {string} codec */
function group(codec) {
    return {...GROUPS.passing, codecs: [codec, 'opus']};
}

describe('layers', {timeout: 1_200_000}, () => {
    /** @type {Server} */
    let server;
    /** @type {Record<string, Browser>} */
    const browsers = {};

    before(async () => {
        server = await Server.start({vp8: group('vp8'), vp9: group('vp9'), av1: group('av1'),
            h264: group('h264')});
        for (const name of /** @type {const} */ (['chromium', 'firefox']))
            browsers[name] = await launch(name);
    });
    after(async () => {
        for (const browser of Object.values(browsers))
            await browser.close();
        await server?.stop();
    });

    /** @param {string} name */
    async function open(name) {
        const {page} = await newPage(/** @type {Browser} */ (browsers[name]));
        await page.goto(`${server.url}/`);
        await page.evaluate(tools);
        return page;
    }

    /**
     * @param {string} name Of the group, and of the codec.
     * @param {RTCRtpEncodingParameters[]} encodings
     * @param {string} receiver
     */
    async function meet(name, encodings, receiver) {
        const sender = await open('chromium');
        const watcher = await open(receiver);
        await sender.evaluate((g, e) => /** @type {any} */ (window).tools.send(g, e), name, encodings);
        await watcher.evaluate((g) => /** @type {any} */ (window).tools.watch(g), name);
        return {sender, watcher};
    }

    /** @param {{sender: Page, watcher: Page}} pages @param {number} width */
    async function shows({sender, watcher}, width) {
        try {
            await watcher.evaluate((w) => /** @type {any} */ (window).tools.shows(w), width);
        } catch (error) {
            const sends = await sender.evaluate(() => /** @type {any} */ (window).tools.sends());
            throw new Error(`${error}; sender: ${sends}`);
        }
    }

    /**
     * How long the picture stood still depends on how fast this machine encodes; what the server
     * adds to it is told by `tests/sim_conference.rs`.
     *
     * @param {import('node:test').TestContext} t
     * @param {Page} watcher
     */
    async function tell(t, watcher) {
        const seen = await watcher.evaluate(() => /** @type {any} */ (window).tools.watched());
        t.diagnostic(`${seen.pictures} pictures, ${Math.round(seen.longest)} ms without one`);
    }

    for (const receiver of ['chromium', 'firefox']) {
        test(`three encodings, seen by ${receiver}`, async (t) => {
            const pages = await meet('vp8', SIMULCAST, receiver);
            const {sender, watcher} = pages;
            await shows(pages, 960);
            const asked = await sender.evaluate(() => /** @type {any} */ (window).tools.asked());
            const begin = performance.now();
            await watcher.evaluate(() => /** @type {any} */ (window).tools.watched());
            await watcher.evaluate(() => /** @type {any} */ (window).tools.request(['video-low']));
            await shows(pages, 240);
            await watcher.evaluate(() => /** @type {any} */ (window).tools.window(400, 225));
            await watcher.evaluate(() => /** @type {any} */ (window).tools.request(['video']));
            await shows(pages, 480);
            await watcher.evaluate(() => /** @type {any} */ (window).tools.window(1920, 1080));
            await shows(pages, 960);
            await watcher.evaluate(() => /** @type {any} */ (window).tools.pictures(30));
            await tell(t, watcher);
            const later = await sender.evaluate(() => /** @type {any} */ (window).tools.asked());
            const allowed = SIMULCAST.length * (1 + 2 * (performance.now() - begin) / 1_000);
            assert.ok(later - asked <= allowed, `asked for ${later - asked} keyframes`);
            await sender.close();
            await watcher.close();
        });
    }

    for (const [codec, mode, receiver] of [['vp9', 'L3T3_KEY', 'chromium'], ['vp9', 'L3T3', 'chromium'],
        ['vp9', 'L3T3_KEY', 'firefox']]) {
        test(`${codec} ${mode}, seen by ${receiver}`, async (t) => {
            const encodings = /** @type {any} */ ([{scalabilityMode: mode, maxBitrate: 900_000}]);
            const pages = await meet(String(codec), encodings, String(receiver));
            const {sender, watcher} = pages;
            await shows(pages, 960);
            await watcher.evaluate(() => /** @type {any} */ (window).tools.watched());
            for (const [width, height, shown] of [[400, 225, 480], [100, 60, 240], [2_000, 1_000, 960]]) {
                await watcher.evaluate((w, h) => /** @type {any} */ (window).tools.window(w, h),
                    width, height);
                await shows(pages, Number(shown));
                await watcher.evaluate(() => /** @type {any} */ (window).tools.pictures(10));
            }
            await tell(t, watcher);
            await sender.close();
            await watcher.close();
        });
    }
});

/** Runs in the page: what the tests need of it, in `window.tools`. */
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

    /** @param {string} group @param {string} username */
    async function enter(group, username) {
        const path = '/protocol.js';
        const {ServerConnection} = await import(path);
        const status = await (await fetch(`/group/${group}/.status`)).json();
        const sc = new ServerConnection();
        sc.features = ['window'];
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
        /** @param {string} group @param {any[]} sendEncodings */
        async send(group, sendEncodings) {
            const sc = await enter(group, 'sender');
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
