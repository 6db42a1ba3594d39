/** Pictures of every view, to be looked at by people; and that nothing is cut off in them. */

import assert from 'node:assert/strict';
import {mkdir} from 'node:fs/promises';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, ROOT, Server} from './harness/server.js';

const ARTEFACTS = join(ROOT, 'artefacts');
const WINDOWS = {desktop: {width: 1280, height: 800}, phone: {width: 390, height: 844}};

/**
 * Takes a picture of a page in both windows and both themes.
 *
 * @param {Person} person
 * @param {string} view
 * @param {(window: keyof typeof WINDOWS) => Promise<unknown>} [prepare]
 */
async function show(person, view, prepare) {
    const {page} = person;
    for (const name of /** @type {(keyof typeof WINDOWS)[]} */ (Object.keys(WINDOWS))) {
        await page.setViewport(WINDOWS[name]);
        await prepare?.(name);
        for (const value of ['light', 'dark']) {
            // Without motion, or the picture shows the fading from one theme to the other.
            await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value},
                {name: 'prefers-reduced-motion', value: 'reduce'}]);
            await page.screenshot(
                {path: /** @type {`${string}.png`} */ (join(ARTEFACTS, `${view}-${name}-${value}.png`))});
        }
        assert.deepEqual(await cutOff(page), [], `${view} on a ${name}`);
    }
    await page.setViewport(WINDOWS.desktop);
}

/**
 * What sticks out of the window sideways, and buttons whose words do not fit.
 *
 * @param {import('puppeteer-core').Page} page
 */
function cutOff(page) {
    return page.evaluate(() => {
        const wrong = [];
        if (document.documentElement.scrollWidth > innerWidth)
            wrong.push(`the page is ${document.documentElement.scrollWidth} wide`);
        for (const element of document.querySelectorAll('button, input, select, textarea, h1, .tile')) {
            if (!element.checkVisibility())
                continue;
            const {left, right, width} = element.getBoundingClientRect();
            const label = element.querySelector('.control-label, .toggle-label') ?? element;
            const name = element.id || element.className;
            if (left < -1 || right > innerWidth + 1 || width < 1)
                wrong.push(`${name} is at ${left} to ${right}`);
            else if (element instanceof HTMLButtonElement && label.scrollWidth > label.clientWidth + 1)
                wrong.push(`the words of ${name} do not fit`);
        }
        return wrong;
    });
}

describe('looks', {timeout: 240_000}, () => {
    /** @type {Server} */
    let server;
    /** @type {import('puppeteer-core').Browser} */
    let browser;
    /** @type {Person} */
    let ada;
    /** @type {Person[]} */
    let others;

    before(async () => {
        await mkdir(ARTEFACTS, {recursive: true});
        server = await Server.start({...GROUPS, tiny: {...GROUPS['tiny'], 'max-clients': 10}});
        browser = await launch('chromium');
        ada = await Person.at('olga', browser);
        others = await Promise.all(['Grace Hopper', 'Émilie du Châtelet', 'Rosalind']
            .map((name) => Person.at(name, browser)));
    });
    after(async () => {
        await browser?.close();
        await server?.stop();
    });

    test('the form in front of a meeting, and a refusal', async () => {
        await ada.page.goto(server.page('lounge'));
        await ada.page.waitForSelector('#join:not([aria-busy])');
        await show(ada, 'join');
        await ada.tryToJoin(server.page('lounge'), {password: 'guess'});
        await ada.sees(/do not fit together/);
        await show(ada, 'refused');
    });

    test('alone', async () => {
        await ada.join(server.page('lounge'), {password: 'op-secret', microphone: false, camera: false});
        await show(ada, 'alone', async (window) => {
            if (window === 'phone')
                await ada.page.click('#control-chat');
        });
    });

    test('a meeting of several', async () => {
        const [grace, emilie, rosalind] = /** @type {[Person, Person, Person]} */ (others);
        await grace.join(server.page('lounge'));
        await emilie.join(server.page('lounge'), {camera: false});
        await rosalind.join(server.page('lounge'));
        await ada.page.click('#control-cam');
        for (const name of ['Grace Hopper', 'Rosalind', 'You'])
            await until(`picture of ${name}`, () => ada.look(name));
        await grace.say('Good morning! The agenda is at https://example.org/agenda');
        await emilie.say('Thank you.');
        await emilie.say('My camera stays off today, the light is dreadful here.');
        await ada.say('No problem at all.');
        await rosalind.say('/me waves');
        await until('the last message', async () =>
            (await ada.messages()).includes('Rosalind waves'));
        await until('the notices gone', async () => (await ada.notices()).length === 0, 30_000);
        await show(ada, 'meeting', async (window) => {
            if (window === 'phone')
                await ada.page.click('#control-chat');
            else
                await ada.openPanel('chat');
        });
        await show(ada, 'chat', () => ada.openPanel('chat'));
        await show(ada, 'people', () => ada.openPanel('people'));
        await show(ada, 'menu', async () => {
            await ada.openPanel('people');
            await ada.page.click('button[aria-label="Actions for Rosalind"]');
        });
        await ada.page.keyboard.press('Escape');
        await ada.page.click('#control-people');
        await show(ada, 'stage');
    });

    test('the first page, with people in a meeting, and the one that leads nowhere', async () => {
        const guest = await Person.at('guest', browser);
        await guest.page.goto(`${server.url}/`);
        await guest.sees(/The Lounge[^]*4 people here/);
        await show(guest, 'landing');
        await guest.page.goto(server.page('nowhere'));
        await show(guest, 'missing');
    });
});
