/** Packets that a line loses are sent again, by a stream of their own (RFC 4588), both ways. */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {LossyLine} from './harness/lossy.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';

/** Of the packets, 0 to 1. */
const LOSS = 0.06;
/** Repairs that are waited for, on each way. */
const REPAIRS = 25;
/** Pictures that are waited for after the line went bad. */
const PICTURES = 120;
/** The line carries nothing for so long, ms: nothing of it is asked for again. */
const SILENCE = 3_000;
/** … and so often. */
const SILENCES = 3;
/** How long that may take, ms, on a machine that is busy with other things. */
const PATIENCE = 120_000;

/**
 * What the browser counted of the pictures that it sends or receives, in all.
 *
 * @param {Person} person
 * @param {'inbound-rtp' | 'outbound-rtp'} type
 */
function counted(person, type) {
    return person.page.evaluate(async (wanted) => {
        const sums = {repairs: 0, pictures: 0, asked: 0, streams: 0, withRtx: 0};
        for (const peer of /** @type {any} */ (window).observed.peers) {
            if (peer.connectionState === 'closed')
                continue;
            for (const one of (await peer.getStats()).values()) {
                if (one.type !== wanted || one.kind !== 'video')
                    continue;
                sums.streams++;
                sums.withRtx += one.rtxSsrc === undefined ? 0 : 1;
                sums.repairs += one.retransmittedPacketsSent ?? one.retransmittedPacketsReceived ?? 0;
                sums.pictures += one.framesDecoded ?? one.framesSent ?? 0;
                sums.asked += one.pliCount ?? 0;
            }
        }
        return sums;
    }, type);
}

describe('repair', {timeout: 900_000}, () => {
    /** @type {Server} */
    let server;
    /** @type {import('puppeteer-core').Browser} */
    let browser;

    before(async () => {
        server = await Server.start(GROUPS);
        browser = await launch('chromium');
    });
    after(async () => {
        await browser?.close();
        await server?.stop();
    });

    test('what is lost on the way up or down comes again by RTX', async () => {
        const [up, down] = [await LossyLine.to(server.udpPort), await LossyLine.to(server.udpPort)];
        const [ann, bob] = [await Person.at('Ann', browser), await Person.at('Bob', browser)];
        await up.lead(ann.page);
        await down.lead(bob.page);
        await ann.join(server.page('lounge'));
        await bob.join(server.page('lounge'), {microphone: false, camera: false});
        await until('the picture of Ann', () => bob.look('Ann'), PATIENCE);
        assert.ok(up.lines.size > 0 && down.lines.size > 0, 'the lines are used');
        const before = await counted(bob, 'inbound-rtp');
        const begin = performance.now();
        up.lossUp = LOSS;
        down.loss = LOSS;

        const sent = await until('repairs to the server', async () => {
            const sums = await counted(ann, 'outbound-rtp');
            return sums.repairs >= REPAIRS ? sums : null;
        }, PATIENCE);
        assert.equal(sent.withRtx, sent.streams, 'repairs have a stream of their own');
        const received = await until('repairs from the server, and pictures', async () => {
            const sums = await counted(bob, 'inbound-rtp');
            return sums.repairs >= REPAIRS && sums.pictures >= before.pictures + PICTURES ? sums : null;
        }, PATIENCE);
        assert.equal(received.withRtx, received.streams, 'repairs have a stream of their own');
        const seconds = (performance.now() - begin) / 1_000;
        const asked = received.asked - before.asked;
        assert.ok(asked <= 2 + seconds / 2, `${asked} keyframes asked for in ${seconds} s`);

        for (const person of [ann, bob]) {
            assert.deepEqual(person.problems, []);
            await person.close();
        }
        up.close();
        down.close();
    });

    test('after a silence of the line pictures go on, in a meeting with sound', async () => {
        const line = await LossyLine.to(server.udpPort);
        const [ann, bob] = [await Person.at('Ann', browser), await Person.at('Bob', browser)];
        await line.lead(bob.page);
        await ann.join(server.page('lounge'));
        // One size: another would begin with a keyframe that nobody had to ask for.
        await ann.more('Settings');
        await ann.page.select('#settings-simulcast', 'off');
        await ann.closeDialog();
        await bob.join(server.page('lounge'), {microphone: false, camera: false});
        await until('the picture of Ann', () => bob.look('Ann'), PATIENCE);
        const shown = async () => (await counted(bob, 'inbound-rtp')).pictures;
        for (let silence = 0; silence < SILENCES; silence++) {
            const before = await shown();
            await until('pictures', async () => await shown() >= before + PICTURES, PATIENCE);
            line.loss = 1;
            await new Promise((resolve) => setTimeout(resolve, SILENCE));
            line.loss = 0;
            const after = await shown();
            await until('pictures after a silence', async () => await shown() >= after + 30, PATIENCE);
        }
        // What Bob's browser asks for is heard, of sound and of pictures.
        const refused = /reason="replayed"\} (\d+)/.exec(await server.text('/metrics'))?.[1];
        assert.equal(refused, '0', 'nothing was sent twice');
        for (const person of [ann, bob]) {
            assert.deepEqual(person.problems, []);
            await person.close();
        }
        line.close();
    });
});
