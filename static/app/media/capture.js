/** Getting at camera, microphone and screen. */

import {text} from '../text/text.js';

/** @typedef {'camera' | 'microphone' | 'both' | 'screen'} Device */

/** Says in words why a device could not be had. */
export class CaptureError extends Error {}

/** Steadies the picture and the sound of a conversation. */
const VIDEO = {width: {ideal: 1280}, height: {ideal: 720}, frameRate: {ideal: 30, max: 30}};
const AUDIO = {echoCancellation: true, noiseSuppression: true, autoGainControl: true};

/**
 * @param {boolean} audio
 * @param {boolean} video
 * @returns {Promise<MediaStream>} Fails with a {@link CaptureError}.
 */
export async function capture(audio, video) {
    const what = audio && video ? 'both' : audio ? 'microphone' : 'camera';
    if (!navigator.mediaDevices?.getUserMedia)
        throw new CaptureError(text('fail.insecure'));
    try {
        return await navigator.mediaDevices.getUserMedia({
            audio: audio && AUDIO, video: video && VIDEO,
        });
    } catch (error) {
        throw explain(error, what);
    }
}

/**
 * @returns {Promise<MediaStream | null>} Null if the user thought better of it.
 */
export async function captureScreen() {
    if (!navigator.mediaDevices?.getDisplayMedia)
        throw new CaptureError(text('media.screen-unsupported'));
    try {
        return await navigator.mediaDevices.getDisplayMedia({
            video: {frameRate: {max: 15}}, audio: true,
        });
    } catch (error) {
        // Closing the browser's dialogue is refused in the same way as a forbidden screen.
        if (error instanceof DOMException && error.name === 'NotAllowedError')
            return null;
        throw explain(error, 'screen');
    }
}

/** @param {unknown} error @param {Device} device */
function explain(error, device) {
    const what = text(`media.${device}`);
    switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
        return new CaptureError(text('media.denied', {what}));
    case 'NotFoundError':
    case 'OverconstrainedError':
        return new CaptureError(text('media.missing', {what}));
    case 'NotReadableError':
    case 'AbortError':
        return new CaptureError(text('media.busy', {what}));
    default:
        return new CaptureError(text('media.failed',
            {what, message: error instanceof Error ? error.message : String(error)}));
    }
}
