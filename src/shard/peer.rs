//! The peers of a shard: who publishes, and who receives.

use super::message::{DownTrackConfig, PeerId, ShardId, Withheld};
use super::mirror::Mirror;
use super::watched::Watch;
use crate::media::bandwidth::Detector;
use crate::media::down::DownTrack;
use crate::media::feedback::NtpTime;
use crate::media::layer::View;
use crate::media::send_log::SendLog;
use crate::media::twcc::ArrivalLog;
use crate::media::up::UpTrack;
use crate::media::voice::Voice;
use crate::media::{Codec, Kind};
use crate::transport::peer::Transport;
use slab::Slab;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What has not come for so long, while another encoding came, its publisher does not want to send.
const RESTS: Duration = Duration::from_secs(2);

/// Where a peer is kept: its place in one of the two slabs of the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    Up(u32),
    Down(u32),
}

/// What both kinds of peers have.
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) transport: Transport,
    /// The ufrags that lead here, to be forgotten with the peer.
    pub(crate) ufrags: Vec<String>,
    /// The paths that ICE has authenticated.
    pub(crate) paths: Vec<crate::transport::Path>,
    /// The earliest entry of this peer in the timer queue that still counts.
    pub(crate) deadline: Option<Instant>,
    /// When to report by RTCP.
    pub(crate) next_report: Option<Instant>,
    pub(crate) rtt: Option<Duration>,
    /// Waits in the list of those who have RTCP to send.
    pub(crate) feedback_due: bool,
}

impl Peer {
    pub(crate) fn new(id: PeerId, transport: Transport, ufrag: String) -> Self {
        Self {
            id,
            transport,
            ufrags: vec![ufrag],
            paths: Vec::new(),
            deadline: None,
            next_report: None,
            rtt: None,
            feedback_due: false,
        }
    }

    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.transport.path().map(|path| path.remote)
    }
}

/// A receiver of one track: which down peer, and which of its tracks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receiver {
    pub(crate) down: u32,
    pub(crate) track: u16,
}

/// A publisher: one stream. Or the mirror of one that another shard has.
pub(crate) struct UpPeer {
    pub(crate) id: PeerId,
    /// Its peer connection; a mirror has none.
    pub(crate) peer: Option<Peer>,
    /// Where it is, if this is a mirror.
    pub(crate) home: Option<ShardId>,
    /// Shards that mirror it.
    pub(crate) mirrors: Vec<Mirror>,
    /// A mirror: others than its receivers receive the publisher, too.
    pub(crate) is_shared: bool,
    /// A mirror: of which tracks it last asked for keyframes, a bit for each, and when.
    pub(crate) asked: Option<(Instant, u64)>,
    pub(crate) tracks: Vec<UpTrack>,
    /// Who is sent each track.
    pub(crate) receivers: Vec<Vec<Receiver>>,
    /// All down peers of this stream, sending or not.
    pub(crate) downs: Vec<u32>,
    /// When to see which encodings and layers it sends; `None` when it can only send one.
    pub(crate) next_choice: Option<Instant>,
    /// A source has several encodings.
    pub(crate) is_simulcast: bool,
    /// Several encodings or layers of a source came when that was looked at last.
    pub(crate) was_layered: bool,
    /// What to add to the publisher's NTP times to get ours, in units of 2⁻³² s. One for all
    /// tracks, so that they stay together.
    pub(crate) clock_offset: Option<i64>,
    /// The SSRC that this server's own RTCP to the publisher is from.
    pub(crate) own_ssrc: u32,
    /// Receivers' estimates, to be told to the publisher.
    pub(crate) remb: Option<u64>,
    /// The publisher keeps to what it was told of that.
    pub(crate) is_bound: bool,
    /// What of it arrived when, if it wants to be told.
    pub(crate) arrivals: Option<Box<ArrivalLog>>,
    /// The circle in which its voice counts, and that.
    pub(crate) voice: Option<(u32, Voice)>,
    /// What of it is not forwarded.
    pub(crate) withheld: Withheld,
    /// What of it is watched, if it pauses what is not.
    pub(super) watch: Option<Box<Watch>>,
}

impl UpPeer {
    pub(crate) fn new(id: PeerId, peer: Option<Peer>, home: Option<ShardId>) -> Self {
        Self {
            id,
            peer,
            home,
            mirrors: Vec::new(),
            is_shared: false,
            asked: None,
            tracks: Vec::new(),
            receivers: Vec::new(),
            downs: Vec::new(),
            next_choice: None,
            is_simulcast: false,
            was_layered: false,
            clock_offset: None,
            // Any SSRC will do that the publisher does not use itself.
            own_ssrc: id.0 as u32 | 1,
            remb: None,
            is_bound: false,
            arrivals: None,
            voice: None,
            withheld: Withheld::default(),
            watch: None,
        }
    }

    /// When something is to be asked of it, or to be told.
    pub(crate) fn next_poll(&self) -> Option<Instant> {
        let tracks = self.tracks.iter().filter_map(UpTrack::next_poll);
        let arrivals = self.arrivals.as_ref().and_then(|log| log.next_poll());
        tracks.chain(arrivals).min()
    }

    /// A receiver is sent none of its tracks any more.
    pub(crate) fn forget_receiver(&mut self, down: u32) {
        for receivers in &mut self.receivers {
            receivers.retain(|receiver| receiver.down != down);
        }
    }

    /// The codec of a source, by its encodings.
    pub(crate) fn codec_of(&self, encodings: &[usize]) -> Option<Codec> {
        let mut tracks = encodings.iter().map(|at| self.tracks.get(*at));
        let codec = tracks.next()??.codec();
        tracks
            .all(|track| track.is_some_and(|track| track.codec() == codec))
            .then_some(codec)
    }

    /// Puts a receiver's track among those that are sent the encodings it sends or waits for, and
    /// no others. Not to be done while packets are being forwarded.
    pub(crate) fn place(&mut self, down: u32, at: u16, track: &DownTrack) {
        let receiver = Receiver { down, track: at };
        for encoding in track.encodings() {
            let Some(receivers) = self.receivers.get_mut(usize::from(*encoding)) else {
                continue;
            };
            let place = receivers.iter().position(|one| *one == receiver);
            match (track.stands_in(*encoding), place) {
                (true, None) => receivers.push(receiver),
                (false, Some(place)) => {
                    receivers.remove(place);
                }
                _ => {}
            }
        }
    }

    /// Its pictures can be had in several sizes, and it hears by other means what its own path
    /// carries.
    pub(crate) fn is_free(&self) -> bool {
        let hears = |track: &UpTrack| track.config().feedback.transport_cc;
        self.tracks.iter().any(hears) && self.is_layered()
    }

    /// Its pictures can be had in several sizes now. Of several encodings its publisher may send one
    /// alone of its own accord: it is as if there were no others.
    pub(crate) fn is_layered(&self) -> bool {
        let has_layers = |track: &UpTrack| track.layers().highest().0 > 0;
        self.tracks.iter().any(has_layers) || self.sends_several()
    }

    /// Nobody receives it but one down peer of this shard.
    pub(crate) fn has_one_receiver(&self) -> bool {
        self.downs.len() == 1 && self.mirrors.is_empty() && !self.is_shared
    }

    /// Two encodings of one source come, or would if they were asked for.
    fn sends_several(&self) -> bool {
        self.tracks.iter().any(|track| {
            let same = |other: &&UpTrack| other.config().mid == track.config().mid;
            let all = || self.tracks.iter().filter(same);
            let newest = all().filter_map(UpTrack::last_arrival).max();
            let comes = |other: &&UpTrack| {
                let lately = |(newest, last): (Instant, Instant)| {
                    newest.saturating_duration_since(last) < RESTS
                };
                other.layers().is_expected() || newest.zip(other.last_arrival()).is_some_and(lately)
            };
            all().filter(comes).count() > 1
        })
    }

    /// The publisher's clock was read.
    pub(crate) fn clock(&mut self, ours: NtpTime, theirs: NtpTime) {
        let offset = ours.0.wrapping_sub(theirs.0) as i64;
        self.clock_offset = Some(match self.clock_offset {
            // A report that was quick says most; slowness is not the clock's, but drift is.
            Some(old) if offset.wrapping_sub(old) > 0 => {
                old.wrapping_add(offset.wrapping_sub(old) / 32)
            }
            _ => offset,
        });
    }

    /// The publisher's time at ours.
    pub(crate) fn publisher_time(&self, ours: NtpTime) -> Option<NtpTime> {
        self.clock_offset
            .map(|offset| NtpTime(ours.0.wrapping_sub(offset as u64)))
    }
}

/// A receiver: of one stream, or of several over one peer connection.
pub(crate) struct DownPeer {
    pub(crate) peer: Peer,
    /// The place of the client that it belongs to.
    pub(crate) client: u32,
    /// The publishers, in the order in which they were named; `None` for one that is gone.
    pub(crate) sources: Vec<Option<u32>>,
    pub(crate) tracks: Vec<DownTrack>,
    /// What was agreed on, in case a mirror learns of its tracks later.
    pub(crate) wanted: Vec<DownTrackConfig>,
    /// How its pictures are shown.
    pub(crate) view: View,
    pub(crate) connected: bool,
    /// What was sent when, if the receiver tells what arrived. Made once: its numbers go on.
    pub(crate) send_log: Option<Box<SendLog>>,
    /// The track that the next sender reports begin with.
    pub(crate) report_from: usize,
    /// The receiver's estimate, bit/s.
    pub(crate) remb: Option<u64>,
    /// What it can use of its pictures by its client's estimate, bit/s.
    pub(crate) useful: Option<u64>,
    /// Its client's path is known to be the limit: packets leave as that takes them.
    pub(crate) is_paced: bool,
    /// What its packets say of the path, once the receiver told of them.
    pub(crate) detector: Option<Box<Detector>>,
}

impl DownPeer {
    /// The publisher of one of its tracks, while there is one.
    pub(crate) fn source_of(&self, track: &DownTrack) -> Option<u32> {
        self.sources.get(track.config().publisher).copied()?
    }

    /// The receiver's estimate, bit/s. A receiver does not count with much more than it is sent; so
    /// one that is well above that only says that there is more.
    pub(crate) fn spare_remb(&self) -> Option<u64> {
        let remb = self.remb?;
        let sent: u64 = self
            .tracks
            .iter()
            .map(|track| track.figures().bitrate)
            .sum();
        let is_spare = sent > 0 && remb.saturating_mul(10) >= sent.saturating_mul(13);
        Some(if is_spare {
            remb.saturating_mul(3)
        } else {
            remb
        })
    }

    /// The receiver's estimate for one of its publishers, bit/s: those that send it pictures
    /// share the line.
    pub(crate) fn share(&self, estimate: u64) -> u64 {
        let sends_pictures = |publisher: usize| {
            self.tracks.iter().any(|track| {
                track.config().publisher == publisher
                    && track.source().is_some()
                    && track.codec().kind() == Kind::Video
            })
        };
        let sources = self.sources.iter().enumerate();
        let sharing = sources.filter(|(at, source)| source.is_some() && sends_pictures(*at));
        let sharing = sharing.count();
        estimate / (sharing.max(1) as u64)
    }
}

/// The peer connection in a place. A mirror has none.
pub(crate) fn peer_at<'a>(
    ups: &'a mut Slab<UpPeer>,
    downs: &'a mut Slab<DownPeer>,
    place: Place,
) -> Option<&'a mut Peer> {
    match place {
        Place::Up(index) => ups.get_mut(index as usize)?.peer.as_mut(),
        Place::Down(index) => downs.get_mut(index as usize).map(|down| &mut down.peer),
    }
}
