/** Getting at camera, microphone and screen. */

import {settings} from '../settings.js';
import {text} from '../text/text.js';
import {blurred} from './blur.js';

/** @typedef {'camera' | 'microphone' | 'both' | 'screen'} Device */

/** Says in words why a device could not be had. */
export class CaptureError extends Error {}

/**
 * @typedef {object} How
 * @property {string} microphone The id of a device, '' for the browser's choice.
 * @property {string} camera
 * @property {boolean} processing Sound is corrected.
 * @property {boolean} blackboard Sharpness before motion.
 * @property {boolean} blur The background is out of focus.
 */

/** @returns {How} By the settings. */
export function how() {
    return {microphone: settings.get('microphone'), camera: settings.get('camera'),
        processing: settings.get('processing'), blackboard: settings.get('blackboard'),
        // What is written on a board is behind everybody.
        blur: settings.get('blur') && !settings.get('blackboard')};
}

/** @param {How} how */
function pictureOf({camera, blackboard}) {
    const size = blackboard
        ? {width: {ideal: 1920}, height: {ideal: 1080}, frameRate: {ideal: 15, max: 30}}
        : {width: {ideal: 1280}, height: {ideal: 720}, frameRate: {ideal: 30, max: 30}};
    // A device that is gone is no reason to have none.
    return {...size, ...camera && {deviceId: {ideal: camera}}};
}

/** @param {How} how */
function soundOf({microphone, processing}) {
    return {echoCancellation: processing, noiseSuppression: processing,
        autoGainControl: processing, ...microphone && {deviceId: {ideal: microphone}}};
}

/**
 * @param {boolean} audio
 * @param {boolean} video
 * @param {How} how
 * @returns {Promise<MediaStream>} Fails with a {@link CaptureError}.
 */
export async function capture(audio, video, how) {
    const what = audio && video ? 'both' : audio ? 'microphone' : 'camera';
    if (!navigator.mediaDevices?.getUserMedia)
        throw new CaptureError(text('fail.insecure'));
    let stream;
    try {
        stream = await navigator.mediaDevices.getUserMedia({
            audio: audio && soundOf(how), video: video && pictureOf(how),
        });
    } catch (error) {
        throw explain(error, what);
    }
    if (video && how.blur)
        stream = await withBlur(stream);
    for (const track of stream.getVideoTracks())
        track.contentHint = how.blackboard ? 'detail' : 'motion';
    return stream;
}

/** @param {MediaStream} stream Nothing of it remains on if that fails. */
async function withBlur(stream) {
    try {
        const pictures = await Promise.all(stream.getVideoTracks().map(blurred));
        return new MediaStream([...stream.getAudioTracks(), ...pictures]);
    } catch (error) {
        for (const track of stream.getTracks())
            track.stop();
        console.warn('cannot blur:', error);
        throw new CaptureError(text('media.blur-failed'));
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
            video: {frameRate: {max: 15}},
            audio: {echoCancellation: false, noiseSuppression: false, autoGainControl: false},
        });
    } catch (error) {
        // Closing the browser's dialogue is refused in the same way as a forbidden screen.
        if (error instanceof DOMException && error.name === 'NotAllowedError')
            return null;
        throw explain(error, 'screen');
    }
}

/**
 * The devices there are, with their names as far as the browser tells them.
 *
 * @returns {Promise<Record<'microphone' | 'camera' | 'speaker', {id: string, label: string}[]>>}
 */
export async function devices() {
    const found = await navigator.mediaDevices?.enumerateDevices?.() ?? [];
    const of = (/** @type {MediaDeviceKind} */ kind) => found
        .filter((device) => device.kind === kind && device.deviceId)
        .map(({deviceId, label}) => ({id: deviceId, label}));
    return {microphone: of('audioinput'), camera: of('videoinput'), speaker: of('audiooutput')};
}

/**
 * Whether the browser gives devices without asking.
 *
 * @returns {Promise<boolean>}
 */
export async function mayCapture() {
    try {
        const [camera, microphone] = await Promise.all(['camera', 'microphone'].map((name) =>
            navigator.permissions.query({name: /** @type {PermissionName} */ (name)})));
        return camera?.state === 'granted' && microphone?.state === 'granted';
    } catch {
        // Not every browser knows these names.
        return false;
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
