/** How tiles fill a window. */

/** No tile is narrower or wider than this, width to height; faces fit a phone held upright. */
const NARROWEST = {upright: 3 / 4, wide: 1};
const WIDEST = 16 / 9;
/** What looks best: near what cameras send, or the middle of it. */
const NATURAL = {upright: 1, wide: 1.5};

/**
 * The size of `n` equal tiles that show the most in a box.
 *
 * @param {number} n
 * @param {number} width Of the box, px.
 * @param {number} height Of the box, px.
 * @param {number} gap Between tiles, px.
 * @returns {{columns: number, rows: number, width: number, height: number}}
 */
export function fitGrid(n, width, height, gap) {
    let best = {columns: 1, rows: Math.max(1, n), width: 0, height: 0};
    let bestScore = -1;
    const held = width < height ? 'upright' : 'wide';
    for (let columns = 1; columns <= n; columns++) {
        const rows = Math.ceil(n / columns);
        let w = (width - gap * (columns - 1)) / columns;
        let h = (height - gap * (rows - 1)) / rows;
        if (w <= 0 || h <= 0)
            continue;
        w = Math.min(w, h * WIDEST);
        h = Math.min(h, w / NARROWEST[held]);
        const cut = Math.abs(Math.log(w / h / NATURAL[held]));
        const score = w * h * (1 - 0.6 * cut);
        if (score > bestScore) {
            best = {columns, rows, width: Math.floor(w), height: Math.floor(h)};
            bestScore = score;
        }
    }
    return best;
}

/**
 * Divides the stage between large pictures and a strip of small ones.
 *
 * @param {number} width px
 * @param {number} height px
 * @param {number} gap px
 * @param {boolean} strip There are small ones.
 * @param {boolean} main There are large ones.
 * @returns {{main: {width: number, height: number}, rest: {width: number, height: number},
 *     sideways: boolean}} `sideways` puts the strip beside rather than below.
 */
export function divideStage(width, height, gap, strip, main) {
    const none = {width: 0, height: 0};
    if (!strip || !main)
        return {main: {width, height}, rest: none, sideways: false};
    if (width > height) {
        const rest = Math.round(Math.min(280, Math.max(150, width * 0.22)));
        return {
            main: {width: width - rest - gap, height},
            rest: {width: rest, height},
            sideways: true,
        };
    }
    const rest = Math.round(Math.min(220, height * 0.28));
    return {
        main: {width, height: height - rest - gap},
        rest: {width, height: rest},
        sideways: false,
    };
}
