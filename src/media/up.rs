//! A track that a publisher sends: opened, checked, kept, and measured once for all receivers.

#[cfg(test)]
mod tests;

mod part;
mod red;
mod repair;

use super::cache::{Cache, Meta, SLOT};
use super::codec::{Flags, dependency};
use super::feedback::{NtpTime, SenderInfo};
use super::keyframe::KeyframeRequests;
use super::layer::LayerMeter;
use super::nack::{Arrival, LossConfig, LossDetector};
use super::packet::{self, Header};
use super::padding;
use super::rate::{RateMeter, Reception};
use super::{Codec, Kind};
use crate::shard::UpTrackConfig;
use crate::transport::srtp::{Opener, Sequence, SrtpError};
use repair::Repairer;
use std::time::{Duration, Instant};

/// Packets kept of a video track: some two seconds at 2 Mbit/s.
const VIDEO_SLOTS: usize = 512;
/// Packets kept of an audio track: some two seconds.
const AUDIO_SLOTS: usize = 128;
/// A receiver that joins is sent what came since the last keyframe only if that is not more
/// packets than this: a burst that any path takes.
const MAX_REPLAY: u64 = 160;
/// … and not older than this.
const MAX_REPLAY_AGE: Duration = Duration::from_secs(3);
/// What comes of the last SSRC is late, until nothing has come of this one for so long.
const MAX_LATENESS: Duration = Duration::from_secs(1);
/// The most packets that may wait for one flush.
pub const MAX_PENDING: usize = 64;

/// Why a packet was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// SRTP refused it.
    Srtp(SrtpError),
    /// It does not fit a slot.
    Oversized,
    /// It came after the cache had gone round.
    Stale,
    /// Its payload is not what its payload type says.
    Malformed,
}

/// What a packet led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Received {
    /// A keyframe begins with it.
    pub keyframe: bool,
    /// Something is to be asked of the publisher: [`UpTrack::next_poll`] has a time.
    pub due: bool,
}

/// One received track.
pub struct UpTrack {
    config: UpTrackConfig,
    ssrc: Option<u32>,
    /// Who sent it before.
    last_ssrc: Option<u32>,
    sequence: Sequence,
    repairer: Repairer,
    /// Added to this SSRC's numbers so that they go on where the last SSRC's ended.
    seqno_shift: u64,
    /// The first number of this SSRC: those below belong to the last.
    floor: u64,
    timestamp_shift: u32,
    highest: Option<u64>,
    last_timestamp: u32,
    last_arrival: Instant,
    cache: Cache,
    loss: LossDetector,
    reception: Reception,
    keyframes: KeyframeRequests,
    last_keyframe: Option<(u64, Instant)>,
    pending: Vec<u64>,
    sender_report: Option<SenderInfo>,
    meter: RateMeter,
    layers: LayerMeter,
    /// AV1: the templates that the last keyframe set.
    structure: Option<Box<dependency::Structure>>,
    figures: UpFigures,
}

/// What was counted since the track began.
#[derive(Debug, Clone, Copy, Default)]
pub struct UpFigures {
    /// Packets taken.
    pub packets: u64,
    /// Their bytes, RTP headers included.
    pub bytes: u64,
    /// Keyframes that began.
    pub keyframes: u64,
    /// Of the packets, those that never came, and were found in later ones.
    pub restored: u64,
}

/// How a packet came to be here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By itself.
    Direct,
    /// Sent again, by the stream of repairs.
    Repair,
    /// In a later packet.
    Redundant,
}

impl UpTrack {
    /// A track of which nothing was received yet.
    pub fn new(now: Instant, config: UpTrackConfig) -> Self {
        let clock_rate = config.codec.clock_rate();
        let (slots, loss) = match config.kind {
            Kind::Audio => (AUDIO_SLOTS, LossConfig::AUDIO),
            Kind::Video => (VIDEO_SLOTS, LossConfig::VIDEO),
        };
        Self {
            ssrc: config.ssrc,
            last_ssrc: None,
            sequence: Sequence::default(),
            repairer: Repairer::default(),
            seqno_shift: 0,
            floor: 0,
            timestamp_shift: 0,
            highest: None,
            last_timestamp: 0,
            last_arrival: now,
            cache: Cache::new(slots),
            loss: LossDetector::new(now, loss),
            reception: Reception::new(now, clock_rate),
            keyframes: KeyframeRequests::new(),
            last_keyframe: None,
            pending: Vec::with_capacity(MAX_PENDING),
            sender_report: None,
            meter: RateMeter::new(now),
            layers: LayerMeter::new(now),
            structure: None,
            figures: UpFigures::default(),
            config,
        }
    }

    /// What was agreed on.
    pub fn config(&self) -> &UpTrackConfig {
        &self.config
    }

    /// Takes a changed agreement. The codec and SSRC of packets to come may differ.
    pub fn reconfigure(&mut self, config: UpTrackConfig) {
        if config.ssrc.is_some() {
            self.ssrc = self.ssrc.or(config.ssrc);
        }
        self.config = config;
    }

    /// Who sends it, once known.
    pub fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    /// Opens a packet and keeps it. `scratch` holds it until it has proved authentic.
    ///
    /// # Errors
    /// When it is not taken; nothing has changed then.
    pub fn receive(
        &mut self,
        now: Instant,
        header: &Header,
        datagram: &[u8],
        opener: &Opener,
        scratch: &mut [u8; SLOT],
    ) -> Result<Received, Refusal> {
        let foreign = self.ssrc.is_some_and(|ssrc| ssrc != header.ssrc);
        if foreign && self.is_late(now, header.ssrc) {
            return Err(Refusal::Stale);
        }
        let fresh = Sequence::default();
        let sequence = if foreign { &fresh } else { &self.sequence };
        let extended = sequence.extend(header.seqno);
        if !sequence.is_new(extended) {
            return Err(Refusal::Srtp(SrtpError::Replayed));
        }

        let (header_len, payload) = self.open(header, extended, datagram, opener, scratch)?;
        let len = header_len + payload.len();
        let blocks = self.blocks(header, payload)?;

        // From here on the packet is authentic.
        if foreign || self.ssrc.is_none() {
            self.bind(now, header, extended);
        }
        self.sequence.accept(extended);
        let seqno = extended.wrapping_add(self.seqno_shift);
        if seqno < self.floor {
            // Sent before the first that arrived: its number stands for a packet of the last
            // SSRC, and no number may ever stand for two.
            return Err(Refusal::Stale);
        }
        let timestamp = header.timestamp.wrapping_add(self.timestamp_shift);
        scratch[4..8].copy_from_slice(&timestamp.to_be_bytes());
        if let Some(blocks) = blocks {
            let blocks = (&blocks, len);
            return self.keep_unwrapped(now, header, seqno, timestamp, header_len, blocks, scratch);
        }
        let (bytes, way) = (&scratch[..len], Way::Direct);
        self.keep(now, header, seqno, timestamp, header_len, bytes, way)
    }

    /// Opens a packet of this number into `scratch`, behind the header that receivers get. Returns
    /// that one's length, and the payload.
    fn open<'a>(
        &self,
        header: &Header,
        extended: u64,
        datagram: &[u8],
        opener: &Opener,
        scratch: &'a mut [u8; SLOT],
    ) -> Result<(usize, &'a mut [u8]), Refusal> {
        let payload_len = opener
            .payload_len(datagram.len(), header.len)
            .ok_or(Refusal::Srtp(SrtpError::Truncated))?;
        let header_len =
            packet::write_forwarded(header, datagram, &self.config.extensions, scratch)
                .ok_or(Refusal::Oversized)?;
        let payload = scratch
            .get_mut(header_len..header_len + payload_len)
            .ok_or(Refusal::Oversized)?;
        let index = Sequence::roc_index(extended);
        opener
            .open_rtp(datagram, header.ssrc, index, header.len, payload)
            .map_err(Refusal::Srtp)?;
        Ok((header_len, payload))
    }

    /// Keeps an authentic packet, whose new header is `header_len` bytes of `bytes`. One that
    /// did not come by itself does not count as arrived: for the publisher, it was lost.
    #[allow(clippy::too_many_arguments, reason = "all that is known of a packet")]
    pub(crate) fn keep(
        &mut self,
        now: Instant,
        header: &Header,
        seqno: u64,
        timestamp: u32,
        header_len: usize,
        bytes: &[u8],
        way: Way,
    ) -> Result<Received, Refusal> {
        let (flags, part) = self.part(header.marker, header.padding, header_len, bytes);
        let keyframe = self.begins_keyframe(&flags, seqno, timestamp);

        self.figures.packets += 1;
        self.figures.bytes += bytes.len() as u64;
        self.meter.add(now, bytes.len());
        self.measure(now, part, &flags, bytes.len());
        let arrival = match way {
            Way::Direct | Way::Repair => self.loss.receive(seqno, now),
            Way::Redundant => self.loss.restore(seqno, now),
        };
        if arrival == Arrival::Jump {
            self.reception.restart();
            self.request_keyframe(now);
        }
        // As the publisher counts, for its reports.
        let extended = seqno.wrapping_sub(self.seqno_shift);
        if way == Way::Direct {
            self.reception
                .receive(Sequence::roc_index(extended), timestamp, now);
        }

        if self.cache.is_overtaken(seqno) {
            return Err(Refusal::Stale);
        }
        self.cache.slot(seqno)[..bytes.len()].copy_from_slice(bytes);
        self.cache.commit(Meta {
            seqno,
            timestamp,
            header_len: header_len as u16,
            len: bytes.len() as u16,
            keyframe,
            part,
            ..Meta::default()
        });
        if self.highest.is_none_or(|highest| seqno > highest) {
            self.highest = Some(seqno);
            self.last_timestamp = timestamp;
            self.last_arrival = now;
        }
        if keyframe {
            self.keyframes.keyframe();
            if self.last_keyframe.is_none_or(|(last, _)| seqno > last) {
                self.last_keyframe = Some((seqno, now));
                self.figures.keyframes += 1;
            }
        }
        self.pending.push(seqno);
        Ok(Received {
            keyframe,
            due: self.next_poll().is_some(),
        })
    }

    /// Keeps a packet that another shard has received and checked.
    ///
    /// # Errors
    /// When the cache has gone round since.
    pub fn receive_relayed(
        &mut self,
        now: Instant,
        meta: Meta,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        if self.cache.is_overtaken(meta.seqno) {
            return Err(Refusal::Stale);
        }
        let slot = self.cache.slot(meta.seqno);
        slot.get_mut(..bytes.len())
            .ok_or(Refusal::Oversized)?
            .copy_from_slice(bytes);
        self.cache.commit(meta);
        if self.highest.is_none_or(|highest| meta.seqno > highest) {
            self.highest = Some(meta.seqno);
            self.last_timestamp = meta.timestamp;
            self.last_arrival = now;
        }
        let describes = self.config.codec == Codec::Vp9 && meta.part.start_of_frame;
        let flags = if meta.keyframe || describes {
            // How large it is was not said.
            self.part(false, false, usize::from(meta.header_len), bytes)
                .0
        } else {
            Flags::default()
        };
        self.measure(now, meta.part, &flags, bytes.len());
        if meta.keyframe && self.last_keyframe.is_none_or(|(last, _)| meta.seqno > last) {
            self.last_keyframe = Some((meta.seqno, now));
        }
        self.pending.push(meta.seqno);
        Ok(())
    }

    /// It is of the SSRC before this one, which goes on: with it, a picture of this one would be cut
    /// in two.
    fn is_late(&self, now: Instant, ssrc: u32) -> bool {
        let goes_on = now.saturating_duration_since(self.last_arrival) < MAX_LATENESS;
        self.last_ssrc == Some(ssrc) && goes_on
    }

    /// The publisher goes on under another SSRC: receivers must not notice.
    fn bind(&mut self, now: Instant, header: &Header, extended: u64) {
        if let Some(highest) = self.highest {
            let elapsed = now.saturating_duration_since(self.last_arrival);
            let ticks =
                elapsed.as_micros() as u64 * u64::from(self.config.codec.clock_rate()) / 1_000_000;
            let next = self.last_timestamp.wrapping_add((ticks as u32).max(1));
            self.timestamp_shift = next.wrapping_sub(header.timestamp);
            self.last_ssrc = self.ssrc;
            self.floor = highest + 1;
            self.seqno_shift = self.floor.wrapping_sub(extended);
            self.reception.restart();
            self.sender_report = None;
            // The new SSRC knows nothing of the old one's packets.
            self.loss.abandon();
        }
        self.ssrc = Some(header.ssrc);
        self.sequence = Sequence::default();
    }

    /// Packets that have arrived since the last flush, in the order of arrival.
    pub fn pending(&self) -> &[u64] {
        &self.pending
    }

    /// No more packets fit before the next flush.
    pub fn is_pending_full(&self) -> bool {
        self.pending.len() >= MAX_PENDING
    }

    /// Gives the pending packets of a frame one length, so that they can be sent in one call.
    pub fn equalize_pending(&mut self) {
        let count = self.pending.len();
        if self.config.kind != Kind::Video || count < 2 {
            return;
        }
        let mut lengths = [0; MAX_PENDING];
        let Some(lengths) = lengths.get_mut(..count) else {
            return;
        };
        for (length, seqno) in lengths.iter_mut().zip(&self.pending) {
            *length = self.cache.get(*seqno).map_or(0, |(meta, _)| meta.len);
        }
        padding::equalize(lengths);
        for (length, seqno) in lengths.iter().zip(&self.pending) {
            self.cache.pad(*seqno, *length);
        }
    }

    /// The flush is over.
    pub fn clear_pending(&mut self) {
        self.pending.clear();
    }

    /// A kept packet.
    #[inline]
    pub fn packet(&self, seqno: u64) -> Option<(&Meta, &[u8])> {
        self.cache.get(seqno)
    }

    /// What a receiver that joins now is sent: the packets since the last keyframe, if that is
    /// near. First and last number.
    pub fn replay(&self, now: Instant) -> Option<(u64, u64)> {
        let (first, at) = self.last_keyframe?;
        let highest = self.highest?;
        let near = highest - first < MAX_REPLAY
            && now.saturating_duration_since(at) < MAX_REPLAY_AGE
            && self.cache.get(first).is_some();
        near.then_some((first, highest))
    }

    /// Packets since the last keyframe are missing, and will not come.
    pub fn forget_keyframe(&mut self) {
        self.last_keyframe = None;
    }

    /// A receiver needs a keyframe.
    pub fn request_keyframe(&mut self, now: Instant) {
        if self.config.kind == Kind::Video {
            self.keyframes.request(now);
        }
    }

    /// Writes what to ask the publisher for again, and returns how many.
    pub fn poll_nack(&mut self, now: Instant, rtt: Option<Duration>, lost: &mut [u16]) -> usize {
        if !self.config.feedback.nack {
            return 0;
        }
        let ask = self.loss.poll(now, rtt, lost);
        if ask.given_up > 0 {
            self.request_keyframe(now);
        }
        let shift = self.seqno_shift as u16;
        for seqno in &mut lost[..ask.count] {
            *seqno = seqno.wrapping_sub(shift);
        }
        ask.count
    }

    /// Whether to ask for a keyframe now. With the command number for a FIR.
    pub fn poll_keyframe(&mut self, now: Instant, rtt: Option<Duration>) -> Option<u8> {
        self.highest?;
        self.keyframes
            .poll(now, rtt)
            .then(|| self.keyframes.command())
    }

    /// When [`Self::poll_nack`] or [`Self::poll_keyframe`] is due. Never before something
    /// arrived: nobody may be known who could be asked, and what comes first is a keyframe.
    pub fn next_poll(&self) -> Option<Instant> {
        self.highest?;
        let nack = if self.config.feedback.nack {
            self.loss.next_poll()
        } else {
            None
        };
        [nack, self.keyframes.next_poll()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The publisher's clock, as its sender report shows it. Returns it with the timestamp that
    /// receivers see, after any shift: what a mirror of the track is to be told.
    pub fn sender_report(&mut self, now: Instant, info: SenderInfo) -> SenderInfo {
        self.reception.sender_report(info.ntp, now);
        let info = SenderInfo {
            rtp_time: info.rtp_time.wrapping_add(self.timestamp_shift),
            ..info
        };
        self.sender_report = Some(info);
        info
    }

    /// The publisher's time of a timestamp that receivers see: the reverse of
    /// [`Self::timestamp_at`].
    pub fn time_of(&self, timestamp: u32) -> Option<NtpTime> {
        let info = self.sender_report?;
        let ticks = i64::from(timestamp.wrapping_sub(info.rtp_time) as i32);
        let rate = i128::from(self.config.codec.clock_rate());
        // Rounded up, so that the way back, which rounds down, leads to the same timestamp.
        let elapsed = -(-(i128::from(ticks) << 32)).div_euclid(rate);
        Some(NtpTime(info.ntp.0.wrapping_add(elapsed as u64)))
    }

    /// What it brings of each layer.
    pub fn layers(&self) -> &LayerMeter {
        &self.layers
    }

    /// The same, to say that the publisher was told to pause it, or to go on.
    pub fn layers_mut(&mut self) -> &mut LayerMeter {
        &mut self.layers
    }

    /// When its last packet came.
    pub fn last_arrival(&self) -> Option<Instant> {
        self.highest.map(|_| self.last_arrival)
    }

    /// The timestamp that the publisher's clock would give at its time `ntp`, after any shift.
    pub fn timestamp_at(&self, ntp: NtpTime) -> Option<u32> {
        let info = self.sender_report?;
        let elapsed = ntp.0.wrapping_sub(info.ntp.0) as i64;
        let ticks = (i128::from(elapsed) * i128::from(self.config.codec.clock_rate())) >> 32;
        Some(info.rtp_time.wrapping_add(ticks as u32))
    }

    /// Its reception, for reports.
    pub fn reception(&mut self) -> &mut Reception {
        &mut self.reception
    }

    /// What was counted.
    pub fn figures(&self) -> UpFigures {
        self.figures
    }

    /// What was missing and asked for.
    pub fn loss(&self) -> &LossDetector {
        &self.loss
    }

    /// What was asked of the encoder.
    pub fn keyframe_requests(&self) -> &KeyframeRequests {
        &self.keyframes
    }

    /// bit/s over the last second.
    pub fn bitrate(&mut self, now: Instant) -> u64 {
        self.meter.bitrate(now)
    }

    /// Which codec it carries.
    pub fn codec(&self) -> Codec {
        self.config.codec
    }
}
