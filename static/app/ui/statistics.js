/** The figures of all streams, as they are now. */

/** @import {Session} from '../session.js' */
/** @import {Stream} from '../../protocol.js' */
/** @import {TrackStats} from '../../protocol/types.js' */

import {displayName} from '../logic/names.js';
import {language, text} from '../text/text.js';
import {openDialog} from './dialog.js';
import {h} from './dom.js';

/** How often they are taken, ms. */
const EVERY = 1000;

/** @param {Session} session */
export function openStatistics(session) {
    const rows = h('tbody');
    const heads = /** @type {const} */ (['who', 'kind', 'rate', 'picture', 'loss', 'rtt', 'codec']);
    const dialog = openDialog(text('statistics.title'),
        h('div', {class: 'table-scroll', tabindex: '0', role: 'group',
            'aria-label': text('statistics.title')},
        h('table', {class: 'table', id: 'statistics'},
            h('thead', {}, h('tr', {}, ...heads.map((head) =>
                h('th', {scope: 'col', class: ['rate', 'picture', 'loss', 'rtt'].includes(head) && 'number'},
                    text(`statistics.${head}`))))), rows)),
        h('p', {class: 'note', id: 'statistics-note'}));
    const draw = () => {
        const {up, down} = session.connection;
        for (const stream of Object.values(up)) {
            if (!stream.onstats) {
                stream.onstats = () => {};
                stream.setStatsInterval(EVERY);
            }
        }
        const streams = [...Object.values(up), ...Object.values(down)];
        renew(rows, streams.flatMap((stream) =>
            Object.values(stream.stats).map((stats) => row(stream, stats))));
        const note = dialog.querySelector('#statistics-note');
        const sum = (/** @type {Record<string, Stream>} */ of) => Object.values(of)
            .flatMap((stream) => Object.values(stream.stats)).reduce((all, {rate}) => all + rate, 0);
        if (note) {
            note.textContent = text('statistics.sum',
                {up: kilobits(sum(up)), down: kilobits(sum(down)), n: streams.length});
        }
    };
    draw();
    const timer = setInterval(draw, EVERY);
    dialog.addEventListener('close', () => {
        clearInterval(timer);
        for (const stream of Object.values(session.connection.up)) {
            stream.setStatsInterval(0);
            stream.onstats = null;
        }
    });
}

/**
 * Changes what is different and nothing else: somebody may be reading, or have marked a figure.
 *
 * @param {HTMLElement} rows
 * @param {HTMLElement[]} now
 */
function renew(rows, now) {
    for (const [at, row] of now.entries()) {
        const before = rows.children[at];
        if (!before)
            rows.append(row);
        for (const [cell, was] of [...before?.children ?? []].entries()) {
            const is = row.children[cell];
            if (is && !was.isEqualNode(is))
                was.replaceChildren(...is.childNodes);
        }
    }
    while (rows.children.length > now.length)
        rows.lastElementChild?.remove();
}

/** @param {Stream} stream @param {TrackStats} stats */
function row(stream, stats) {
    const who = stream.up ? text('tile.you') : displayName(stream.username);
    const label = stream.label === 'screenshare' ? text('media.screen')
        : stream.label === 'video' ? text('media.file') : '';
    const {encodings = 0, paused = 0} = stats;
    const picture = stats.width && (paused === 0 || paused < encodings)
        ? `${stats.width} × ${stats.height} · ${Math.round(stats.framesPerSecond ?? 0)} fps` : '–';
    const rest = paused === 0 ? '' : paused === encodings ? text('statistics.paused')
        : text('statistics.somePaused', {n: paused, all: encodings});
    return h('tr', {},
        h('th', {scope: 'row', dir: 'auto'}, label ? `${who} (${label})` : who),
        h('td', {}, text(stats.kind === 'audio' ? 'statistics.audio' : 'statistics.video')),
        h('td', {class: 'number'}, kilobits(stats.rate)),
        h('td', {class: 'number'}, h('span', {dir: 'ltr'}, picture), rest && ` (${rest})`),
        h('td', {class: 'number'}, new Intl.NumberFormat(language(),
            {style: 'percent', maximumFractionDigits: 1}).format(stats.loss ?? 0)),
        h('td', {class: 'number'}, stats.rtt === undefined ? '–' : `${Math.round(stats.rtt * 1000)} ms`),
        h('td', {}, stats.codec ?? '–'));
}

/** @param {number} rate bit/s */
function kilobits(rate) {
    return `${Math.round(rate / 1000)} kbit/s`;
}
