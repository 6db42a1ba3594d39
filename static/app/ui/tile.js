import {colourOf, initials} from '../logic/names.js';
import {text} from '../text/text.js';
import {crystal, h, icon} from './dom.js';

/** After so long without a new one a picture stands still, ms. The slowest come once a second. */
const STILL = 3_000;

/** One person, one screen or one film on the stage. */
export class Tile {
    /**
     * @param {object} options
     * @param {boolean} options.own It shows ourselves, or what we send: it is silent.
     * @param {boolean} options.screen
     * @param {string} options.name
     * @param {boolean} [options.played] It shows a file that somebody plays.
     * @param {HTMLVideoElement} [options.film] A file that we play: shown as it is.
     */
    constructor({own, screen, name, played = false, film}) {
        this.own = own;
        this.screen = screen;
        this.played = played;
        this.large = screen || played || !!film;
        this.film = film ?? null;
        this.pinned = false;
        /** The server leaves its pictures out, but for those who pin it. */
        this.withheld = false;
        /** When it spoke last, ms. */
        this.spoke = 0;
        this.turned = 0;
        this.video = film ?? h('video', {autoplay: true, playsinline: true, muted: own,
            tabindex: '-1', disablepictureinpicture: own});
        // The attribute alone does not silence an element that a script made.
        this.video.muted = own && !film;
        if (film)
            film.controls = true;
        this.caption = h('span', {class: 'tile-name', dir: 'auto'});
        const sign = (/** @type {string} */ kind, /** @type {string} */ name_) =>
            h('span', {class: `tile-sign tile-${kind}`, hidden: true, role: 'img'}, icon(name_));
        this.mutedSign = sign('muted', 'mic-off');
        this.handSign = sign('hand', 'hand');
        this.poorSign = sign('poor', 'signal');
        this.pinSign = sign('pin', 'pin');
        this.trouble = h('span', {class: 'tile-trouble', role: 'status', hidden: true});
        this.still = h('span', {class: 'tile-trouble tile-still', hidden: true});
        /** Of the pictures that came so far, and when the last did, ms.
         * @private @type {number | undefined} */
        this.frames = undefined;
        /** @private */
        this.moved = 0;
        this.face = h('div', {class: 'tile-face'});
        this.menu = h('button', {type: 'button', class: 'tile-menu', 'aria-haspopup': 'menu',
            'aria-expanded': 'false'}, icon('more'));
        this.element = h('figure', {class: 'tile'}, this.face, this.video, this.still,
            this.trouble,
            h('figcaption', {class: 'tile-caption'}, this.handSign, this.mutedSign, this.pinSign,
                this.caption, this.poorSign), this.menu);
        this.element.classList.toggle('tile-own', own && !this.large);
        this.element.classList.toggle('tile-screen', this.large);
        for (const event of ['loadeddata', 'resize', 'emptied'])
            this.video.addEventListener(event, () => this.update());
        this.name = name;
        this.translate();
        if (film)
            this.element.classList.add('has-video', 'tile-film');
    }

    /** @param {string} name */
    setName(name) {
        if (this.name !== name) {
            this.name = name;
            this.translate();
        }
    }

    /** Puts all words in, in the language of now. */
    translate() {
        const {name} = this;
        const label = this.film ? name
            : this.own ? text(this.screen ? 'tile.your-screen' : 'tile.you')
                : this.screen ? text('tile.screen', {who: name})
                    : this.played ? text('tile.film', {who: name}) : name;
        this.caption.textContent = label;
        this.video.setAttribute('aria-label', text('tile.label', {who: name}));
        this.menu.setAttribute('aria-label', text('tile.menu', {who: label}));
        this.element.setAttribute('aria-label', label);
        for (const [sign, what] of /** @type {const} */ ([[this.mutedSign, 'muted'],
            [this.handSign, 'hand'], [this.poorSign, 'poor'], [this.pinSign, 'pinned']]))
            sign.setAttribute('aria-label', text(`tile.${what}`));
        this.trouble.textContent = text('tile.trouble');
        this.still.textContent = text('tile.still');
        this.face.replaceChildren(crystal(initials(name), colourOf(name)));
    }

    /**
     * @param {MediaStream} stream
     * @returns {Promise<boolean>} False if the browser holds the sound back.
     */
    async show(stream) {
        if (this.video.srcObject !== stream)
            this.video.srcObject = stream;
        this.update();
        return this.play();
    }

    /** @returns {Promise<boolean>} False if the browser holds the sound back. */
    async play() {
        try {
            await this.video.play();
        } catch (error) {
            return !(error instanceof DOMException && error.name === 'NotAllowedError');
        }
        return true;
    }

    /** Shows the picture if there is one, else who it is. */
    update() {
        if (this.film)
            return;
        const stream = this.video.srcObject;
        const pictures = stream instanceof MediaStream && this.video.videoWidth > 0
            && (!this.withheld || this.pinned)
            && stream.getVideoTracks().some(({muted, readyState}) => !muted && readyState === 'live');
        this.element.classList.toggle('has-video', pictures);
    }

    /** @param {boolean} muted */
    setMuted(muted) {
        this.mutedSign.hidden = !muted;
    }

    /** @param {boolean} raised */
    setHand(raised) {
        this.handSign.hidden = !raised;
    }

    /** @param {boolean} poor */
    setPoor(poor) {
        this.poorSign.hidden = !poor;
    }

    /** @param {boolean} pinned */
    setPinned(pinned) {
        this.pinned = pinned;
        this.pinSign.hidden = !pinned;
        this.update();
    }

    /** @param {boolean} withheld */
    setWithheld(withheld) {
        if (this.withheld !== withheld) {
            this.withheld = withheld;
            this.update();
        }
    }

    /** @param {boolean} mirrored Only our own face is. */
    setMirrored(mirrored) {
        this.element.classList.toggle('tile-mirrored', mirrored && this.own && !this.large);
    }

    /** Turns the picture by a quarter. */
    turn() {
        this.element.classList.remove(`turned-${this.turned}`);
        this.turned = (this.turned + 90) % 360;
        this.element.classList.add(`turned-${this.turned}`);
    }

    /** @param {boolean} speaking */
    setSpeaking(speaking) {
        this.element.classList.toggle('speaking', speaking);
    }

    /** @param {number | undefined} frames How many came so far; undefined if there are none. */
    setFrames(frames) {
        const now = performance.now();
        if (this.frames !== frames) {
            this.frames = frames;
            this.moved = now;
        }
        this.still.hidden = !frames || now - this.moved < STILL;
    }

    /** @param {RTCIceConnectionState} status */
    setStatus(status) {
        this.trouble.hidden = status !== 'disconnected' && status !== 'failed';
    }

    remove() {
        if (!this.film)
            this.video.srcObject = null;
        this.element.remove();
    }
}
