/** Encodings that nobody watches are not sent, between real browsers. */

import {after, before, describe, test} from 'node:test';
import {until} from './harness/poll.js';
import {GROUPS} from './harness/server.js';
import {ask, SIMULCAST, Watching} from './harness/watching.js';

/** @import {Page} from 'puppeteer-core' */

/** As the server's hold times have it, and a slow machine, ms. */
const PATIENCE = 120_000;
/** For so long nothing must have been sent, ms. */
const SILENCE = 3_000;
/** … but a picture a second of what rests: so many. */
const RESTING = 5;

describe('what nobody watches', {timeout: 1_800_000}, () => {
    const meeting = new Watching();

    before(() => meeting.start({watched: {...GROUPS.passing, codecs: ['vp8', 'opus']}},
        ['--autoplay-policy=no-user-gesture-required']));
    after(() => meeting.stop());

    /** @param {string} browser @param {RTCRtpEncodingParameters[]} encodings */
    async function send(browser, encodings) {
        const page = await meeting.open(browser);
        await ask(page, 'send', 'watched', encodings, ['window', 'encodings']);
        return page;
    }

    /** @param {string} browser */
    async function watch(browser) {
        const page = await meeting.open(browser);
        await ask(page, 'watch', 'watched');
        return page;
    }

    /**
     * These encodings are sent, and no others; and sound.
     *
     * @param {Page} sender
     * @param {string[]} rids
     * @param {string} [rests] One that goes on a little.
     */
    async function sends(sender, rids, rests) {
        await until(`'${rids}' to be sent`, async () => {
            const earlier = await ask(sender, 'sent');
            await new Promise((resolve) => setTimeout(resolve, SILENCE));
            const later = await ask(sender, 'sent');
            return Object.keys(later).every((rid) => {
                const sent = (later[rid] ?? 0) - (earlier[rid] ?? 0);
                if (rid === 'sound' || rids.includes(rid))
                    return sent > RESTING;
                return sent <= (rid === rests ? RESTING : 0);
            });
        }, PATIENCE);
    }

    for (const publisher of ['chromium', 'firefox']) {
        test(`three encodings of ${publisher}`, async () => {
            const sender = await send(publisher, SIMULCAST);
            await sends(sender, [], 'q');
            // A page behind another draws a picture a second in Firefox: none is opened there.
            const near = await watch('chromium');
            await ask(near, 'shows', 960);
            await ask(near, 'window', 200, 112);
            await sends(sender, ['q']);
            await ask(near, 'shows', 240);
            // Who comes gets a picture, and soon the largest.
            const late = await watch('chromium');
            await ask(late, 'shows', 960);
            for (const page of [near, late]) {
                await ask(page, 'pictures', 10);
                await page.close();
            }
            await sends(sender, [], 'q');
            await sender.close();
        });

        test(`one encoding of ${publisher}`, async () => {
            const sender = await send(publisher, [{maxBitrate: 300_000}]);
            await sends(sender, [], 'one');
            for (const receiver of ['firefox', 'chromium']) {
                const page = await watch(receiver);
                await ask(page, 'pictures', 10);
                await page.close();
            }
            await sends(sender, [], 'one');
            await sender.close();
        });
    }
});
