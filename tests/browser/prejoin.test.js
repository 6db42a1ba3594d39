/** Before the meeting: seeing oneself, choosing devices, and the ways to say who one is. */

import assert from 'node:assert/strict';
import {createHmac, randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {createServer} from 'node:http';
import {after, before, describe, test} from 'node:test';
import {launch} from './harness/browsers.js';
import {Person} from './harness/person.js';
import {until} from './harness/poll.js';
import {GROUPS, Server} from './harness/server.js';

/** @import {AddressInfo} from 'node:net' */

/** What the group and the authentication server both know. */
const KEY = randomBytes(32);

/** @param {{username: string, location: string}} question @returns {string} A token. */
function sign({username, location}) {
    const now = Math.floor(Date.now() / 1000);
    const encode = (/** @type {object} */ part) =>
        Buffer.from(JSON.stringify(part)).toString('base64url');
    const body = `${encode({alg: 'HS256', typ: 'JWT'})}.${encode({sub: username, aud: location,
        permissions: ['present', 'message'], iat: now, exp: now + 30})}`;
    return `${body}.${createHmac('sha256', KEY).update(body).digest('base64url')}`;
}

/** An authentication server, and a portal, as small as can be. */
async function startAuth() {
    /** @type {any[]} */
    const asked = [];
    const auth = createServer((request, response) => {
        response.setHeader('Access-Control-Allow-Origin', '*');
        response.setHeader('Access-Control-Allow-Headers', 'content-type');
        let body = '';
        request.on('data', (data) => body += data);
        request.on('end', () => {
            if (request.method === 'GET')
                response.setHeader('Content-Type', 'text/html').end('<h1>The portal</h1>');
            else if (request.method !== 'POST')
                response.writeHead(204).end();
            else {
                const question = JSON.parse(body);
                asked.push(question);
                if (question.username === 'jwt')
                    response.setHeader('Content-Type', 'application/jwt').end(sign(question));
                else
                    response.writeHead(question.username === 'mallory' ? 403 : 204).end();
            }
        });
    }).listen(0, '127.0.0.1');
    await once(auth, 'listening');
    const {port} = /** @type {AddressInfo} */ (auth.address());
    return {auth, asked, url: `http://127.0.0.1:${port}/`};
}

for (const name of /** @type {const} */ (['chromium', 'firefox'])) {
    describe(`before joining, in ${name}`, {timeout: 1_200_000}, () => {
        /** @type {Server} */
        let server;
        /** @type {import('puppeteer-core').Browser} */
        let browser;
        /** @type {Person} */
        let ann;
        /** @type {Awaited<ReturnType<typeof startAuth>>} */
        let auth;

        before(async () => {
            auth = await startAuth();
            const open = {password: {type: 'wildcard'}, permissions: 'present'};
            server = await Server.start({...GROUPS,
                guarded: {authServer: auth.url,
                    authKeys: [{kty: 'oct', alg: 'HS256', k: KEY.toString('base64url')}], users: {olga: {password: 'op-secret', permissions: 'op'}},
                    'wildcard-user': open},
                portal: {authPortal: `${auth.url}portal?then=here`, 'wildcard-user': open}});
            browser = await launch(name);
            ann = await Person.at('Ann', browser);
        });
        after(async () => {
            await browser?.close();
            await server?.stop();
            auth?.auth.close();
        });

        /** @param {string} group */
        const open = async (group) => {
            await ann.page.goto(server.page(group));
            await ann.page.waitForSelector('#join:not([aria-busy])');
        };

        test('one sees and hears oneself, and chooses devices', async () => {
            await open('lounge');
            const ask = await ann.page.$('#preview-ask');
            if (await ask?.isVisible())
                await ask?.click();
            await until('own picture', () => ann.page.$eval('#preview-video', (video) =>
                /** @type {HTMLVideoElement} */ (video).videoWidth > 0));
            await ann.page.waitForSelector('#preview-level:not([hidden])');
            // Firefox runs no audio graph on a machine without a sound card, such as this.
            if (name === 'chromium') {
                await until('own voice', () => ann.page.$eval('#preview-level', (meter) =>
                    /** @type {HTMLMeterElement} */ (meter).value > 0.05));
            }
            await ann.page.waitForSelector('#join-devices:not([hidden])');
            await ann.page.click('#join-devices summary');
            const cameras = await ann.page.$$eval('#join-camera option', (all) =>
                all.map((option) => option.getAttribute('value') ?? ''));
            assert.ok(cameras.length >= 2, 'the camera is in the list');
            await ann.page.select('#join-camera', cameras[1] ?? '');
            await until('picture of the chosen camera', () => ann.page.$eval('#preview-video',
                (video, id) => {
                    const media = /** @type {HTMLVideoElement} */ (video).srcObject;
                    const track = media instanceof MediaStream ? media.getVideoTracks()[0] : null;
                    return track?.readyState === 'live' && track.getSettings().deviceId === id;
                }, cameras[1] ?? ''));
        });

        test('the camera is let go when it is turned off, and the meeting gets the rest', async () => {
            await ann.page.click('#join-cam');
            await ann.page.waitForSelector('#preview-video[hidden]');
            await ann.sees(/Your camera is off/);
            await ann.fill('#join-username', 'Ann');
            await ann.page.click('#join-button');
            await ann.page.waitForSelector('#meeting:not([hidden])');
            await ann.page.waitForSelector('#control-mic.on');
            assert.ok(await ann.page.$('#control-cam:not(.on)'));
            await ann.leave();
            await ann.page.click('#join-cam');
            await until('the preview again', () => ann.page.$eval('#preview-video', (video) =>
                /** @type {HTMLVideoElement} */ (video).videoWidth > 0));
        });

        test('name, choices and device are remembered; a link may name somebody else', async () => {
            await ann.page.click('#join-mic');
            await open('seminar');
            const value = () => ann.page.$eval('#join-username', (input) =>
                /** @type {HTMLInputElement} */ (input).value);
            assert.equal(await value(), 'Ann');
            assert.equal(await ann.page.$eval('#join-mic', (b) => b.ariaPressed
                ?? b.getAttribute('aria-pressed')), 'false');
            await ann.page.goto(`${server.page('seminar')}?username=Bea`);
            await ann.page.waitForSelector('#join:not([aria-busy])');
            assert.equal(await value(), 'Bea');
            assert.equal(await ann.page.$eval('#join-mic .toggle-label', (e) => e.textContent),
                'Microphone off');
        });

        test('an authentication server refuses, has no opinion, and gives a token', async () => {
            await open('guarded');
            await ann.fill('#join-username', 'mallory');
            await ann.fill('#join-password', 'guess');
            await ann.page.click('#join-button');
            await ann.sees(/That name and password do not fit together/);
            await ann.tryToJoin(server.page('guarded'), {name: 'olga', password: 'op-secret',
                microphone: false, camera: false});
            await ann.page.waitForSelector('#meeting:not([hidden])');
            assert.deepEqual(auth.asked[0], {location: server.page('guarded'),
                username: 'mallory', password: 'guess'});
            await ann.leave();
            await ann.tryToJoin(server.page('guarded'), {name: 'jwt', password: 'whatever',
                microphone: false, camera: false});
            await ann.page.waitForSelector('#meeting:not([hidden])');
            await ann.openPanel('people');
            await ann.sees(/jwt \(you\)/);
            await ann.leave();
            auth.auth.closeAllConnections();
        });

        test('a portal is gone to, but not by who comes from it', async () => {
            await ann.page.goto(server.page('portal'));
            await until('the portal', () => ann.page.url() === `${auth.url}portal?then=here`);
            await ann.sees(/The portal/);
            await ann.page.goto(`${server.page('portal')}?username=Ann&token=stale`);
            await ann.page.waitForSelector('#join:not([aria-busy])');
            await ann.page.click('#join-button');
            await ann.sees(/This invitation is not valid/);
            assert.equal(await ann.page.$eval('#join-portal-link', (a) => a.getAttribute('href')),
                `${auth.url}portal?then=here`);
        });

        test('no page complained', () => {
            assert.deepEqual(ann.problems.filter((problem) => !/403/.test(problem)), []);
        });
    });
}
