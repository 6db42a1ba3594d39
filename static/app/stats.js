/** Who is where and what flows, for administrators: the figures of the server's API. */

import {figuresOf} from './logic/serverstats.js';
import {countText, language, text} from './text/text.js';
import {byId, h} from './ui/dom.js';
import {dress} from './ui/language.js';

/** @import {GroupFigures} from './logic/serverstats.js' */

/** How often they are asked for, ms. */
const EVERY = 2_000;

async function refresh() {
    const note = byId('stats-note', HTMLElement);
    try {
        // The browser asks for the administrator's name and password.
        const response = await fetch('/galene-api/v0/.stats', {cache: 'no-store'});
        if (response.status === 401 || response.status === 403) {
            note.textContent = text('stats.denied');
            return;
        }
        if (!response.ok)
            throw new Error(`${response.status} ${response.statusText}`);
        const groups = (await response.json() ?? []).map(figuresOf);
        byId('stats-groups', HTMLElement).replaceChildren(...groups.map(card));
        note.textContent = groups.length > 0 ? '' : text('stats.none');
    } catch (error) {
        note.textContent = text('stats.failed',
            {message: error instanceof Error ? error.message : String(error)});
    }
    note.hidden = !note.textContent;
    setTimeout(() => void refresh(), EVERY);
}

/** @param {GroupFigures} group */
function card({name, clients}) {
    const percent = new Intl.NumberFormat(language(), {style: 'percent', maximumFractionDigits: 1});
    const rows = clients.map((client) => h('tr', {},
        h('th', {scope: 'row', dir: 'ltr'}, client.id.slice(0, 12)),
        ...[client.up, client.down].flatMap(({streams, bitrate, loss}) => [
            h('td', {class: 'number'}, String(streams)),
            h('td', {class: 'number'}, `${Math.round(bitrate / 1000)} kbit/s`),
            h('td', {class: 'number'}, percent.format(loss)),
        ])));
    const heads = ['stats.client', 'stats.up', 'statistics.rate', 'statistics.loss',
        'stats.down', 'statistics.rate', 'statistics.loss'];
    return h('article', {class: 'stats-group'},
        h('h2', {dir: 'auto'}, name),
        h('p', {class: 'note'}, countText(clients.length)),
        clients.length > 0 && h('div', {class: 'table-scroll', tabindex: '0', role: 'group', 'aria-label': name},
            h('table', {class: 'table'},
                h('thead', {}, h('tr', {}, ...heads.map((key, at) => h('th',
                    {scope: 'col', class: at > 0 && 'number'},
                    text(/** @type {import('./text/text.js').TextKey} */ (key)))))),
                h('tbody', {}, ...rows))));
}

void dress().then(refresh);
