/** A camera whose background is out of focus. */

/** What loads for the first time on a slow line may take a while, ms. */
const PATIENCE = 60_000;

/**
 * The same camera, blurred. To stop the track stops the camera; no picture is ever shown as it is.
 *
 * @param {MediaStreamTrack} camera Is ours now; when we fail, it is stopped.
 * @returns {Promise<MediaStreamTrack>}
 */
export async function blurred(camera) {
    const worker = new Worker(new URL('blurring.js', import.meta.url), {type: 'module'});
    const end = () => {
        worker.terminate();
        camera.stop();
    };
    try {
        await ready(worker);
        const {track, stop} = canStream() ? throughStreams(camera, worker)
            : await throughPage(camera, worker);
        track.stop = () => {
            MediaStreamTrack.prototype.stop.call(track);
            stop();
            end();
        };
        const lost = () => {
            track.stop();
            track.dispatchEvent(new Event('ended'));
        };
        camera.onended = lost;
        worker.addEventListener('message', ({data}) => data.error && lost());
        return track;
    } catch (error) {
        end();
        throw error;
    }
}

/** @param {Worker} worker */
function ready(worker) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('timeout')), PATIENCE);
        worker.onmessage = ({data}) => {
            clearTimeout(timer);
            if (data.error)
                reject(new Error(data.error));
            else
                resolve(true);
        };
        worker.onerror = () => {
            clearTimeout(timer);
            reject(new Error('worker'));
        };
    });
}

function canStream() {
    return 'MediaStreamTrackProcessor' in window && 'MediaStreamTrackGenerator' in window;
}

/**
 * Chromium: the worker reads the camera and writes the track.
 *
 * @param {MediaStreamTrack} camera
 * @param {Worker} worker
 */
function throughStreams(camera, worker) {
    const {MediaStreamTrackProcessor, MediaStreamTrackGenerator} = /** @type {any} */ (window);
    // One picture at a time: a slow machine leaves some out rather than fall behind.
    const {readable} = new MediaStreamTrackProcessor({track: camera, maxBufferSize: 1});
    const track = new MediaStreamTrackGenerator({kind: 'video'});
    const {writable} = track;
    worker.postMessage({readable, writable}, [readable, writable]);
    return {/** @type {MediaStreamTrack} */ track, stop() {}};
}

/**
 * Firefox and Safari: pictures go to the worker one by one, and come back to a canvas.
 *
 * @param {MediaStreamTrack} camera
 * @param {Worker} worker
 */
async function throughPage(camera, worker) {
    const video = document.createElement('video');
    video.muted = true;
    video.playsInline = true;
    video.srcObject = new MediaStream([camera]);
    await video.play();
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d', {alpha: false});
    const next = async () => {
        const bitmap = await createImageBitmap(video);
        worker.postMessage({bitmap}, [bitmap]);
    };
    const first = new Promise((resolve, reject) => {
        worker.onmessage = ({data: {picture, error}}) => {
            if (error) {
                reject(new Error(error));
            } else if (!picture) {
                // The camera may just have been taken away.
                void next().catch(() => {});
            } else {
                if (canvas.width !== picture.width || canvas.height !== picture.height) {
                    canvas.width = picture.width;
                    canvas.height = picture.height;
                }
                context?.drawImage(picture, 0, 0);
                picture.close();
                resolve(true);
            }
        };
    });
    await next();
    await first;
    const [track] = canvas.captureStream().getVideoTracks();
    if (!track)
        throw new Error('no captureStream');
    return {track, stop() {
        video.srcObject = null;
    }};
}
