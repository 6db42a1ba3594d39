/** The window of settings. */

import {CHOICES} from '../logic/preferences.js';
import {devices} from '../media/capture.js';
import {settings} from '../settings.js';
import {LANGUAGES, isText, text} from '../text/text.js';
import {fillDevices} from './devices.js';
import {openDialog} from './dialog.js';
import {byId, h} from './dom.js';
import {spoken} from './language.js';
import {notify} from './notices.js';

/** Opens the settings; what is changed acts at once. */
export function openSettings() {
    /** @param {'camera' | 'microphone' | 'speaker'} kind */
    const device = (kind) => {
        const list = h('select', {class: 'input', id: `settings-${kind}`});
        return {kind, list, field: h('label', {class: 'field'},
            h('span', {}, text(`device.${kind}`)), list)};
    };
    const lists = /** @type {const} */ (['camera', 'microphone', 'speaker']).map(device);
    const dialog = openDialog(text('settings.title'),
        h('h3', {}, text('join.devices')),
        h('div', {class: 'choices'}, ...lists.map(({field}) => field)),
        check('processing', text('settings.processing')),
        h('h3', {}, text('settings.sent')),
        h('div', {class: 'choices'}, choose('send'), choose('simulcast')),
        check('blur', text('settings.blur'), text('settings.blur.hint')),
        check('blackboard', text('settings.blackboard'), text('settings.blackboard.hint')),
        h('h3', {}, text('settings.received')),
        h('div', {class: 'choices'}, choose('receive'), choose('layout')),
        h('h3', {}, text('settings.page')),
        h('div', {class: 'choices'},
            check('mirror', text('settings.mirror')),
            check('hideSelf', text('settings.hide-self')),
            check('captions', text('settings.captions')),
            notifications()),
        h('div', {class: 'choices'}, choose('theme'), languages()));
    spoken.on('changed', again);
    dialog.addEventListener('close', () => spoken.off('changed', again));
    void devices().then((found) => {
        for (const {kind, list} of lists)
            fillDevices(list, kind, found[kind]);
    });
}

/** The same window in another language. */
function again() {
    spoken.off('changed', again);
    const list = () => byId('settings-language', HTMLSelectElement);
    const dialog = list().closest('dialog');
    dialog?.addEventListener('close', () => {
        openSettings();
        list().focus();
    });
    dialog?.close();
}

/**
 * @param {'processing' | 'blackboard' | 'blur' | 'mirror' | 'hideSelf' | 'captions'} name
 * @param {string} label
 * @param {string} [hint]
 */
function check(name, label, hint) {
    const box = h('input', {type: 'checkbox', id: `settings-${name}`});
    box.checked = settings.get(name);
    box.addEventListener('change', () => settings.set(name, box.checked));
    return h('label', {class: 'check'}, box,
        h('span', {}, label, hint && h('small', {}, hint)));
}

/** @param {keyof typeof CHOICES} name */
function choose(name) {
    const list = h('select', {class: 'input', id: `settings-${name}`},
        ...CHOICES[name].map((value) => {
            const key = `settings.${name}.${value}`;
            return h('option', {value}, isText(key) ? text(key) : value);
        }));
    list.value = settings.get(name);
    list.addEventListener('change', () =>
        settings.set(name, /** @type {any} */ (list.value)));
    return h('label', {class: 'field'}, h('span', {}, text(`settings.${name}`)), list);
}

function languages() {
    const list = h('select', {class: 'input', id: 'settings-language'},
        h('option', {value: ''}, text('settings.language.auto')),
        ...Object.entries(LANGUAGES).map(([value, name]) => h('option', {value, lang: value}, name)));
    list.value = settings.get('language');
    list.addEventListener('change', () => settings.set('language', list.value));
    return h('label', {class: 'field'}, h('span', {}, text('settings.language')), list);
}

/** Notifications want the browser's leave. */
function notifications() {
    const box = h('input', {type: 'checkbox', id: 'settings-notifications'});
    box.checked = settings.get('notifications');
    box.addEventListener('change', async () => {
        if (box.checked && 'Notification' in window
            && await Notification.requestPermission() !== 'granted') {
            box.checked = false;
            notify(text('settings.notifications.denied'), 'warning');
        }
        settings.set('notifications', box.checked);
    });
    return h('label', {class: 'check'}, box, h('span', {}, text('settings.notifications')));
}
