//! What Galène's page of statistics shows: every client, what it sends and what it receives; and
//! what of that is paused.

#[cfg(test)]
mod tests;

use super::state::State;
use crate::shard::{PeerId, StreamStats, TrackStats};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// A group in which someone is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupStatistics {
    /// Its name.
    pub name: String,
    /// Sorted by id.
    pub clients: Vec<ClientStatistics>,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClientStatistics {
    /// Its id.
    pub id: String,
    /// What it sends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub up: Vec<StreamStatistics<UpTrackStatistics>>,
    /// What it receives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub down: Vec<StreamStatistics<DownTrackStatistics>>,
}

/// A stream of one client.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamStatistics<Track> {
    /// Its id.
    pub id: String,
    /// What the receiver thinks it can take, bit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bitrate: Option<u64>,
    /// In order.
    pub tracks: Vec<Track>,
}

/// A track that arrives at the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpTrackStatistics {
    /// Of an encoding: its rid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Its publisher was told not to send it, as nobody watches it.
    pub paused: bool,
    /// bit/s
    pub bitrate: u64,
    /// The most that its publisher was asked for, bit/s; 0 for no limit.
    pub max_bitrate: u64,
    /// 0 to 1.
    pub loss: f64,
    /// ms
    pub jitter: f64,
}

/// A track that leaves the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DownTrackStatistics {
    /// The receiver's path does not carry it.
    pub paused: bool,
    /// bit/s
    pub bitrate: u64,
    /// What the receiver's path is taken to carry, for all that it receives, bit/s; 0 if that is
    /// not known.
    pub max_bitrate: u64,
    /// 0 to 1.
    pub loss: f64,
    /// ms
    pub jitter: f64,
    /// Spatial layer, or encoding with simulcast.
    pub sid: u8,
    /// The highest there is.
    pub max_sid: u8,
    /// Temporal layer.
    pub tid: u8,
    /// The highest there is.
    pub max_tid: u8,
    /// Sound: how many earlier packets go with each now, as the receiver loses some; absent where
    /// it takes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redundant: Option<u8>,
    /// ms, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt: Option<f64>,
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn up_track(track: &TrackStats) -> UpTrackStatistics {
    UpTrackStatistics {
        rid: track.rid.clone(),
        paused: track.paused,
        bitrate: track.bitrate,
        max_bitrate: 0,
        loss: track.loss,
        jitter: milliseconds(track.jitter),
    }
}

fn down_track(track: &TrackStats, stream: &StreamStats) -> DownTrackStatistics {
    DownTrackStatistics {
        paused: track.paused,
        bitrate: track.bitrate,
        max_bitrate: stream.estimate.or(stream.remb).unwrap_or(0),
        loss: track.loss,
        jitter: milliseconds(track.jitter),
        sid: track.shown.sid,
        max_sid: track.shown.max_sid,
        tid: track.shown.tid,
        max_tid: track.shown.max_tid,
        redundant: track.copies,
        rtt: stream.rtt.map(milliseconds),
    }
}

impl State {
    /// The figures of every group in which someone is, sorted by name.
    pub async fn statistics(&self) -> Vec<GroupStatistics> {
        let shards = self.engine().stats().await;
        let streams = shards.into_iter().flat_map(|(_, shard)| shard.streams);
        let streams: HashMap<PeerId, StreamStats> =
            streams.map(|stream| (stream.peer, stream)).collect();
        let mut groups: Vec<(String, BTreeMap<String, ClientStatistics>)> = Vec::new();
        for group in self.registry().populated() {
            let clients = group.users().into_iter().map(|user| {
                let client = ClientStatistics {
                    id: user.id.clone(),
                    up: Vec::new(),
                    down: Vec::new(),
                };
                (user.id.clone(), client)
            });
            groups.push((group.name().to_owned(), clients.collect()));
        }
        for (peer, followed) in &*self.peers() {
            let found = groups.binary_search_by(|(name, _)| name.cmp(&followed.group));
            let group = found.ok().and_then(|at| groups.get_mut(at));
            let client = group.and_then(|(_, clients)| clients.get_mut(&followed.client));
            let (Some(client), Some(stream)) = (client, streams.get(peer)) else {
                continue;
            };
            let (id, max_bitrate) = (followed.stream.clone(), stream.remb);
            if stream.up {
                let tracks = stream.tracks.iter().map(up_track).collect();
                client.up.push(StreamStatistics {
                    id,
                    max_bitrate,
                    tracks,
                });
            } else {
                let tracks = stream.tracks.iter();
                let tracks = tracks.map(|track| down_track(track, stream)).collect();
                client.down.push(StreamStatistics {
                    id,
                    max_bitrate,
                    tracks,
                });
            }
        }
        let sorted = groups.into_iter().map(|(name, clients)| {
            let mut clients: Vec<_> = clients.into_values().collect();
            for client in &mut clients {
                client.up.sort_by(|a, b| a.id.cmp(&b.id));
                client.down.sort_by(|a, b| a.id.cmp(&b.id));
            }
            GroupStatistics { name, clients }
        });
        sorted.collect()
    }
}
