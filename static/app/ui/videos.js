/** @import {Session} from '../session.js' */
/** @import {Speaker} from '../hear.js' */
/** @import {LocalMedia} from '../media/local.js' */
/** @import {Stream} from '../../protocol.js' */
/** @import {TrackStats} from '../../protocol/types.js' */
/** @import {Tile} from './tile.js' */

import {REQUESTS} from '../logic/preferences.js';
import {displayName} from '../logic/names.js';
import {settings} from '../settings.js';
import {text} from '../text/text.js';
import {notify} from './notices.js';
import {Stage} from './stage.js';
import {addTileMenu} from './tilemenu.js';
import {reportWindows} from './windows.js';

/** Mean square of the samples above which somebody is taken to speak. */
const SPEAKING = 0.0003;
/** How often that is looked at, ms. */
const LISTEN_EVERY = 500;
/** How long the pictures of before are kept when we are back, ms. */
const COMING_BACK = 5_000;
/** Of the packets; more make a connection a poor one. */
const POOR_LOSS = 0.05;

/** Puts streams, others' and our own, on the stage. */
export class Videos {
    /** @param {Session} session @param {LocalMedia} media */
    constructor(session, media) {
        this.session = session;
        this.media = media;
        this.stage = new Stage();
        /** @private @type {Speaker[]} */
        this.speakers = [];
        /** Tiles of streams that went with the connection, by key: whose, and which.
         * @private @type {Map<string, string>} */
        this.lost = new Map();
        session.on('stream', (stream) => this.receive(stream));
        session.on('people', () => {
            this.updateSigns();
            // While the connection is lost nobody knows who is there.
            if (session.state !== 'reconnecting')
                this.stage.setAlone(Object.keys(session.connection.users).length <= 1);
        });
        /** @type {ReturnType<typeof setTimeout> | undefined} */
        let forgetting;
        session.on('reconnected', () => forgetting = setTimeout(() => {
            for (const key of [...this.lost.keys()])
                this.forget(key);
        }, COMING_BACK));
        session.on('state', () => clearTimeout(forgetting));
        session.on('ended', () => {
            this.lost.clear();
            this.stage.clear();
        });
        session.on('speakers', (speakers) => this.heard(speakers));
        media.on('change', () => this.showOwn());
        settings.on('mirror', () => this.showOwn());
        settings.on('receive', (receive) => session.request(REQUESTS[receive]));
        settings.on('speaker', () => {
            for (const tile of this.stage.tiles.values())
                this.route(tile);
        });
        session.request(REQUESTS[settings.get('receive')]);
        reportWindows(session, this.stage);
    }

    /** @private @param {Stream} stream */
    receive(stream) {
        const name = displayName(stream.username);
        const screen = stream.label === 'screenshare';
        const [again] = [...this.lost].find(([, whose]) =>
            whose === `${stream.label} ${stream.username}`) ?? [];
        // Pinned or turned down, it still is when it comes back.
        if (again && !this.stage.tiles.has(stream.localId)) {
            this.lost.delete(again);
            stream.localId = again;
        }
        const key = stream.localId;
        const isNew = !this.stage.tiles.has(key);
        const tile = this.stage.tile(key, {own: false, screen, name, played: stream.label === 'video'});
        tile.setName(name);
        if (isNew) {
            addTileMenu(this.stage, key, tile, null);
            this.route(tile);
        }
        stream.userdata['tile'] = tile;
        this.withhold(stream);
        // Who joins is told who speaks before the streams come.
        if (this.speakers.some(({id}) => id === stream.id))
            this.enlarge();
        stream.ondowntrack = (track, _transceiver, media) => {
            track.onunmute = track.onmute = track.onended = () => {
                tile.update();
                this.updateSigns();
            };
            void tile.show(media).then((heard) => {
                // Chromium routes no video that has no sound yet.
                this.route(tile);
                if (!heard)
                    this.askForSound();
            });
        };
        stream.onstatus = (status) => tile.setStatus(status);
        stream.onstats = (stats) => this.measure(key, tile, Object.values(stats));
        stream.setStatsInterval(LISTEN_EVERY);
        stream.onerror = (error) => notify(
            text('media.down-failed', {who: name, message: String(error)}), 'error');
        stream.onclose = (replace) => {
            if (!replace && this.session.state === 'reconnecting') {
                this.lost.set(key, `${stream.label} ${stream.username}`);
                tile.setStatus('disconnected');
                // Nothing is heard of it any more.
                tile.setSpeaking(false);
                tile.setPoor(false);
            } else if (!replace) {
                this.stage.remove(key);
            }
        };
        this.updateSigns();
    }

    /** @private @param {string} key Of a tile that was kept while the connection was lost. */
    forget(key) {
        this.lost.delete(key);
        this.stage.remove(key);
    }

    /** @private @param {string} key @param {Tile} tile @param {TrackStats[]} tracks */
    measure(key, tile, tracks) {
        const speaking = tracks.some(({audioEnergy}) => (audioEnergy ?? 0) > SPEAKING);
        tile.setSpeaking(speaking);
        // The server compares all voices; what arrives here is only what it lets through.
        if (speaking && !this.session.connection.serverFeatures.includes('speakers'))
            this.stage.spoke(key);
        // Films and screens may stand still.
        if (!tile.large)
            tile.setFrames(tracks.find(({kind}) => kind === 'video')?.frames);
        tile.setPoor(tracks.some(({loss}) => (loss ?? 0) > POOR_LOSS));
    }

    /** @private @param {Speaker[]} speakers The latest first. */
    heard(speakers) {
        const {down} = this.session.connection;
        this.speakers = speakers;
        for (const stream of Object.values(down))
            this.withhold(stream);
        this.enlarge();
    }

    /** @private Who speaks, or spoke last, may be shown large. */
    enlarge() {
        const {down} = this.session.connection;
        const others = this.speakers.filter(({id}) => id in down);
        const speaking = others.filter(({speaks}) => speaks);
        const last = others.filter(({withheld}) => !withheld).slice(0, 1);
        for (const {id} of speaking.length > 0 ? speaking.reverse() : last) {
            const key = down[id]?.localId;
            if (key)
                this.stage.spoke(key);
        }
    }

    /** @private @param {Stream} stream Its pictures may be left out: a still one would deceive. */
    withhold(stream) {
        const withheld = this.speakers.some((one) => one.id === stream.id && one.withheld);
        stream.userdata['tile']?.setWithheld(withheld);
    }

    /** @private @param {Tile} tile Its sound goes to the chosen device. */
    route(tile) {
        const video = /** @type {HTMLVideoElement & {setSinkId?: (id: string) => Promise<void>}} */ (
            tile.video);
        if (!tile.own)
            void video.setSinkId?.(settings.get('speaker')).catch(() => {});
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
    updateSigns() {
        const {connection} = this.session;
        for (const stream of Object.values(connection.down)) {
            /** @type {Tile | undefined} */
            const tile = stream.userdata['tile'];
            const data = connection.users[stream.source]?.data;
            const silent = !!data?.['muted'] || stream.stream.getAudioTracks().length === 0;
            tile?.setMuted(silent && stream.label === 'camera');
            tile?.setHand(!!data?.['raisehand'] && stream.label === 'camera');
        }
        this.stage.tiles.get('own-camera')?.setHand(!!connection.userdata['raisehand']);
    }

    /** @private */
    showOwn() {
        const {media} = this;
        const name = displayName(this.session.connection.username);
        const face = this.own('own-camera', media.cameraStream && (media.camera ? [media.camera] : []),
            {own: true, screen: false, name}, null);
        face?.setMuted(!media.microphoneOn);
        face?.setMirrored(settings.get('mirror'));
        face?.setStatus(media.cameraStream?.pc.iceConnectionState ?? 'new');
        const screen = this.own('own-screen', media.screen?.getVideoTracks() ?? null,
            {own: true, screen: true, name}, () => void media.setScreen(false));
        screen?.setStatus(media.screenStream?.pc.iceConnectionState ?? 'new');
        for (const [localId, player] of media.players) {
            this.own(`own-${localId}`, [], {own: true, screen: false, name: player.name,
                film: player.video}, () => this.session.connection.findByLocalId(localId)?.close());
        }
        for (const key of [...this.stage.tiles.keys()]) {
            if (this.stage.tiles.get(key)?.film && !media.players.has(key.slice(4)))
                this.stage.remove(key);
        }
        this.updateSigns();
    }

    /**
     * @private
     * @param {string} key
     * @param {MediaStreamTrack[] | null} tracks Null if there is nothing to show.
     * @param {Parameters<Stage['tile']>[1]} options
     * @param {(() => void) | null} onstop
     */
    own(key, tracks, options, onstop) {
        if (!tracks) {
            this.stage.remove(key);
            return null;
        }
        const isNew = !this.stage.tiles.has(key);
        const tile = this.stage.tile(key, options);
        if (isNew)
            addTileMenu(this.stage, key, tile, onstop);
        tile.setName(options.name);
        const shown = tile.video.srcObject instanceof MediaStream
            ? tile.video.srcObject.getTracks() : null;
        if (!tile.film && (!shown || shown.length !== tracks.length
            || shown.some((t) => !tracks.includes(t))))
            void tile.show(new MediaStream(tracks));
        return tile;
    }
}
