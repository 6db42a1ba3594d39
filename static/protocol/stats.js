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
            now[end.track.id] = figures(await end.getStats(), up, before[end.track.id],
                /** @type {'audio' | 'video'} */ (end.track.kind));
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
        if (entry.totalAudioEnergy !== undefined) {
            now.totalAudioEnergy = entry.totalAudioEnergy;
            now.totalSamplesDuration = entry.totalSamplesDuration;
        }
    }
    if (before && now.timestamp > before.timestamp) {
        now.rate = Math.max(0, now.bytes - before.bytes) * 8000 / (now.timestamp - before.timestamp);
        const duration = (now.totalSamplesDuration ?? 0) - (before.totalSamplesDuration ?? 0);
        if (duration > 0) {
            now.audioEnergy =
                ((now.totalAudioEnergy ?? 0) - (before.totalAudioEnergy ?? 0)) / duration;
        }
    }
    return now;
}
