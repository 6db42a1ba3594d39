import {placeTiles} from '../logic/stage.js';
import {settings} from '../settings.js';
import {text} from '../text/text.js';
import {byId} from './dom.js';
import {spoken} from './language.js';
import {Tile} from './tile.js';

/** Between tiles and around them, px. */
const GAP = 10;

/** All tiles, fitted to the window. */
export class Stage {
    constructor() {
        this.element = byId('stage', HTMLElement);
        this.empty = byId('stage-empty', HTMLElement);
        this.more = byId('stage-more', HTMLElement);
        /** By the `localId` of the stream. @type {Map<string, Tile>} */
        this.tiles = new Map();
        this.alone = true;
        /** Who speaks, or spoke last. @type {string | null} */
        this.speaker = null;
        new ResizeObserver(() => this.layout()).observe(this.element);
        settings.on('layout', () => this.layout());
        spoken.on('changed', () => {
            for (const tile of this.tiles.values())
                tile.translate();
            this.setAlone(this.alone);
            this.layout();
        });
        settings.on('hideSelf', () => this.layout());
    }

    /**
     * The tile of a stream, made if there is none.
     *
     * @param {string} key
     * @param {ConstructorParameters<typeof Tile>[0]} options
     */
    tile(key, options) {
        let tile = this.tiles.get(key);
        if (!tile) {
            tile = new Tile(options);
            this.tiles.set(key, tile);
            // One's own face comes last; others stay where they are, or their videos would stop.
            const own = options.own && !options.screen ? null
                : [...this.tiles.values()].find((other) => other !== tile && other.own && !other.large);
            this.element.insertBefore(tile.element, own?.element ?? this.empty);
            this.layout();
        }
        return tile;
    }

    /** @param {string} key */
    remove(key) {
        const tile = this.tiles.get(key);
        if (!tile)
            return;
        this.tiles.delete(key);
        if (this.speaker === key)
            this.speaker = null;
        tile.remove();
        this.layout();
    }

    clear() {
        for (const key of [...this.tiles.keys()])
            this.remove(key);
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

    /** @param {string} key Somebody speaks. */
    spoke(key) {
        const tile = this.tiles.get(key);
        if (!tile)
            return;
        const before = tile.spoke;
        tile.spoke = performance.now();
        if (!tile.own && this.speaker !== key) {
            this.speaker = key;
            this.layout();
        } else if (before === 0) {
            this.layout();
        }
    }

    /** @param {string} key Shown large, or no more. */
    togglePin(key) {
        const tile = this.tiles.get(key);
        if (tile) {
            tile.setPinned(!tile.pinned);
            this.layout();
        }
    }

    /** @private @param {Tile[]} shown Whoever waits alone is told how to get company. */
    invite(shown = [...this.tiles.values()]) {
        this.empty.hidden = shown.length > 0 && !(this.alone && shown.every(({own}) => own));
        this.empty.classList.toggle('over', shown.length > 0);
    }

    layout() {
        const width = this.element.clientWidth - 2 * GAP;
        const height = this.element.clientHeight - 2 * GAP;
        const hideSelf = settings.get('hideSelf');
        const entries = [...this.tiles].filter(([, tile]) => !(hideSelf && tile.own && !tile.large));
        this.invite(entries.map(([, tile]) => tile));
        if (width <= 0 || height <= 0)
            return;
        // By their place in the page, which is that on the stage.
        entries.sort(([, a], [, b]) => a.element.compareDocumentPosition(b.element)
            & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1);
        const {places, hidden} = placeTiles(entries.map(([key, tile]) => ({key, own: tile.own,
            large: tile.large, pinned: tile.pinned, spoke: tile.spoke})),
        {width, height, gap: GAP, layout: settings.get('layout'), speaker: this.speaker});
        for (const [key, tile] of this.tiles) {
            const place = places.get(key);
            tile.element.hidden = !place;
            for (const [name, value] of Object.entries(place ?? {})) {
                const margin = name === 'x' || name === 'y' ? GAP : 0;
                tile.element.style.setProperty(`--${name}`, `${value + margin}px`);
            }
        }
        this.more.hidden = hidden === 0;
        this.more.textContent = hidden ? text('stage.more', {n: hidden}) : '';
    }
}
