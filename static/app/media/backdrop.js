/** Painting a picture whose background is out of focus. */

/** What remains of the longer side, pixels, after halving it again and again. */
const REMAINDER = 40;

/** @typedef {OffscreenCanvasRenderingContext2D} Context */

/** @returns {Context} */
function canvas() {
    return /** @type {Context} */ (new OffscreenCanvas(1, 1).getContext('2d'));
}

/**
 * Small pictures that are made large are blurred: every browser can do that, and quickly, which
 * is not so of filters.
 */
export class Backdrop {
    constructor() {
        this.out = canvas();
        this.person = canvas();
        /** Each half as large as the one before. @type {Context[]} */
        this.steps = [];
    }

    get canvas() {
        return this.out.canvas;
    }

    /** @private @param {number} width @param {number} height */
    resize(width, height) {
        if (this.canvas.width === width && this.canvas.height === height)
            return;
        const count = Math.max(1, Math.round(Math.log2(Math.max(width, height) / REMAINDER)));
        this.steps = Array.from({length: count}, canvas);
        [this.out, this.person, ...this.steps].forEach(({canvas}, index) => {
            const scale = 2 ** Math.max(0, index - 1);
            canvas.width = Math.max(1, Math.round(width / scale));
            canvas.height = Math.max(1, Math.round(height / scale));
        });
    }

    /**
     * @param {CanvasImageSource} picture
     * @param {OffscreenCanvas} mask Opaque where it stays sharp.
     * @param {number} width
     * @param {number} height
     * @returns {OffscreenCanvas}
     */
    blur(picture, mask, width, height) {
        this.resize(width, height);
        const {out, person, steps} = this;
        /** @param {Context} to @param {CanvasImageSource} from */
        const draw = (to, from) => to.drawImage(from, 0, 0, to.canvas.width, to.canvas.height);
        /** @type {CanvasImageSource} */
        let last = picture;
        for (const step of [...steps, ...steps.slice(0, -1).reverse()]) {
            draw(step, last);
            last = step.canvas;
        }
        draw(out, last);
        person.globalCompositeOperation = 'copy';
        draw(person, mask);
        person.globalCompositeOperation = 'source-in';
        draw(person, picture);
        draw(out, person.canvas);
        return out.canvas;
    }
}
