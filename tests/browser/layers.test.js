/** Encodings and layers: who is sent which, between real browsers. */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {launch, newPage} from './harness/browsers.js';
import {GROUPS, Server} from './harness/server.js';
import {tools} from './harness/watching.js';

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
