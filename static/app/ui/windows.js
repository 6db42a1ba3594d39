/** @import {Session} from '../session.js' */
/** @import {Stage} from './stage.js' */
/** @import {Tile} from './tile.js' */

/** How often it is looked at, ms: sizes have settled by then. */
const EVERY = 700;
/** Sides that differ by less than this are the same. */
const TOLERANCE = 0.06;
/** Of pictures that float above other windows, px: the browser does not say. */
const FLOATING = {width: 480, height: 270};

/**
 * How large a tile's pictures are on the screen.
 *
 * @param {Tile} tile
 * @returns {{width: number, height: number}}
 */
function sizeOf({element, video}) {
    const {ownerDocument} = video;
    const ratio = ownerDocument.defaultView?.devicePixelRatio ?? 1;
    const floats = ownerDocument.pictureInPictureElement === video;
    const seen = !element.hidden && !ownerDocument.hidden;
    const {width, height} = seen ? video.getBoundingClientRect() : {width: 0, height: 0};
    return {
        width: Math.round(ratio * Math.max(width, floats ? FLOATING.width : 0)),
        height: Math.round(ratio * Math.max(height, floats ? FLOATING.height : 0)),
    };
}

/** @param {number} a @param {number} b */
function differ(a, b) {
    return (a === 0) !== (b === 0) || Math.abs(a - b) > TOLERANCE * Math.max(a, b);
}

/**
 * Tells the server how large each stream is shown, so that nobody is sent pictures that are larger
 * than their place.
 *
 * @param {Session} session
 * @param {Stage} stage
 */
export function reportWindows(session, stage) {
    const report = () => {
        for (const stream of Object.values(session.connection.down)) {
            const tile = stage.tiles.get(stream.localId);
            if (!tile)
                continue;
            const before = stream.userdata['window'];
            const size = sizeOf(tile);
            const priority = tile.pinned || tile.large || stage.speaker === stream.localId;
            if (before && before.priority === priority && !differ(before.width, size.width)
                && !differ(before.height, size.height))
                continue;
            stream.userdata['window'] = {...size, priority};
            stream.setWindow({...size, priority});
        }
    };
    document.addEventListener('visibilitychange', report);
    setInterval(report, EVERY);
}
