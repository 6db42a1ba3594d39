/** Choosing a device from a list. */

import {settings} from '../settings.js';
import {text} from '../text/text.js';
import {h} from './dom.js';

/** Lists that act already. @type {WeakSet<HTMLSelectElement>} */
const wired = new WeakSet();

/**
 * Fills a list with the devices there are; choosing one is a setting.
 *
 * @param {HTMLSelectElement} list
 * @param {'camera' | 'microphone' | 'speaker'} kind
 * @param {{id: string, label: string}[]} devices
 */
export function fillDevices(list, kind, devices) {
    const named = devices.filter(({id, label}) => label && id !== 'default');
    const options = [{id: '', label: text('device.default')}, ...named];
    list.replaceChildren(...options.map(({id, label}) => h('option', {value: id}, label)));
    const chosen = settings.get(kind);
    list.value = options.some(({id}) => id === chosen) ? chosen : '';
    const field = list.closest('.field');
    // Not every browser can play elsewhere.
    field?.toggleAttribute('hidden', named.length === 0
        || (kind === 'speaker' && !('setSinkId' in HTMLMediaElement.prototype)));
    if (!wired.has(list)) {
        wired.add(list);
        list.addEventListener('change', () => settings.set(kind, list.value));
    }
}
