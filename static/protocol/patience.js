/** How long sound waits before it is played: longer than the browser would choose, where that saves
 * some of it. Browsers give up two percent of the sound rather than wait for repairs. */

/** Between two looks, ms. */
const LOOK = 1_000;
/** With more peer connections than this, each is looked at less often. */
const OFTEN = 12;
/** What one look changes of the share that is made up of late. */
const WEIGHT = 0.15;
/** From this share on more is asked for; below that some is given back. */
const BAD = 0.01;
const GOOD = 0.005;
/** What is asked for more at once, what is given back where packets still go missing and where they
 * do not, and what is asked for in all, ms: more where so much is made up at once, which is longer
 * gaps. */
const MORE = 80;
const SLOWLY = 0.5;
const LESS = 4;
const MAX = 240;
const MAX_OF_GAPS = 300;
const GAPS = 0.05;

/**
 * What a browser counts of sound (`inbound-rtp`), as far as it does.
 *
 * @typedef {Partial<Record<'totalSamplesReceived' | 'concealedSamples' | 'silentConcealedSamples'
 *     | 'packetsLost' | 'nackCount' | 'jitterBufferDelay' | 'jitterBufferMinimumDelay'
 *     | 'jitterBufferEmittedCount', number>>} SoundStats
 */

/** What is asked for one track. */
export class Wait {
    /** What is asked for, ms; 0 for nothing. */
    asked = 0;
    /** The share that is made up of late. @private */
    level = 0;
    /** What the browser waits by itself, ms. @private */
    own = 0;
    /** @private @type {SoundStats | undefined} */
    before = undefined;

    /**
     * Looks at what was played since the last time.
     *
     * @param {SoundStats} now
     * @returns {boolean} Something else is asked for than before.
     */
    look(now) {
        const {before, asked} = this;
        this.before = now;
        if (!before)
            return false;
        const grown = (/** @type {keyof SoundStats} */ what) => (now[what] ?? 0) - (before[what] ?? 0);
        const played = grown('totalSamplesReceived');
        if (played <= 0)
            return false;
        const madeUp = Math.max(0, grown('concealedSamples') - grown('silentConcealedSamples')) / played;
        this.level += (madeUp - this.level) * WEIGHT;
        const emitted = grown('jitterBufferEmittedCount');
        // Without what is asked for, if the browser tells.
        if (emitted > 0 && now.jitterBufferMinimumDelay !== undefined)
            this.own = grown('jitterBufferMinimumDelay') / emitted * 1_000;
        else if (emitted > 0 && asked === 0)
            this.own = grown('jitterBufferDelay') / emitted * 1_000;
        // What merely comes late is the browser's own business.
        const isLossy = grown('packetsLost') > 0 || grown('nackCount') > 0;
        const most = madeUp > GAPS ? MAX_OF_GAPS : MAX;
        if (Math.min(madeUp, this.level) > BAD && isLossy)
            this.asked = Math.max(asked, Math.min(Math.max(asked, this.own) + MORE, most));
        else if (this.level < GOOD)
            this.asked -= isLossy ? SLOWLY : LESS;
        if (this.asked <= this.own)
            this.asked = 0;
        return this.asked !== asked;
    }
}

/** Looks after all sounds that one peer connection receives. */
export class Patience {
    /**
     * @param {RTCPeerConnection} pc
     * @param {() => number} count How many peer connections receive something.
     */
    constructor(pc, count) {
        /** @private */
        this.pc = pc;
        /** @private */
        this.count = count;
        /** @private @type {Map<RTCRtpReceiver, Wait>} */
        this.waits = new Map();
        /** @private @type {ReturnType<typeof setTimeout> | undefined} */
        this.timer = undefined;
    }

    /** @param {RTCRtpReceiver} receiver Of one more track. */
    add(receiver) {
        if (receiver.track.kind !== 'audio' || !('jitterBufferTarget' in receiver))
            return;
        if (!this.waits.has(receiver))
            this.waits.set(receiver, new Wait());
        this.timer ??= this.later();
    }

    /** @private */
    later() {
        return setTimeout(() => void this.look(), LOOK * Math.ceil(this.count() / OFTEN));
    }

    /** @private */
    async look() {
        for (const [receiver, wait] of this.waits) {
            try {
                for (const entry of (await receiver.getStats()).values()) {
                    if (entry.type === 'inbound-rtp' && wait.look(entry))
                        receiver.jitterBufferTarget = wait.asked || null;
                }
            } catch (error) {
                // It waits as the browser likes.
                this.waits.delete(receiver);
                console.warn('Sound is not waited for', error);
            }
        }
        if (this.pc.signalingState !== 'closed')
            this.timer = this.later();
    }

    /** The peer connection is given up. */
    stop() {
        clearTimeout(this.timer);
        this.waits.clear();
    }
}
