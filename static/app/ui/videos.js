/** @import {Session} from '../session.js' */
/** @import {LocalMedia} from '../media/local.js' */
/** @import {Stream} from '../../protocol.js' */

import {displayName} from '../logic/names.js';
import {text} from '../text/text.js';
import {notify} from './notices.js';
import {Stage} from './stage.js';

/** Mean square of the samples above which somebody is taken to speak. */
const SPEAKING = 0.0003;
/** How often that is looked at, ms. */
const LISTEN_EVERY = 400;

/** Puts streams, others' and our own, on the stage. */
export class Videos {
    /** @param {Session} session @param {LocalMedia} media */
    constructor(session, media) {
        this.session = session;
        this.media = media;
        this.stage = new Stage();
        session.on('stream', (stream) => this.receive(stream));
        session.on('people', () => {
            this.updateMuted();
            this.stage.setAlone(Object.keys(session.connection.users).length <= 1);
        });
        session.on('ended', () => this.stage.clear());
        media.on('change', () => this.showOwn());
    }

    /** @private @param {Stream} stream */
    receive(stream) {
        const name = displayName(stream.username);
        const tile = this.stage.tile(stream.localId,
            {own: false, screen: stream.label === 'screenshare', name});
        tile.setName(name);
        stream.userdata['tile'] = tile;
        stream.ondowntrack = (track, _transceiver, media) => {
            track.onunmute = () => tile.update();
            void tile.show(media).then((heard) => {
                if (!heard)
                    this.askForSound();
            });
        };
        stream.onstatus = (status) => tile.setStatus(status);
        stream.onstats = (stats) => tile.setSpeaking(Object.values(stats)
            .some(({audioEnergy}) => (audioEnergy ?? 0) > SPEAKING));
        stream.setStatsInterval(LISTEN_EVERY);
        stream.onerror = (error) => notify(
            text('media.down-failed', {who: name, message: String(error)}), 'error');
        stream.onclose = (replace) => {
            if (!replace)
                this.stage.remove(stream.localId);
        };
        this.updateMuted();
    }

    /** @private The browser wants a click before it plays sound. */
    askForSound() {
        notify(text('control.sound.blocked'), 'warning', {
            label: text('control.sound.allow'),
            act: () => {
                for (const tile of this.stage.tiles.values())
                    void tile.play();
            },
        });
    }

    /** @private Silent is who says so, and who sends no sound at all. */
    updateMuted() {
        const {connection} = this.session;
        for (const stream of Object.values(connection.down)) {
            const user = connection.users[stream.source];
            const silent = !!user?.data['muted'] || stream.stream.getAudioTracks().length === 0;
            stream.userdata['tile']?.setMuted(silent && stream.label !== 'screenshare');
        }
    }

    /** @private */
    showOwn() {
        const {media} = this;
        const name = displayName(this.session.connection.username);
        this.own('own-camera', media.cameraStream && (media.camera ? [media.camera] : []), false,
            name)?.setMuted(!media.microphoneOn);
        this.own('own-screen', media.screen?.getVideoTracks() ?? null, true, name);
    }

    /**
     * @private
     * @param {string} key
     * @param {MediaStreamTrack[] | null} tracks Null if there is nothing to show.
     * @param {boolean} screen
     * @param {string} name
     */
    own(key, tracks, screen, name) {
        if (!tracks) {
            this.stage.remove(key);
            return null;
        }
        const tile = this.stage.tile(key, {own: true, screen, name});
        tile.setName(name);
        const shown = tile.video.srcObject instanceof MediaStream
            ? tile.video.srcObject.getTracks() : null;
        if (!shown || shown.length !== tracks.length || shown.some((t) => !tracks.includes(t)))
            void tile.show(new MediaStream(tracks));
        return tile;
    }
}
