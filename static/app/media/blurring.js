/**
 * Blurs what is behind a person. It runs beside the page, under rules of its own: it may run
 * WebAssembly, which the page may not, and talk to this server only.
 */

import {Backdrop} from './backdrop.js';

const HOME = new URL('../../third-party/', import.meta.url).pathname;

/** The side of the square in which the person is looked for, pixels: the model's own. */
const SIDE = 256;

/** Between two pictures, ms, where they come one by one. */
const EVERY = 33;

/** @type {any} The worker's global scope, of which the page's types know nothing. */
const scope = self;

// The library tells the console of all that it does, as errors too; real ones come as exceptions.
console.log = console.info = console.warn = console.error = console.debug;

/** Says where in a picture somebody is. */
class Segmenter {
    /** @private @param {any} task */
    constructor(task) {
        this.task = task;
        this.small = new OffscreenCanvas(SIDE, SIDE);
        this.context = /** @type {OffscreenCanvasRenderingContext2D} */ (
            this.small.getContext('2d', {willReadFrequently: true, alpha: false}));
        this.mask = new OffscreenCanvas(SIDE, SIDE);
        this.maskContext = /** @type {OffscreenCanvasRenderingContext2D} */ (
            this.mask.getContext('2d'));
        this.pixels = new ImageData(SIDE, SIDE);
        this.time = 0;
    }

    /** @returns {Promise<Segmenter>} */
    static async load() {
        const {FilesetResolver, ImageSegmenter} =
            await import(`${HOME}tasks-vision/vision_bundle.mjs`);
        const files = await FilesetResolver.forVisionTasks(`${HOME}tasks-vision`, true);
        return new Segmenter(await ImageSegmenter.createFromOptions(files, {
            baseOptions: {
                modelAssetPath: `${HOME}selfie-segmenter/selfie_segmenter.tflite`, delegate: 'CPU',
            },
            canvas: new OffscreenCanvas(SIDE, SIDE),
            runningMode: 'VIDEO', outputConfidenceMasks: true, outputCategoryMask: false,
        }));
    }

    /**
     * @param {VideoFrame | ImageBitmap} picture
     * @returns {OffscreenCanvas} Opaque where somebody is, to be used before the next call.
     */
    find(picture) {
        this.context.drawImage(picture, 0, 0, SIDE, SIDE);
        // Times must grow; that of the pictures may jump.
        this.time += 33;
        this.task.segmentForVideo(this.small, this.time, (/** @type {any} */ result) => {
            /** @type {Float32Array} */
            const confidence = result.confidenceMasks[0].getAsFloat32Array();
            const {data} = this.pixels;
            // The clamped array rounds and bounds; doubts around a half make a soft edge.
            for (let at = 0; at < confidence.length; at++)
                data[4 * at + 3] = 255 * (2.5 * (confidence[at] ?? 0) - 0.75);
        });
        this.maskContext.putImageData(this.pixels, 0, 0);
        return this.mask;
    }
}

/** @type {Promise<Segmenter>} */
const loaded = Segmenter.load();
loaded.then(() => scope.postMessage({ready: true}), fail);

/** @param {unknown} error */
function fail(error) {
    scope.postMessage({error: error instanceof Error ? error.message : String(error)});
}

/**
 * From stream to stream, without the page.
 *
 * @param {ReadableStream<VideoFrame>} readable
 * @param {WritableStream<VideoFrame>} writable
 */
async function stream(readable, writable) {
    const segmenter = await loaded;
    const backdrop = new Backdrop();
    await readable.pipeThrough(new TransformStream({
        transform(frame, controller) {
            try {
                const {displayWidth, displayHeight, timestamp} = frame;
                const canvas = backdrop.blur(frame, segmenter.find(frame),
                    displayWidth, displayHeight);
                controller.enqueue(new VideoFrame(canvas, {timestamp, alpha: 'discard'}));
            } finally {
                frame.close();
            }
        },
    })).pipeTo(writable);
}

/** @type {Backdrop | null} */
let still = null;

/** @param {ImageBitmap} bitmap One picture, for browsers without streams of them. */
async function one(bitmap) {
    const begin = performance.now();
    const segmenter = await loaded;
    still ??= new Backdrop();
    const {width, height} = bitmap;
    still.blur(bitmap, segmenter.find(bitmap), width, height);
    bitmap.close();
    const picture = still.canvas.transferToImageBitmap();
    scope.postMessage({picture}, [picture]);
    // The page's own timers slow down while it is out of sight, ours do not.
    setTimeout(() => scope.postMessage({next: true}), begin + EVERY - performance.now());
}

scope.onmessage = (/** @type {MessageEvent} */ {data}) => {
    const done = data.bitmap ? one(data.bitmap) : stream(data.readable, data.writable);
    done.catch(fail);
};
