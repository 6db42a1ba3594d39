/** The settings there are, and what they may be. */

/** What each choice may be; the first is the default. */
export const CHOICES = /** @type {const} */ ({
    send: ['normal', 'low', 'high', 'unlimited'],
    receive: ['everything', 'low', 'screens', 'audio'],
    simulcast: ['auto', 'on', 'off'],
    layout: ['grid', 'speaker'],
    theme: ['auto', 'light', 'dark'],
});

/** The bound of the rate of our picture, bit/s; 0 for none. */
export const SEND_RATE = {low: 300_000, normal: 900_000, high: 2_500_000, unlimited: 0};

/**
 * What of the streams is asked for, by label.
 *
 * @type {Record<(typeof CHOICES.receive)[number],
 *     Record<string, import('../../protocol/types.js').MediaRequest[]>>}
 */
export const REQUESTS = {
    everything: {'': ['audio', 'video']},
    low: {'': ['audio', 'video-low'], screenshare: ['audio', 'video'], video: ['audio', 'video']},
    screens: {'': ['audio'], screenshare: ['audio', 'video'], video: ['audio', 'video']},
    audio: {'': ['audio']},
};

/**
 * @typedef {object} Preferences
 * @property {string} username
 * @property {boolean} startMicrophone Join with it turned on.
 * @property {boolean} startCamera
 * @property {string} microphone The id of a device, '' for the browser's choice.
 * @property {string} camera
 * @property {string} speaker
 * @property {boolean} processing Echo, noise and volume are corrected.
 * @property {(typeof CHOICES.send)[number]} send
 * @property {(typeof CHOICES.receive)[number]} receive
 * @property {(typeof CHOICES.simulcast)[number]} simulcast
 * @property {boolean} blackboard Sharpness before motion.
 * @property {boolean} blur What is behind us is out of focus.
 * @property {boolean} mirror Our own picture is shown as in a mirror.
 * @property {boolean} hideSelf
 * @property {(typeof CHOICES.layout)[number]} layout
 * @property {boolean} captions
 * @property {boolean} notifications Of chat, while the page is out of sight.
 * @property {(typeof CHOICES.theme)[number]} theme
 * @property {string} language '' for the browser's.
 */

/** @type {Preferences} */
export const DEFAULTS = {
    username: '', startMicrophone: true, startCamera: true,
    microphone: '', camera: '', speaker: '', processing: true,
    send: 'normal', receive: 'everything', simulcast: 'auto', blackboard: false, blur: false,
    mirror: true, hideSelf: false, layout: 'grid', captions: true, notifications: false,
    theme: 'auto', language: '',
};

/**
 * What of some stored values can be used: another version may have written them.
 *
 * @param {unknown} stored
 * @returns {Partial<Preferences>}
 */
export function sane(stored) {
    /** @type {Record<string, unknown>} */
    const good = {};
    if (typeof stored !== 'object' || stored === null)
        return good;
    for (const [name, value] of Object.entries(stored)) {
        if (!Object.hasOwn(DEFAULTS, name))
            continue;
        const standard = DEFAULTS[/** @type {keyof Preferences} */ (name)];
        /** @type {readonly unknown[] | undefined} */
        const choices = /** @type {any} */ (CHOICES)[name];
        if (choices ? choices.includes(value) : typeof value === typeof standard)
            good[name] = value;
    }
    return good;
}
