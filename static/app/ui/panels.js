import {byId} from './dom.js';

/** @typedef {'people' | 'chat'} PanelName */

/** The side of the meeting: people or chat, one of them at a time, or neither. */
export class Panels {
    /** @param {(open: PanelName | null) => void} onchange */
    constructor(onchange) {
        this.onchange = onchange;
        /** @type {PanelName | null} */
        this.open = null;
        for (const name of /** @type {const} */ (['people', 'chat'])) {
            const button = this.button(name);
            button.addEventListener('click', () => this.show(this.open === name ? null : name));
            const panel = this.panel(name);
            panel.querySelector('.panel-close')?.addEventListener('click', () => {
                this.show(null);
                button.focus();
            });
            panel.addEventListener('keydown', (event) => {
                if (event.key === 'Escape' && !event.defaultPrevented) {
                    this.show(null);
                    button.focus();
                }
            });
        }
    }

    /** @private @param {PanelName} name */
    button(name) {
        return byId(`control-${name}`, HTMLButtonElement);
    }

    /** @private @param {PanelName} name */
    panel(name) {
        return byId(`panel-${name}`, HTMLElement);
    }

    /** @param {PanelName | null} open */
    show(open) {
        this.open = open;
        for (const name of /** @type {const} */ (['people', 'chat'])) {
            this.panel(name).hidden = name !== open;
            this.button(name).setAttribute('aria-expanded', String(name === open));
            this.button(name).classList.toggle('on', name === open);
        }
        byId('meeting', HTMLElement).classList.toggle('with-panel', open !== null);
        this.onchange(open);
    }
}
