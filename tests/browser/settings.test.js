/** What is chosen once and acts in every meeting, and the signs of a bad line. */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {crowd} from './harness/crowd.js';
import {LossyLine} from './harness/lossy.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';

for (const name of /** @type {const} */ (['chromium', 'firefox'])) {
    describe(`settings in ${name}`, {timeout: 1_200_000}, () => {
        /** @type {Server} */
        let server;
        /** @type {import('puppeteer-core').Browser} */
        let browser;
        /** @type {import('puppeteer-core').Browser} */
        let other;
        /** @type {Person} */
        let ann;
        /** @type {Person} */
        let bob;

        before(async () => {
            server = await Server.start({...GROUPS, lounge: {...GROUPS['lounge'], users: {
                recorder: {password: 'recorder-secret', permissions: ['system']}}}});
            [browser, other] = await Promise.all([launch(name), launch('chromium')]);
            ann = await Person.at('Ann', browser);
            bob = await Person.at('Bob', other);
            await ann.join(server.page('lounge'), {camera: false, microphone: false});
            await bob.join(server.page('lounge'), {microphone: false});
        });
        after(async () => {
            await Promise.all([browser?.close(), other?.close()]);
            await server?.stop();
        });

        test('the sound of a shared screen is heard', async () => {
            // A headless Firefox has no screen to share, and shares no sound on any system: it hears.
            await bob.page.click('#control-screen');
            await until('the screen', () => ann.look('Bob — screen'));
            const {audioEnergy} = await ann.received();
            await until('sound', async () => (await ann.received()).audioEnergy > audioEnergy);
            assert.equal((await ann.look('Bob — screen'))?.silent, false, 'the sound is played');
            await bob.page.click('#control-screen');
            await until('the screen gone', async () => !(await ann.tiles()).includes('Bob — screen'));
        });

        test('the loudspeaker is chosen, for those who are here and those who come', async () => {
            const sink = (/** @type {string} */ label) => ann.page.$eval(
                `.tile[aria-label="${label}"] video`, (video) => /** @type {any} */ (video).sinkId);
            await ann.more('Settings');
            const shown = () => ann.page.$eval('#settings-speaker', (list) => list.checkVisibility());
            const outputs = await ann.page.evaluate(async () =>
                (await navigator.mediaDevices.enumerateDevices()).filter(({kind, label, deviceId}) =>
                    kind === 'audiooutput' && label && deviceId !== 'default').map(({deviceId}) => deviceId));
            // Firefox without a sound card has no outputs to choose from, so the choice is not shown.
            await until('the choice, where there is one', async () => await shown() === outputs.length > 0);
            assert.equal(outputs.length > 0, name === 'chromium');
            const [, chosen = ''] = outputs;
            if (chosen) {
                await ann.page.waitForSelector(`#settings-speaker option[value="${chosen}"]`);
                await ann.page.select('#settings-speaker', chosen);
            }
            await ann.closeDialog();
            // Bob says nothing yet.
            await bob.page.click('#control-mic');
            await until('the sound elsewhere', async () => await sink('Bob') === chosen);
            const cem = await Person.at('Cem', other);
            await cem.join(server.page('lounge'));
            await until('Cem', () => ann.look('Cem'));
            await until('the sound of Cem elsewhere', async () => await sink('Cem') === chosen);
            await cem.close();
        });

        test('a message is told of outside of the page, while that is out of sight', async () => {
            const {page} = ann;
            const context = page.browserContext();
            if (name === 'chromium') {
                await context.overridePermissions(server.url, []);
                await ann.more('Settings');
                await page.click('#settings-notifications');
                await ann.sees(/does not allow notifications|notifications are not allowed/i);
                assert.equal(await page.$eval('#settings-notifications', (box) =>
                    /** @type {HTMLInputElement} */ (box).checked), false);
                await ann.closeDialog();
                await context.overridePermissions(server.url, ['notifications']);
            }
            await page.evaluate(() => {
                const {Notification} = window;
                /** @type {any} */ (window).told = [];
                window.Notification = class extends Notification {
                    /** @param {string} title @param {NotificationOptions} [options] */
                    constructor(title, options) {
                        super(title, options);
                        /** @type {any} */ (window).told.push([title, options?.body]);
                    }
                };
            });
            const told = () => page.evaluate(() => /** @type {any} */ (window).told);
            await ann.more('Settings');
            await page.click('#settings-notifications');
            await ann.closeDialog();
            await bob.say('You can see this');
            await until('the message', async () => (await ann.messages()).includes('You can see this'));
            assert.deepEqual(await told(), [], 'who looks at the page is not told');
            const front = await context.newPage();
            await front.bringToFront();
            await until('the page out of sight', () => page.evaluate(() => document.hidden));
            await bob.say('You cannot see this');
            await until('the notification', async () => (await told()).length > 0);
            assert.deepEqual(await told(), [['Bob', 'You cannot see this']]);
            await front.close();
            await page.bringToFront();
            await until('the page in sight', () => page.evaluate(() => !document.hidden));
        });

        test('smaller pictures are sent along when three are here, unless one says otherwise', async () => {
            const dan = await Person.at('Dan', browser);
            const encodings = () => dan.page.evaluate(() => {
                const peer = /** @type {any} */ (window).observed.peers.findLast((/** @type {any} */ one) =>
                    one.connectionState !== 'closed'
                    && one.getSenders().some((/** @type {any} */ {track}) => track?.kind === 'video'));
                return peer?.getSenders().find((/** @type {any} */ {track}) => track?.kind === 'video')
                    .getParameters().encodings
                    .filter((/** @type {any} */ {active}) => active).length ?? 0;
            });
            await dan.join(server.page('seminar'), {microphone: false});
            await until('one picture, alone', async () => await encodings() === 1);
            await dan.leave();
            await crowd(other, server.url, 'seminar', 1);
            await dan.join(server.page('seminar'), {microphone: false});
            await until('one picture for one', async () => await encodings() === 1);
            await crowd(other, server.url, 'seminar', 1);
            await until('several pictures', async () => await encodings() > 1);
            await dan.more('Settings');
            // Of a large one two smaller, of a small one a smaller.
            const height = await dan.page.evaluate(() => /** @type {any} */ (window).observed.peers
                .flatMap((/** @type {any} */ one) => one.getSenders()).findLast((/** @type {any} */ one) =>
                    one.track?.kind === 'video').track.getSettings().height);
            const several = height >= 540 ? 3 : 2;
            for (const [choice, count] of Object.entries({off: 1, on: several, auto: several})) {
                await dan.page.select('#settings-simulcast', choice);
                await until(`${count} of ${choice}`, async () => await encodings() === count);
            }
            await dan.closeDialog();
            await dan.close();
        });

        test('who is badly heard and seen has a sign, until it is over', async () => {
            const line = await LossyLine.to(server.udpPort);
            const eva = await Person.at('Eva', browser);
            await line.lead(eva.page);
            await eva.join(server.page('lounge'), {microphone: false, camera: false});
            await until('the picture of Bob', () => eva.look('Bob'));
            const sign = '.tile[aria-label="Bob"] .tile-poor';
            assert.ok(line.lines.size > 0, 'the line is used');
            assert.equal(await eva.page.$eval(sign, (one) => one.checkVisibility()), false);
            line.loss = 0.4;
            await eva.page.waitForSelector(`${sign}:not([hidden])`);
            assert.ok(await eva.page.$eval(sign, (one) => one.getAttribute('aria-label')));
            line.loss = 0;
            await eva.page.waitForSelector(`${sign}[hidden]`);
            await eva.close();
            line.close();
        });

        test('that a meeting is recorded is shown for as long as it is', async () => {
            const sign = '#group-recording';
            assert.equal(await ann.page.$eval(sign, (one) => one.checkVisibility()), false);
            // As Galène's recorder: a client of the group with the permission of the system.
            const recorder = await Person.at('recorder', other);
            await recorder.join(server.page('lounge'),
                {password: 'recorder-secret', camera: false, microphone: false});
            await until('the sign', () => ann.page.$eval(sign, (one) => one.checkVisibility()
                && one.textContent === 'Recording'));
            await recorder.close();
            await until('no sign', () => ann.page.$eval(sign, (one) => !one.checkVisibility()));
        });

        test('no page complained', () => {
            for (const person of [ann, bob])
                assert.deepEqual(person.problems, [], `errors on the page of ${person.name}`);
        });
    });
}
