/** WHIP and WHEP with the browsers' own WebRTC, by the page that shows how. */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {launch, newPage} from './harness/browsers.js';
import {until} from './harness/poll.js';
import {Server} from './harness/server.js';

/** @import {Browser, Page} from 'puppeteer-core' */

const GROUPS = {
    open: {'wildcard-user': {password: {type: 'wildcard'}, permissions: 'present'}},
    watch: {'wildcard-user': {password: {type: 'wildcard'}, permissions: 'observe'}},
};

/** @param {Page} page @param {string} door @param {string} [group] */
async function press(page, door, group = 'open') {
    await page.$eval('[name=group]', (input, value) => {
        /** @type {HTMLInputElement} */ (input).value = value;
    }, group);
    await page.click(`[value=${door}]`);
}

/** @param {Page} page */
const state = (page) => page.$eval('#state', (element) => element.textContent);

/** @param {Page} page What its peer connection has decoded so far. */
const decoded = (page) => page.evaluate(async () => {
    const peer = /** @type {any} */ (window).observed.peers.at(-1);
    let pictures = 0, sound = 0, width = 0;
    for (const report of (await peer.getStats()).values()) {
        if (report.type !== 'inbound-rtp')
            continue;
        pictures += report.framesDecoded ?? 0;
        width = Math.max(width, report.frameWidth ?? 0);
        sound += report.kind === 'audio' ? report.packetsReceived : 0;
    }
    return {pictures, sound, width};
});

for (const name of /** @type {const} */ (['chromium', 'firefox'])) {
    describe(`WHIP and WHEP in ${name}`, {timeout: 1_200_000}, () => {
        /** @type {Server} */
        let server;
        /** @type {Browser} */
        let browser;
        before(async () => {
            server = await Server.start(GROUPS);
            browser = await launch(name);
        });
        after(async () => {
            await browser?.close();
            await server?.stop();
        });

        test('what one publishes, another sees and hears, until it ends', async () => {
            const [{page: camera}, {page: player}] = [await newPage(browser), await newPage(browser)];
            for (const page of [camera, player])
                await page.goto(`${server.url}/example/whip.html`);
            await press(player, 'whep');
            await until('refusal', async () =>
                (await state(player))?.includes('there is no such stream now'));
            await press(camera, 'whip');
            await until('connection', async () => await state(camera) === 'connected');
            await press(player, 'whep');
            const first = await until('pictures and sound', async () => {
                const now = await decoded(player);
                return now.pictures > 10 && now.sound > 10 && now.width > 0 ? now : null;
            });
            await until('more pictures', async () =>
                (await decoded(player)).pictures > first.pictures + 10);
            await press(camera, 'end');
            const before = await decoded(player);
            await until('end of the pictures', async () => {
                const one = (await decoded(player)).pictures;
                await new Promise((done) => setTimeout(done, 500));
                return (await decoded(player)).pictures === one;
            });
            assert.ok((await decoded(player)).pictures >= before.pictures);
        });

        test('one player sees and hears all that are published', async () => {
            const cameras = [await newPage(browser), await newPage(browser)];
            for (const {page} of cameras) {
                await page.goto(`${server.url}/example/whip.html`);
                await press(page, 'whip');
                await until('connection', async () => await state(page) === 'connected');
            }
            const {page: player} = await newPage(browser);
            await player.goto(`${server.url}/example/whip.html`);
            await press(player, 'all');
            const tracks = () => player.evaluate(async () => {
                const peer = /** @type {any} */ (window).observed.peers.at(-1);
                const reports = [...(await peer.getStats()).values()];
                const of = (/** @type {string} */ kind) => reports.filter((report) =>
                    report.type === 'inbound-rtp' && report.kind === kind);
                return {
                    pictures: of('video').map((report) => report.framesDecoded ?? 0),
                    sound: of('audio').map((report) => report.packetsReceived ?? 0),
                    videos: document.querySelectorAll('video').length,
                };
            });
            await until('pictures and sound of both', async () => {
                const {pictures, sound, videos} = await tracks();
                const flow = (/** @type {number[]} */ counts) =>
                    counts.length === 2 && counts.every((count) => count > 10);
                return flow(pictures) && flow(sound) && videos === 2;
            });
            // One goes; the other goes on.
            const [first] = cameras;
            if (first)
                await press(first.page, 'end');
            const before = await tracks();
            await until('pictures of the one that is left', async () => {
                const {pictures} = await tracks();
                return pictures.some((count, at) => count > (before.pictures[at] ?? 0) + 30);
            });
            assert.equal(await state(player), 'connected');
            for (const page of [player, ...cameras.slice(1).map(({page}) => page)])
                await press(page, 'end');
        });

        test('who may not publish is told so', async () => {
            const {page} = await newPage(browser);
            await page.goto(`${server.url}/example/whip.html`);
            await press(page, 'whip', 'watch');
            await until('refusal', async () =>
                (await state(page))?.includes('not authorised to publish'));
        });
    });
}
