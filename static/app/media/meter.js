/** How loud a track is. */

/** How often it is looked at, ms. */
const EVERY = 100;

export class Meter {
    /**
     * @param {MediaStreamTrack} track
     * @param {(level: number) => void} onlevel 0 to 1, ten times a second.
     */
    constructor(track, onlevel) {
        this.context = new AudioContext();
        const source = this.context.createMediaStreamSource(new MediaStream([track]));
        const analyser = this.context.createAnalyser();
        analyser.fftSize = 1024;
        source.connect(analyser);
        const samples = new Float32Array(analyser.fftSize);
        // A page that was not touched yet may not make sound, nor listen to any.
        void this.context.resume().catch(() => {});
        this.timer = setInterval(() => {
            analyser.getFloatTimeDomainData(samples);
            const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
            onlevel(levelOf(power));
        }, EVERY);
    }

    stop() {
        clearInterval(this.timer);
        void this.context.close().catch(() => {});
    }
}

/**
 * @param {number} power Mean square of the samples.
 * @returns {number} 0 for silence (-60 dB), 1 for the loudest.
 */
export function levelOf(power) {
    return Math.min(1, Math.max(0, 1 + 10 * Math.log10(power || 1e-10) / 60));
}
