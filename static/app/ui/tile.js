import {colourOf, initials} from '../logic/names.js';
import {text} from '../text/text.js';
import {crystal, h, icon} from './dom.js';

/** One person, or one screen, on the stage. */
export class Tile {
    /**
     * @param {object} options
     * @param {boolean} options.own It shows ourselves: silent, and mirrored if it is the camera.
     * @param {boolean} options.screen
     * @param {string} options.name
     */
    constructor({own, screen, name}) {
        this.own = own;
        this.screen = screen;
        this.video = h('video', {autoplay: true, playsinline: true, muted: own, tabindex: '-1',
            disablepictureinpicture: own});
        // The attribute alone does not silence an element that a script made.
        this.video.muted = own;
        this.caption = h('span', {class: 'tile-name'});
        this.mutedSign = h('span', {class: 'tile-sign', hidden: true, role: 'img',
            'aria-label': text('tile.muted')}, icon('mic-off'));
        this.trouble = h('span', {class: 'tile-trouble', role: 'status', hidden: true},
            text('tile.trouble'));
        this.face = h('div', {class: 'tile-face'});
        this.element = h('figure', {class: 'tile'}, this.face, this.video, this.trouble,
            h('figcaption', {class: 'tile-caption'}, this.mutedSign, this.caption));
        this.element.classList.toggle('tile-own', own && !screen);
        this.element.classList.toggle('tile-screen', screen);
        for (const event of ['loadeddata', 'resize', 'emptied'])
            this.video.addEventListener(event, () => this.update());
        this.setName(name);
    }

    /** @param {string} name */
    setName(name) {
        this.caption.textContent = this.own ? text(this.screen ? 'tile.your-screen' : 'tile.you')
            : this.screen ? text('tile.screen', {who: name}) : name;
        this.video.setAttribute('aria-label', text('tile.label', {who: name}));
        this.element.setAttribute('aria-label', this.caption.textContent);
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
        const stream = this.video.srcObject;
        const pictures = stream instanceof MediaStream && stream.getVideoTracks().length > 0
            && this.video.videoWidth > 0;
        this.element.classList.toggle('has-video', pictures);
    }

    /** @param {boolean} muted */
    setMuted(muted) {
        this.mutedSign.hidden = !muted;
    }

    /** @param {boolean} speaking */
    setSpeaking(speaking) {
        this.element.classList.toggle('speaking', speaking);
    }

    /** @param {RTCIceConnectionState} status */
    setStatus(status) {
        this.trouble.hidden = status !== 'disconnected' && status !== 'failed';
    }

    remove() {
        this.video.srcObject = null;
        this.element.remove();
    }
}
