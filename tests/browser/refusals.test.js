/** Every way in which somebody is not let in, as they read it. */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';

for (const name of /** @type {const} */ (['chromium', 'firefox'])) {
    describe(`refusals in ${name}`, {timeout: 1_200_000}, () => {
        /** @type {Server} */
        let server;
        /** @type {import('puppeteer-core').Browser} */
        let browser;
        /** @type {import('puppeteer-core').Browser} */
        let other;
        /** @type {Person} */
        let inside;
        /** @type {Person} */
        let outside;

        before(async () => {
            server = await Server.start(GROUPS);
            // Who is refused is in one browser, who is in already in the other.
            [browser, other] = await Promise.all([launch(name), launch('chromium')]);
        });
        after(async () => {
            await Promise.all([browser?.close(), other?.close()]);
            await server?.stop();
        });

        /** @param {Person} person @param {string} selector */
        const focused = (person, selector) => person.page.$eval(selector,
            (element) => document.activeElement === element);
        const silent = {microphone: false, camera: false};

        test('set out', async () => {
            inside = await Person.at('olga', other);
            outside = await Person.at('Oscar', browser);
            await inside.join(server.page('lounge'), {password: 'op-secret', ...silent});
        });

        test('a wrong password', async () => {
            await outside.tryToJoin(server.page('lounge'), {name: 'olga', password: 'guess'});
            await outside.sees(/That name and password do not fit together/);
            await until('the cursor in the password', () => focused(outside, '#join-password'));
            assert.equal(await outside.page.$eval('#join-password', (i) => i.ariaInvalid), 'true');
        });

        test('no name', async () => {
            await outside.page.goto(server.page('lounge'));
            await outside.page.waitForSelector('#join:not([aria-busy])');
            assert.equal(await outside.page.$eval('#join-username',
                (input) => /** @type {HTMLInputElement} */ (input).value), 'olga', 'it is remembered');
            await outside.page.$eval('#join-username', (input) => {
                /** @type {HTMLInputElement} */ (input).value = '';
            });
            await outside.page.click('#join-button');
            await outside.sees(/Enter your name/);
            await until('the cursor in the name', () => focused(outside, '#join-username'));
        });

        test('an invitation that is not valid', async () => {
            await outside.page.goto(`${server.page('lounge')}?token=nonsense`);
            await outside.page.waitForSelector('#join:not([aria-busy])');
            assert.equal(await outside.page.$eval('#join-password-field', (f) => f.checkVisibility()),
                false, 'an invitation needs no password');
            await outside.page.click('#join-button');
            await outside.sees(/This invitation is not valid/);
        });

        test('a group that is gone', async () => {
            await outside.page.goto(server.page('passing'));
            await outside.page.waitForSelector('#join:not([aria-busy])');
            await server.removeGroup('passing');
            await until('end of the group', async () =>
                await server.status('/group/passing/.status') === 404);
            await outside.tryToJoin(server.page('passing'));
            await outside.sees(/This meeting does not exist/);
        });

        test('a group that never was', async () => {
            const response = await outside.page.goto(server.page('nowhere'));
            assert.equal(response?.status(), 404);
            await outside.sees(/no meeting or page at this address/);
            await outside.page.goto(`${server.url}/`);
            await outside.fill('#go-name', 'nowhere');
            await outside.page.keyboard.press('Enter');
            await outside.sees(/There is no meeting called “nowhere”/);
        });

        test('a group that is full', async () => {
            const guest = await Person.at('Greta', other);
            await guest.join(server.page('tiny'), silent);
            await outside.tryToJoin(server.page('tiny'), silent);
            await outside.sees(/This meeting is full/);
            await guest.leave();
            await outside.page.click('#join-button');
            await outside.page.waitForSelector('#meeting:not([hidden])');
            await outside.leave();
            await guest.close();
        });

        test('a group that is locked, and unlocked', async () => {
            await inside.openPanel('people');
            const choose = async (/** @type {string} */ action) => {
                await inside.page.click('#group-menu');
                const item = await inside.page.waitForSelector(`::-p-xpath(//*[@role="menuitem"][contains(., "${action}")])`);
                await item?.click();
            };
            await choose('Lock the meeting');
            await inside.page.waitForSelector('#group-lock:not([hidden])');
            await outside.tryToJoin(server.page('lounge'), silent);
            await outside.sees(/This meeting is locked/);
            await outside.page.goto(`${server.url}/`);
            await outside.sees(/The Lounge[^]*Locked/);
            await choose('Unlock the meeting');
            await inside.page.waitForSelector('#group-lock[hidden]');
            await outside.join(server.page('lounge'), silent);
        });

        test('a connection that is lost, and found again', async () => {
            await inside.say('before the storm');
            await outside.openPanel('chat');
            await until('the message', async () =>
                (await outside.messages()).includes('before the storm'));
            await server.crash();
            for (const person of [inside, outside])
                await person.sees(/The connection was lost\. Trying again/);
            assert.ok(await inside.page.$eval('#stage-empty-title', (title) =>
                !/only one here/.test(title.textContent ?? '')), 'nobody is told to be alone');
            await inside.say('into the wind');
            await inside.sees(/not sent: there is no connection/);
            await server.run();
            for (const person of [inside, outside]) {
                await until(`${person.name} back`, async () => !/The connection was lost/.test(
                    await person.page.$eval('#connection-state', (e) => e.textContent ?? '')));
            }
            await outside.openPanel('people');
            await outside.sees(/olga/);
            await outside.openPanel('chat');
            assert.ok((await outside.messages()).includes('before the storm'), 'the chat is kept');
            await inside.page.click('#chat-send');
            await until('the next message', async () =>
                (await outside.messages()).includes('into the wind'));
        });

        test('a connection that is given up', async () => {
            await server.crash();
            await outside.sees(/Trying again/);
            await outside.leave();
            await outside.sees(/You left the meeting/);
            await outside.page.click('#join-button');
            await outside.sees(/The server does not answer/);
        });
    });
}
