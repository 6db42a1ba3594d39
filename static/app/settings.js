/** What the user has chosen, kept by the browser from one visit to the next. */

import {Emitter} from './logic/emitter.js';
import {DEFAULTS, sane} from './logic/preferences.js';

/** @typedef {import('./logic/preferences.js').Preferences} Preferences */
/** @typedef {{[K in keyof Preferences]: [now: Preferences[K]]}} Changes */

const KEY = 'perikon.settings';

/**
 * Tells the name of a setting when it changes.
 *
 * @extends {Emitter<Changes>}
 */
class Settings extends Emitter {
    constructor() {
        super();
        /** @private @type {Preferences} */
        this.values = {...DEFAULTS, ...sane(read())};
    }

    /**
     * @template {keyof Preferences} K
     * @param {K} name
     * @returns {Preferences[K]}
     */
    get(name) {
        return this.values[name];
    }

    /**
     * @template {keyof Preferences} K
     * @param {K} name
     * @param {Preferences[K]} value
     */
    set(name, value) {
        if (this.values[name] === value)
            return;
        this.values[name] = value;
        write(this.values);
        /** @type {Emitter<any>} */ (this).emit(name, value);
    }

    /** @returns {[string, unknown][]} All of them. */
    entries() {
        return Object.entries(this.values);
    }
}

/** @returns {unknown} */
function read() {
    try {
        return JSON.parse(localStorage.getItem(KEY) ?? '{}');
    } catch {
        // The browser keeps nothing for us; then nothing is remembered.
        return {};
    }
}

/** @param {Preferences} values */
function write(values) {
    try {
        localStorage.setItem(KEY, JSON.stringify(values));
    } catch {
        // As above.
    }
}

export const settings = new Settings();
