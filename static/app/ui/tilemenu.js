/** @import {Stage} from './stage.js' */
/** @import {Tile} from './tile.js' */
/** @import {MenuItem} from './menu.js' */

import {settings} from '../settings.js';
import {text} from '../text/text.js';
import {openDialog} from './dialog.js';
import {h} from './dom.js';
import {openMenu} from './menu.js';
import {notify} from './notices.js';

/**
 * Gives a tile its menu: pin, full screen, volume …
 *
 * @param {Stage} stage
 * @param {string} key
 * @param {Tile} tile
 * @param {(() => void) | null} onstop Ends what we send in it.
 */
export function addTileMenu(stage, key, tile, onstop) {
    const pin = () => stage.togglePin(key);
    tile.menu.addEventListener('click', () => openMenu(tile.menu, items()));
    tile.element.addEventListener('dblclick', (event) => {
        if (!(event.target instanceof Element && event.target.closest('button')))
            pin();
    });

    /** @returns {MenuItem[]} */
    function items() {
        const {element, video, own, large} = tile;
        const face = own && !large;
        const shown = element.classList.contains('has-video');
        const full = document.fullscreenElement === element;
        /** @type {(MenuItem | false)[]} */
        const all = [
            {label: text(tile.pinned ? 'tile.unpin' : 'tile.pin'), icon: 'pin', act: pin},
            document.fullscreenEnabled && {
                label: text(full ? 'tile.window' : 'tile.full'), icon: 'full',
                act: () => void (full ? document.exitFullscreen() : element.requestFullscreen())
                    .catch(complain),
            },
            shown && !own && document.pictureInPictureEnabled && {
                label: text('tile.pip'), icon: 'pip',
                act: () => void video.requestPictureInPicture().catch(complain),
            },
            !own && {label: text('tile.volume'), icon: 'volume', act: () => askVolume(tile)},
            shown && !large && {label: text('tile.turn'), icon: 'turn', act: () => tile.turn()},
            face && {
                label: text('settings.mirror'), icon: 'mirror', checked: settings.get('mirror'),
                act: () => settings.set('mirror', !settings.get('mirror')),
            },
            face && {
                label: text('settings.blur'), icon: 'blur', checked: settings.get('blur'),
                act: () => settings.set('blur', !settings.get('blur')),
            },
            face && {label: text('tile.hide'), icon: 'hide', act: () => {
                settings.set('hideSelf', true);
                notify(text('tile.hidden'));
            }},
            !!onstop && {label: text('tile.stop'), icon: 'close', danger: true, act: onstop},
        ];
        return all.filter((item) => item !== false);
    }
}

/** @param {unknown} error */
function complain(error) {
    notify(error instanceof Error ? error.message : String(error), 'warning');
}

/** @param {Tile} tile */
function askVolume(tile) {
    const {video} = tile;
    const slider = h('input', {type: 'range', class: 'slider', min: '0', max: '100', step: '5',
        value: String(Math.round(video.volume * 100)), id: 'volume'});
    slider.addEventListener('input', () => {
        video.volume = Number(slider.value) / 100;
        video.muted = false;
    });
    openDialog(text('tile.volume.of', {who: tile.caption.textContent ?? ''}),
        h('label', {class: 'field', for: 'volume'}, h('span', {}, text('tile.volume'))), slider);
}
