/** The page tells the server how large it shows each stream: `window` in docs/protocol.md. */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {crowd} from './harness/crowd.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';

const PEOPLE = 20;
/** ms, on a machine that is busy with other things. */
const PATIENCE = 60_000;
/** Sizes that differ by less than this are not worth a message. */
const TOLERANCE = 0.08;

describe('windows', {timeout: 300_000}, () => {
    /** @type {Server} */
    let server;
    /** @type {import('puppeteer-core').Browser} */
    let browser;
    /** @type {Person} */
    let eva;

    before(async () => {
        server = await Server.start(GROUPS);
        browser = await launch('chromium');
        await crowd(browser, server.url, 'lounge', PEOPLE);
        eva = await Person.at('Eva', browser);
        await eva.page.evaluateOnNewDocument(() => {
            /** @type {any[]} */
            const told = [];
            Object.assign(window, {told});
            const {send} = WebSocket.prototype;
            WebSocket.prototype.send = function(/** @type {any} */ data) {
                const message = JSON.parse(String(data));
                if (message.type === 'window')
                    told.push(message);
                send.call(this, data);
            };
        });
        await eva.page.setViewport({width: 1_200, height: 800});
        await eva.join(server.page('lounge'), {microphone: false, camera: false});
    });
    after(async () => {
        await browser?.close();
        await server?.stop();
    });

    /** What was said last of each stream, and what is so: both from the largest down. */
    function look() {
        return eva.page.evaluate(() => {
            /** @type {Map<string, any>} */
            const last = new Map();
            const told = /** @type {any[]} */ (/** @type {any} */ (window).told);
            for (const message of told)
                last.set(message.id, message);
            const tiles = [...document.querySelectorAll('.tile')];
            const shown = tiles.map((tile) => {
                const video = tile.querySelector('video');
                const seen = !(/** @type {HTMLElement} */ (tile).hidden);
                const box = video?.getBoundingClientRect();
                return seen && box ? Math.round(box.width * devicePixelRatio) : 0;
            });
            const down = (/** @type {number} */ a, /** @type {number} */ b) => b - a;
            const all = [...last.values()];
            return {
                messages: told.length,
                told: /** @type {number[]} */ (all.map(({width}) => width)).sort(down),
                shown: shown.sort(down),
                hidden: all.filter(({width, height}) => width === 0 && height === 0).length,
                important: all.filter(({priority}) => priority).map(({width}) => width),
            };
        });
    }

    /** @param {string} what @param {(seen: Awaited<ReturnType<typeof look>>) => boolean} [also] */
    function agrees(what, also = () => true) {
        return until(what, async () => {
            const seen = await look();
            const same = (/** @type {number} */ a, /** @type {number} */ b) =>
                (a === 0) === (b === 0) && Math.abs(a - b) <= TOLERANCE * Math.max(a, b);
            const all = seen.shown.length === PEOPLE && seen.told.length === PEOPLE
                && seen.told.every((width, at) => same(width, seen.shown[at] ?? -1));
            return all && also(seen) ? seen : null;
        }, PATIENCE);
    }

    test('each stream is told with the size of its tile', async () => {
        const seen = await agrees('sizes', ({hidden}) => hidden === 0);
        assert.ok(seen.told.every((width) => width > 50), `${seen.told}`);
        assert.deepEqual(seen.important, [], 'nobody is pinned or speaks');
    });

    test('as the window grows so does what is told, and then nothing more is said', async () => {
        const before = await agrees('sizes');
        await eva.page.setViewport({width: 1_900, height: 1_200});
        const larger = await agrees('larger sizes', ({told}) => (told[0] ?? 0) > 1.2 * (before.told[0] ?? 0));
        // The page looks again and again.
        await eva.page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 2_500)));
        assert.equal((await look()).messages, larger.messages, 'nothing has changed');
        await eva.page.setViewport({width: 1_200, height: 800});
        await agrees('the sizes of before', ({told}) => (told[0] ?? 0) < 1.1 * (before.told[0] ?? 0));
    });

    test('who has no place is hidden, and comes back', async () => {
        await eva.page.setViewport({width: 320, height: 340});
        const seen = await agrees('hidden streams', ({hidden}) => hidden > 0);
        assert.ok(seen.hidden < PEOPLE, 'some are seen');
        await eva.page.setViewport({width: 1_200, height: 800});
        await agrees('all of them', ({hidden}) => hidden === 0);
    });

    test('no page complained', () => assert.deepEqual(eva.problems, []));
});
