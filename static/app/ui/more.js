/** @import {Session} from '../session.js' */
/** @import {LocalMedia} from '../media/local.js' */
/** @import {MenuItem} from './menu.js' */

import {settings} from '../settings.js';
import {text} from '../text/text.js';
import {byId} from './dom.js';
import {showHelp} from './help.js';
import {openMenu} from './menu.js';
import {openSettings} from './preferences.js';
import {openStatistics} from './statistics.js';

/**
 * Lets the user choose a file.
 *
 * @param {string} accept Kinds of files, '' for all.
 * @returns {Promise<File | null>}
 */
export function chooseFile(accept = '') {
    const input = byId('file-input', HTMLInputElement);
    input.value = '';
    input.accept = accept;
    return new Promise((resolve) => {
        input.onchange = () => resolve(input.files?.[0] ?? null);
        input.oncancel = () => resolve(null);
        input.click();
    });
}

/** The menu of all that is wanted less often. */
export class More {
    /**
     * @param {Session} session
     * @param {LocalMedia} media
     * @param {{invite: () => void}} open
     */
    constructor(session, media, open) {
        this.session = session;
        this.media = media;
        this.open = open;
        const button = byId('control-more', HTMLButtonElement);
        button.addEventListener('click', () => openMenu(button, this.items()));
    }

    /** @private @returns {MenuItem[]} */
    items() {
        const {session, media} = this;
        const {permissions} = session;
        const full = !!document.fullscreenElement;
        const speaker = settings.get('layout') === 'speaker';
        const silent = settings.get('receive') === 'audio';
        const recording = session.isRecording;
        /** @type {(MenuItem | false)[]} */
        const all = [
            {label: text('more.speaker'), icon: 'speaker', checked: speaker,
                act: () => settings.set('layout', speaker ? 'grid' : 'speaker')},
            document.fullscreenEnabled && {label: text('more.full'), icon: 'full', checked: full,
                act: () => void (full ? document.exitFullscreen()
                    : document.documentElement.requestFullscreen()).catch(() => {})},
            {label: text('more.audio-only'), icon: 'audio', checked: silent, act: () => {
                settings.set('receive', silent ? 'everything' : 'audio');
                if (!silent && media.cameraOn)
                    void media.setCamera(false);
            }},
            {label: text('settings.hide-self'), icon: 'hide', checked: settings.get('hideSelf'),
                act: () => settings.set('hideSelf', !settings.get('hideSelf'))},
            {label: text('settings.captions'), icon: 'captions', checked: settings.get('captions'),
                act: () => settings.set('captions', !settings.get('captions'))},
            permissions.includes('present') && {label: text('more.play'), icon: 'film',
                act: () => void this.play()},
            permissions.includes('token') && {label: text('invite.open'), icon: 'invite',
                act: this.open.invite},
            permissions.includes('record') && {
                label: text(recording ? 'more.unrecord' : 'more.record'), icon: 'record',
                act: () => session.connection.groupAction(recording ? 'unrecord' : 'record')},
            {label: text('statistics.title'), icon: 'chart', act: () => openStatistics(session)},
            {label: text('settings.title'), icon: 'settings', act: () => openSettings()},
            {label: text('help.title'), icon: 'help', act: () => showHelp(session)},
        ];
        return all.filter((item) => item !== false);
    }

    /** Plays a file that the user chooses to all. */
    async play() {
        const file = await chooseFile('video/*,audio/*');
        if (file) {
            await this.media.playFile(file);
        }
    }
}
