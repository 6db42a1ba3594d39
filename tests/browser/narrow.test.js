/**
 * A meeting of three, one of them on a narrow line: that one sees the others, and they do not notice.
 */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';
import {ShapedLine} from './harness/shaped.js';

/** @import {Browser} from 'puppeteer-core' */

/** bit/s */
const NARROW = 350_000;
/** How long that may take on a machine that is busy with other things, ms. */
const PATIENCE = 120_000;
/** Lines of the pictures of a camera, and of the smaller ones beside them. */
const [LARGE, MIDDLE, SMALL] = [720, 360, 180];

/** The picture of somebody else stands still for no longer than this, ms: a stream that takes its
 * place would need more. On a machine that has time it is 240. */
const STILL = 2_000;

/**
 * The pictures of the tile of somebody are watched from now on.
 *
 * @param {Person} viewer
 * @param {string} label
 */
function watch(viewer, label) {
    return viewer.page.evaluate((wanted) => {
        const video = [...document.querySelectorAll('.tile')]
            .find((tile) => tile.getAttribute('aria-label') === wanted)?.querySelector('video');
        if (!video)
            throw new Error(`no tile of ${wanted}`);
        const seen = {last: performance.now(), longest: 0, frames: 0, flashes: 0, lowest: Infinity,
            source: video.srcObject, video};
        (/** @type {any} */ (window).watched ??= {})[wanted] = seen;
        video.addEventListener('emptied', () => seen.flashes++);
        const shown = (/** @type {number} */ _at, /** @type {{height: number}} */ {height}) => {
            const now = performance.now();
            seen.longest = Math.max(seen.longest, now - seen.last);
            seen.last = now;
            seen.lowest = Math.min(seen.lowest, height);
            seen.frames++;
            video.requestVideoFrameCallback(shown);
        };
        video.requestVideoFrameCallback(shown);
    }, label);
}

/** What was seen since this was asked last. @param {Person} viewer @param {string} label */
function seen(viewer, label) {
    return viewer.page.evaluate((wanted) => {
        const watched = /** @type {any} */ (window).watched[wanted];
        const {frames, flashes, lowest, video} = watched;
        const longest = Math.max(watched.longest, performance.now() - watched.last);
        Object.assign(watched, {longest: 0, frames: 0, flashes: 0, lowest: Infinity});
        return {frames, longest, flashes, lowest, height: video.videoHeight,
            same: video.isConnected && video.srcObject === watched.source};
    }, label);
}

/** The lines of each picture that somebody sends within a second. @param {Person} person */
function sent(person) {
    return person.page.evaluate(async () => {
        const look = async () => {
            const all = [];
            for (const peer of /** @type {any} */ (window).observed.peers) {
                if (peer.connectionState !== 'closed')
                    all.push(...(await peer.getStats()).values());
            }
            return all.filter(({type, kind}) => type === 'outbound-rtp' && kind === 'video');
        };
        const before = new Map((await look()).map((one) => [one.id, one.framesSent]));
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        const now = (await look()).filter((one) => one.framesSent > (before.get(one.id) ?? 0));
        return now.map(({frameHeight}) => frameHeight).sort((a, b) => b - a);
    });
}

/** How often somebody was offered a stream, for the first time or anew. @param {Person} person */
const offered = (person) => person.page.evaluate(() =>
    Object.keys(/** @type {any} */ (window).observed.offers).length);

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a meeting of three', {timeout: 600_000}, () => {
    /** @type {Server} */
    let server;
    /** @type {Browser[]} */
    let browsers = [];
    /** @type {ShapedLine} */
    let line;
    /** @type {Person} */
    let ann;
    /** @type {Person} */
    let ben;
    /** @type {Person} */
    let cem;

    before(async () => {
        server = await Server.start(GROUPS);
        browsers = await Promise.all([0, 1].map(() => launch('chromium')));
        const [one, two] = /** @type {[Browser, Browser]} */ (browsers);
        line = await ShapedLine.to(server.udpPort);
        Object.assign(line, {rate: NARROW, delay: 30, queue: 30_000});
        ann = await Person.at('Ann', one);
        ben = await Person.at('Ben', two);
        cem = await Person.at('Cem', two);
        await line.lead(cem.page);
        // So that the tiles have use for the large pictures.
        await ben.page.setViewport({width: 1_900, height: 1_200});
    });
    after(async () => {
        await Promise.all(browsers.map((browser) => browser.close()));
        line?.close();
        await server?.stop();
    });

    /**
     * Ben sees Ann as he saw her before.
     *
     * @param {import('node:test').TestContext} t
     */
    async function benNoticesNothing(t) {
        const since = await seen(ben, 'Ann');
        t.diagnostic(`the picture stood still for ${Math.round(since.longest)} ms at the most, `
            + `and was ${since.lowest} lines high at the least`);
        assert.ok(since.same && since.flashes === 0, 'it is the same picture all along');
        assert.ok(since.longest < STILL, `it stood still for ${since.longest} ms`);
        assert.equal(since.lowest, LARGE, 'and was large all along');
    }

    test('between two, one large picture is sent', async () => {
        await ann.join(server.page('lounge'));
        await ben.join(server.page('lounge'));
        // Chromium begins with a smaller one, and takes its time.
        await until('the large picture of Ann', async () =>
            (await ben.look('Ann'))?.height === LARGE, PATIENCE);
        assert.deepEqual(await sent(ann), [LARGE]);
    });

    test('the third, on a narrow line, sees both of them, and the second notices nothing', async (t) => {
        await watch(ben, 'Ann');
        const before = await offered(ben);
        await cem.join(server.page('lounge'), {microphone: false, camera: false});
        for (const name of ['Ann', 'Ben']) {
            await until(`the picture of ${name}`, () => cem.look(name), PATIENCE);
            await watch(cem, name);
        }
        await until('three pictures of Ann', async () => (await sent(ann)).length === 3);
        for (const name of ['Ann', 'Ben']) {
            let frames = 0;
            await until(`pictures of ${name} that move`, async () =>
                (frames += (await seen(cem, name)).frames) > 100, PATIENCE);
            const {height} = await seen(cem, name);
            assert.ok([MIDDLE, SMALL].includes(height), `${height} lines of ${name}`);
        }
        await benNoticesNothing(t);
        assert.equal(await offered(ben), before, 'nothing was offered anew');
    });

    test('half a minute after the third has gone, one large picture is sent again', async (t) => {
        await cem.leave();
        await until('the large picture alone', async () => (await sent(ann)).length === 1, PATIENCE);
        await pause(3_000);
        assert.deepEqual(await sent(ann), [LARGE]);
        await benNoticesNothing(t);
    });

    test('no page complained', () => {
        for (const person of [ann, ben, cem])
            assert.deepEqual(person.problems, [], `errors on the page of ${person.name}`);
    });
});
