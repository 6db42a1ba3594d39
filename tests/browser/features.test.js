/** What a meeting offers beyond seeing and hearing, through the page as a person uses it. */

import assert from 'node:assert/strict';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';

// Each feature is used in one browser and seen in the other.
for (const [first, second] of /** @type {const} */ ([['chromium', 'firefox'], ['firefox', 'chromium']])) {
    describe(`an operator in ${first}, a guest in ${second}`, {timeout: 1_200_000}, () => {
        /** @type {Server} */
        let server;
        /** @type {import('puppeteer-core').Browser[]} */
        let browsers = [];
        /** @type {Person} */
        let olga;
        /** @type {Person} */
        let gus;
        /** @type {string} */
        let folder;

        before(async () => {
            folder = await mkdtemp(join(tmpdir(), 'perikon-files-'));
            server = await Server.start({...GROUPS, porch: {
                ...GROUPS['lounge'], lobby: true, 'allow-recording': false}});
            browsers = await Promise.all([launch(first), launch(second)]);
            const [one, two] = /** @type {[any, any]} */ (browsers);
            olga = await Person.at('olga', one);
            gus = await Person.at('Gus', two);
            await olga.join(server.page('lounge'), {password: 'op-secret'});
            await gus.join(server.page('lounge'));
            await until('both pictures', async () =>
                await olga.look('Gus') && await gus.look('olga'));
        });
        after(async () => {
            await Promise.all(browsers.map((browser) => browser.close()));
            await server?.stop();
            await rm(folder, {recursive: true, force: true});
        });

        /** Who else comes is in Chromium: Firefox does not paint a window that another covers. */
        const spare = () => /** @type {import('puppeteer-core').Browser} */ (
            browsers[first === 'chromium' ? 0 : 1]);

        /** @param {Person} person @param {string} label */
        const box = async (person, label) => {
            const tile = await person.page.$(`.tile[aria-label="${label}"]`);
            const place = await tile?.boundingBox();
            assert.ok(place, `${label} is on the stage`);
            return place;
        };

        test('speaker view, pin and back to the grid', async () => {
            const grid = await box(olga, 'You');
            await olga.more('Speaker view');
            await until('Gus large', async () =>
                (await box(olga, 'Gus')).width > 2 * (await box(olga, 'You')).width);
            await olga.tileMenu('You', 'Pin');
            await until('the pinned one large', async () =>
                (await box(olga, 'You')).width > 2 * (await box(olga, 'Gus')).width);
            await olga.tileMenu('You', 'Unpin');
            await olga.more('Speaker view');
            await until('the grid again', async () =>
                Math.abs((await box(olga, 'You')).width - grid.width) < 3);
        });

        test('one picture fills the screen, with its menu, or floats over other windows', async () => {
            const full = (/** @type {boolean} */ on) => olga.page.waitForFunction((wanted) =>
                !!document.fullscreenElement?.matches('.tile[aria-label="Gus"]') === wanted, {}, on);
            await olga.tileMenu('Gus', 'Full screen');
            await full(true);
            await olga.tileMenu('Gus', 'Leave full screen');
            await full(false);
            await olga.tileMenu('Gus', 'Picture in picture');
            await olga.page.waitForFunction(() => !!document.pictureInPictureElement);
            await olga.page.evaluate(() => document.exitPictureInPicture());
        });

        test('one hides from oneself, mirrors and turns the picture', async () => {
            await olga.tileMenu('You', 'Hide my picture');
            await olga.page.waitForSelector('.tile[aria-label="You"][hidden]');
            await olga.more('Hide my own picture');
            await olga.page.waitForSelector('.tile[aria-label="You"]:not([hidden]).tile-mirrored');
            await olga.tileMenu('You', 'Mirror my own picture');
            await olga.page.waitForSelector('.tile[aria-label="You"]:not(.tile-mirrored)');
            await olga.tileMenu('Gus', 'Turn by a quarter');
            await olga.page.waitForSelector('.tile[aria-label="Gus"].turned-90');
        });

        test('the volume of one person', async () => {
            await olga.tileMenu('Gus', 'Volume');
            await olga.page.focus('#volume');
            await olga.page.keyboard.press('Home');
            const volume = () => olga.page.$eval('.tile[aria-label="Gus"] video', (video) =>
                /** @type {HTMLVideoElement} */ (video).volume);
            assert.equal(await volume(), 0);
            await olga.page.keyboard.press('End');
            assert.equal(await volume(), 1);
            await olga.closeDialog();
        });

        test('a hand is raised, seen and lowered', async () => {
            await gus.page.click('#control-hand');
            await olga.sees(/Gus has raised a hand/);
            await olga.page.waitForSelector('.tile[aria-label="Gus"] .tile-hand:not([hidden])');
            await olga.openPanel('people');
            await olga.page.waitForSelector('[aria-label="Gus has raised a hand"]');
            await gus.page.click('#control-hand');
            await olga.page.waitForSelector('.tile[aria-label="Gus"] .tile-hand[hidden]');
        });

        test('only sound is received, and pictures again', async () => {
            await gus.more('Audio only');
            await until('no picture', async () => !await gus.look('olga')
                && (await gus.tiles()).includes('olga'));
            await gus.page.waitForSelector('#control-cam:not(.on)');
            await gus.more('Audio only');
            const still = JSON.stringify(await until('the picture again', () => gus.look('olga')));
            await until('it moves', async () => JSON.stringify(await gus.look('olga')) !== still);
            await gus.page.click('#control-cam');
            await until('picture of Gus', () => olga.look('Gus'));
        });

        test('another device in the middle of the call', async () => {
            await olga.more('Settings');
            // After the tests before this one, headless Firefox keeps the names of its cameras to itself,
            // so that there is nothing to choose; `prejoin.test.js` chooses in it.
            if (first === 'chromium') {
                const options = () => olga.page.$$eval('#settings-camera option', (all) =>
                    all.map((option) => option.getAttribute('value') ?? ''));
                const [, camera = ''] = await until('the cameras', async () => {
                    const found = await options();
                    return found.length > 1 ? found : null;
                });
                await olga.page.select('#settings-camera', camera);
            }
            await olga.page.click('#settings-blackboard');
            await olga.closeDialog();
            const {frames} = await gus.received();
            await until('more frames', async () => (await gus.received()).frames > frames + 10);
            await until('the large picture', async () =>
                ((await olga.look('You'))?.height ?? 0) >= 1080);
            await olga.type('/unset blackboard');
            await until('the usual picture', async () =>
                ((await olga.look('You'))?.height ?? 0) === 720);
        });

        test('statistics', async () => {
            await gus.more('Statistics');
            await until('the rate of olga’s picture', () => gus.page.$$eval('#statistics tbody tr',
                (rows) => rows.some((row) => /olga/.test(row.textContent ?? '')
                    && /[1-9]\d* kbit/.test(row.textContent ?? '')
                    && /\d+ × \d+/.test(row.textContent ?? ''))));
            await gus.closeDialog();
        });

        test('commands: completion, help, refusals', async () => {
            await gus.openPanel('chat');
            await gus.fill('#chat-input', '/sendf');
            await gus.page.waitForSelector('#chat-completions:not([hidden]) [role=option]');
            await gus.page.keyboard.press('Tab');
            await gus.page.keyboard.type('ol');
            await gus.page.waitForFunction(() =>
                document.querySelector('[role=option]')?.textContent === '/sendfile olga');
            await gus.type('/kick olga');
            await gus.sees(/You may not use “\/kick”/);
            await gus.type('/msg nobody hello');
            await gus.sees(/nobody called “nobody”/);
            await gus.type('/msg olga quietly `code`');
            await until('the private message', async () =>
                (await olga.messages()).includes('quietly code'));
            await gus.type('/raise');
            await gus.page.waitForSelector('#control-hand[aria-pressed=true]');
            await gus.type('/unraise');
            await gus.type('/set layout speaker');
            await gus.type('/set layout sideways');
            await gus.sees(/“layout” can be: grid, speaker/);
            await gus.type('/unset layout');
            await gus.type('/help');
            await gus.sees(/Commands in the chat/);
            await gus.closeDialog();
            await gus.fill('#chat-input', '');
        });

        test('chat: code, links, one message deleted', async () => {
            await gus.openPanel('chat');
            await gus.page.focus('#chat-input');
            for (const line of ['look:', '```', 'let x = 1;', '```']) {
                await gus.page.keyboard.type(line);
                await gus.page.keyboard.down('Shift');
                await gus.page.keyboard.press('Enter');
                await gus.page.keyboard.up('Shift');
            }
            await gus.page.keyboard.press('Enter');
            await olga.openPanel('chat');
            await olga.page.waitForSelector('.code-block');
            assert.equal(await olga.page.$eval('.code-block', (block) => block.textContent), 'let x = 1;');
            await olga.page.hover('.message:has(.code-block)');
            await olga.choose('.message:has(.code-block) .message-menu', 'Delete for everyone');
            await until('the message gone', async () =>
                !await gus.page.$('.code-block') && !await olga.page.$('.code-block'));
        });

        test('unread messages are counted', async () => {
            await gus.page.click('#control-people');
            await olga.say('one');
            await olga.say('two');
            await until('the count', async () => await gus.page.$eval('#chat-badge',
                (badge) => badge.textContent) === '2');
            await gus.page.click('#control-chat');
            await gus.page.waitForSelector('#chat-badge[hidden]');
        });

        test('captions', async () => {
            await olga.type('/caption And yet it moves.');
            await until('the caption', () => gus.page.$eval('#captions', (box) =>
                box.textContent === 'olga: And yet it moves.'));
            assert.ok(!(await gus.messages()).includes('And yet it moves.'));
        });

        test('a file is sent, with progress, and refused', async () => {
            const path = join(folder, 'notes <b>.txt');
            await writeFile(path, 'x'.repeat(5_000_000));
            /** @param {Person} from @param {string} to */
            const send = async (from, to) => {
                await from.giveFile(path, () => from.act(to, 'Send a file'));
            };
            await send(olga, 'Gus');
            await gus.sees(/olga sends you “notes <b>.txt” \(5 MB\)/);
            await gus.page.evaluate(() => {
                /** @type {any} */ (window).saved = [];
                // The page's own rules forbid to fetch what it made, so it is kept here.
                /** @type {Map<string, Blob>} */
                const made = new Map();
                const {createObjectURL} = URL;
                URL.createObjectURL = (/** @type {Blob} */ blob) => {
                    const url = createObjectURL.call(URL, blob);
                    made.set(url, blob);
                    return url;
                };
                HTMLAnchorElement.prototype.click = function() {
                    /** @type {any} */ (window).saved.push(
                        {name: this.download, size: made.get(this.href)?.size});
                };
            });
            await gus.page.click('.transfer .button-primary');
            await gus.sees(/Received\./);
            await olga.sees(/Sent\./);
            const saved = await gus.page.evaluate(() => /** @type {any} */ (window).saved[0]);
            assert.deepEqual(saved, {name: 'notes <b>.txt', size: 5_000_000});
            await until('the card gone', async () => !await olga.page.$('.transfer'));
            await send(olga, 'Gus');
            await gus.page.waitForSelector('.transfer .button:not(.button-primary)');
            await gus.page.click('.transfer .button:not(.button-primary)');
            await olga.sees(/Not completed: cancelled/);
        });

        test('a large file goes to disk', async () => {
            const path = join(folder, 'large.bin');
            await writeFile(path, new Uint8Array(34_000_000));
            await until('the cards gone', async () => !await gus.page.$('.transfer')
                && !await olga.page.$('.transfer'));
            await olga.giveFile(path, () => olga.act('Gus', 'Send a file'));
            await gus.page.waitForSelector('.transfer .button-primary');
            await gus.page.click('.transfer .button-primary');
            const received = () => gus.page.evaluate(() => /** @type {any} */ (window).saved[1]
                ? Infinity : document.querySelector('progress')?.value ?? 0);
            // However slow the machine is: it goes on.
            for (let before = 0; before < Infinity;) {
                before = await until('more of the file', async () => {
                    const now = await received();
                    return now > before ? now : 0;
                });
            }
            assert.equal(await gus.page.evaluate(() => /** @type {any} */ (window).saved[1].size),
                34_000_000);
            const onDisk = await gus.page.evaluate(async () => {
                const names = [];
                for await (const name of /** @type {any} */ (await navigator.storage.getDirectory()).keys())
                    names.push(name);
                return names;
            });
            assert.ok(onDisk.some((name) => name.startsWith('received-')));
        });

        test('a file is played to all', async () => {
            // The browser itself makes a film, of three seconds.
            const film = await olga.page.evaluate(async () => {
                const canvas = document.createElement('canvas');
                canvas.width = 640;
                canvas.height = 360;
                const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
                const recorder = new MediaRecorder(canvas.captureStream(20));
                /** @type {Blob[]} */
                const parts = [];
                recorder.ondataavailable = ({data}) => parts.push(data);
                recorder.start();
                for (let frame = 0; frame < 60; frame++) {
                    context.fillStyle = `hsl(${frame * 6} 80% 50%)`;
                    context.fillRect(0, 0, 640, 360);
                    await new Promise((resolve) => setTimeout(resolve, 50));
                }
                recorder.stop();
                await new Promise((resolve) => recorder.onstop = resolve);
                return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
            });
            const path = join(folder, 'film.webm');
            await writeFile(path, slowed(film));
            await olga.giveFile(path, () => olga.more('Play a file'));
            await until('the film here', async () => (await olga.tiles()).includes('film.webm'));
            await until('the film there', () => gus.page.$$eval('.tile.tile-screen video', (all) =>
                all.some((video) => /** @type {HTMLVideoElement} */ (video).videoWidth > 0)));
            await olga.tileMenu('film.webm', 'Stop');
            await until('the film gone', async () => (await gus.page.$$('.tile.tile-screen')).length === 0
                && !(await olga.tiles()).includes('film.webm'));
        });

        test('warnings, and the right to write', async () => {
            await olga.act('Gus', 'Send a warning');
            await olga.page.type('.dialog input', 'Mind your language');
            await olga.page.click('.dialog button[type=submit]');
            await gus.sees(/olga: Mind your language/);
            await olga.act('Gus', 'Stop from writing');
            await gus.sees(/permission to write messages was taken back/);
            await olga.act('Gus', 'Allow to write');
            await gus.sees(/You may now write/);
        });

        test('an invitation is made, used, listed and revoked', async () => {
            await olga.openPanel('people');
            await olga.page.click('#people-invite');
            await olga.page.type('#invite-name', 'Ina');
            await olga.page.select('#invite-role', 'message');
            await olga.page.click('#invite-form button[type=submit]');
            const field = await olga.page.waitForSelector('#invite-list input');
            const url = await field?.evaluate((input) => /** @type {HTMLInputElement} */ (input).value) ?? '';
            assert.match(url, /\/group\/lounge\/\?token=/);
            const ina = await Person.at('Ina', spare());
            await ina.page.goto(url);
            await ina.page.waitForSelector('#join:not([aria-busy])');
            assert.equal(await ina.page.$eval('#join-username-field', (f) => f.checkVisibility()), false);
            await ina.page.click('#join-button');
            await ina.page.waitForSelector('#meeting:not([hidden])');
            await ina.sees(/You are here to watch and listen/);
            await ina.leave();
            await olga.page.click('#invite-list .button-danger');
            await olga.sees(/revoked/);
            await ina.page.click('#join-button');
            await ina.sees(/This invitation is not valid/);
            await olga.closeDialog();
            await ina.close();
        });

        test('the waiting room', async () => {
            const guest = await Person.at('Wanda', spare());
            await olga.leave();
            await olga.join(server.page('porch'), {password: 'op-secret', camera: false});
            await guest.tryToJoin(server.page('porch'), {camera: false, microphone: false});
            await guest.sees(/An operator will let you in/);
            await olga.sees(/Wanda is waiting to come in/);
            await olga.openPanel('people');
            await olga.page.click('button[aria-label="Refuse Wanda"]');
            await guest.sees(/You were not let in/);
            await guest.page.click('#join-button');
            const admit = await olga.page.waitForSelector('button[aria-label="Admit Wanda"]');
            await admit?.click();
            await guest.page.waitForSelector('#meeting:not([hidden])');
            await olga.page.waitForSelector('#lobby[hidden]');
            // Banned, and the ban lifted. Both come from one address, so by name.
            await olga.act('Wanda', 'Ban');
            await olga.page.click('.dialog button[type=submit]');
            await guest.sees(/You were banned/);
            await guest.page.click('#join-button');
            await guest.sees(/You are banned from this meeting/);
            await olga.choose('#group-menu', 'Bans');
            const lift = await olga.page.waitForSelector('#ban-list button');
            await lift?.click();
            await olga.sees(/Nobody is banned/);
            await olga.closeDialog();
            await guest.page.click('#join-button');
            await guest.sees(/An operator will let you in/);
            await olga.leave();
            await guest.sees(/no operator here yet/);
            await guest.page.click('#join-cancel');
            await guest.sees(/You left the meeting/);
            await guest.close();
        });

        test('a lost connection: the pictures stay, and come back to life', async () => {
            await olga.join(server.page('lounge'), {password: 'op-secret'});
            await until('both pictures', async () =>
                await olga.look('Gus') && await gus.look('olga'));
            await server.crash();
            await gus.sees(/The connection was lost/);
            assert.ok((await gus.tiles()).includes('olga'), 'the tile stays');
            await server.run();
            await gus.sees(/You are connected again/);
            for (const [person, other] of /** @type {[Person, string][]} */ ([[gus, 'olga'], [olga, 'Gus']])) {
                await until(`one live tile of ${other}`, async () =>
                    (await person.tiles()).filter((label) => label === other).length === 1
                    && await person.look(other));
                const {frames} = await person.received();
                await until('more frames', async () => (await person.received()).frames > frames + 10);
            }
        });

        test('no page complained', () => {
            for (const person of [olga, gus])
                assert.deepEqual(person.problems.filter((problem) => !/WebSocket|wss:/.test(problem)), [],
                    `errors on the page of ${person.name}`);
        });
    });
}

/**
 * A film that takes sixteen times as long, so that it does not end before somebody stops it: the
 * unit of its times (Matroska's TimestampScale) is 16 ms instead of one.
 *
 * @param {number[]} film WebM.
 */
function slowed(film) {
    const bytes = Buffer.from(film);
    const [scale, slower] = ['2ad7b1830f4240', '2ad7b183f42400'].map((hex) => Buffer.from(hex, 'hex'));
    const at = bytes.indexOf(/** @type {Buffer} */ (scale));
    assert.ok(at > 0, 'the film says in which unit its times are');
    /** @type {Buffer} */ (slower).copy(bytes, at);
    return bytes;
}
