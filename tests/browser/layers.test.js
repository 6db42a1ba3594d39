/** Encodings and layers: who is sent which, between real browsers. */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {GROUPS} from './harness/server.js';
import {ask, SIMULCAST, Watching} from './harness/watching.js';

/** @import {Page} from 'puppeteer-core' */

/** @param {string} codec */
function group(codec) {
    return {...GROUPS.passing, codecs: [codec, 'opus']};
}

describe('layers', {timeout: 1_200_000}, () => {
    const meeting = new Watching();

    before(() => meeting.start({vp8: group('vp8'), vp9: group('vp9'), av1: group('av1'),
        h264: group('h264')}));
    after(() => meeting.stop());

    /**
     * @param {string} name Of the group, and of the codec.
     * @param {RTCRtpEncodingParameters[]} encodings
     * @param {string} receiver
     */
    async function meet(name, encodings, receiver) {
        const sender = await meeting.open('chromium');
        const watcher = await meeting.open(receiver);
        await ask(sender, 'send', name, encodings);
        await ask(watcher, 'watch', name);
        return {sender, watcher};
    }

    /** @param {{sender: Page, watcher: Page}} pages @param {number} width */
    async function shows({sender, watcher}, width) {
        try {
            await ask(watcher, 'shows', width);
        } catch (error) {
            const sends = await ask(sender, 'sends');
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
        const seen = await ask(watcher, 'watched');
        t.diagnostic(`${seen.pictures} pictures, ${Math.round(seen.longest)} ms without one`);
    }

    for (const receiver of ['chromium', 'firefox']) {
        test(`three encodings, seen by ${receiver}`, async (t) => {
            const pages = await meet('vp8', SIMULCAST, receiver);
            const {sender, watcher} = pages;
            await shows(pages, 960);
            const asked = await ask(sender, 'asked');
            const begin = performance.now();
            await ask(watcher, 'watched');
            await ask(watcher, 'request', ['video-low']);
            await shows(pages, 240);
            await ask(watcher, 'window', 400, 225);
            await ask(watcher, 'request', ['video']);
            await shows(pages, 480);
            await ask(watcher, 'window', 1920, 1080);
            await shows(pages, 960);
            await ask(watcher, 'pictures', 30);
            await tell(t, watcher);
            const later = await ask(sender, 'asked');
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
            await ask(watcher, 'watched');
            for (const [width, height, shown] of [[400, 225, 480], [100, 60, 240], [2_000, 1_000, 960]]) {
                await ask(watcher, 'window', width, height);
                await shows(pages, Number(shown));
                await ask(watcher, 'pictures', 10);
            }
            await tell(t, watcher);
            await sender.close();
            await watcher.close();
        });
    }
});
