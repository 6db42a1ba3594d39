//! A snapshot of what the shard counts.

use super::Shard;
use super::message::{ShardStats, StreamStats, TrackStats};
use super::peer::{DownPeer, UpPeer};
use std::time::Instant;

impl Shard {
    pub(super) fn stats(&mut self, now: Instant) -> ShardStats {
        let ups = self.ups.iter_mut().map(|(_, up)| up_stats(now, up));
        let mut streams: Vec<_> = ups.collect();
        streams.extend(self.downs.iter().map(|(_, down)| down_stats(down)));
        ShardStats {
            streams,
            drops: self.drops.snapshot(),
        }
    }
}

fn up_stats(now: Instant, up: &mut UpPeer) -> StreamStats {
    let tracks = up
        .tracks
        .iter_mut()
        .map(|track| {
            let figures = track.figures();
            let loss = track.loss().figures();
            TrackStats {
                mid: track.config().mid.clone(),
                rid: track.config().rid.clone(),
                packets: figures.packets,
                bytes: figures.bytes,
                bitrate: track.bitrate(now),
                lost: u64::try_from(track.reception().lost()).unwrap_or(0),
                loss: track.reception().loss(),
                jitter: track.reception().jitter().duration(),
                nacks: loss.asked,
                repaired: loss.recovered,
                keyframes: figures.keyframes,
                keyframe_requests: track.keyframe_requests().sent(),
            }
        })
        .collect();
    StreamStats {
        peer: up.peer.id,
        up: true,
        rtt: up.peer.rtt,
        remb: up.remb,
        remote: up.peer.remote(),
        tracks,
    }
}

fn down_stats(down: &DownPeer) -> StreamStats {
    let tracks = down
        .tracks
        .iter()
        .map(|track| {
            let figures = track.figures();
            TrackStats {
                mid: track.config().mid.clone(),
                rid: None,
                packets: figures.packets,
                bytes: figures.bytes,
                bitrate: figures.bitrate,
                lost: figures.lost,
                loss: figures.loss,
                jitter: figures.jitter,
                nacks: figures.nacks,
                repaired: figures.repaired,
                keyframes: figures.keyframes,
                keyframe_requests: figures.keyframe_requests,
            }
        })
        .collect();
    StreamStats {
        peer: down.peer.id,
        up: false,
        rtt: down.peer.rtt,
        remb: down.remb,
        remote: down.peer.remote(),
        tracks,
    }
}
