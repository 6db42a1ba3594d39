//! What a shard is told, and what it tells.

use crate::media::down::choice::Shown;
use crate::media::feedback::{NtpTime, SenderInfo};
use crate::media::layer::View;
use crate::media::send_log::SendFigures;
use crate::media::{Codec, Kind};
use crate::transport::description::{
    ExtensionIds, Feedback, IceCredentials, RemoteTransport, Repair, Rtx,
};
use crate::transport::peer::Role;
use std::net::SocketAddr;
use std::time::Duration;

/// One peer connection, unique in the process and never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub u64);

/// A group, unique in the process and never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u64);

/// Who receives: all its down peers share one path. Unique in the process and never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// A shard of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub usize);

/// One track that a publisher sends: a media section, or one rid of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpTrackConfig {
    /// `a=mid` of its section.
    pub mid: String,
    /// Its rid, with simulcast.
    pub rid: Option<String>,
    /// Its SSRC if the offer said it.
    pub ssrc: Option<u32>,
    /// Sound or pictures.
    pub kind: Kind,
    /// The codec of its payload.
    pub codec: Codec,
    /// The payload type that the publisher sends it with.
    pub payload_type: u8,
    /// Ids that the publisher gives to the extensions.
    pub extensions: ExtensionIds,
    /// The payload type of its packets that have earlier ones in them too (RFC 2198), if the
    /// publisher may send such.
    pub red: Option<u8>,
    /// How the publisher sends packets again, if by a stream of their own.
    pub rtx: Option<Repair>,
    /// RTCP feedback the publisher understands.
    pub feedback: Feedback,
}

/// One track that a receiver is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownTrackConfig {
    /// `a=mid` of its section.
    pub mid: String,
    /// The tracks of the publisher of which it carries one at a time, as indexes into the `tracks`
    /// of its `AddUp`: the encodings of one source, lowest first as far as known. None for a
    /// section that is inactive.
    pub encodings: Vec<usize>,
    /// Which publisher that is: 0 for the source of `AddDown`, then those of `AddSource`. It is
    /// the same for as long as the SSRC is.
    pub publisher: usize,
    /// The SSRC it is sent with.
    pub ssrc: u32,
    /// The payload type it is sent with.
    pub payload_type: u8,
    /// The payload type of packets with earlier ones in them (RFC 2198), if the receiver takes such:
    /// sound only.
    pub red: Option<u8>,
    /// How its packets are sent again, if the receiver takes a stream for that. Its SSRC is no
    /// other stream's of the peer.
    pub rtx: Option<Rtx>,
    /// The receiver tells which packets arrived, by transport-wide numbers. Has no effect on
    /// pictures without `rtx`.
    pub transport_cc: bool,
}

/// What signalling tells a shard. All names of peers are those that signalling gave them.
#[derive(Debug, Clone)]
pub enum Command {
    /// A publisher's offer was accepted. The publisher is the controlling ICE end.
    AddUp {
        /// The new peer.
        peer: PeerId,
        /// The credentials of the answer.
        local: IceCredentials,
        /// What the offer said. DTLS: the server is the client (`setup:active`) unless the offer
        /// is itself `active`.
        remote: RemoteTransport,
        /// What it will send.
        tracks: Vec<UpTrackConfig>,
    },
    /// A publisher's new offer for the same stream was accepted. New tracks are added at the
    /// end; a track keeps its index.
    UpdateUp {
        /// An up peer.
        peer: PeerId,
        /// When the offer restarts ICE: the credentials of the answer, and what the offer said.
        restart: Option<(IceCredentials, RemoteTransport)>,
        /// All tracks, old ones first.
        tracks: Vec<UpTrackConfig>,
    },
    /// The voice of a publisher counts among those of a group.
    Enlist {
        /// An up peer.
        peer: PeerId,
        /// Its group.
        group: GroupId,
        /// Of the whole group, from now on.
        limits: VoiceLimits,
    },
    /// A publisher pauses encodings of its pictures when told: see [`Event::Paused`].
    PauseUnwatched {
        /// An up peer.
        peer: PeerId,
    },
    /// A receiver is about to be offered a stream, or has made an offer for one.
    AddDown {
        /// The new peer.
        peer: PeerId,
        /// Who receives: those of its peers that are in one shard share one estimate.
        client: ClientId,
        /// The up peer whose tracks it carries.
        source: PeerId,
        /// Where that one is.
        home: ShardId,
        /// Whether the server offers.
        role: Role,
        /// The server's credentials.
        local: IceCredentials,
    },
    /// A receiver will be sent tracks of another publisher too.
    AddSource {
        /// A down peer.
        peer: PeerId,
        /// The other up peer.
        source: PeerId,
        /// Where that one is.
        home: ShardId,
    },
    /// The receiver's answer to a new or changed offer, or its own offer.
    AcceptDown {
        /// A down peer.
        peer: PeerId,
        /// What the answer said of its transport. Changed credentials are an ICE restart.
        remote: RemoteTransport,
        /// The sections that were accepted and are active; all others stop.
        tracks: Vec<DownTrackConfig>,
    },
    /// How a receiver shows the pictures, from now on.
    ShowDown {
        /// A down peer.
        peer: PeerId,
        /// All of its pictures.
        view: View,
    },
    /// New local credentials were offered to a receiver: ICE begins anew at its answer.
    RestartDown {
        /// A down peer.
        peer: PeerId,
        /// The credentials of the new offer.
        local: IceCredentials,
    },
    /// A trickled candidate of the other end (`candidate:…`). Malformed ones are counted, not
    /// fatal.
    AddCandidate {
        /// Any peer.
        peer: PeerId,
        /// Without `a=`.
        candidate: String,
    },
    /// The stream ended. Down peers of a removed up peer go silent until they are removed.
    Remove {
        /// Any peer.
        peer: PeerId,
    },
    /// What one shard tells another.
    Relay {
        /// An up peer: in its own shard, or its mirror in another.
        peer: PeerId,
        /// What of it.
        message: RelayMessage,
    },
    /// Asks for an [`Event::Stats`].
    Stats {
        /// Comes back in the event.
        token: u64,
    },
}

/// Between the shard where a publisher is and one that mirrors it.
#[derive(Debug, Clone)]
pub enum RelayMessage {
    /// From a mirror: packets are wanted.
    Subscribe {
        /// Where to.
        from: ShardId,
    },
    /// From a mirror: packets are not wanted any more.
    Unsubscribe {
        /// Where to.
        from: ShardId,
    },
    /// From a mirror: its receivers need a keyframe of a track.
    Keyframe {
        /// Its index.
        track: usize,
    },
    /// From a mirror: the best estimate of its receivers, bit/s.
    Remb {
        /// Where it comes from.
        from: ShardId,
        /// `None` when there is none any more.
        bitrate: Option<u64>,
    },
    /// To a mirror: the tracks there are.
    Tracks(Vec<UpTrackConfig>),
    /// To a mirror: the publisher's clock.
    Clock {
        /// Which track's.
        track: usize,
        /// Its sender report.
        info: SenderInfo,
        /// When that arrived, in the server's time.
        at: NtpTime,
    },
    /// To a mirror: what of it is not to be forwarded.
    Withheld(Withheld),
    /// From a mirror: what its receivers watch, a bit for each track.
    Watched {
        /// Where it comes from.
        from: ShardId,
        /// The tracks.
        tracks: u64,
    },
    /// From a mirror: these tracks it need not be sent, a bit for each. In the beginning there are
    /// none.
    Without {
        /// Where it comes from.
        from: ShardId,
        /// The tracks.
        tracks: u64,
    },
    /// To a mirror: what the publisher was told to send. It wants to know what is watched.
    Wanted(Wanted),
    /// From a mirror: what its receivers can make use of, bit/s, of each track.
    Uses {
        /// Where it comes from.
        from: ShardId,
        /// 0 of those that suit nobody best.
        uses: Vec<u64>,
    },
    /// To a mirror: whether others than its receivers receive the publisher, too. In the beginning
    /// they do not.
    Shared(bool),
    /// To a mirror: the publisher is gone.
    Gone,
}

/// What a publisher is to send of its pictures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// It is to pause these of its tracks: a bit for each, the first the lowest.
    pub paused: u64,
    /// And to spend no more on these, bit/s. Ordered by track.
    pub bounds: Vec<(usize, u64)>,
}

impl Wanted {
    /// The most that is to be spent on a track, bit/s; `None` if that is left to the publisher.
    pub fn bound(&self, track: usize) -> Option<u64> {
        let mut bounds = self.bounds.iter();
        bounds.find(|(at, _)| *at == track).map(|(_, bound)| *bound)
    }
}

/// What of a group's cameras is forwarded at most; 0 for everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VoiceLimits {
    /// The pictures of so many, who spoke last: last-N.
    pub pictures: u16,
    /// The sound of so many, who are the loudest.
    pub sounds: u16,
}

/// What of a publisher is not forwarded for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Withheld {
    /// Its pictures, but to those who give it priority.
    pub pictures: bool,
    /// Its sound.
    pub sound: bool,
}

/// What a shard tells.
#[derive(Debug, Clone)]
pub enum Event {
    /// ICE and DTLS are done; media flows from now on.
    Connected {
        /// Which peer.
        peer: PeerId,
    },
    /// ICE lost the other end, or DTLS failed. The peer stays until it is removed; an ICE
    /// restart may bring it back.
    Failed {
        /// Which peer.
        peer: PeerId,
        /// For the log.
        reason: String,
    },
    /// The other end closed DTLS.
    Closed {
        /// Which peer.
        peer: PeerId,
    },
    /// Who speaks in a group has changed.
    Speakers {
        /// Which group.
        group: GroupId,
        /// Those who have spoken, the latest first: the one to be looked at. Then those who have
        /// not, and whose pictures are withheld.
        speakers: Vec<Speaker>,
    },
    /// What of a publisher's pictures somebody has use for now. Always the whole, and only after
    /// [`Command::PauseUnwatched`].
    Watched {
        /// An up peer.
        peer: PeerId,
        /// What it is to send.
        wanted: Wanted,
    },
    /// For another shard.
    Relay {
        /// Which one.
        to: ShardId,
        /// The command it is to be given.
        command: Box<Command>,
    },
    /// The answer to [`Command::Stats`].
    Stats {
        /// Of the command.
        token: u64,
        /// A snapshot.
        stats: Box<ShardStats>,
    },
}

/// A publisher who has spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speaker {
    /// Who.
    pub peer: PeerId,
    /// It speaks now.
    pub speaks: bool,
    /// Its pictures are forwarded only to those who give them priority (last-N).
    pub withheld: bool,
}

/// A snapshot of everything a shard counts.
#[derive(Debug, Clone, Default)]
pub struct ShardStats {
    /// One entry a peer.
    pub streams: Vec<StreamStats>,
    /// Datagrams and packets that were dropped, by reason.
    pub drops: Vec<(&'static str, u64)>,
}

/// The figures of one peer connection.
#[derive(Debug, Clone)]
pub struct StreamStats {
    /// Which peer.
    pub peer: PeerId,
    /// It publishes (true) or receives (false).
    pub up: bool,
    /// Round-trip time of the peer connection, once known.
    pub rtt: Option<Duration>,
    /// The receiver's estimate of what it can take (REMB), bit/s.
    pub remb: Option<u64>,
    /// What the path of the receiver is taken to carry, for all of its client's peers in this
    /// shard together, bit/s.
    pub estimate: Option<u64>,
    /// What a receiver has told of the packets it was sent, where it does.
    pub sent: Option<SendFigures>,
    /// Where media goes to or comes from, once connected.
    pub remote: Option<SocketAddr>,
    /// Its tracks, in order.
    pub tracks: Vec<TrackStats>,
}

/// The figures of one track since it began, except where said.
#[derive(Debug, Clone, Default)]
pub struct TrackStats {
    /// `a=mid` of its section.
    pub mid: String,
    /// Its rid, with simulcast.
    pub rid: Option<String>,
    /// RTP packets received (up) or sent (down), repairs left out.
    pub packets: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
    /// Over the last second or so, bit/s.
    pub bitrate: u64,
    /// Packets lost: never arrived here (up), or reported lost by the receiver (down).
    pub lost: u64,
    /// Of the last report interval, 0 to 1.
    pub loss: f64,
    /// RFC 3550 interarrival jitter, as measured here (up) or reported (down).
    pub jitter: Duration,
    /// NACKed packets: asked for (up) or asked of us (down).
    pub nacks: u64,
    /// Packets sent again (down), or that arrived by repair (up).
    pub repaired: u64,
    /// Packets of sound that never came and were found in later ones (up), or were sent with earlier
    /// ones in them (down).
    pub redundant: u64,
    /// How many earlier packets of sound go with each now, where the receiver takes them (down).
    pub copies: Option<u8>,
    /// Keyframes received (up) or sent (down).
    pub keyframes: u64,
    /// PLI and FIR sent (up) or received (down).
    pub keyframe_requests: u64,
    /// Times that another encoding or layer was sent than before (down).
    pub switches: u64,
    /// Times that it was paused because the receiver's path did not carry it (down).
    pub pauses: u64,
    /// It is paused now: as its path does not carry it (down), or nobody watches it (up).
    pub paused: bool,
    /// Which layers are sent (down), and which there are.
    pub shown: Shown,
}
