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
import {ar} from '../../static/app/text/ar.js';
import {de} from '../../static/app/text/de.js';
import {en} from '../../static/app/text/en.js';
import {fr} from '../../static/app/text/fr.js';

/** What the button of the join form says. @type {Record<string, string>} */
const JOIN = {fr: 'Rejoindre', de: 'Beitreten', es: 'Entrar', ar: 'انضمام'};

describe('languages', {timeout: 1_200_000}, () => {
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

    /** All words of the page, those for screen readers too. @param {Person} person */
    const words = (person) => person.page.evaluate(() => {
        const found = [];
        for (const element of document.querySelectorAll('body *')) {
            for (const name of ['aria-label', 'title', 'placeholder', 'data-short'])
                found.push(element.getAttribute(name) ?? '');
            for (const child of element.childNodes) {
                if (child instanceof Text)
                    found.push(child.data);
            }
        }
        return found.map((one) => one.trim()).filter(Boolean);
    });

    test('a language is chosen in the settings, and acts at once and from then on', async () => {
        const person = await Person.at('Ann', browser);
        await person.join(server.page('lounge'), {name: 'olga', password: 'op-secret'});
        await until('the pictures', async () => (await person.page.$$('.tile.has-video')).length === 4);
        await person.say('/me waves');
        await person.openPanel('people');
        await person.more('Settings');
        for (const [language, table] of Object.entries({fr, ar, de})) {
            await person.page.select('#settings-language', language);
            await person.page.waitForFunction((title) =>
                document.querySelector('dialog h2')?.textContent === title, {}, table['settings.title']);
            assert.equal(await person.page.evaluate(() => document.activeElement?.id),
                'settings-language', 'the focus stays');
            assert.equal(await person.page.$eval('html', (html) => html.dir),
                language === 'ar' ? 'rtl' : 'ltr');
            const foreign = new Set(Object.entries({...en, ...language === 'de' ? fr : {}})
                .filter(([key, text]) => text.length > 1
                    && !Object.values(table).includes(text) && key in table)
                .map(([, text]) => text));
            assert.deepEqual((await words(person)).filter((one) => foreign.has(one)), [], language);
        }
        await person.closeDialog();
        await person.leave();
        assert.deepEqual((await words(person)).filter((one) => Object.values(en).includes(one)
            && !Object.values(de).includes(one)), [], 'the form');
        await person.page.click('#join-button');
        await person.page.waitForSelector('#meeting:not([hidden])');
        await person.choose('#control-more', de['settings.title']);
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
