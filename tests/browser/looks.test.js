/**
 * Pictures of every view, to be looked at by people; that nothing is cut off in them, and that
 * axe finds nothing that would keep somebody out.
 */

import assert from 'node:assert/strict';
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {crowd} from './harness/crowd.js';
import {barriers, cutOff} from './harness/examine.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, ROOT, Server} from './harness/server.js';

const ARTEFACTS = join(ROOT, 'artefacts');
const WINDOWS = {desktop: {width: 1440, height: 900}, tablet: {width: 820, height: 1180},
    phone: {width: 390, height: 844}};

/** @typedef {keyof typeof WINDOWS} WindowName */

/**
 * Takes a picture of a page in all windows and both themes, and examines it.
 *
 * @param {Person} person
 * @param {string} view
 * @param {(window: WindowName) => Promise<unknown>} [prepare]
 */
async function show(person, view, prepare) {
    const {page} = person;
    for (const name of /** @type {WindowName[]} */ (Object.keys(WINDOWS))) {
        await page.setViewport(WINDOWS[name]);
        await prepare?.(name);
        for (const value of ['light', 'dark']) {
            // Without motion, or the picture shows the fading from one theme to the other.
            await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value},
                {name: 'prefers-reduced-motion', value: 'reduce'}]);
            await page.screenshot(
                {path: /** @type {`${string}.png`} */ (join(ARTEFACTS, `${view}-${name}-${value}.png`))});
            assert.deepEqual(await barriers(page), [], `${view} on a ${name}, ${value}`);
        }
        assert.deepEqual(await cutOff(page), [], `${view} on a ${name}`);
    }
    await page.setViewport(WINDOWS.desktop);
}

describe('how it looks', {timeout: 1_200_000}, () => {
    /** @type {Server} */
    let server;
    /** @type {import('puppeteer-core').Browser} */
    let browser;
    /** @type {Person} */
    let olga;

    before(async () => {
        await mkdir(ARTEFACTS, {recursive: true});
        server = await Server.start({...GROUPS, empty: GROUPS['lounge'] ?? {}},
            {users: {root: {password: 'root-secret', permissions: 'admin'}}});
        browser = await launch('chromium');
        olga = await Person.at('olga', browser);
    });
    after(async () => {
        await browser?.close();
        await server?.stop();
    });

    /** @param {Person} person @param {number} count */
    const pictures = (person, count) => until(`${count} pictures`, async () =>
        (await person.page.$$('.tile.has-video')).length >= count);

    test('before joining', async () => {
        await olga.page.setViewport(WINDOWS.desktop);
        await olga.page.goto(server.page('lounge'));
        await olga.page.waitForSelector('#join:not([aria-busy])');
        await show(olga, 'join');
        const ask = await olga.page.$('#preview-ask');
        if (await ask?.isVisible())
            await ask?.click();
        await until('own picture', () => olga.page.$eval('#preview-video', (video) =>
            /** @type {HTMLVideoElement} */ (video).videoWidth > 0));
        await olga.page.click('#join-devices summary');
        await show(olga, 'preview');
    });

    test('alone', async () => {
        await olga.join(server.page('empty'), {password: 'op-secret', camera: false});
        await olga.page.keyboard.press('c');
        await show(olga, 'alone');
        await olga.leave();
        await olga.sees(/You left the meeting/);
        await show(olga, 'left');
    });

    test('two people, then six: stage, chat, people, menus, settings', async () => {
        const first = await crowd(browser, server.url, 'lounge', 1);
        await olga.join(server.page('lounge'), {password: 'op-secret', microphone: false});
        await pictures(olga, 2);
        await olga.page.keyboard.press('c');
        await show(olga, 'two');
        await crowd(browser, server.url, 'lounge', 5);
        await first.close();
        await pictures(olga, 6);
        const ben = await Person.at('Ben', browser);
        await ben.join(server.page('lounge'), {microphone: false, camera: false});
        await ben.say('Good morning! The agenda is at https://example.org/agenda');
        await ben.say('And this is how to build it: `make run`, or');
        await ben.page.focus('#chat-input');
        for (const line of ['```', 'git clone …', 'make test']) {
            await ben.page.keyboard.type(line);
            await ben.page.keyboard.down('Shift');
            await ben.page.keyboard.press('Enter');
            await ben.page.keyboard.up('Shift');
        }
        await ben.say('```');
        await olga.say('/me reads along');
        await olga.say('Thank you, Ben. Shall we begin?');
        await ben.say('/msg olga My camera is broken, sorry.');
        await until('the last message', async () =>
            (await olga.messages()).includes('My camera is broken, sorry.'));
        await until('the notices gone', async () => (await olga.notices()).length === 0);
        await show(olga, 'six', async (window) => {
            await olga.openPanel('chat');
            if (window === 'phone')
                await olga.page.click('#control-chat');
        });
        await show(olga, 'chat', () => olga.openPanel('chat'));
        await show(olga, 'people', () => olga.openPanel('people'));
        // High contrast, which puppeteer has no words for.
        const devtools = await olga.page.createCDPSession();
        for (const value of ['light', 'dark']) {
            await devtools.send('Emulation.setEmulatedMedia', {features: [
                {name: 'prefers-contrast', value: 'more'}, {name: 'prefers-color-scheme', value}]});
            await olga.page.screenshot({path: join(ARTEFACTS, `contrast-${value}.png`)});
            assert.deepEqual(await barriers(olga.page), [], `high contrast, ${value}`);
        }
        await devtools.send('Emulation.setEmulatedMedia', {features: []});
        await show(olga, 'menu', async () => {
            await olga.openPanel('people');
            await olga.page.click('button[aria-label="Actions for Ben"]');
        });
        await olga.page.keyboard.press('Escape');
        await olga.page.click('#people-invite');
        await olga.page.click('#invite-form button[type=submit]');
        await olga.page.waitForSelector('#invite-list .entry');
        await show(olga, 'invite');
        await olga.closeDialog();
        await olga.more('Settings');
        await show(olga, 'settings');
        await olga.closeDialog();
        await olga.more('Statistics');
        await show(olga, 'statistics');
        await olga.closeDialog();
        await olga.more('Help');
        await show(olga, 'help');
        await olga.closeDialog();
        await olga.page.keyboard.press('p');
        await olga.page.click('#control-more');
        await show(olga, 'more', async () => {
            // A menu closes when the window changes, which the page hears before the next picture.
            await olga.page.evaluate(() => new Promise((resolve) =>
                requestAnimationFrame(() => requestAnimationFrame(resolve))));
            if (!await olga.page.$('.menu'))
                await olga.page.click('#control-more');
            await olga.page.waitForSelector('.menu');
        });
        await olga.page.keyboard.press('Escape');
    });

    test('twenty people, in a grid and with one of them large', async () => {
        await crowd(browser, server.url, 'seminar', 19);
        await olga.leave();
        await olga.join(server.page('seminar'), {password: 'op-secret', microphone: false});
        await pictures(olga, 20);
        await until('the notices gone', async () => (await olga.notices()).length === 0);
        if (await olga.page.$('#panel-chat:not([hidden])'))
            await olga.page.keyboard.press('c');
        await show(olga, 'twenty');
        await olga.more('Speaker view');
        await show(olga, 'speaker');
        await olga.more('Speaker view');
    });

    test('the page for administrators', async () => {
        const root = await Person.at('root', browser);
        await root.page.authenticate({username: 'root', password: 'root-secret'});
        await root.page.goto(`${server.url}/stats.html`);
        await root.sees(/seminar[^]*20 people here[^]*Sends/);
        await until('the rates', () => root.page.$$eval('.stats-group td', (cells) =>
            cells.some((cell) => /[1-9]\d* kbit/.test(cell.textContent ?? ''))));
        await show(root, 'stats');
        await root.close();
    });

    test('the first page, with people in a meeting, and the one that leads nowhere', async () => {
        const guest = await Person.at('guest', browser);
        await guest.page.goto(`${server.url}/`);
        await guest.sees(/The Lounge[^]*people here/);
        await show(guest, 'landing');
        await guest.page.goto(server.page('nowhere'));
        await show(guest, 'missing');
    });
});
