/**
 * Meetings between real browsers over lines that are shaped on the way: a few rows like those of
 * docs/conference.txt, to see whether the simulation tells the truth.
 *
 *     npm run networks
 *
 * It takes two minutes and a machine with nothing else to do: two browsers encode and decode here.
 */

import {launch} from './harness/browsers.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';
import {ShapedLine} from './harness/shaped.js';

/** Between two looks at what arrives, ms. */
const LOOK = 250;

/** @typedef {{at: number, rate: number}} Step Seconds, and bit/s. */

/** @type {{name: string, simulcast: 'on' | 'off', seconds: number, delay: number, queue: number, loss?: number, steps: Step[]}[]} */
const SCENARIOS = [
    {name: '4 M - 300 k - 4 M', simulcast: 'off', seconds: 65, delay: 25, queue: 40_000,
        steps: [{at: 0, rate: 4e6}, {at: 20, rate: 3e5}, {at: 40, rate: 4e6}]},
    {name: '4 M - 300 k - 4 M', simulcast: 'on', seconds: 65, delay: 25, queue: 40_000,
        steps: [{at: 0, rate: 4e6}, {at: 20, rate: 3e5}, {at: 40, rate: 4e6}]},
    {name: '400 kbit/s, 3 % lost', simulcast: 'on', seconds: 45, delay: 40, queue: 32_000,
        loss: 0.03, steps: [{at: 0, rate: 4e5}]},
];

/** What has arrived at a page. @param {Person} person */
function look(person) {
    return person.page.evaluate(async () => {
        const seen = {frames: 0, freezes: 0, frozen: 0, height: 0, concealed: 0, samples: 0};
        for (const peer of /** @type {any} */ (window).observed.peers) {
            for (const entry of (await peer.getStats()).values()) {
                if (entry.type !== 'inbound-rtp')
                    continue;
                seen.frames += entry.framesDecoded ?? 0;
                seen.freezes += entry.freezeCount ?? 0;
                seen.frozen += entry.totalFreezesDuration ?? 0;
                seen.height = Math.max(seen.height, entry.frameHeight ?? 0);
                seen.concealed += (entry.concealedSamples ?? 0) - (entry.silentConcealedSamples ?? 0);
                seen.samples += entry.totalSamplesReceived ?? 0;
            }
        }
        return seen;
    });
}

/**
 * @param {Server} server
 * @param {import('puppeteer-core').Browser[]} browsers
 * @param {typeof SCENARIOS[number]} scenario
 */
async function hold(server, [near, far], scenario) {
    if (!near || !far)
        throw new Error('two browsers are needed');
    const line = await ShapedLine.to(server.udpPort);
    const [ann, ben] = [await Person.at('Ann', near), await Person.at('Ben', far)];
    await line.lead(ben.page);
    Object.assign(line, {delay: scenario.delay, queue: scenario.queue, loss: 0});
    await ann.join(server.page('lounge'));
    await ann.more('Settings');
    await ann.page.select('#settings-simulcast', scenario.simulcast);
    await ann.closeDialog();
    await ben.join(server.page('lounge'), {microphone: false, camera: false});
    await until('the picture of Ann', () => ben.look('Ann'));
    line.loss = scenario.loss ?? 0;
    const begin = performance.now();
    const first = await look(ben);
    let [last, longest, standing] = [first.frames, 0, begin];
    /** @type {string[]} */
    const trace = [];
    let [carried, capacity, second] = [line.carried, 0, 0];
    for (;;) {
        const seconds = (performance.now() - begin) / 1_000;
        if (seconds >= scenario.seconds)
            break;
        line.rate = scenario.steps.findLast((step) => step.at <= seconds)?.rate ?? Infinity;
        capacity = line.rate;
        const seen = await look(ben);
        if (seen.frames > last) {
            longest = Math.max(longest, performance.now() - standing);
            standing = performance.now();
            last = seen.frames;
        }
        if (seconds >= second + 5) {
            const rate = (line.carried - carried) * 8 / (seconds - second) / 1_000;
            trace.push(`${Math.round(seconds)} s: ${Math.round(rate)} of ${capacity / 1_000} kbit/s, `
                + `${seen.height} lines`);
            [carried, second] = [line.carried, seconds];
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK));
    }
    const seen = await look(ben);
    await ann.close();
    await ben.close();
    line.close();
    const fps = (seen.frames - first.frames) / scenario.seconds;
    const sound = (seen.concealed - first.concealed) / Math.max(seen.samples - first.samples, 1);
    console.log(`${scenario.name}, simulcast ${scenario.simulcast}: ${fps.toFixed(1)} fps, `
        + `${seen.freezes - first.freezes} freezes of ${(seen.frozen - first.frozen).toFixed(1)} s in all, `
        + `at the longest ${(longest / 1_000).toFixed(1)} s, ${(sound * 100).toFixed(2)} % of sound made up`);
    for (const row of trace)
        console.log(`    ${row}`);
}

const server = await Server.start(GROUPS);
const browsers = await Promise.all([0, 1].map(() =>
    launch('chromium', ['--use-fake-device-for-media-stream=fps=30'])));
try {
    for (const scenario of SCENARIOS)
        await hold(server, browsers, scenario);
} finally {
    await Promise.all(browsers.map((browser) => browser.close()));
    await server.stop();
}
