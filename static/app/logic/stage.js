/** Who is shown where: the large pictures, and the strip of small ones. */

import {divideStage, fitGrid} from './grid.js';

/**
 * @typedef {object} Shown What the layout must know of a tile.
 * @property {string} key
 * @property {boolean} own
 * @property {boolean} large It is a screen or a film: wants to be read.
 * @property {boolean} pinned
 * @property {number} spoke When it spoke last, ms; 0 for never.
 *
 * @typedef {{x: number, y: number, width: number, height: number}} Place
 */

/** No tile is narrower than this, px: what does not fit is counted instead. */
const SMALLEST = 84;

/**
 * Divides tiles into large ones and the rest.
 *
 * @param {Shown[]} tiles
 * @param {'grid' | 'speaker'} layout
 * @param {string | null} speaker The key of who speaks, or spoke last.
 * @returns {{large: Shown[], rest: Shown[]}}
 */
export function divide(tiles, layout, speaker) {
    const pinned = tiles.filter((tile) => tile.pinned);
    const reading = tiles.filter((tile) => tile.large);
    const faces = tiles.filter((tile) => !tile.large);
    let large = tiles;
    if (pinned.length > 0)
        large = pinned;
    else if (reading.length > 0)
        large = reading;
    else if (layout === 'speaker' && faces.length > 1)
        large = [faces.find(({key}) => key === speaker) ?? faces.find(({own}) => !own)
            ?? /** @type {Shown} */ (faces[0])];
    return {large, rest: tiles.filter((tile) => !large.includes(tile))};
}

/**
 * Places all tiles.
 *
 * @param {Shown[]} tiles
 * @param {{width: number, height: number, gap: number, layout: 'grid' | 'speaker',
 *     speaker: string | null}} how px
 * @returns {{places: Map<string, Place>, hidden: number}} `hidden` of them have no place.
 */
export function placeTiles(tiles, {width, height, gap, layout, speaker}) {
    const {large, rest} = divide(tiles, layout, speaker);
    const room = divideStage(width, height, gap, rest.length > 0, large.length > 0);
    /** @type {Map<string, Place>} */
    const places = new Map();
    const shownLarge = fill(places, large, {x: 0, y: 0, ...room.main}, gap);
    const at = room.sideways ? {x: room.main.width + gap, y: 0} : {x: 0, y: room.main.height + gap};
    const shownRest = fill(places, rest, {...at, ...room.rest}, gap);
    return {places, hidden: tiles.length - shownLarge - shownRest};
}

/**
 * @param {Map<string, Place>} places
 * @param {Shown[]} tiles
 * @param {Place} room
 * @param {number} gap
 * @returns {number} How many found a place.
 */
function fill(places, tiles, room, gap) {
    let count = tiles.length;
    let size = fitGrid(count, room.width, room.height, gap);
    while (count > 1 && size.width < SMALLEST) {
        count -= 1;
        size = fitGrid(count, room.width, room.height, gap);
    }
    // Where not all fit, those who spoke lately do, in the order they are in.
    const kept = count === tiles.length ? tiles : tiles.filter((tile) => [...tiles]
        .sort((a, b) => b.spoke - a.spoke).slice(0, count).includes(tile));
    const rows = Math.ceil(count / size.columns);
    const top = room.y + (room.height - rows * size.height - (rows - 1) * gap) / 2;
    kept.forEach(({key}, index) => {
        const row = Math.floor(index / size.columns);
        const inRow = Math.min(size.columns, count - row * size.columns);
        const left = room.x + (room.width - inRow * size.width - (inRow - 1) * gap) / 2;
        places.set(key, {
            x: Math.round(left + (index % size.columns) * (size.width + gap)),
            y: Math.round(top + row * (size.height + gap)),
            width: size.width, height: size.height,
        });
    });
    return kept.length;
}
