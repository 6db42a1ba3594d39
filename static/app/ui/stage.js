import {divideStage, fitGrid} from '../logic/grid.js';
import {text} from '../text/text.js';
import {byId} from './dom.js';
import {Tile} from './tile.js';

/** Between tiles, px; the style sheet has the same. */
const GAP = 10;

/** All tiles, fitted to the window. */
export class Stage {
    constructor() {
        this.element = byId('stage', HTMLElement);
        this.main = byId('stage-main', HTMLElement);
        this.rest = byId('stage-rest', HTMLElement);
        this.empty = byId('stage-empty', HTMLElement);
        /** By the `localId` of the stream. @type {Map<string, Tile>} */
        this.tiles = new Map();
        this.alone = true;
        new ResizeObserver(() => this.layout()).observe(this.element);
    }

    /**
     * The tile of a stream, made if there is none.
     *
     * @param {string} key
     * @param {{own: boolean, screen: boolean, name: string}} options
     */
    tile(key, options) {
        let tile = this.tiles.get(key);
        if (!tile) {
            tile = new Tile(options);
            this.tiles.set(key, tile);
            this.arrange();
        }
        return tile;
    }

    /** @param {string} key */
    remove(key) {
        const tile = this.tiles.get(key);
        if (!tile)
            return;
        this.tiles.delete(key);
        tile.remove();
        this.arrange();
    }

    clear() {
        for (const key of [...this.tiles.keys()])
            this.remove(key);
    }

    /** @private Puts each tile where it belongs: screens large, one's own face last. */
    arrange() {
        const tiles = [...this.tiles.values()];
        const screens = tiles.filter(({screen}) => screen);
        const faces = tiles.filter(({screen}) => !screen)
            .sort((a, b) => Number(a.own) - Number(b.own));
        const divided = screens.length > 0;
        this.fill(this.main, divided ? screens : faces);
        this.fill(this.rest, divided ? faces : []);
        this.invite();
        this.layout();
    }

    /** @param {boolean} alone Nobody else is in the meeting. */
    setAlone(alone) {
        this.alone = alone;
        byId('stage-empty-title', HTMLElement).textContent =
            text(alone ? 'stage.alone' : 'stage.quiet');
        byId('stage-empty-hint', HTMLElement).textContent =
            text(alone ? 'stage.alone.hint' : 'stage.quiet.hint');
        this.invite();
    }

    /** @private Whoever waits alone is told how to get company, also over their own picture. */
    invite() {
        const tiles = [...this.tiles.values()];
        this.empty.hidden = tiles.length > 0 && !(this.alone && tiles.every(({own}) => own));
        this.empty.classList.toggle('over', tiles.length > 0);
    }

    /**
     * Moves only what is elsewhere: a video that is moved stops for a moment.
     *
     * @private
     * @param {HTMLElement} box
     * @param {Tile[]} tiles
     */
    fill(box, tiles) {
        tiles.forEach(({element, video}, at) => {
            if (box.children[at] === element)
                return;
            box.insertBefore(element, box.children[at] ?? null);
            if (video.srcObject)
                void video.play().catch(() => {});
        });
    }

    layout() {
        const width = this.element.clientWidth - 2 * GAP;
        const height = this.element.clientHeight - 2 * GAP;
        if (width <= 0 || height <= 0)
            return;
        const {main, rest, sideways} = divideStage(width, height, GAP,
            [...this.tiles.values()].some(({screen}) => screen), this.rest.children.length > 0);
        this.element.classList.toggle('stage-sideways', sideways);
        size(this.main, main);
        size(this.rest, rest);
    }
}

/** @param {HTMLElement} box @param {{width: number, height: number}} room */
function size(box, room) {
    const tile = fitGrid(box.children.length, room.width, room.height, GAP);
    box.style.setProperty('--room-width', `${room.width}px`);
    box.style.setProperty('--room-height', `${room.height}px`);
    box.style.setProperty('--tile-width', `${tile.width}px`);
    box.style.setProperty('--tile-height', `${tile.height}px`);
}
