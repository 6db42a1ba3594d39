//! What a shard has counted of all its peers together, those included that are gone.
//!
//! Each track counts for itself. What one counted is added to the shard's ledger when it goes, so
//! that the sums never fall.

use super::Shard;
use super::peer::{DownPeer, UpPeer};
use crate::media::Codec;
use crate::media::bandwidth::ProbeResult;
use crate::media::down::{DownFigures, DownTrack};
use crate::media::up::UpTrack;
use std::ops::AddAssign;
use std::time::Duration;

/// A snapshot of a shard's sums.
#[derive(Debug, Clone, Default)]
pub struct ShardFigures {
    /// Peers that publish.
    pub ups: PeerFigures,
    /// Peers that receive.
    pub downs: PeerFigures,
    /// One entry a direction and codec, those that nobody uses included.
    pub media: Vec<MediaFigures>,
    /// Datagrams and packets that were dropped, by reason, all reasons.
    pub drops: Vec<(&'static str, u64)>,
    /// Timers that ended, by what they were for.
    pub timers: Vec<(&'static str, u64)>,
    /// What the path of each receiver is taken to carry, where that is known, bit/s.
    pub estimates: Vec<u64>,
    /// Encodings that publishers were told to pause, as nobody watches them.
    pub unwatched: u64,
    /// Round-trip time of each peer that is known.
    pub rtts: Vec<Duration>,
    /// What waits for receivers' paths, and what was tried on them.
    pub paths: PathFigures,
}

/// How receivers' paths are kept from being flooded, and found to carry more.
#[derive(Debug, Clone, Copy, Default)]
pub struct PathFigures {
    /// Packets that wait now.
    pub waiting: u64,
    /// Their bytes, RTP headers included.
    pub waiting_bytes: u64,
    /// Packets that had to wait, since the shard began.
    pub delayed: u64,
    /// … and those among them, or beyond what may wait, that were given up.
    pub given_up: u64,
    /// Probes that were begun.
    pub probes: u64,
    /// Probes that arrived as fast as they were sent,
    pub carried: u64,
    /// … that filled a queue,
    pub saturated: u64,
    /// … and that did not arrive, or could not be sent to their end.
    pub lost: u64,
    /// Bytes sent for nothing but that, RTP headers and protection included.
    pub padding_bytes: u64,
}

impl PathFigures {
    pub(super) fn probed(&mut self, result: ProbeResult) {
        *match result {
            ProbeResult::Carried(_) => &mut self.carried,
            ProbeResult::Saturated(_) => &mut self.saturated,
            ProbeResult::Lost => &mut self.lost,
        } += 1;
    }
}

/// Peers there are now.
#[derive(Debug, Clone, Copy, Default)]
pub struct PeerFigures {
    /// ICE and DTLS are done.
    pub connected: usize,
    /// They are not.
    pub connecting: usize,
}

impl PeerFigures {
    fn count(&mut self, connected: bool) {
        *if connected {
            &mut self.connected
        } else {
            &mut self.connecting
        } += 1;
    }
}

/// The tracks of one direction and codec.
#[derive(Debug, Clone, Copy)]
pub struct MediaFigures {
    /// They arrive (true) or leave (false).
    pub up: bool,
    /// Of what.
    pub codec: Codec,
    /// How many there are now.
    pub tracks: u64,
    /// What they, and those before them, counted.
    pub counts: MediaCounts,
}

/// Counted since the shard began; as in [`super::TrackStats`].
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "named as in TrackStats")]
pub struct MediaCounts {
    pub packets: u64,
    pub bytes: u64,
    pub lost: u64,
    pub nacks: u64,
    pub repaired: u64,
    pub redundant: u64,
    pub keyframes: u64,
    pub keyframe_requests: u64,
    pub switches: u64,
    /// Times that a track was paused as its receiver's path did not carry it.
    pub pauses: u64,
}

impl AddAssign for MediaCounts {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.lost += other.lost;
        self.nacks += other.nacks;
        self.repaired += other.repaired;
        self.redundant += other.redundant;
        self.keyframes += other.keyframes;
        self.keyframe_requests += other.keyframe_requests;
        self.switches += other.switches;
        self.pauses += other.pauses;
    }
}

impl MediaCounts {
    fn of_up(track: &mut UpTrack) -> Self {
        let (figures, loss) = (track.figures(), track.loss().figures());
        Self {
            packets: figures.packets,
            bytes: figures.bytes,
            lost: u64::try_from(track.reception().lost()).unwrap_or(0),
            nacks: loss.asked,
            repaired: loss.recovered,
            redundant: figures.restored,
            keyframes: figures.keyframes,
            keyframe_requests: track.keyframe_requests().sent(),
            switches: 0,
            pauses: 0,
        }
    }

    fn of_down(track: &DownTrack) -> Self {
        let DownFigures {
            packets,
            bytes,
            lost,
            nacks,
            repaired,
            redundant,
            keyframes,
            keyframe_requests,
            switches,
            pauses,
            ..
        } = track.figures_of_codec();
        Self {
            packets,
            bytes,
            lost,
            nacks,
            repaired,
            redundant,
            keyframes,
            keyframe_requests,
            switches,
            pauses,
        }
    }
}

/// One value a direction (up first) and codec.
type PerCodec<T> = [[T; Codec::ALL.len()]; 2];

fn entry<T>(table: &mut PerCodec<T>, up: bool, codec: Codec) -> &mut T {
    &mut table[usize::from(!up)][codec as usize]
}

/// What tracks that are gone had counted.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    gone: PerCodec<MediaCounts>,
    /// The most that was told of losses: packets that are late are no longer lost, but a sum that
    /// falls looks like a new beginning.
    lost_told: PerCodec<u64>,
    pub(super) timers: Timers,
}

impl Ledger {
    /// A publisher goes.
    pub(super) fn up_gone(&mut self, up: &mut UpPeer) {
        // A mirror's figures are those of the shard that has the publisher.
        if up.home.is_none() {
            for track in &mut up.tracks {
                *entry(&mut self.gone, true, track.codec()) += MediaCounts::of_up(track);
            }
        }
    }

    /// A receiver goes.
    pub(super) fn down_gone(&mut self, down: &DownPeer) {
        for track in &down.tracks {
            self.track_gone(track);
        }
    }

    /// A receiver's track goes, or carries another codec from now on.
    pub(super) fn track_gone(&mut self, track: &DownTrack) {
        *entry(&mut self.gone, false, track.codec()) += MediaCounts::of_down(track);
    }
}

/// Timers that ended, by what they were for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timers {
    /// ICE and DTLS.
    pub(super) transport: u64,
    /// Repairs and keyframes that are due to be asked for.
    pub(super) media: u64,
    /// RTCP reports.
    pub(super) report: u64,
    /// Nothing: another came before it.
    pub(super) superseded: u64,
}

impl Shard {
    /// The sums of all that was counted so far. Allocates: not to be called for each packet.
    pub fn figures(&mut self) -> ShardFigures {
        let mut figures = ShardFigures::default();
        let mut counts = self.ledger.gone;
        let mut tracks: PerCodec<u64> = PerCodec::default();
        for (_, up) in &mut self.ups {
            let (None, Some(peer)) = (up.home, &up.peer) else {
                continue;
            };
            figures.ups.count(peer.next_report.is_some());
            figures.rtts.extend(peer.rtt);
            let unwatched = up.watch.as_ref().map_or(0, |watch| watch.paused());
            figures.unwatched += u64::from(unwatched.count_ones());
            for track in &mut up.tracks {
                *entry(&mut counts, true, track.codec()) += MediaCounts::of_up(track);
                *entry(&mut tracks, true, track.codec()) += 1;
            }
        }
        let clients = self.clients.iter();
        figures
            .estimates
            .extend(clients.filter_map(|client| client.estimate.bitrate()));
        figures.paths = self.flush.paths;
        for client in self.clients.iter() {
            let (packets, bytes) = client.pace.backlog();
            figures.paths.waiting += packets;
            figures.paths.waiting_bytes += bytes;
        }
        for (_, down) in &self.downs {
            figures.downs.count(down.connected);
            figures.rtts.extend(down.peer.rtt);
            for track in &down.tracks {
                *entry(&mut counts, false, track.codec()) += MediaCounts::of_down(track);
                *entry(&mut tracks, false, track.codec()) += u64::from(track.source().is_some());
            }
        }
        for up in [true, false] {
            for codec in Codec::ALL {
                let mut counts = *entry(&mut counts, up, codec);
                let told = entry(&mut self.ledger.lost_told, up, codec);
                *told = counts.lost.max(*told);
                counts.lost = *told;
                figures.media.push(MediaFigures {
                    up,
                    codec,
                    tracks: *entry(&mut tracks, up, codec),
                    counts,
                });
            }
        }
        figures.drops = self.drops.all().collect();
        let timers = self.ledger.timers;
        figures.timers = vec![
            ("transport", timers.transport),
            ("media", timers.media),
            ("report", timers.report),
            ("superseded", timers.superseded),
        ];
        figures
    }
}
