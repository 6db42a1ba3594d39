//! A track that one receiver is sent: what of the publisher's packets, and under which numbers.

pub mod choice;
mod figures;
pub mod fit;
pub mod redundancy;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod tests;

use super::feedback::{NtpTime, ReceptionReport, SenderInfo};
use super::layer::{Layer, View};
use super::packet;
use super::rtx::{Refusal, RepairLabel, Repairs};
pub use super::seqmap::Label;
use super::seqmap::{Origin, Run, SeqMap};
use super::up::UpTrack;
use super::{Codec, Kind};
use crate::media::cache::Meta;
use crate::shard::DownTrackConfig;
use crate::transport::srtp::ReplayWindow;
pub use figures::DownFigures;
use redundancy::{Losses, Redundancy};
use std::time::{Duration, Instant};

/// Sender reports of two encodings that would move the time further than this are not believed.
const MAX_MISALIGNMENT: Duration = Duration::from_secs(2);

/// One forwarded track.
pub struct DownTrack {
    config: DownTrackConfig,
    codec: Codec,
    /// The publisher's tracks that are the encodings of the source, lowest first; none if the
    /// section is inactive.
    encodings: Vec<u16>,
    /// That which is sent on. Video waits for a keyframe before it begins.
    current: Option<u16>,
    /// That which is to be sent on, from its next keyframe.
    wanted: Option<u16>,
    /// The highest layers of the current encoding that are to be sent, and those of the wanted.
    goal: Layers,
    next_goal: Layers,
    /// Since when the goal is above what is sent.
    below_goal: Option<Instant>,
    view: View,
    aim: Layer,
    /// Until then it aims low, as nothing is known of the receiver's path.
    careful_until: Option<Instant>,
    /// What the receiver's path leaves for it, bit/s, if that is little.
    room: Option<u64>,
    /// The encoding that suited it best, and for how many bit/s.
    fitted: Option<(u8, u64)>,
    /// The group's limits leave it out.
    withheld: bool,
    /// The receiver's path does not carry it.
    paused: bool,
    /// Something else was allotted than before.
    changed: bool,
    map: SeqMap,
    /// The numbers under which something went out for the first time.
    sent: ReplayWindow,
    repairs: Repairs,
    losses: Losses,
    /// Once the receiver was sent sound with earlier packets in it.
    redundancy: Option<Box<Redundancy>>,
    /// The receiver asks for what it lacks of a stream that has no repairs of its own.
    asks: bool,
    /// Packets before this number were sent with what cannot be sent again under the same number.
    repeatable_from: u64,
    run: Run,
    /// Of the last packet sent: its timestamp, and when.
    last_timestamp: Option<(u32, Instant)>,
    last: LastPart,
    /// The highest number that was sent.
    highest: Option<u64>,
    /// The last picture that was left out, as the publisher numbers it.
    left_out: Option<u16>,
    switched: bool,
    last_report: Option<(u64, Instant)>,
    figures: DownFigures,
    /// Of `figures`, what was counted under other codecs.
    before: DownFigures,
}

/// The highest spatial and temporal layer that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layers {
    sid: u8,
    tid: u8,
}

impl Layers {
    const ALL: Self = Self {
        sid: u8::MAX,
        tid: u8::MAX,
    };
}

/// What the receiver's decoder has seen last.
#[derive(Debug, Clone, Copy, Default)]
struct LastPart {
    picture: Option<u16>,
    tl0: Option<u8>,
    frame: Option<u16>,
}

impl DownTrack {
    /// A track of which nothing was sent yet. The numbers of its packets begin at one that the
    /// SSRC, which is random, decides.
    pub fn new(config: DownTrackConfig, codec: Codec) -> Self {
        let encodings: Vec<u16> = config.encodings.iter().map(|at| *at as u16).collect();
        let mut track = Self {
            map: SeqMap::new(config.ssrc as u16),
            sent: ReplayWindow::default(),
            repairs: Repairs::new(config.rtx),
            losses: Losses::default(),
            redundancy: None,
            codec,
            wanted: encodings.last().copied(),
            encodings,
            current: None,
            goal: Layers::ALL,
            next_goal: Layers::ALL,
            below_goal: None,
            view: View::default(),
            aim: Layer::TOP,
            careful_until: None,
            room: None,
            fitted: None,
            withheld: false,
            paused: false,
            changed: false,
            run: Run::new(0, config.payload_type),
            last_timestamp: None,
            last: LastPart::default(),
            highest: None,
            left_out: None,
            switched: false,
            last_report: None,
            figures: DownFigures::default(),
            before: DownFigures::default(),
            asks: false,
            repeatable_from: 0,
            config,
        };
        track.keep_repeatable();
        track
    }

    /// What was agreed on.
    pub fn config(&self) -> &DownTrackConfig {
        &self.config
    }

    /// Which track of the publisher it sends on, or waits for.
    pub fn source(&self) -> Option<u16> {
        self.current.or(self.wanted)
    }

    /// Sends another source of the publisher from now on, or none: its encodings, lowest first. The
    /// receiver's numbers go on: under one SSRC and key, no number may ever stand for two packets,
    /// which differ if only their payload type does.
    pub fn select(&mut self, encodings: &[usize], codec: Codec, payload_type: u8) {
        let is_same = encodings.len() == self.config.encodings.len()
            && encodings
                .iter()
                .all(|one| self.config.encodings.contains(one));
        if !is_same || codec != self.codec || payload_type != self.config.payload_type {
            if codec != self.codec {
                self.before = self.figures;
                self.last = LastPart::default();
            }
            self.config.payload_type = payload_type;
            self.encodings.clear();
            self.encodings.extend(encodings.iter().map(|at| *at as u16));
            self.wanted = self.encodings.last().copied();
            self.current = None;
            self.paused = false;
            self.aim_at_top();
            self.codec = codec;
        }
        self.config.encodings.clear();
        self.config.encodings.extend_from_slice(encodings);
    }

    /// Which codec it carries.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Nothing of the current source was sent yet.
    pub fn is_waiting(&self) -> bool {
        let is_sent = !self.withheld && !self.paused;
        self.current.is_none() && !self.encodings.is_empty() && is_sent
    }

    /// The receiver can begin at any packet of this track.
    fn begins_anywhere(&self) -> bool {
        self.codec.kind() == Kind::Audio
    }

    /// How a packet of one of the publisher's `tracks` is labelled. `None` if this receiver does
    /// not get it, or has got it by a repair.
    #[inline]
    pub fn forward(
        &mut self,
        now: Instant,
        source: u16,
        meta: &Meta,
        tracks: &[UpTrack],
    ) -> Option<Label> {
        if self.current != Some(source) {
            if !(meta.keyframe || self.begins_anywhere()) || !self.awaits(source) {
                return None;
            }
            self.begin(now, source, meta, tracks);
        } else if self.goal.sid != self.run.sid || self.goal.tid != self.run.tid {
            self.steer(meta);
        }
        if !self.run.has(&meta.part) && self.map.is_next(meta.seqno) {
            self.leave_out(meta);
            return None;
        }
        let is_newest = self.map.is_next(meta.seqno);
        let (number, run) = self.map.map(source, meta.seqno)?;
        if !run.has(&meta.part) {
            return None;
        }
        // It may have waited, and been replayed meanwhile: never are two packets sealed under one number.
        if !self.sent.accept(number) {
            return None;
        }
        let label = run.label(number, meta);
        if !is_newest && !self.repairs.sent_late(now, number) {
            self.sent(meta);
            return None;
        }
        // Also one that is late, if all that came since was left out.
        if self.highest.is_none_or(|highest| number > highest) {
            self.highest = Some(number);
            self.last_timestamp = Some((label.timestamp, now));
            let (part, edit) = (&meta.part, &label.edit);
            if part.picture_at > 0 {
                self.last.picture = Some(part.picture.wrapping_add(edit.picture));
            }
            if part.tl0_at > 0 {
                self.last.tl0 = Some(part.tl0.wrapping_add(edit.tl0));
            }
            if part.frame_at > 0 {
                self.last.frame = Some(part.frame.wrapping_add(edit.frame));
            }
        }
        Some(label)
    }

    /// Begins to send an encoding, with the first packet of a keyframe.
    fn begin(&mut self, now: Instant, source: u16, meta: &Meta, tracks: &[UpTrack]) {
        let switches = self.current.replace(source).is_some();
        let before = self.map.run().map(|run| run.source);
        let timestamp = match self.last_timestamp {
            Some((last, at)) => {
                // The clocks of two sources have nothing to do with each other, unless the
                // publisher's sender reports say so.
                let elapsed = self.ticks(now.saturating_duration_since(at));
                let elapsed = last.wrapping_add(elapsed.max(1));
                let aligned = before.and_then(|before| self.aligned(before, source, meta, tracks));
                let limit = self.ticks(MAX_MISALIGNMENT) as i32;
                // The clock of one source is beyond doubt.
                let is_same = before == Some(source);
                let next = aligned
                    .filter(|aligned| {
                        is_same || (-limit..limit).contains(&(aligned.wrapping_sub(elapsed) as i32))
                    })
                    .unwrap_or(elapsed);
                let is_later = (next.wrapping_sub(last) as i32) > 0;
                if is_later { next } else { last.wrapping_add(1) }
            }
            None => meta.timestamp,
        };
        let goal = if self.wanted == Some(source) {
            self.next_goal
        } else {
            Layers::ALL
        };
        let part = &meta.part;
        let follow = |last: Option<u16>, own: u16| {
            last.map_or(0, |last| last.wrapping_add(1).wrapping_sub(own))
        };
        self.run = Run {
            sid: goal.sid,
            tid: goal.tid,
            timestamp: timestamp.wrapping_sub(meta.timestamp),
            picture: match part.picture_at {
                0 => 0,
                _ => follow(self.last.picture, part.picture),
            },
            frame: match part.frame_at {
                0 => 0,
                _ => follow(self.last.frame, part.frame),
            },
            tl0: match (part.tl0_at, self.last.tl0) {
                (0, _) | (_, None) => 0,
                (_, Some(last)) => last.wrapping_add(1).wrapping_sub(part.tl0),
            },
            ..Run::new(source, self.config.payload_type)
        };
        self.goal = goal;
        self.left_out = None;
        if goal != Layers::ALL {
            self.map.reserve_layers();
        }
        self.map.begin(meta.seqno, self.run);
        self.switched = self.encodings.len() > 1;
        self.figures.switches += u64::from(switches);
    }

    fn ticks(&self, duration: Duration) -> u32 {
        let micros = duration.as_micros() as u64;
        (micros * u64::from(self.codec.clock_rate()) / 1_000_000) as u32
    }

    /// The receiver's timestamp of a packet of another encoding than the current one, by the sender
    /// reports of both.
    fn aligned(&self, from: u16, to: u16, meta: &Meta, tracks: &[UpTrack]) -> Option<u32> {
        if from == to {
            return Some(meta.timestamp.wrapping_add(self.run.timestamp));
        }
        let captured = tracks.get(usize::from(to))?.time_of(meta.timestamp)?;
        let there = tracks.get(usize::from(from))?.timestamp_at(captured)?;
        Some(there.wrapping_add(self.run.timestamp))
    }

    /// Sends more or fewer layers, if that can begin with this packet.
    fn steer(&mut self, meta: &Meta) {
        if !self.map.is_next(meta.seqno) {
            return;
        }
        let mut run = self.run;
        let timestamp = meta.timestamp.wrapping_add(run.timestamp);
        let (part, goal) = (&meta.part, self.goal);
        // With its first packet: a part that is late would be sent without the others.
        let begins = part.start_of_frame && part.sid == 0;
        if begins
            && self
                .last_timestamp
                .is_none_or(|(last, _)| last != timestamp)
        {
            run.sid = run.sid.min(goal.sid);
            run.tid = run.tid.min(goal.tid);
        }
        if meta.keyframe {
            (run.sid, run.tid) = (goal.sid, goal.tid);
        } else if part.start_of_frame
            && part.sid == 0
            && part.tid_upsync
            && part.tid <= goal.tid
            // One layer above what the receiver has: those between would lack their references.
            && part.tid.checked_sub(run.tid) == Some(1)
        {
            run.tid = part.tid;
        }
        if run != self.run {
            self.map.reserve_layers();
            self.map.change(meta.seqno, run);
            self.run = run;
            self.figures.switches += 1;
        }
    }

    /// A packet of a layer that is not sent.
    fn leave_out(&mut self, meta: &Meta) {
        let part = &meta.part;
        // A decoder of VP8 waits for pictures that are missing. Those of the others count by what
        // the publisher numbers.
        if self.codec == Codec::Vp8 && part.picture_at > 0 && self.left_out != Some(part.picture) {
            self.left_out = Some(part.picture);
            self.run.picture = self.run.picture.wrapping_sub(1);
        }
        self.map.leave_out(meta.seqno, self.run);
    }

    /// Counts a packet that was sent.
    #[inline]
    pub fn sent(&mut self, meta: &Meta) {
        self.figures.packets += 1;
        self.figures.bytes += u64::from(meta.len);
        let payload = meta.len - meta.header_len - u16::from(meta.padding);
        self.figures.payload_bytes += u64::from(payload);
        self.figures.keyframes += u64::from(meta.keyframe);
    }

    /// Gives a header what belongs to this receiver.
    #[inline]
    pub fn patch(&self, header: &mut [u8; packet::FIXED_HEADER], label: &Label) {
        packet::patch(
            header,
            label.payload_type,
            label.number as u16,
            label.timestamp,
            self.config.ssrc,
        );
    }

    /// The receiver lacks a packet: its number in full.
    pub fn nacked(&mut self, seqno: u16) -> u64 {
        self.figures.nacks += 1;
        let number = self.map.extend(seqno);
        if self.is_stamped() && self.config.rtx.is_none() {
            // Browsers ask for sound if that was offered, without saying so in the answer. From now
            // on it can be sent again.
            self.asks = true;
            self.repeatable_from = self.map.next();
        }
        self.asked_for(number);
        number
    }

    /// The packet that a number stood for. Sent again, it must be the same to the last byte.
    pub fn origin(&self, seqno: u64) -> Option<Origin> {
        self.map.unmap(seqno)
    }

    /// Takes what was agreed on of repairs.
    pub fn agree(&mut self, config: &DownTrackConfig) {
        self.config.rtx = config.rtx;
        self.config.transport_cc = config.transport_cc;
        self.repairs.agree(config.rtx);
        self.agree_on_redundancy(config.red);
        self.keep_repeatable();
    }

    fn keep_repeatable(&mut self) {
        if self.is_stamped() {
            self.repeatable_from = u64::MAX;
        }
    }

    /// Whether its packets have transport-wide numbers. Pictures only where repairs have a stream
    /// of their own: a packet with such a number cannot be the same again. Sound until some of it is
    /// asked for.
    #[inline]
    pub fn is_stamped(&self) -> bool {
        let is_sound = self.codec.kind() == Kind::Audio;
        self.config.transport_cc && (self.config.rtx.is_some() || is_sound && !self.asks)
    }

    /// Whether a packet that was asked for may be sent again now, and by which label if repairs
    /// have a stream of their own.
    ///
    /// # Errors
    /// Why it may not.
    pub fn repair(
        &mut self,
        now: Instant,
        rtt: Option<Duration>,
        label: &Label,
        meta: &Meta,
    ) -> Result<Option<RepairLabel>, Refusal> {
        if self.config.rtx.is_some() && label.payload_type != self.config.payload_type {
            return Err(Refusal::Foreign);
        }
        if self.config.rtx.is_none() && label.number < self.repeatable_from {
            return Err(Refusal::Unrepeatable);
        }
        if self.copies(label.number).is_none() {
            return Err(Refusal::Unrepeatable);
        }
        let sent = self.figures.bytes;
        self.repairs
            .permit(now, rtt, label.number, meta.len, sent)?;
        if label.edit.is_left_out {
            // Its number is still free, and a repair of nothing fills no gap.
            return Ok(None);
        }
        Ok(self.repairs.label())
    }

    /// A packet that was asked for is to wait for its turn. False if it does already, or is under way.
    pub fn repair_waits(&mut self, now: Instant, rtt: Option<Duration>, number: u64) -> bool {
        self.repairs.wait(now, rtt, number)
    }

    /// Its turn has come.
    pub fn repair_waits_no_more(&mut self, number: u64) {
        self.repairs.wait_no_more(number);
    }

    /// The label of a packet of the repairs' stream that repairs nothing, where such packets are
    /// counted by the receiver's transport.
    pub fn spare(&mut self) -> Option<RepairLabel> {
        if !self.is_stamped() {
            return None;
        }
        self.repairs.label()
    }

    /// The timestamp of the last packet; 0 if there was none.
    pub fn last_timestamp(&self) -> u32 {
        self.last_timestamp.map_or(0, |(timestamp, _)| timestamp)
    }

    /// Packets of [`Self::spare`] can be sent.
    pub fn has_spare(&self) -> bool {
        self.is_stamped() && self.config.rtx.is_some()
    }

    /// Counts a packet that was sent again.
    pub fn repaired(&mut self) {
        self.figures.repaired += 1;
    }

    /// The receiver asked for a keyframe.
    pub fn keyframe_requested(&mut self) {
        self.figures.keyframe_requests += 1;
    }

    /// The receiver reported.
    pub fn reported(&mut self, report: &ReceptionReport) {
        self.figures.lost = u64::try_from(report.cumulative_lost).unwrap_or(0);
        self.figures.loss = f64::from(report.fraction_lost) / 256.0;
        self.lost(self.figures.loss);
        self.figures.jitter = Duration::from_micros(
            u64::from(report.jitter) * 1_000_000 / u64::from(self.codec.clock_rate()),
        );
    }

    /// Measures the bit rate since the last call. False if nothing was sent since then.
    pub fn measure(&mut self, now: Instant) -> bool {
        let mut is_active = true;
        if let Some((bytes, at)) = self.last_report {
            let elapsed = now.saturating_duration_since(at).as_micros() as u64;
            let sent = self.figures.bytes - bytes;
            is_active = sent > 0;
            self.figures.bitrate = (sent * 8_000_000).checked_div(elapsed).unwrap_or(0);
        }
        self.last_report = Some((self.figures.bytes, now));
        is_active
    }

    /// What a sender report says at `ntp`, when the publisher's clock shows `theirs`: of that which
    /// was sent last, whatever is waited for. `None` if that cannot be told, or nothing was sent.
    pub fn sender_info(
        &self,
        ntp: NtpTime,
        theirs: NtpTime,
        tracks: &[UpTrack],
    ) -> Option<SenderInfo> {
        let run = self.map.run()?;
        let timestamp = tracks
            .get(usize::from(run.source))?
            .timestamp_at(theirs)?
            .wrapping_add(run.timestamp);
        Some(SenderInfo {
            ntp,
            rtp_time: timestamp,
            packets: self.figures.packets as u32,
            octets: self.figures.payload_bytes as u32,
        })
    }

    /// What was counted.
    pub fn figures(&self) -> &DownFigures {
        &self.figures
    }

    /// What was counted since it carries its codec.
    pub fn figures_of_codec(&self) -> DownFigures {
        let (now, before) = (&self.figures, &self.before);
        DownFigures {
            packets: now.packets - before.packets,
            bytes: now.bytes - before.bytes,
            payload_bytes: now.payload_bytes - before.payload_bytes,
            nacks: now.nacks - before.nacks,
            repaired: now.repaired - before.repaired,
            redundant: now.redundant - before.redundant,
            keyframes: now.keyframes - before.keyframes,
            keyframe_requests: now.keyframe_requests - before.keyframe_requests,
            switches: now.switches - before.switches,
            pauses: now.pauses - before.pauses,
            // The receiver's own word, which may become less.
            lost: now.lost.saturating_sub(before.lost),
            ..*now
        }
    }
}
