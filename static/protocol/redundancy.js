/** Sound that is sent twice, so that what gets lost on the way up is still heard. */

/**
 * Prefers redundant sound (RED, RFC 2198) where the browser has it. A server that does not answers
 * without, and is sent ordinary sound.
 *
 * @param {RTCRtpTransceiver} transceiver
 */
export function preferRedundancy(transceiver) {
    const known = RTCRtpSender.getCapabilities?.('audio')?.codecs ?? [];
    const isRedundant = (/** @type {{mimeType: string}} */ {mimeType}) =>
        mimeType.toLowerCase() === 'audio/red';
    const redundant = known.filter(isRedundant);
    if (transceiver.sender.track?.kind !== 'audio' || redundant.length === 0)
        return;
    try {
        transceiver.setCodecPreferences([...redundant,
            ...known.filter((codec) => !isRedundant(codec))]);
    } catch (error) {
        // It is sent once, as ever.
        console.warn('No redundant sound', error);
    }
}
