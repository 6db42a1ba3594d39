/** Connections that are lost and found again, lines that carry nothing: what is shown is so. */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {LossyLine} from './harness/lossy.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';

/** @import {Browser} from 'puppeteer-core' */

/** The rate of the quality “low”, bit/s. */
const LOW = 300_000;
/** When the page gives up on tiles of those who have not come back, ms, and a bit. */
const FORGOTTEN = 6_000;

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a bad connection', {timeout: 600_000}, () => {
    /** @type {Server} */
    let server;
    /** @type {Browser[]} */
    let browsers = [];
    /** @type {Person} */
    let ann;
    /** @type {Person} */
    let ben;

    before(async () => {
        server = await Server.start(GROUPS);
        browsers = await Promise.all([0, 1].map(() => launch('chromium')));
        const [one, two] = /** @type {[Browser, Browser]} */ (browsers);
        ann = await Person.at('Ann', one);
        ben = await Person.at('Ben', two);
        for (const person of [ann, ben])
            await person.join(server.page('lounge'));
        await until('pictures', async () => await ann.look('Ben') && await ben.look('Ann'));
    });
    after(async () => {
        await Promise.all(browsers.map((browser) => browser.close()));
        await server?.stop();
    });

    /** @param {Person} viewer @param {string} label @param {string} sign A class. */
    const shows = (viewer, label, sign) => viewer.page.$$eval(
        `.tile[aria-label="${label}"] .${sign}`, (all) => all.some((one) => one.checkVisibility()));

    /** Whether Ann's microphone is on, to herself and to Ben, once all is said. */
    async function microphone() {
        const words = `now ${performance.now()}`;
        await ann.say(words);
        await until('the message', async () => (await ben.messages()).some((one) => one.includes(words)));
        const own = await ann.page.$eval('#control-mic', (button) => button.classList.contains('on'));
        return {own, toBen: !await shows(ben, 'Ann', 'tile-muted')};
    }

    /** Loses the connection of all. */
    async function lose() {
        await server.crash();
        for (const person of [ann, ben])
            await until('the loss', () => person.page.$eval('#connection-state', (one) => !!one.textContent));
    }

    async function find() {
        await server.run();
        for (const person of [ann, ben])
            await until('the return', () => person.page.$eval('#connection-state', (one) => !one.textContent));
    }

    /** What Ann sends of her camera. */
    const camera = () => ann.page.evaluate(() => {
        const peers = /** @type {RTCPeerConnection[]} */ (/** @type {any} */ (window).observed.peers);
        const senders = peers.filter((peer) => peer.signalingState !== 'closed')
            .flatMap((peer) => peer.getSenders()).filter(({track}) => track?.kind === 'video');
        return senders.map((sender) => ({state: sender.track?.readyState,
            hint: sender.track?.contentHint,
            maxBitrate: sender.getParameters().encodings[0]?.maxBitrate}));
    });

    test('who is silent is shown so, whatever the microphone', async () => {
        const {page} = ann;
        const track = () => page.evaluate(() => /** @type {any} */ (window).observed.peers
            .flatMap((/** @type {any} */ peer) => peer.getSenders())
            .find((/** @type {any} */ one) => one.track?.kind === 'audio').track.id);
        await page.click('#control-mic');
        await until('silence', () => shows(ben, 'Ann', 'tile-muted'));
        const before = await track();
        await ann.more('Settings');
        await page.click('#settings-processing');
        await until('another sound', async () => await track() !== before);
        await ann.closeDialog();
        assert.deepEqual(await microphone(), {own: false, toBen: false});
        await page.click('#control-mic');
        await until('sound', async () => !await shows(ben, 'Ann', 'tile-muted'));
    });

    test('who mutes and unmutes sooner than the server answers is shown as it is', async () => {
        for (const times of [2, 3, 2, 3]) {
            await ann.page.$eval('#control-mic', (button, clicks) => {
                for (let click = 0; click < clicks; click++)
                    /** @type {HTMLButtonElement} */ (button).click();
            }, times);
            const {own, toBen} = await microphone();
            assert.equal(toBen, own);
        }
        assert.deepEqual(await microphone(), {own: true, toBen: true});
    });

    test('what was done while the connection was lost holds when it is back', async () => {
        const {page} = ann;
        await ann.tileMenu('Ben', 'Pin');
        await page.$eval('.tile[aria-label="Ben"] video', (video) => {
            /** @type {HTMLVideoElement} */ (video).volume = 0.4;
        });
        await ann.more('Statistics');
        const rates = () => page.$$eval('#statistics tbody tr td:nth-child(3)', (all) =>
            all.map((one) => Number.parseInt(one.textContent ?? '')));
        await until('rates', async () => (await rates()).some((rate) => rate > 50));
        await lose();
        await until('no rates', async () => (await rates()).every((rate) => rate === 0));
        await ann.closeDialog();
        await page.click('#control-mic');
        await ann.more('Settings');
        await page.click('#settings-blackboard');
        await page.select('#settings-send', 'low');
        await until('another camera', () => page.$eval('.tile[aria-label="You"] video', (video) =>
            /** @type {any} */ (video).srcObject?.getVideoTracks()[0]?.contentHint === 'detail'));
        await ann.closeDialog();
        await find();
        await until('a living picture', () => ben.look('Ann'));
        assert.deepEqual(await microphone(), {own: false, toBen: false}, 'muted meanwhile');
        assert.deepEqual(await camera(), [{state: 'live', hint: 'detail', maxBitrate: LOW}]);
        await until('the picture of Ben', () => ann.look('Ben'));
        assert.ok(await shows(ann, 'Ben', 'tile-pin'), 'still pinned');
        assert.equal(await page.$eval('.tile[aria-label="Ben"] video', (video) =>
            /** @type {HTMLVideoElement} */ (video).volume), 0.4);
        await page.click('#control-mic');
        await until('sound', async () => !await shows(ben, 'Ann', 'tile-muted'));
    });

    test('lost again as soon as it was found, the tiles stay', async () => {
        await lose();
        await find();
        await until('the picture of Ben', () => ann.look('Ben'));
        await lose();
        await pause(FORGOTTEN);
        assert.deepEqual((await ann.tiles()).sort(), ['Ben', 'You']);
        await find();
        await until('pictures', async () => await ann.look('Ben') && await ben.look('Ann'));
        assert.deepEqual((await ann.tiles()).sort(), ['Ben', 'You']);
    });

    test('a picture that stands still says so, and one who cannot be reached is told', async () => {
        const line = await LossyLine.to(server.udpPort);
        const cem = await Person.at('Cem', /** @type {Browser} */ (browsers[1]));
        await line.lead(cem.page);
        await cem.join(server.page('lounge'));
        await until('the picture of Ann', () => cem.look('Ann'));
        assert.equal(await shows(cem, 'Ann', 'tile-still'), false);
        line.loss = 1;
        await until('a still picture', () => shows(cem, 'Ann', 'tile-still'));
        line.loss = 0;
        await until('a moving picture', async () => !await shows(cem, 'Ann', 'tile-still'));
        assert.equal(await shows(cem, 'You', 'tile-trouble'), false);
        line.close();
        await until('the sign', async () => await shows(cem, 'You', 'tile-trouble')
            && await shows(cem, 'Ann', 'tile-trouble') && !await shows(cem, 'Ann', 'tile-still'));
        await cem.close();
    });

    test('what is marked in the statistics stays marked', async () => {
        const {page} = ann;
        await ann.more('Statistics');
        const codec = '#statistics tbody tr td:last-child';
        await page.waitForSelector(codec);
        await page.$eval(codec, (cell) => getSelection()?.selectAllChildren(cell));
        const words = await page.evaluate(() => String(getSelection()));
        assert.ok(words.length > 1);
        const figures = () => page.$eval('#statistics', (one) => one.textContent);
        const before = await figures();
        await until('other figures', async () => await figures() !== before);
        assert.equal(await page.evaluate(() => String(getSelection())), words);
        await ann.closeDialog();
    });

    test('no page complained', () => {
        for (const person of [ann, ben])
            assert.deepEqual(person.problems.filter((problem) => !/WebSocket|wss:/.test(problem)), []);
    });
});
