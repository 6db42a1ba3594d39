/** The background out of focus, seen at the far end. */

import assert from 'node:assert/strict';
import {fileURLToPath} from 'node:url';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';

/** A person in front of things with sharp edges: a portrait by NASA, in the public domain. */
const CAMERA = '--use-file-for-fake-video-capture='
    + fileURLToPath(new URL('files/person.mjpeg', import.meta.url));

/** Where in it: left, top, width, height, as parts of the whole. */
const THINGS = /** @type {const} */ ([0.75, 0.05, 0.23, 0.9]);
const FACE = /** @type {const} */ ([0.32, 0.25, 0.25, 0.35]);

/**
 * How sharp a part of a picture is: how much a pixel differs from the mean of its neighbours.
 *
 * @param {Person} viewer
 * @param {string} label
 * @param {readonly [number, number, number, number]} part
 * @returns {Promise<number | null>}
 */
function sharpness(viewer, label, part) {
    return viewer.page.evaluate((wanted, [left, top, width, height]) => {
        const tile = document.querySelector(`.tile.has-video[aria-label="${wanted}"]`);
        const video = tile?.querySelector('video');
        if (!video?.videoWidth)
            return null;
        const canvas = document.createElement('canvas');
        canvas.width = 640;
        canvas.height = 360;
        const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
        context.drawImage(video, 0, 0, 640, 360);
        const {data, width: across} = context.getImageData(640 * left, 360 * top, 640 * width,
            360 * height);
        let sum = 0;
        const green = (/** @type {number} */ pixel) => data[4 * pixel + 1] ?? 0;
        for (let at = 1; at < data.length / 4 - 1; at++) {
            if (at % across > 0 && at % across < across - 1)
                sum += Math.abs(green(at) - (green(at - 1) + green(at + 1)) / 2);
        }
        return sum / (data.length / 4);
    }, label, part);
}

describe('background blur', {timeout: 1_200_000}, () => {
    /** @type {Server} */
    let server;
    /** @type {import('puppeteer-core').Browser} */
    let chromium;
    /** @type {import('puppeteer-core').Browser} */
    let firefox;
    /** @type {Person} */
    let vera;

    before(async () => {
        server = await Server.start(GROUPS);
        [chromium, firefox] = await Promise.all([launch('chromium', [CAMERA]), launch('firefox')]);
        vera = await Person.at('Vera', firefox);
        await vera.join(server.page('lounge'), {microphone: false, camera: false});
    });
    after(async () => {
        await Promise.all([chromium?.close(), firefox?.close()]);
        await server?.stop();
    });

    /**
     * @param {number} above
     * @param {number} below
     * @param {readonly [number, number, number, number]} part
     */
    const sees = async (above, below, part) => {
        /** @type {number | null} */
        let seen = null;
        await until('that sharpness', async () => {
            seen = await sharpness(vera, 'Pat', part);
            return seen !== null && seen > above && seen < below;
        }).catch((cause) => {
            throw new Error(`the sharpness is ${seen}, not ${above} to ${below}`, {cause});
        });
    };

    for (const streams of [true, false]) {
        const how = streams ? 'by streams of pictures' : 'by single pictures, as Safari must';
        test(`things are blurred, the person is not, ${how}`, async (t) => {
            const pat = await Person.at('Pat', chromium);
            if (!streams) {
                await pat.page.evaluateOnNewDocument(() => {
                    delete /** @type {any} */ (window).MediaStreamTrackProcessor;
                });
            }
            await pat.join(server.page('lounge'), {microphone: false});
            await until('the picture', () => sharpness(vera, 'Pat', FACE));
            // The first pictures are coarse.
            await sees(1.2, Infinity, THINGS);
            const things = await sharpness(vera, 'Pat', THINGS) ?? 0;
            const face = await sharpness(vera, 'Pat', FACE) ?? 0;
            assert.equal(pat.page.workers().length, 0, 'nothing is done that nobody asked for');
            await pat.tileMenu('You', 'Blur my background');
            await sees(0, things / 2, THINGS);
            await sees(face * 0.6, Infinity, FACE);
            const blurred = await sharpness(vera, 'Pat', THINGS) ?? 0;
            t.diagnostic(`things: ${things.toFixed(1)}, then ${blurred.toFixed(1)}`);
            const {frames} = await vera.received();
            await until('more pictures', async () => (await vera.received()).frames > frames + 20);
            // Off and on again with the camera, and after coming back.
            await pat.page.click('#control-cam');
            await until('no picture', async () => await sharpness(vera, 'Pat', FACE) === null);
            await until('the work ended', () => pat.page.workers().length === 0);
            await pat.page.click('#control-cam');
            await sees(0, things / 2, THINGS);
            await pat.leave();
            await pat.page.waitForFunction(() => {
                const video = document.querySelector('#preview-video');
                return video instanceof HTMLVideoElement && video.videoWidth > 0;
            });
            assert.equal(await pat.page.$eval('#join-blur', (box) =>
                /** @type {HTMLInputElement} */ (box).checked), true, 'it is remembered');
            assert.equal(pat.page.workers().length, 1, 'the preview is blurred, too');
            await pat.page.click('#join-button');
            await pat.page.waitForSelector('#meeting:not([hidden])');
            await sees(0, things / 2, THINGS);
            await pat.tileMenu('You', 'Blur my background');
            await sees(things * 0.7, Infinity, THINGS);
            await until('the work ended', () => pat.page.workers().length === 0);
            assert.deepEqual(pat.problems, []);
            await pat.close();
            await until('Pat gone', async () => !(await vera.tiles()).includes('Pat'));
        });
    }

    // A headless Firefox has no WebGL, without which the person is not found: so must it be with
    // every browser that cannot.
    test('where it cannot be done one is told, and never shown as one is', async () => {
        const able = await vera.page.evaluate(() =>
            !!document.createElement('canvas').getContext('webgl2'));
        assert.equal(able, false, 'this Firefox has WebGL: blur can be tested in it');
        const finn = await Person.at('Finn', firefox);
        await finn.page.goto(server.page('lounge'));
        await finn.page.evaluate(() =>
            localStorage.setItem('perikon.settings', JSON.stringify({blur: true})));
        await finn.page.reload();
        await finn.page.waitForSelector('#join:not([aria-busy])');
        await finn.page.click('#preview-ask');
        await finn.sees(/This browser cannot blur the background/);
        await finn.join(server.page('lounge'), {microphone: false});
        await finn.sees(/This browser cannot blur the background/);
        await vera.openPanel('people');
        await vera.sees(/Finn/);
        assert.equal(await vera.look('Finn'), null, 'there is no picture');
        await finn.more('Settings');
        await finn.page.click('#settings-blur');
        await finn.closeDialog();
        await finn.page.click('#control-cam');
        await until('the picture of Finn', () => vera.look('Finn'));
        await finn.close();
    });

    test('only the worker may run WebAssembly, and it talks to nobody else', async () => {
        const policies = await vera.page.evaluate(() => Promise.all(
            ['/group/lounge/', '/app/media/blur.js', '/app/media/blurring.js'].map(async (path) =>
                (await fetch(path)).headers.get('content-security-policy') ?? '')));
        assert.deepEqual(policies.map((policy) => policy.includes('wasm-unsafe-eval')),
            [false, false, true]);
        assert.match(policies[2] ?? '', /default-src 'none'; connect-src 'self';/);
    });
});
