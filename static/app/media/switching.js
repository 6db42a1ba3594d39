/** Changing devices and quality in the middle of a call. */

/** @import {LocalMedia} from './local.js' */

import {SEND_RATE} from '../logic/preferences.js';
import {settings} from '../settings.js';
import {capture, how} from './capture.js';
import {allowsSmaller, wantsSmaller} from './publish.js';

/** When all others but one have gone, smaller pictures go on for so long, ms: people come back. */
const LINGER = 30_000;

/** @param {LocalMedia} media Does as the settings say, whenever they change. */
export function followSettings(media) {
    settings.on('camera', () => void renew(media, 'camera'));
    settings.on('blackboard', () => void renew(media, 'camera'));
    settings.on('blur', () => void renew(media, 'camera'));
    settings.on('microphone', () => void renew(media, 'microphone'));
    settings.on('processing', () => void renew(media, 'microphone'));
    const bound = () => void media.cameraStream?.setMaxBitrate(SEND_RATE[settings.get('send')])
        .catch(() => {});
    settings.on('send', bound);
    // It may have changed while there was no connection.
    media.session.on('reconnected', bound);
    followPeople(media);
}

/**
 * Smaller pictures go beside the large one as the settings and the people in the group want it.
 *
 * @param {LocalMedia} media
 */
function followPeople(media) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let lingering;
    const send = () => media.cameraStream?.sendSmaller(wantsSmaller(media.session));
    settings.on('simulcast', () => void media.next(async () => {
        clearTimeout(lingering);
        if (media.camera && media.cameraStream?.userdata['simulcast'] !== allowsSmaller())
            media.publishCamera();
        else
            send();
    }));
    media.session.on('people', () => {
        clearTimeout(lingering);
        if (wantsSmaller(media.session))
            send();
        else
            lingering = setTimeout(send, LINGER);
    });
}

/**
 * Another device is wanted, or the same in another way: it takes the old one's place in the
 * stream, and nobody notices but by what they see.
 *
 * @param {LocalMedia} media
 * @param {'camera' | 'microphone'} kind
 */
function renew(media, kind) {
    if (!media[kind])
        return media.queue;
    return media.next(async () => {
        const old = media[kind];
        if (!old)
            return;
        // Some devices can be opened once only: the old one is let go first.
        old.onended = null;
        old.stop();
        const {enabled} = old;
        try {
            const captured = await capture(kind === 'microphone', kind === 'camera', how());
            // Before anybody hears of it.
            for (const track of captured.getTracks())
                track.enabled = enabled;
            media.take(captured);
        } catch (error) {
            media[kind] = null;
            media.publishCamera();
            throw error;
        }
        const now = media[kind];
        if (!now)
            return;
        const stream = media.cameraStream;
        // While the connection is lost there is nothing that would take it.
        const sender = stream?.isSuspended ? undefined
            : stream?.pc.getSenders().find(({track}) => track === old);
        if (!stream || !sender)
            return media.publishCamera();
        await sender.replaceTrack(now);
        stream.stream.removeTrack(old);
        stream.stream.addTrack(now);
    });
}
