/** The logic of the page, without a page. */

import assert from 'node:assert/strict';
import {describe, test} from 'node:test';
import {ChatLog} from '../../static/app/logic/chatlog.js';
import {readLine} from '../../static/app/logic/command.js';
import {divideStage, fitGrid} from '../../static/app/logic/grid.js';
import {splitLinks} from '../../static/app/logic/links.js';
import {groupFrom, groupPath, initials} from '../../static/app/logic/names.js';
import {actionsFor, sortPeople} from '../../static/app/logic/people.js';
import {ending, refusal} from '../../static/app/logic/refusal.js';

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
