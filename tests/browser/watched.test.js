/** Encodings that nobody watches are not sent, between real browsers. */

import {after, before, describe, test} from 'node:test';
import {launch, newPage} from './harness/browsers.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';
import {tools} from './harness/watching.js';

/** @import {Browser, Page} from 'puppeteer-core' */

const SIMULCAST = [
    {rid: 'f', maxBitrate: 500_000},
    {rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 200_000},
    {rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 80_000},
];
/** As the server's hold times have it, and a slow machine, ms. */
const PATIENCE = 120_000;
/** For so long nothing must have been sent, ms. */
const SILENCE = 2_000;

describe('what nobody watches', {timeout: 1_800_000}, () => {
    /** @type {Server} */
    let server;
    /** @type {Record<string, Browser>} */
    const browsers = {};

    before(async () => {
        server = await Server.start({three: {...GROUPS.passing, codecs: ['vp8', 'opus']},
            one: {...GROUPS.passing, codecs: ['vp8', 'opus']}});
        for (const name of /** @type {const} */ (['chromium', 'firefox']))
            browsers[name] = await launch(name, ['--autoplay-policy=no-user-gesture-required']);
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

    /** @param {string} name @param {string} group @param {RTCRtpEncodingParameters[]} encodings */
    async function send(name, group, encodings) {
        const page = await open(name);
        await page.evaluate((g, e) => /** @type {any} */ (window).tools.send(g, e,
            ['window', 'encodings']), group, encodings);
        return page;
    }

    /** @param {string} name @param {string} group */
    async function watch(name, group) {
        const page = await open(name);
        await page.evaluate((g) => /** @type {any} */ (window).tools.watch(g), group);
        return page;
    }

    /** @param {Page} page @param {number} width @param {number} height */
    const size = (page, width, height) =>
        page.evaluate((w, h) => /** @type {any} */ (window).tools.window(w, h), width, height);
    /** @param {Page} page @param {number} width */
    const shows = (page, width) =>
        page.evaluate((w) => /** @type {any} */ (window).tools.shows(w), width);
    /** @param {Page} page @param {number} count */
    const pictures = (page, count) =>
        page.evaluate((n) => /** @type {any} */ (window).tools.pictures(n), count);

    /**
     * These encodings are sent, and no others; and sound.
     *
     * @param {Page} sender
     * @param {string[]} rids
     */
    async function sends(sender, rids) {
        const names = [...rids].sort().join(' ');
        const look = () => sender.evaluate(() => /** @type {any} */ (window).tools.sent());
        await until(`'${names}' to be sent`, async () => {
            const earlier = await look();
            await new Promise((resolve) => setTimeout(resolve, SILENCE));
            const later = await look();
            return Object.keys(later).every((rid) => {
                const sent = (later[rid] ?? 0) - (earlier[rid] ?? 0);
                return rid === 'sound' || rids.includes(rid) ? sent > 0 : sent === 0;
            });
        }, PATIENCE);
    }

    test('three encodings', async () => {
        const sender = await send('chromium', 'three', SIMULCAST);
        await sends(sender, []);
        const [near, far] = [await watch('chromium', 'three'), await watch('firefox', 'three')];
        for (const page of [near, far])
            await pictures(page, 10);
        for (const page of [near, far])
            await size(page, 200, 112);
        await sends(sender, ['q']);
        for (const page of [near, far])
            await shows(page, 240);
        // Who comes gets a picture.
        const late = await watch('chromium', 'three');
        for (const page of [near, far, late]) {
            await pictures(page, 10);
            await page.close();
        }
        await sends(sender, []);
        await sender.close();
    });

    for (const publisher of ['chromium', 'firefox']) {
        test(`one encoding of ${publisher}`, async () => {
            const sender = await send(publisher, 'one', [{maxBitrate: 300_000}]);
            await sends(sender, []);
            for (const receiver of ['firefox', 'chromium']) {
                const page = await watch(receiver, 'one');
                await pictures(page, 10);
                await page.close();
            }
            await sends(sender, []);
            await sender.close();
        });
    }
});
