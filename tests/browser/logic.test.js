/** The logic of the page, without a page. */

import assert from 'node:assert/strict';
import {readFile, readdir} from 'node:fs/promises';
import {join} from 'node:path';
import {describe, test} from 'node:test';
import {ChatLog} from '../../static/app/logic/chatlog.js';
import {readLine} from '../../static/app/logic/command.js';
import {divideStage, fitGrid} from '../../static/app/logic/grid.js';
import {splitLinks} from '../../static/app/logic/links.js';
import {groupFrom, groupPath, initials} from '../../static/app/logic/names.js';
import {asParameter, complete, findUser, firstParameter} from '../../static/app/logic/commands.js';
import {parseExpiry} from '../../static/app/logic/expiry.js';
import {markup} from '../../static/app/logic/markup.js';
import {actionsFor, sortPeople} from '../../static/app/logic/people.js';
import {sane} from '../../static/app/logic/preferences.js';
import {ending, passes, refusal} from '../../static/app/logic/refusal.js';
import {divide, placeTiles} from '../../static/app/logic/stage.js';
import {LANGUAGES, pickLanguage} from '../../static/app/text/text.js';
import {Wait} from '../../static/protocol/patience.js';
import {ROOT} from './harness/server.js';

describe('the grid', () => {
    test('tiles never leave the box, and use most of it', () => {
        for (const [width, height] of /** @type {[number, number][]} */ (
            [[1280, 640], [390, 680], [820, 1000], [700, 300]])) {
            for (let n = 1; n <= 60; n++) {
                const {columns, rows, width: w, height: h} = fitGrid(n, width, height, 10);
                assert.ok(columns * rows >= n);
                assert.ok(w > 0 && columns * w + (columns - 1) * 10 <= width, `${n} in ${width}`);
                assert.ok(h > 0 && rows * h + (rows - 1) * 10 <= height, `${n} in ${height}`);
                assert.ok(n * w * h > 0.3 * width * height, `${n} of ${w}×${h} waste ${width}×${height}`);
            }
        }
    });

    test('two are side by side on a desktop, one over the other on a phone', () => {
        assert.equal(fitGrid(2, 1280, 640, 10).columns, 2);
        assert.equal(fitGrid(2, 380, 700, 10).columns, 1);
    });

    test('a shared screen has most of the stage', () => {
        for (const [width, height] of /** @type {[number, number][]} */ ([[1280, 640], [380, 700]])) {
            const {main, rest} = divideStage(width, height, 10, true, true);
            assert.ok(main.width * main.height > 2 * rest.width * rest.height);
        }
    });
});

describe('what is typed', () => {
    test('a slash begins a command, never a message', () => {
        assert.deepEqual(readLine('hello'), {kind: 'say', message: 'hello'});
        assert.deepEqual(readLine('/me waves'), {kind: 'command', name: 'me', rest: 'waves'});
        assert.deepEqual(readLine('//path'), {kind: 'say', message: '/path'});
        assert.deepEqual(readLine('/kick bob'), {kind: 'command', name: 'kick', rest: 'bob'});
        assert.deepEqual(readLine('/'), {kind: 'command', name: '', rest: ''});
        assert.deepEqual(readLine(' \n'), {kind: 'nothing'});
        assert.deepEqual(readLine('two\nlines\n'), {kind: 'say', message: 'two\nlines'});
    });

    test('the name of a group may be a link', () => {
        assert.equal(groupFrom(' lounge/ '), 'lounge');
        assert.equal(groupFrom('https://x.example/group/a%20b/c/?token=t'), 'a b/c');
        assert.equal(groupPath('a b/ü?'), '/group/a%20b/%C3%BC%3F/');
    });
});

test('links end before the punctuation around them', () => {
    const links = (/** @type {string} */ message) =>
        splitLinks(message).filter(({link}) => link).map((piece) => piece.text);
    assert.deepEqual(links('See https://a.example/x?y=1#z, (http://b.example).'),
        ['https://a.example/x?y=1#z', 'http://b.example']);
    assert.deepEqual(links('javascript:alert(1) data:text/html,x'), []);
    const message = 'a https://x.example/ b';
    assert.equal(splitLinks(message).map((piece) => piece.text).join(''), message);
});

test('initials', () => {
    assert.equal(initials('Ada Lovelace'), 'AL');
    assert.equal(initials('ada'), 'A');
    assert.equal(initials('Ångström, Anders J.'), 'ÅJ');
    assert.equal(initials('😀'), '?');
});

describe('people', () => {
    test('only operators act on others, nobody on themselves', () => {
        assert.deepEqual(actionsFor(['present', 'message'], ['op'], false), ['message', 'file']);
        assert.deepEqual(actionsFor([], ['present'], false), []);
        assert.deepEqual(actionsFor(['op', 'message'], [], true), []);
        const actions = actionsFor(['op', 'message'], ['present'], false);
        assert.ok(actions.includes('kick') && actions.includes('unpresent')
            && !actions.includes('present'));
    });

    test('one is first oneself, then come operators', () => {
        const user = (/** @type {string} */ username, /** @type {string[]} */ ...permissions) =>
            ({username, permissions, data: {}, streams: {}});
        const users = {a: user('Zoe'), b: user('adam'), c: user('Otto', 'op'), d: user('Me')};
        assert.deepEqual(sortPeople(users, 'd').map(([id]) => id), ['d', 'c', 'b', 'a']);
    });
});

describe('chat', () => {
    /** @param {Partial<import('../../static/app/logic/chatlog.js').ChatMessage>} some */
    const message = (some) => ({id: '', source: 'a', dest: '', username: 'Ann', time: new Date(0),
        privileged: false, history: false, kind: /** @type {''} */ (''), message: 'x', ...some});

    test('what belongs together is joined, what is private is not', () => {
        const log = new ChatLog();
        log.add(message({}));
        assert.equal(log.add(message({time: new Date(60_000)}))?.joined, true);
        assert.equal(log.add(message({time: new Date(61_000), dest: 'b'}))?.joined, false);
        assert.equal(log.add(message({source: 'b', username: 'Ben'}))?.joined, false);
    });

    test('history that is sent again is not shown twice', () => {
        const log = new ChatLog();
        log.add(message({id: '1'}));
        assert.equal(log.add(message({id: '1', history: true})), null);
    });

    test('all, one user, or one message is cleared', () => {
        const fill = () => {
            const log = new ChatLog();
            log.add(message({id: '1'}));
            log.add(message({id: '2'}));
            log.add(message({id: '3', source: 'b'}));
            return log;
        };
        const left = (/** @type {ChatLog} */ log) => log.messages.map(({id}) => id).join('');
        const one = fill();
        one.clear('1', 'a');
        assert.equal(left(one), '23');
        const user = fill();
        user.clear(undefined, 'a');
        assert.equal(left(user), '3');
        const all = fill();
        all.clear(undefined, undefined);
        assert.equal(left(all), '');
    });
});

describe('refusals', () => {
    test('each that the server knows is explained, and points at its field', () => {
        /** @type {[string, string, RegExp, string | null][]} */
        const cases = [
            ['', 'not authorised', /name and password/, 'password'],
            ['', 'group does not exist', /does not exist/, null],
            ['', 'illegal group name', /address/, null],
            ['', 'too many users', /full/, null],
            ['', 'this group is locked', /locked/, null],
            ['', 'this group is not open yet', /not begun/, null],
            ['', 'this group is closed', /over/, null],
            ['', 'there are no operators in this group', /host/, null],
            ['need-username', 'username required', /Enter your name/, 'username'],
            ['duplicate-username', 'not authorised: this username is taken', /another/, 'username'],
            ['', 'back at noon', /back at noon/, null],
        ];
        for (const [code, words, expected, field] of cases) {
            const {message, field: where} = refusal(code, words, false);
            assert.match(message, expected);
            assert.equal(where, field, words);
        }
        assert.match(refusal('', 'not authorised', true).message, /invitation/);
    });

    test('the end of a meeting is explained', () => {
        assert.match(ending({who: 'Olga', message: 'too loud'}, 1000, '', true), /Olga.*too loud/);
        assert.doesNotMatch(ending({who: 'Olga', message: 'you have been kicked out'}, 1000, '', true),
            /kicked/);
        assert.match(ending({who: '', message: 'server is shutting down'}, 1000, '', true), /shutting/);
        assert.match(ending(null, 1006, '', true), /lost/);
        assert.match(ending(null, 1006, '', false), /does not answer/);
        assert.match(ending(null, 1002, 'unexpected message', true), /unexpected message/);
    });
});

describe('the stage', () => {
    const tile = (/** @type {string} */ key, /** @type {object} */ more = {}) =>
        ({key, own: key === 'me', large: false, pinned: false, spoke: 0, ...more});
    const faces = [tile('a'), tile('b', {spoke: 5}), tile('me')];
    const keys = (/** @type {{key: string}[]} */ tiles) => tiles.map(({key}) => key).join('');

    test('large is what is pinned, else what is to be read, else who speaks', () => {
        assert.equal(keys(divide(faces, 'grid', 'b').large), 'abme');
        assert.equal(keys(divide(faces, 'speaker', 'b').large), 'b');
        assert.equal(keys(divide(faces, 'speaker', null).large), 'a');
        const screen = [...faces, tile('s', {large: true})];
        assert.equal(keys(divide(screen, 'speaker', 'b').large), 's');
        assert.equal(keys(divide(screen, 'grid', 'b').rest), 'abme');
        assert.equal(keys(divide([...screen, tile('p', {pinned: true})], 'grid', null).large), 'p');
    });

    test('tiles do not overlap, and none is too small to see', () => {
        for (const [width, height] of /** @type {[number, number][]} */ ([[1280, 640], [380, 700]])) {
            for (const layout of /** @type {const} */ (['grid', 'speaker'])) {
                const tiles = Array.from({length: 60}, (_, at) => tile(`t${at}`, {spoke: at}));
                const {places, hidden} = placeTiles(tiles, {width, height, gap: 10, layout, speaker: 't3'});
                assert.equal(places.size + hidden, 60);
                const all = [...places.values()];
                for (const [at, one] of all.entries()) {
                    assert.ok(one.width >= 84 && one.x >= 0 && one.y >= 0
                        && one.x + one.width <= width + 1 && one.y + one.height <= height + 1);
                    assert.ok(all.slice(at + 1).every((two) => one.x + one.width <= two.x
                        || two.x + two.width <= one.x || one.y + one.height <= two.y
                        || two.y + two.height <= one.y));
                }
                if (hidden)
                    assert.ok(places.has('t59'), 'who spoke last is not the one who is left out');
            }
        }
    });
});

describe('commands', () => {
    const users = {1: {username: 'Ann Lee'}, 2: {username: 'Anna'}, 3: {username: 'Bob'}};

    test('names may be quoted, or begun', () => {
        assert.deepEqual(firstParameter('"Ann Lee" hi there'), ['Ann Lee', 'hi there']);
        assert.deepEqual(firstParameter('bob hi'), ['bob', 'hi']);
        assert.equal(asParameter('Ann Lee'), '"Ann Lee"');
        assert.equal(findUser(users, 'Ann Lee'), '1');
        assert.equal(findUser(users, 'bo'), '3');
        assert.equal(findUser(users, 'ann'), null, 'two begin so');
        assert.equal(findUser(users, ''), null);
    });

    test('are completed, as far as one may use them', () => {
        const values = (/** @type {string} */ line, /** @type {string[]} */ permissions) =>
            complete(line, permissions, ['Ann Lee', 'Anna']).map(({value}) => value);
        assert.deepEqual(values('/ki', ['message']), []);
        assert.deepEqual(values('/ki', ['op']), ['/kick ']);
        assert.deepEqual(values('/kick an', ['op']), ['/kick "Ann Lee" ', '/kick Anna ']);
        assert.deepEqual(values('/kick "Ann L', ['op']), ['/kick "Ann Lee" ']);
        assert.deepEqual(values('/me an', ['message']), []);
        assert.deepEqual(values('hello', ['message']), []);
    });

    test('times from now', () => {
        const now = new Date('2026-01-01T00:00:00Z');
        assert.equal(parseExpiry('2h', now)?.toISOString(), '2026-01-01T02:00:00.000Z');
        assert.equal(parseExpiry('1d', now)?.toISOString(), '2026-01-02T00:00:00.000Z');
        assert.equal(parseExpiry('2026-03-01', now)?.getUTCMonth(), 2);
        assert.equal(parseExpiry('soon', now), null);
        assert.equal(parseExpiry('12', now), null);
    });
});

test('code in messages', () => {
    const kinds = (/** @type {string} */ message) =>
        markup(message).map(({kind, text}) => `${kind}:${text}`);
    assert.deepEqual(kinds('a `b` c'), ['text:a ', 'code:b', 'text: c']);
    assert.deepEqual(kinds('a\n```js\nlet x;\ny\n```\nb'), ['text:a', 'block:let x;\ny', 'text:b']);
    assert.deepEqual(kinds('`https://a.example/`'), ['code:https://a.example/']);
    assert.deepEqual(kinds('``` `'), ['text:``` `']);
});

test('settings that another version wrote are taken as far as they make sense', () => {
    assert.deepEqual(sane({layout: 'speaker', send: 'enormous', mirror: 'yes', hideSelf: true, x: 1}),
        {layout: 'speaker', hideSelf: true});
    assert.deepEqual(sane(null), {});
    assert.deepEqual(sane('nonsense'), {});
});

test('a seat that our lost self still has is waited for', () => {
    assert.ok(passes('duplicate-username', '') && passes('', 'too many users'));
    assert.ok(!passes('', 'not authorised'));
});

describe('languages', async () => {
    const {en} = await import('../../static/app/text/en.js');
    const holes = (/** @type {string} */ words) => (words.match(/\{[\w-]+\}/g) ?? []).sort();

    for (const language of Object.keys(LANGUAGES)) {
        test(`${language} has every text, with the same places to fill in`, async () => {
            const table = (await import(`../../static/app/text/${language}.js`))[language];
            assert.deepEqual(Object.keys(table).sort(), Object.keys(en).sort());
            for (const [key, words] of Object.entries(en)) {
                assert.deepEqual(holes(table[key]), holes(words), key);
                assert.equal(table[key] === '', words === '', `${key} is empty`);
            }
        });
    }

    test('the choice wins, then the browser, then English', () => {
        assert.equal(pickLanguage('de', ['fr']), 'de');
        assert.equal(pickLanguage('', ['tlh', 'fr-CA', 'de']), 'fr');
        assert.equal(pickLanguage('', ['tlh']), 'en');
    });

    test('pages say the same as the table, and nothing besides', async () => {
        const folder = join(ROOT, 'static');
        for (const file of (await readdir(folder)).filter((name) => name.endsWith('.html'))) {
            const page = await readFile(join(folder, file), 'utf8');
            for (const [, key, words] of page.matchAll(/data-text="([^"]+)"[^>]*>([^<]*)</g))
                assert.equal(words, /** @type {any} */ (en)[key ?? ''], `${key} in ${file}`);
            for (const [, key, words] of page.matchAll(/data-label="([^"]+)" aria-label="([^"]*)"/g))
                assert.equal(words, /** @type {any} */ (en)[key ?? ''], `${key} in ${file}`);
            assert.doesNotMatch(page, /\son\w+=|<style|style=|<script(?! type="module" src=)/,
                `nothing inline in ${file}`);
        }
    });
});

describe('how long sound waits', () => {
    /**
     * Looks once a second.
     *
     * @param {Wait} wait
     * @param {any} stats What was counted so far: grows.
     * @param {{seconds: number, madeUp: number, lost: number}} how The share that is made up, and
     *     packets lost a second.
     */
    function look(wait, stats, {seconds, madeUp, lost}) {
        for (let second = 0; second < seconds; second++) {
            stats.totalSamplesReceived += 48_000;
            stats.concealedSamples += madeUp * 48_000;
            stats.packetsLost += lost;
            stats.jitterBufferEmittedCount += 48_000;
            stats.jitterBufferMinimumDelay += 48_000 * 0.06;
            wait.look({...stats});
        }
        return wait.asked;
    }
    const none = () => ({totalSamplesReceived: 0, concealedSamples: 0, packetsLost: 0,
        jitterBufferEmittedCount: 0, jitterBufferMinimumDelay: 0});

    test('longer while some is lost and made up, and then as the browser likes', () => {
        const [wait, stats] = [new Wait(), none()];
        assert.equal(look(wait, stats, {seconds: 30, madeUp: 0, lost: 0}), 0);
        const asked = look(wait, stats, {seconds: 3, madeUp: 0.1, lost: 5});
        assert.ok(asked > 120, `${asked} ms`);
        // It helps: what is lost is not missed any more.
        assert.ok(look(wait, stats, {seconds: 30, madeUp: 0, lost: 5}) > asked - 40);
        assert.ok(look(wait, stats, {seconds: 100, madeUp: 0.1, lost: 5}) <= 310, 'not for ever');
        assert.equal(look(wait, stats, {seconds: 120, madeUp: 0, lost: 0}), 0);
    });

    test('longer gaps are worth a longer wait than many short ones', () => {
        const most = (/** @type {number} */ madeUp) => look(new Wait(), none(), {seconds: 60, madeUp, lost: 5});
        assert.ok(most(0.03) <= 240, `${most(0.03)} ms`);
        assert.ok(most(0.1) > 240 && most(0.1) <= 300, `${most(0.1)} ms`);
    });

    test('not where nothing is lost, where it is little, or where nothing is known', () => {
        assert.equal(look(new Wait(), none(), {seconds: 60, madeUp: 0.05, lost: 0}), 0);
        assert.equal(look(new Wait(), none(), {seconds: 60, madeUp: 0.004, lost: 1}), 0);
        const wait = new Wait();
        for (let at = 0; at < 10; at++)
            assert.equal(wait.look({}), false);
    });
});
