/** A meeting, through the page, in the browsers that people use. */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';

/** @import {Browser} from 'puppeteer-core' */
/** @import {BrowserName} from './harness/browsers.js' */

/**
 * `viewer` decodes the moving picture of `shown`.
 *
 * @param {Person} viewer
 * @param {string} shown The label of the tile.
 */
async function seesMoving(viewer, shown) {
    // The first picture of a camera may be a plain one.
    const first = await until(`picture of ${shown} at ${viewer.name}`, async () => {
        const seen = await viewer.look(shown);
        return seen && new Set(seen.pixels.filter((_, at) => at % 4 !== 3)).size > 2 ? seen : null;
    });
    assert.ok(first.visible, 'the video is shown, not its stand-in');
    assert.ok(first.width >= 320 && first.height >= 180,
        `the picture has a real size, not ${first.width} × ${first.height}`);
    const {frames} = await viewer.received();
    await until(`ten more frames at ${viewer.name}`, async () =>
        (await viewer.received()).frames >= frames + 10);
    await until(`change in the picture of ${shown} at ${viewer.name}`, async () => {
        const now = await viewer.look(shown);
        return now && now.pixels.some((value, at) => Math.abs(value - (first.pixels[at] ?? 0)) > 24);
    });
}

/** @param {Person} listener */
async function hears(listener) {
    const {audioEnergy} = await listener.received();
    await until(`sound at ${listener.name}`, async () =>
        (await listener.received()).audioEnergy > audioEnergy);
}

/**
 * The picture of each was there soon after the answer to their stream: within a second on a machine
 * that has time; one that is full of browsers and encoders is given three.
 *
 * @param {Person} latecomer
 * @param {string[]} shown
 * @param {import('node:test').TestContext} t
 */
async function sawAtOnce(latecomer, shown, t) {
    for (const name of shown) {
        const took = await latecomer.pictureTook(name);
        t.diagnostic(`the picture of ${name} took ${Math.round(took ?? NaN)} ms`);
        assert.ok(took !== null && took <= 3000,
            `the picture of ${name} took ${took} ms from the answer`);
    }
}

for (const second of /** @type {BrowserName[]} */ (['chromium', 'firefox'])) {
    describe(`a meeting of Chromium and ${second}`, {timeout: 1_200_000}, () => {
        /** @type {Server} */
        let server;
        /** @type {Browser[]} */
        let browsers = [];
        /** @type {Person} */
        let alice;
        /** @type {Person} */
        let bob;
        /** @type {Person} */
        let carol;

        before(async () => {
            server = await Server.start(GROUPS);
            browsers = await Promise.all([launch('chromium'), launch(second)]);
            const [one, two] = /** @type {[Browser, Browser]} */ (browsers);
            alice = await Person.at('Alice', one);
            bob = await Person.at('Bob', two);
            // Firefox does not paint a window that another covers: each has one for itself.
            carol = await Person.at('Carol', one);
        });
        after(async () => {
            await Promise.all(browsers.map((browser) => browser.close()));
            await server?.stop();
        });

        test('two people see and hear each other', async () => {
            await alice.join(server.page('lounge'));
            await bob.join(server.page('lounge'));
            await seesMoving(alice, 'Bob');
            await seesMoving(bob, 'Alice');
            await hears(alice);
            await hears(bob);
            assert.equal((await alice.look('Bob'))?.silent, false, 'the sound is played');
            assert.deepEqual(await alice.tiles(), ['Bob', 'You']);
        });

        test('chat arrives both ways', async () => {
            await alice.say('Hello <b>Bob</b> & all');
            await bob.say('Hello Alice');
            for (const person of [alice, bob]) {
                await until(`chat at ${person.name}`, async () => {
                    const messages = await person.messages();
                    return messages.includes('Hello <b>Bob</b> & all')
                        && messages.includes('Hello Alice');
                });
            }
        });

        test('who joins late has a picture at once, and reads what was said', async (t) => {
            await carol.join(server.page('lounge'), {microphone: false, camera: false});
            await until('both pictures at Carol', async () =>
                await carol.look('Alice') && await carol.look('Bob'));
            await sawAtOnce(carol, ['Alice', 'Bob'], t);
            await seesMoving(carol, 'Alice');
            await carol.openPanel('chat');
            assert.ok((await carol.messages()).includes('Hello Alice'));
        });

        test('a private message reaches one person only', async () => {
            await alice.openPanel('chat');
            const bobsId = await alice.page.$$eval('#chat-to option', (options) =>
                options.find(({textContent}) => textContent === 'Bob')?.getAttribute('value'));
            assert.ok(bobsId);
            await alice.page.select('#chat-to', bobsId);
            await alice.say('For Bob alone');
            await alice.page.select('#chat-to', '');
            await until('the private message', async () =>
                (await bob.messages()).includes('For Bob alone'));
            await alice.say('For everyone');
            await until('the next message', async () =>
                (await carol.messages()).includes('For everyone'));
            assert.ok(!(await carol.messages()).includes('For Bob alone'));
        });

        test('a command that does not exist is not sent as a message', async () => {
            await alice.say('/secret word');
            await alice.sees(/no command “\/secret”/);
            await alice.fill('#chat-input', '');
            await alice.say('/me waves');
            await until('the gesture', async () => (await bob.messages()).includes('Alice waves'));
            assert.ok(!(await bob.messages()).some((message) => message.includes('secret')));
        });

        test('a camera is stopped and started again', async () => {
            await bob.page.click('#control-cam');
            await until('Bob without picture', async () =>
                !await alice.look('Bob') && (await alice.tiles()).includes('Bob'));
            await hears(alice);
            await bob.page.click('#control-cam');
            await seesMoving(alice, 'Bob');
        });

        test('who mutes is shown as muted', async () => {
            await bob.page.click('#control-mic');
            await alice.page.waitForSelector('.tile[aria-label="Bob"] .tile-sign:not([hidden])');
            await bob.page.click('#control-mic');
            await alice.page.waitForSelector('.tile[aria-label="Bob"] .tile-sign[hidden]');
        });

        // A headless Firefox has no screen to share, so Chromium shares.
        test('a screen is shared beside the camera, and the sharing ended', async () => {
            await alice.page.click('#control-screen');
            const screen = await until('the screen', () => bob.look('Alice — screen'));
            assert.ok(screen.width >= 320 && screen.visible);
            assert.ok(await bob.look('Alice'), 'the camera stays');
            await alice.page.click('#control-screen');
            await until('the screen gone', async () =>
                !(await bob.tiles()).includes('Alice — screen'));
        });

        test('who leaves disappears', async () => {
            await bob.leave();
            await bob.sees(/You left the meeting/);
            await until('Bob gone', async () => !(await alice.tiles()).includes('Bob'));
            await alice.openPanel('people');
            await until('Bob gone from the list', async () =>
                !(await alice.page.$eval('#people-list', (list) => list.textContent))
                    ?.includes('Bob'));
        });

        test('without permission to present, nothing is published, and one is told', async (t) => {
            await bob.forgetTimes();
            await bob.tryToJoin(server.page('lounge'),
                {name: 'walter', password: 'walter-secret'});
            await bob.page.waitForSelector('#meeting:not([hidden])');
            await bob.sees(/You are here to watch and listen/);
            await seesMoving(bob, 'Alice');
            await sawAtOnce(bob, ['Alice'], t);
            for (const control of ['#control-cam', '#control-mic', '#control-screen']) {
                await bob.page.click(control);
                await bob.sees(/You do not have permission to present/);
            }
            assert.ok(!(await bob.tiles()).includes('You'));
            assert.ok(!(await alice.tiles()).includes('walter'));
        });

        test('an operator gives and takes the permission, and removes somebody', async () => {
            await carol.leave();
            await carol.join(server.page('lounge'),
                {name: 'olga', password: 'op-secret', microphone: false, camera: false});
            /** @param {string} name @param {string} action */
            const act = async (name, action) => {
                await carol.openPanel('people');
                const button = await carol.page.waitForSelector(
                    `button[aria-label="Actions for ${name}"]`);
                await button?.click();
                const item = await carol.page.waitForSelector(`::-p-xpath(//*[@role="menuitem"][contains(., "${action}")])`);
                await item?.click();
            };
            await act('walter', 'Allow to present');
            await bob.sees(/You may now present/);
            await bob.page.click('#control-cam');
            await seesMoving(alice, 'walter');
            await bob.page.click('#control-mic');
            await bob.page.waitForSelector('#control-mic.on');
            await act('walter', 'Mute');
            await bob.sees(/olga muted your microphone/);
            await bob.page.waitForSelector('#control-mic:not(.on)');
            await act('walter', 'Stop from presenting');
            await bob.sees(/permission to present was taken back/);
            await until('walter gone from the stage', async () =>
                !(await alice.tiles()).includes('walter'));
            await act('walter', 'Remove from the meeting');
            await carol.page.type('.dialog input', 'too loud');
            await carol.page.click('.dialog button[type=submit]');
            await bob.page.waitForSelector('#join:not([hidden])');
            await bob.sees(/olga removed you from the meeting.*too loud/);
        });

        test('when the server ends, one is told and may join again', async () => {
            await server.stop();
            await alice.page.waitForSelector('#join:not([hidden])');
            await alice.sees(/The server is shutting down|connection to the server was lost/);
            assert.equal(await alice.page.$eval('#join-button', (b) => b.textContent), 'Join again');
        });

        test('no page complained', () => {
            for (const person of [alice, bob, carol])
                assert.deepEqual(person.problems, [], `errors on the page of ${person.name}`);
        });
    });
}
