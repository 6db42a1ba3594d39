import {settings} from '../settings.js';
import {byId, h} from './dom.js';

/** How long a line stays, ms. */
const STAY = 8_000;
/** So many are shown. */
const LINES = 2;

/** What is said, in writing, over the videos. */
export class Captions {
    /** @param {import('../session.js').Session} session */
    constructor(session) {
        this.box = byId('captions', HTMLElement);
        session.on('caption', (who, words) => this.add(who, words));
        session.on('ended', () => this.box.replaceChildren());
        const show = () => this.box.hidden = !settings.get('captions');
        settings.on('captions', show);
        show();
    }

    /** @private @param {string} who @param {string} words */
    add(who, words) {
        const line = h('p', {}, h('b', {}, `${who}: `), words);
        this.box.append(line);
        while (this.box.children.length > LINES)
            this.box.firstElementChild?.remove();
        setTimeout(() => line.remove(), STAY);
    }
}
