/** @import {TrackStats} from './types.js' */

/**
 * Takes the figures of all tracks of a peer connection.
 *
 * @param {RTCPeerConnection} pc
 * @param {boolean} up Its tracks are sent, not received.
 * @param {Record<string, TrackStats>} before The figures of last time, by track id.
 * @returns {Promise<Record<string, TrackStats>>}
 */
export async function sample(pc, up, before) {
    /** @type {Record<string, TrackStats>} */
    const now = {};
    for (const end of up ? pc.getSenders() : pc.getReceivers()) {
        if (!end.track)
            continue;
        try {
            const stats = figures(await end.getStats(), up, before[end.track.id],
                /** @type {'audio' | 'video'} */ (end.track.kind));
            if (end instanceof RTCRtpSender && stats.kind === 'video') {
                const {encodings = []} = end.getParameters();
                stats.encodings = encodings.length;
                stats.paused = encodings.filter(({active}) => active === false).length;
            }
            now[end.track.id] = stats;
        } catch {
            // The track went away meanwhile.
        }
    }
    return now;
}

/**
 * @param {RTCStatsReport} report
 * @param {boolean} up
 * @param {TrackStats | undefined} before
 * @param {'audio' | 'video'} kind
 * @returns {TrackStats}
 */
export function figures(report, up, before, kind) {
    /** @type {TrackStats} */
    const now = {kind, timestamp: 0, bytes: 0, rate: 0};
    for (const entry of report.values()) {
        if (entry.type !== (up ? 'outbound-rtp' : 'inbound-rtp'))
            continue;
        // Simulcast has several of them.
        now.timestamp = entry.timestamp;
        now.bytes += entry.bytesSent ?? entry.bytesReceived ?? 0;
        now.packets = (now.packets ?? 0) + (entry.packetsSent ?? entry.packetsReceived ?? 0);
        if (entry.packetsLost !== undefined)
            now.packetsLost = (now.packetsLost ?? 0) + entry.packetsLost;
        if (entry.jitter !== undefined)
            now.jitter = entry.jitter;
        // Of the largest picture that is sent.
        if (entry.active !== false && entry.frameWidth && entry.frameWidth >= (now.width ?? 0)) {
            now.width = entry.frameWidth;
            now.height = entry.frameHeight;
            now.framesPerSecond = entry.framesPerSecond;
        }
        if (entry.framesDecoded !== undefined)
            now.frames = entry.framesDecoded;
        const codec = entry.codecId ? report.get(entry.codecId) : undefined;
        if (codec?.mimeType)
            now.codec = codec.mimeType.split('/')[1];
        if (entry.totalAudioEnergy !== undefined) {
            now.totalAudioEnergy = entry.totalAudioEnergy;
            now.totalSamplesDuration = entry.totalSamplesDuration;
        }
    }
    for (const entry of report.values()) {
        // What the other side says about what we send.
        if (up && entry.type === 'remote-inbound-rtp') {
            now.packetsLost = (now.packetsLost ?? 0) + (entry.packetsLost ?? 0);
            now.rtt = entry.roundTripTime ?? now.rtt;
        } else if (entry.type === 'candidate-pair' && entry.nominated) {
            now.rtt ??= entry.currentRoundTripTime;
        }
    }
    if (before && now.timestamp > before.timestamp) {
        now.rate = Math.max(0, now.bytes - before.bytes) * 8000 / (now.timestamp - before.timestamp);
        const lost = (now.packetsLost ?? 0) - (before.packetsLost ?? 0);
        const packets = (now.packets ?? 0) - (before.packets ?? 0) + (up ? 0 : lost);
        now.loss = packets > 0 ? Math.min(1, Math.max(0, lost / packets)) : 0;
        const duration = (now.totalSamplesDuration ?? 0) - (before.totalSamplesDuration ?? 0);
        if (duration > 0) {
            now.audioEnergy =
                ((now.totalAudioEnergy ?? 0) - (before.totalAudioEnergy ?? 0)) / duration;
        }
    }
    return now;
}
