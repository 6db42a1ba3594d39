/** Handing tracks to the server, in the quality that the settings say. */

/** @import {Session} from '../session.js' */
/** @import {Stream} from '../../protocol.js' */

import {SEND_RATE} from '../logic/preferences.js';
import {settings} from '../settings.js';

/** @typedef {'camera' | 'screenshare' | 'video'} Label */

/** With more people than this smaller pictures are sent beside the large one. */
const FEW = 4;

/**
 * Whether smaller pictures of the camera are sent beside the large one.
 *
 * @param {Session} session
 */
export function wantsSimulcast({connection}) {
    const wanted = settings.get('simulcast');
    return wanted === 'on'
        || (wanted === 'auto' && Object.keys(connection.users).length > FEW);
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
    const simulcast = wantsSimulcast(session);
    stream.userdata['simulcast'] = simulcast;
    for (const track of tracks) {
        stream.addTrack(track, label === 'camera'
            ? {maxBitrate: SEND_RATE[settings.get('send')], simulcast} : {});
    }
    return stream;
}

/**
 * The others see whether our microphone is off.
 *
 * @param {Session} session
 * @param {MediaStreamTrack | null} microphone
 */
export function announceMuted({connection}, microphone) {
    const muted = microphone && !microphone.enabled ? true : null;
    if ((connection.userdata['muted'] ?? null) !== muted)
        connection.userAction('setdata', connection.id, {muted});
}
