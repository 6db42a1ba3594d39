/** Sound that is sent more than once (RED, RFC 2198), between real browsers. */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {launch, newPage} from './harness/browsers.js';
import {LossyLine} from './harness/lossy.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';

/** @import {Browser, Page} from 'puppeteer-core' */

/** Runs in the page: enters a group, sends a tone if asked to, else listens. */
async function enter(/** @type {string} */ group, /** @type {boolean} */ sends) {
    /** @type {any} */
    const w = window;
    const path = '/protocol.js';
    const {ServerConnection} = await import(path);
    const status = await (await fetch(`/group/${group}/.status`)).json();
    const sc = new ServerConnection();
    const joined = new Promise((resolve) => {
        sc.onjoined = resolve;
    });
    sc.onconnected = () => sc.join(group, sends ? 'sender' : 'listener',
        {type: 'password', password: ''});
    sc.ondownstream = (/** @type {any} */ down) => {
        w.stream = down;
        const audio = document.createElement('audio');
        down.ondowntrack = () => {
            audio.srcObject = down.stream;
            void audio.play().catch(() => {});
        };
    };
    sc.connect(status.endpoint);
    await joined;
    if (!sends) {
        sc.request({'': ['audio']});
        return;
    }
    const context = new AudioContext();
    const tone = context.createOscillator();
    const to = context.createMediaStreamDestination();
    tone.connect(to);
    tone.start();
    await context.resume();
    w.stream = sc.newUpStream();
    w.stream.addTrack(to.stream.getAudioTracks()[0]);
}

/** Runs in the page: what is sent or received of sound, and how much of it in later packets. */
async function sound(/** @type {string} */ type) {
    const pc = /** @type {any} */ (window).stream?.pc;
    /** @type {any[]} */
    const all = pc ? [...(await pc.getStats()).values()] : [];
    const rtp = all.find((one) => one.type === type && one.kind === 'audio');
    const receiver = pc?.getReceivers?.().find((/** @type {any} */ one) => one.track.kind === 'audio');
    return {packets: rtp?.packetsReceived ?? 0, lost: rtp?.packetsLost ?? 0,
        // Copies of what has arrived.
        twice: rtp?.packetsDiscarded ?? 0,
        madeUp: (rtp?.concealedSamples ?? 0) - (rtp?.silentConcealedSamples ?? 0),
        samples: rtp?.totalSamplesReceived ?? 0,
        waits: receiver?.jitterBufferTarget ?? 0,
        sent: rtp?.packetsSent ?? 0, energy: rtp?.totalAudioEnergy ?? 0};
}

describe('sound', {timeout: 400_000}, () => {
    /** @type {Server} */
    let server;
    /** @type {Record<string, Browser>} */
    const browsers = {};

    before(async () => {
        server = await Server.start({sound: {...GROUPS.passing}});
        // A tone begins without a click.
        const flags = ['--autoplay-policy=no-user-gesture-required'];
        browsers.chromium = await launch('chromium', flags);
        browsers.firefox = await launch('firefox');
    });
    after(async () => {
        for (const browser of Object.values(browsers))
            await browser.close();
        await server?.stop();
    });

    /** @param {string} name @param {(page: Page) => Promise<any>} [prepare] */
    async function open(name, prepare) {
        const {page} = await newPage(/** @type {Browser} */ (browsers[name]));
        await prepare?.(page);
        await page.goto(`${server.url}/`);
        return page;
    }

    /**
     * One sends, and one hears it over a line of its own.
     *
     * @param {LossyLine} line
     */
    async function hear(line) {
        const sender = await open('chromium');
        const listener = await open('chromium', (page) => line.lead(page));
        await sender.evaluate(enter, 'sound', true);
        await listener.evaluate(enter, 'sound', false);
        const look = () => listener.evaluate(sound, 'inbound-rtp');
        await until('sound that is heard', async () => (await look()).packets > 50);
        return {look, close: () => Promise.all([sender.close(), listener.close()])};
    }

    /** How many packets the server has sent with earlier ones in them. */
    async function redundant() {
        const line = /^perikon_rtp_redundant_packets_total\{direction="out".*codec="opus"\} (\d+)$/m;
        return Number(line.exec(await server.text('/metrics'))?.[1]);
    }

    test('is sent redundantly, and heard by who does not know of that', async () => {
        const sender = await open('chromium');
        const listeners = [await open('chromium'), await open('firefox')];
        await sender.evaluate(enter, 'sound', true);
        for (const listener of listeners)
            await listener.evaluate(enter, 'sound', false);
        await until('sound that is sent', async () =>
            (await sender.evaluate(sound, 'outbound-rtp')).sent > 100);
        // Figures call it Opus whatever it is in; what stands first in the answer is what is sent.
        const answer = await sender.evaluate(() =>
            String(/** @type {any} */ (window).stream.pc.currentRemoteDescription.sdp));
        assert.match(answer, /m=audio \d+ UDP\/TLS\/RTP\/SAVPF 63 111\r\n/);
        assert.match(answer, /a=rtpmap:63 red\/48000\/2\r\n/);
        for (const listener of listeners) {
            await until('sound that is heard', async () => {
                const heard = await listener.evaluate(sound, 'inbound-rtp');
                return heard.packets > 100 && heard.energy > 0;
            });
        }
        for (const page of [sender, ...listeners])
            await page.close();
    });

    test('is received redundantly by who loses some of it', async () => {
        const line = await LossyLine.to(server.udpPort);
        try {
            const {look, close} = await hear(line);
            line.loss = 0.2;
            await until('sound that comes twice', async () => (await look()).twice > 50, 120_000);
            // Where there is nothing but sound, nobody knows how much more the path carries.
            const begun = await redundant();
            await until('sound that goes on coming twice', async () =>
                await redundant() > begun + 1_000);
            await close();
        } finally {
            line.close();
        }
    });

    test('is heard although a tenth gets lost, 50 ms at a time', async () => {
        const line = await LossyLine.to(server.udpPort);
        try {
            const {look, close} = await hear(line);
            line.rage(450, 50);
            await until('a page that waits longer for sound', async () => (await look()).waits > 0,
                120_000);
            const before = await look();
            await until('half a minute of sound', async () =>
                (await look()).samples > before.samples + 30 * 48_000, 90_000);
            const after = await look();
            line.settle();
            const arrived = after.packets - before.packets;
            const lost = (after.lost - before.lost) / (after.lost - before.lost + arrived);
            // What is asked for is sent again.
            assert.ok(lost < 0.05, `${lost} of the packets never came`);
            const madeUp = (after.madeUp - before.madeUp) / (after.samples - before.samples);
            // 0.01 on a machine that has nothing else to do.
            assert.ok(madeUp < 0.05, `${madeUp} of the sound was made up`);
            await close();
        } finally {
            line.close();
        }
    });
});
