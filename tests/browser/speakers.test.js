/** Who speaks is shown large: the server's word, from the levels that browsers send. */

import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';

const RATE = 48_000;

/** Words of 0.3 s with 0.1 s between them, of a voice at 140 Hz with its harmonics. */
function speech() {
    const samples = new Int16Array(RATE * 4);
    for (let at = 0; at < samples.length; at++) {
        const time = at / RATE;
        const word = time % 0.4 < 0.3;
        let sum = 0;
        for (let harmonic = 1; harmonic <= 12; harmonic++)
            sum += Math.sin(2 * Math.PI * 140 * harmonic * time) / harmonic;
        samples[at] = word ? sum * 8_000 : 0;
    }
    const header = Buffer.alloc(44);
    const size = samples.byteLength;
    header.write('RIFF', 0);
    header.writeUInt32LE(36 + size, 4);
    header.write('WAVEfmt ', 8);
    header.writeUInt32LE(16, 16);
    header.writeUInt16LE(1, 20);
    header.writeUInt16LE(1, 22);
    header.writeUInt32LE(RATE, 24);
    header.writeUInt32LE(RATE * 2, 28);
    header.writeUInt16LE(2, 32);
    header.writeUInt16LE(16, 34);
    header.write('data', 36);
    header.writeUInt32LE(size, 40);
    return Buffer.concat([header, Buffer.from(samples.buffer)]);
}

describe('speakers', {timeout: 1_200_000}, () => {
    /** @type {Server} */
    let server;
    /** @type {import('puppeteer-core').Browser[]} */
    let browsers = [];
    /** @type {string} */
    let folder;

    before(async () => {
        folder = await mkdtemp(join(tmpdir(), 'perikon-speech-'));
        const file = join(folder, 'speech.wav');
        await writeFile(file, speech());
        server = await Server.start({...GROUPS, large: {...GROUPS['lounge'], 'last-n': 1}});
        browsers = await Promise.all([
            launch('chromium', [`--use-file-for-fake-audio-capture=${file}`]), launch('firefox')]);
    });
    after(async () => {
        await Promise.all(browsers.map((browser) => browser.close()));
        await server?.stop();
        await rm(folder, {recursive: true, force: true});
    });

    test('who speaks is large, until another does', async () => {
        const [chromium, firefox] = /** @type {[any, any]} */ (browsers);
        const [ann, ben] = [await Person.at('Ann', chromium), await Person.at('Ben', chromium)];
        const zoe = await Person.at('Zoe', firefox);
        await ann.join(server.page('lounge'));
        await ben.join(server.page('lounge'), {microphone: false});
        await zoe.join(server.page('lounge'), {microphone: false});
        await until('both pictures', async () => await zoe.look('Ann') && await zoe.look('Ben'));
        await zoe.more('Speaker view');
        const width = async (/** @type {string} */ label) => {
            const tile = await zoe.page.$(`.tile[aria-label="${label}"]`);
            return (await tile?.boundingBox())?.width ?? 0;
        };
        const large = (/** @type {string} */ one, /** @type {string} */ other) => until(
            `${one} large`, async () => await width(one) > 2 * await width(other));
        await large('Ann', 'Ben');
        await ann.page.click('#control-mic');
        await ben.page.click('#control-mic');
        await large('Ben', 'Ann');
        // Ben falls silent, and stays large: nobody else has spoken.
        await ben.page.click('#control-mic');
        await zoe.page.waitForFunction(() =>
            !document.querySelector('.tile[aria-label="Ben"]')?.classList.contains('speaking'));
        await large('Ben', 'Ann');
        await Promise.all([ann, ben, zoe].map((one) => one.close()));
    });

    test('in a large group only who spoke last is seen, and who is pinned', async () => {
        const [chromium, firefox] = /** @type {[any, any]} */ (browsers);
        const [ann, ben] = [await Person.at('Ann', chromium), await Person.at('Ben', chromium)];
        const zoe = await Person.at('Zoe', firefox);
        await ann.join(server.page('large'));
        await ben.join(server.page('large'), {microphone: false});
        await zoe.join(server.page('large'), {microphone: false, camera: false});
        const shown = (/** @type {string} */ who, /** @type {boolean} */ seen) => zoe.page.waitForSelector(
            `.tile[aria-label="${who}"]${seen ? '.has-video' : ':not(.has-video)'}`);
        await shown('Ann', true);
        await shown('Ben', false);
        await ann.page.click('#control-mic');
        await ben.page.click('#control-mic');
        await shown('Ben', true);
        await shown('Ann', false);
        await zoe.tileMenu('Ann', 'Pin');
        await shown('Ann', true);
        await until('Ann moves', async () => (await zoe.look('Ann'))?.visible);
        await zoe.tileMenu('Ann', 'Unpin');
        await shown('Ann', false);
        await Promise.all([ann, ben, zoe].map((one) => one.close()));
    });
});
