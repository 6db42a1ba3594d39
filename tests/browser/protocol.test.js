/** The library `protocol.js` on its own, used as its documentation says, without the page. */

import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';
import {launch, newPage} from './harness/browsers.js';
import {GROUPS, Server} from './harness/server.js';

/** @import {Browser, Page} from 'puppeteer-core' */

for (const name of /** @type {const} */ (['chromium', 'firefox'])) {
    describe(`the library in ${name}`, {timeout: 1_200_000}, () => {
        /** @type {Server} */
        let server;
        /** @type {Browser} */
        let browser;
        /** @type {Page} */
        let page;

        before(async () => {
            server = await Server.start(GROUPS);
            browser = await launch(name);
            ({page} = await newPage(browser));
            await page.goto(`${server.url}/`);
            await page.evaluate(tools);
        });
        after(async () => {
            await browser?.close();
            await server?.stop();
        });

        test('connect, join, chat in both spellings, leave', async () => {
            const seen = await page.evaluate(async () => {
                const {enter, until} = /** @type {any} */ (window).tools;
                const ann = await enter('lounge', 'Ann');
                // As README.FRONTEND spells it.
                const ben = await enter('lounge', 'Ben', {documented: true});
                await until(() => ann.sc.users[ben.sc.id] && ben.sc.users[ann.sc.id]);
                const names = Object.values(ann.sc.users).map((/** @type {any} */ u) => u.username);
                ann.sc.chat('', '', 'to all');
                await until(() => ben.chats.length === 1);
                ben.sc.chat('Ben', '', ann.sc.id, 'to Ann');
                await until(() => ann.chats.length === 2);
                ben.sc.userAction('setdata', ben.sc.id, {hand: true});
                await until(() => ann.sc.users[ben.sc.id].data.hand);
                ann.sc.userMessage('greeting', ben.sc.id, {deep: [1]});
                await until(() => ben.messages.length === 1);
                ben.sc.close();
                await until(() => !ann.sc.users[ben.sc.id] && ben.closed);
                const late = await enter('lounge', 'Late');
                await until(() => late.chats.length > 0);
                const result = {names: names.sort(), ann: ann.chats, ben: ben.chats,
                    late: late.chats, message: ben.messages[0],
                    present: ann.sc.permissions.includes('present'), version: ann.sc.version};
                ann.sc.close();
                late.sc.close();
                return result;
            });
            assert.deepEqual(seen.names, ['Ann', 'Ben']);
            assert.deepEqual(seen.ann.map((/** @type {any} */ c) => c.message), ['to all', 'to Ann']);
            assert.deepEqual(seen.ben.map((/** @type {any} */ c) => c.message), ['to all']);
            assert.deepEqual(seen.late.map((/** @type {any} */ c) => [c.message, c.history]),
                [['to all', true]]);
            assert.equal(seen.message.kind, 'greeting');
            assert.deepEqual(seen.message.message, {deep: [1]});
            assert.ok(seen.present);
            assert.equal(seen.version, '2');
        });

        test('a refused join says why, by text', async () => {
            const fail = await page.evaluate(async () => {
                const {enter} = /** @type {any} */ (window).tools;
                const who = await enter('lounge', 'olga', {password: 'guess'});
                who.sc.close();
                return who.joined;
            });
            assert.deepEqual([fail.kind, fail.message], ['fail', 'not authorised']);
        });

        test('an operator locks the group and clears the chat; others may not', async () => {
            const seen = await page.evaluate(async () => {
                const {enter, until} = /** @type {any} */ (window).tools;
                const op = await enter('seminar', 'olga', {password: 'op-secret'});
                const ann = await enter('seminar', 'Ann');
                ann.sc.groupAction('lock');
                await until(() => ann.messages.some((/** @type {any} */ m) => m.kind === 'error'));
                op.sc.groupAction('lock');
                await until(() => ann.status.locked);
                ann.sc.chat('', '', 'oops');
                await until(() => op.chats.length === 1);
                op.sc.groupAction('clearchat', {userId: ann.sc.id});
                await until(() => ann.cleared.length === 1);
                op.sc.userAction('kick', ann.sc.id, 'bye');
                await until(() => ann.closed);
                op.sc.close();
                return {cleared: ann.cleared[0], kicked: ann.messages.at(-1), id: ann.sc.id};
            });
            assert.deepEqual(seen.cleared, {userId: seen.id});
            assert.equal(seen.kicked.kind, 'kicked');
            assert.equal(seen.kicked.message, 'bye');
            assert.equal(seen.kicked.username, 'olga');
        });

        test('streams: received, measured, restarted, replaced, refused', async () => {
            const seen = await page.evaluate(async () => {
                const {enter, until, publish} = /** @type {any} */ (window).tools;
                const ann = await enter('lounge', 'Ann');
                const ben = await enter('lounge', 'Ben');
                ben.sc.request({'': ['audio', 'video']});
                const first = publish(ann.sc, 'camera');
                await until(() => ben.streams.length === 1 && ben.streams[0].tracks.length > 0);
                const down = ben.streams[0];
                await until(() => ['connected', 'completed'].includes(down.statuses.at(-1)));
                down.stream.setStatsInterval(200);
                first.setStatsInterval(200);
                const rate = (/** @type {any} */ stream) =>
                    Object.values(stream.stats).some((/** @type {any} */ s) => s.rate > 0);
                await until(() => rate(down.stream) && rate(first));

                first.restartIce();
                const restarted = first.pc.localDescription.sdp;
                await until(() => first.pc.signalingState === 'stable'
                    && first.pc.localDescription.sdp !== restarted
                    && ['connected', 'completed'].includes(first.pc.iceConnectionState));

                const second = publish(ann.sc, 'camera', first.localId);
                await until(() => ben.streams.length === 2);
                const replaced = {
                    up: second.localId === first.localId && second.id !== first.id,
                    down: ben.streams[1].stream.localId === down.stream.localId,
                    closed: down.closed, label: ben.streams[1].stream.label,
                    username: ben.streams[1].stream.username,
                    streams: Object.keys(ben.sc.down).length,
                };
                const next = ben.streams[1];
                await until(() => ['connected', 'completed'].includes(next.statuses.at(-1)));
                next.stream.abort();
                await until(() => next.closed);
                const aborted = next.closed;
                second.close();
                ann.sc.close();
                ben.sc.close();
                return {replaced, aborted};
            });
            assert.deepEqual(seen.replaced, {up: true, down: true, closed: {replace: true},
                label: 'camera', username: 'Ann', streams: 1});
            assert.deepEqual(seen.aborted, {replace: false});
        });

        test('a lost connection is found again, with the streams that were sent', async () => {
            const seen = await page.evaluate(async () => {
                const {enter, until, publish} = /** @type {any} */ (window).tools;
                const ann = await enter('lounge', 'Ann', {reconnect: true});
                const ben = await enter('lounge', 'Ben', {reconnect: true});
                ben.sc.request({'': ['audio', 'video']});
                ann.sc.userAction('setdata', ann.sc.id, {raisehand: true});
                const sent = publish(ann.sc, 'camera');
                await until(() => ben.streams.length === 1);
                const {localId} = sent;
                const before = {id: ann.sc.id, stream: sent.id};
                /** @type {any[]} */
                const told = [];
                ann.sc.onreconnecting = (/** @type {number} */ attempt) => told.push(attempt);
                ann.sc.onreconnected = () => told.push('back');
                ann.sc.socket.close(4001, 'as if the network broke');
                await until(() => told.includes('back'));
                await until(() => ben.streams.length === 2
                    && ['connected', 'completed'].includes(ben.streams[1].statuses.at(-1)));
                const after = {told, closed: ann.closed, closedAtBen: ben.streams[0].closed,
                    id: ann.sc.id !== before.id, stream: sent.id !== before.stream,
                    same: ann.sc.findByLocalId(localId) === sent,
                    hand: ben.sc.users[ann.sc.id].data.raisehand,
                    people: Object.keys(ben.sc.users).length};
                // Ben comes back as well, and is sent what is there.
                ben.sc.onjoined = () => ben.sc.request({'': ['audio', 'video']});
                ben.sc.socket.close(4001);
                await until(() => ben.streams.length === 3 && ben.streams[2].tracks.length > 0);
                ann.sc.close();
                ben.sc.close();
                await until(() => ann.closed && ben.closed);
                return after;
            });
            assert.deepEqual(seen, {told: [1, 'back'], closed: null, closedAtBen: {replace: false},
                id: true, stream: true, same: true, hand: true, people: 2});
        });

        test('when the network changes, another path is looked for', async () => {
            const offers = await page.evaluate(async () => {
                const {enter, until, publish} = /** @type {any} */ (window).tools;
                const ann = await enter('lounge', 'Ann');
                const stream = publish(ann.sc, 'camera');
                await until(() => ['connected', 'completed'].includes(stream.pc.iceConnectionState));
                const ufrag = () => /ice-ufrag:(\S+)/.exec(stream.pc.localDescription.sdp)?.[1];
                const before = ufrag();
                window.dispatchEvent(new Event('online'));
                await until(() => ufrag() !== before && stream.pc.signalingState === 'stable');
                ann.sc.close();
                return [before, ufrag()];
            });
            assert.notEqual(offers[0], offers[1]);
        });

        test('files: sent, streamed to a sink, refused and cancelled', async () => {
            const seen = await page.evaluate(async () => {
                const {enter, until} = /** @type {any} */ (window).tools;
                const ann = await enter('lounge', 'Ann');
                const ben = await enter('lounge', 'Ben');
                await until(() => ann.sc.users[ben.sc.id]);
                /** @type {any} */
                const got = {};
                const watch = (/** @type {any} */ who, /** @type {string} */ name) =>
                    who.sc.onfiletransfer = (/** @type {any} */ transfer) => {
                        const seen = got[name] = {transfer, states: ['' ], data: null};
                        transfer.onevent = (/** @type {any} */ state, /** @type {any} */ data) => {
                            if (seen.states.at(-1) !== state)
                                seen.states.push(state);
                            if (state === 'done')
                                seen.data = data;
                        };
                    };
                watch(ann, 'up');
                watch(ben, 'down');
                const bytes = new Uint8Array(3_000_001).map((_, at) => at * 31 >> 3);
                const file = new File([bytes], '../a/b.bin', {type: 'application/x-test'});
                ann.sc.sendFile(ben.sc.id, file);
                await until(() => got.down);
                const {name, size, mimetype, up, username} = got.down.transfer;
                await got.down.transfer.receive();
                await until(() => got.down.states.includes('closed')
                    && got.up.states.includes('closed'));
                const copy = new Uint8Array(await got.down.data.arrayBuffer());
                const equal = copy.length === bytes.length && copy.every((b, at) => b === bytes[at]);
                const first = {name, size, mimetype, up, username, equal, data: got.up.data ?? null,
                    upStates: got.up.states, downStates: got.down.states};

                // To a sink, which is closed at the end.
                delete got.down;
                let written = 0;
                let closed = false;
                ann.sc.sendFile(ben.sc.id, file);
                await until(() => got.down);
                await got.down.transfer.receive(new WritableStream({
                    write: (/** @type {Uint8Array} */ chunk) => void (written += chunk.length),
                    close: () => void (closed = true),
                }));
                await until(() => got.down.states.includes('closed'));
                const sunk = {written, closed};

                // Refused, and cancelled half-way by the sender.
                delete got.down;
                ann.sc.sendFile(ben.sc.id, file);
                await until(() => got.down);
                got.down.transfer.cancel('no thanks');
                await until(() => got.up.states.includes('closed'));
                const refused = {states: got.up.states, error: got.up.transfer.error};
                delete got.down;
                let aborted = false;
                ann.sc.sendFile(ben.sc.id, new File([new Uint8Array(200_000_000)], 'large'));
                await until(() => got.down);
                await got.down.transfer.receive(new WritableStream({abort: () => void (aborted = true)}));
                await until(() => got.down.transfer.datalen > 100_000);
                got.up.transfer.cancel();
                await until(() => got.down.states.includes('closed') && aborted);
                const cancelled = {states: got.down.states, left: Object.keys(ann.sc.transferredFiles).length
                    + Object.keys(ben.sc.transferredFiles).length};
                ann.sc.close();
                ben.sc.close();
                return {first, sunk, refused, cancelled};
            });
            assert.deepEqual(seen.first, {name: '.._a_b.bin', size: 3_000_001,
                mimetype: 'application/x-test', up: false, username: 'Ann', equal: true, data: null,
                upStates: ['', 'inviting', 'connecting', 'connected', 'done', 'closed'],
                downStates: ['', 'connecting', 'connected', 'done', 'closed']});
            assert.deepEqual(seen.sunk, {written: 3_000_001, closed: true});
            assert.deepEqual(seen.refused, {states: ['', 'inviting', 'cancelled', 'closed'],
                error: 'no thanks'});
            assert.deepEqual(seen.cancelled.states.slice(-2), ['cancelled', 'closed']);
            assert.equal(seen.cancelled.left, 0);
        });

        test('simulcast: the small picture for who asks for it', async () => {
            const seen = await page.evaluate(async () => {
                const {enter, until, publish} = /** @type {any} */ (window).tools;
                const ann = await enter('lounge', 'Ann');
                const ben = await enter('lounge', 'Ben');
                const stream = publish(ann.sc, 'camera', undefined, {simulcast: true, maxBitrate: 600_000});
                const rids = stream.pc.getSenders()[0].getParameters().encodings
                    .map((/** @type {any} */ e) => e.rid);
                ben.sc.request({'': ['audio', 'video']});
                await until(() => ben.streams.length === 1 && ben.streams[0].tracks.length > 0);
                const video = document.createElement('video');
                video.muted = true;
                video.srcObject = ben.streams[0].stream.stream;
                document.body.append(video);
                await video.play();
                await until(() => video.videoWidth > 0);
                await stream.setMaxBitrate(300_000);
                const bounded = stream.pc.getSenders()[0].getParameters().encodings[0].maxBitrate;
                video.remove();
                ann.sc.close();
                ben.sc.close();
                return {rids, bounded};
            });
            assert.deepEqual(seen.rids, ['h', 'm', 'l']);
            assert.equal(seen.bounded, 300_000);
        });

        test('the example client joins, shows and chats', async () => {
            await page.goto(`${server.url}/example/`);
            await page.$eval('[name=group]', (i) => /** @type {any} */ (i).value = 'lounge');
            await page.type('[name=username]', 'Eve');
            await page.click('#join button');
            await page.waitForFunction(() => document.querySelector('#state')?.textContent === 'In The Lounge as Eve.');
            await page.waitForSelector('video');
            await page.type('[name=message]', 'Hi <i>there</i>');
            await page.click('#say button');
            await page.waitForFunction(() => document.querySelector('#chat')?.textContent?.includes('Eve: Hi <i>there</i>'));
            await page.goto(`${server.url}/`);
            await page.evaluate(tools);
        });

        test('a stream that is not allowed is aborted', async () => {
            const seen = await page.evaluate(async () => {
                const {enter, until, publish} = /** @type {any} */ (window).tools;
                const walter = await enter('lounge', 'walter', {password: 'walter-secret'});
                const stream = publish(walter.sc, 'camera');
                let aborted = false;
                stream.onabort = () => aborted = true;
                await until(() => aborted && stream.isClosed);
                await until(() => walter.messages.length > 0);
                walter.sc.close();
                return {up: Object.keys(walter.sc.up).length, message: walter.messages[0]};
            });
            assert.equal(seen.up, 0);
            assert.equal(seen.message.kind, 'error');
        });
    });
}

/** Runs in the page: what the tests need of it, in `window.tools`. */
function tools() {
    /** @param {() => any} ask */
    async function until(ask) {
        const end = performance.now() + 60_000;
        while (!ask()) {
            if (performance.now() > end)
                throw new Error(`not in time: ${ask}`);
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
    }

    /**
     * Joins as README.FRONTEND shows it, and keeps what the callbacks are told.
     *
     * @param {string} group
     * @param {string} username
     * @param {{password?: string, documented?: boolean, reconnect?: boolean}} [how]
     */
    async function enter(group, username, {password = '', documented = false, reconnect = false} = {}) {
        const path = '/protocol.js';
        const {ServerConnection} = await import(path);
        const status = await (await fetch(`/group/${group}/.status`)).json();
        const sc = new ServerConnection();
        /** @type {any} */
        const who = {sc, chats: [], messages: [], cleared: [], streams: [], status: null,
            joined: null, closed: null};
        sc.onconnected = function() {
            if (documented)
                this.join(group, 'join', username, password);
            else
                this.join(group, username, {type: 'password', password});
        };
        sc.onjoined = (/** @type {any[]} */ ...args) => {
            const [kind, , permissions, now, , error, message] = args;
            who.joined = {kind, permissions, error, message};
            who.status = now;
        };
        sc.onchat = (/** @type {any[]} */ ...args) => who.chats.push({username: args[3],
            history: args[6], message: args[8]});
        sc.onusermessage = (/** @type {any[]} */ ...args) => who.messages.push(
            {username: args[2], kind: args[5], message: args[7]});
        sc.onclearchat = (/** @type {any} */ id, /** @type {any} */ userId) =>
            who.cleared.push({...id && {id}, ...userId && {userId}});
        sc.onclose = (/** @type {any} */ code, /** @type {any} */ reason) =>
            who.closed = {code, reason};
        sc.ondownstream = (/** @type {any} */ stream) => {
            /** @type {any} */
            const down = {stream, tracks: [], statuses: [], closed: null};
            who.streams.push(down);
            stream.ondowntrack = (/** @type {any} */ track) => down.tracks.push(track.kind);
            stream.onstatus = (/** @type {any} */ now) => down.statuses.push(now);
            stream.onclose = (/** @type {any} */ replace) => down.closed = {replace};
        };
        sc.reconnect = reconnect;
        sc.connect(status.endpoint);
        await until(() => who.joined);
        return who;
    }

    /** @param {any} sc @param {string} label @param {string} [localId] @param {any} [how] */
    function publish(sc, label, localId, how) {
        const canvas = document.createElement('canvas');
        const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
        let frame = 0;
        setInterval(() => {
            context.fillStyle = `hsl(${frame++ * 7 % 360} 80% 50%)`;
            context.fillRect(0, 0, canvas.width, canvas.height);
        }, 60);
        const stream = sc.newUpStream(localId);
        stream.label = label;
        if (how) {
            canvas.width = 1280;
            canvas.height = 720;
        }
        for (const track of canvas.captureStream(15).getTracks()) {
            if (how)
                stream.addTrack(track, how);
            else
                stream.pc.addTrack(track, stream.stream);
        }
        return stream;
    }

    /** @type {any} */ (window).tools = {until, enter, publish};
}
