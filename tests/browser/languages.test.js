/** The page in other languages, and from right to left. */

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

/** What the button of the join form says. @type {Record<string, string>} */
const JOIN = {fr: 'Rejoindre', de: 'Beitreten', es: 'Entrar', ar: 'انضمام'};

describe('languages', {timeout: 180_000}, () => {
    /** @type {Server} */
    let server;
    /** @type {import('puppeteer-core').Browser} */
    let browser;

    before(async () => {
        await mkdir(join(ROOT, 'artefacts'), {recursive: true});
        server = await Server.start(GROUPS);
        browser = await launch('chromium');
        await crowd(browser, server.url, 'lounge', 3);
    });
    after(async () => {
        await browser?.close();
        await server?.stop();
    });

    for (const [language, words] of Object.entries(JOIN)) {
        test(language, async () => {
            const person = await Person.at('olga', browser);
            const {page} = person;
            await page.evaluateOnNewDocument((wanted) => Object.defineProperty(navigator, 'languages',
                {get: () => [`${wanted}-XX`, 'en']}), language);
            await page.goto(`${server.url}/`);
            await person.sees(/The Lounge/);
            assert.deepEqual(await cutOff(page), []);
            await page.goto(server.page('lounge'));
            await page.waitForSelector('#join:not([aria-busy])');
            assert.equal(await page.$eval('html', (html) => html.lang), language);
            assert.equal(await page.$eval('#join-button', (b) => b.textContent), words);
            for (const [name, size] of Object.entries(
                {phone: {width: 390, height: 844}, desktop: {width: 1440, height: 900}})) {
                await page.setViewport(size);
                assert.deepEqual(await cutOff(page), [], `form on a ${name}`);
            }
            await person.join(server.page('lounge'), {password: 'op-secret'});
            await until('the pictures', async () => (await page.$$('.tile.has-video')).length === 4);
            for (const [name, size] of Object.entries(
                {phone: {width: 390, height: 844}, desktop: {width: 1440, height: 900}})) {
                await page.setViewport(size);
                await person.openPanel('people');
                await page.screenshot({path: join(ROOT, `artefacts/people-${name}-${language}.png`)});
                assert.deepEqual(await cutOff(page), [], `meeting on a ${name}`);
                assert.deepEqual(await barriers(page), [], `meeting on a ${name}`);
            }
            // The layout is mirrored where the language is.
            const left = (/** @type {string} */ selector) => page.$eval(selector, (element) =>
                element.getBoundingClientRect().left);
            assert.equal(await left('#panel-people') < await left('.tile'), language === 'ar');
            assert.equal(await left('#control-leave') < await left('#control-mic'), language === 'ar');
            await person.close();
        });
    }

    test('a language is chosen in the settings', async () => {
        const person = await Person.at('Ann', browser);
        await person.join(server.page('lounge'), {microphone: false, camera: false});
        await person.more('Settings');
        await person.page.select('#settings-language', 'de');
        await person.page.select('#settings-theme', 'dark');
        assert.equal(await person.page.$eval('body', (b) => getComputedStyle(b).backgroundColor),
            'rgb(16, 23, 23)');
        await person.page.goto(server.page('lounge'));
        await person.page.waitForSelector('#join:not([aria-busy])');
        assert.equal(await person.page.$eval('#join-button', (b) => b.textContent), 'Beitreten');
        await person.close();
    });
});
