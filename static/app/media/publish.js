/** Handing tracks to the server, in the quality that the settings say. */

/** @import {Session} from '../session.js' */
/** @import {Stream} from '../../protocol.js' */

import {SEND_RATE} from '../logic/preferences.js';
import {settings} from '../settings.js';

/** @typedef {'camera' | 'screenshare' | 'video'} Label */

/** With more others than this, one may have a worse line than another. */
const ONE = 1;

/** What was said last of the microphone, and as whom: the server's echo of it takes its time.
 * @type {WeakMap<Session['connection'], {id: string, muted: boolean}>} */
const announced = new WeakMap();

/** Whether smaller pictures of the camera may be sent beside the large one. */
export const allowsSmaller = () => settings.get('simulcast') !== 'off';

/**
 * Whether they are: the rate of one picture can follow one line only.
 *
 * @param {Session} session
 */
export function wantsSmaller({connection}) {
    const wanted = settings.get('simulcast');
    if (wanted !== 'auto')
        return wanted === 'on';
    // The server's recorder takes what there is.
    const others = Object.entries(connection.users).filter(([id, {permissions}]) =>
        id !== connection.id && !permissions.includes('system'));
    return others.length > ONE;
}

/**
 * @param {Session} session
 * @param {Label} label
 * @param {MediaStreamTrack[]} tracks
 * @param {string} [localId] Of the stream that is replaced.
 * @returns {Stream}
 */
export function publish(session, label, tracks, localId) {
    const stream = session.connection.newUpStream(localId);
    stream.label = label;
    const simulcast = allowsSmaller();
    stream.userdata['simulcast'] = simulcast;
    for (const track of tracks) {
        stream.addTrack(track, label === 'camera'
            ? {maxBitrate: SEND_RATE[settings.get('send')], simulcast} : {});
    }
    stream.sendSmaller(wantsSmaller(session));
    return stream;
}

/**
 * The others see whether our microphone is off.
 *
 * @param {Session} session
 * @param {MediaStreamTrack | null} microphone
 */
export function announceMuted({connection, state}, microphone) {
    // What is said now is lost with the connection; it is said once that is back.
    if (state !== 'joined')
        return;
    const muted = !!microphone && !microphone.enabled;
    const before = announced.get(connection);
    const was = before?.id === connection.id ? before.muted : !!connection.userdata['muted'];
    if (muted === was)
        return;
    announced.set(connection, {id: connection.id, muted});
    connection.userAction('setdata', connection.id, {muted: muted || null});
}
