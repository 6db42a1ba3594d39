/** How pictures are sent: their layers and the bounds of their rate. */

/** The rate of the small picture, bit/s: so much a receiver of `video-low` is promised. */
const LOW = 100_000;

/**
 * @param {MediaStreamTrack} track
 * @param {{maxBitrate?: number, simulcast?: boolean}} how See {@link Stream#addTrack}.
 * @returns {{sendEncodings?: RTCRtpEncodingParameters[]}}
 */
export function encodingsFor(track, {maxBitrate, simulcast}) {
    if (track.kind !== 'video')
        return {};
    const high = maxBitrate ? {maxBitrate} : {};
    if (simulcast) {
        return {sendEncodings: [{rid: 'h', ...high},
            {rid: 'l', scaleResolutionDownBy: 4, maxBitrate: LOW}]};
    }
    return maxBitrate ? {sendEncodings: [high]} : {};
}

/**
 * Bounds the rate of a sender's largest picture.
 *
 * @param {RTCRtpSender} sender
 * @param {number} bitrate bit/s, 0 for no bound.
 */
export async function bound(sender, bitrate) {
    const parameters = sender.getParameters();
    const largest = parameters.encodings?.[0];
    if (sender.track?.kind !== 'video' || !largest)
        return;
    if (bitrate > 0)
        largest.maxBitrate = bitrate;
    else
        delete largest.maxBitrate;
    await sender.setParameters(parameters);
}

/**
 * What of its parameters a sender may be made with again.
 *
 * @param {RTCRtpSender} sender
 * @returns {{sendEncodings?: RTCRtpEncodingParameters[]}}
 */
export function kept(sender) {
    const sendEncodings = (sender.getParameters().encodings ?? [])
        .map(({rid, maxBitrate, scaleResolutionDownBy}) => ({
            ...rid && {rid}, ...maxBitrate && {maxBitrate},
            ...scaleResolutionDownBy && {scaleResolutionDownBy},
        }));
    return sender.track?.kind === 'video' && sendEncodings.length > 0 ? {sendEncodings} : {};
}
