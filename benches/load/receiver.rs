//! The receiving end of one down stream: numbers of every packet, contents of some.

use super::figures::{Figures, Last};
use super::payload;
use perikon::media::Kind;
use perikon::media::feedback::{Compound, NtpTime, ReceptionReport, Report, short_from_duration};
use perikon::media::packet::{Header, without_padding};
use perikon::transport::srtp::{Opener, Sequence};
use std::time::{Duration, Instant};

/// More tracks than any stream has.
const MAX_TRACKS: usize = 8;
/// Numbers that one track asks for again at a time.
const MAX_MISSING: usize = 256;
/// Before a gap is asked for: reordering closes some by itself.
const NACK_AFTER: Duration = Duration::from_millis(10);
const NACK_AGAIN: Duration = Duration::from_millis(50);
const NACK_TIMES: u8 = 5;
/// What the receivers say they can take, bit/s: the generator, not a link, is the limit.
const REMB: u64 = 1_000_000_000;

/// A format of the server's offer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    pub(crate) payload_type: u8,
    pub(crate) kind: Kind,
    /// REMB was agreed on.
    pub(crate) remb: bool,
}

/// How closely packets are looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Care {
    /// One of so many is decrypted.
    pub(crate) verify_every: u32,
    /// Lost packets are asked for.
    pub(crate) nack: bool,
}

/// Where packets of one peer connection are counted.
pub(crate) struct Receiver {
    formats: Vec<Format>,
    tracks: Vec<Track>,
    ssrc: u32,
    care: Care,
    /// Wall clock when it was connected: what was sent before is a replay.
    since: u64,
}

struct Track {
    ssrc: u32,
    format: Format,
    sequence: Sequence,
    highest: u64,
    first: u64,
    unique: u64,
    until_verify: u32,
    /// The publisher's flow, and its counter less the number here.
    source: Option<(u32, i64)>,
    missing: Vec<Missing>,
    /// Of the last sender report, and when it came.
    sender_report: Option<(u32, Instant)>,
    /// Expected and received at the last report.
    reported: (u64, u64),
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    number: u64,
    due: Instant,
    times: u8,
}

/// What a packet was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Counted.
    Media,
    /// The first of this peer connection that was decrypted.
    First,
    /// Not of this stream.
    Unknown,
}

impl Receiver {
    pub(crate) fn new(formats: Vec<Format>, ssrc: u32, care: Care) -> Self {
        Self {
            formats,
            tracks: Vec::new(),
            ssrc,
            care,
            since: u64::MAX,
        }
    }

    /// There are a path and keys since this time of the wall clock.
    pub(crate) fn connected(&mut self, since: u64) {
        self.since = self.since.min(since);
    }

    /// Another offer for the same stream was answered.
    pub(crate) fn set_formats(&mut self, formats: Vec<Format>) {
        self.formats = formats;
    }

    /// Takes an RTP packet that the kernel received at `arrival`. `scratch` is longer than any.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        arrival: u64,
        packet: &[u8],
        opener: &Opener,
        figures: &mut Figures,
        scratch: &mut [u8],
    ) -> Taken {
        let Ok(header) = Header::parse(packet) else {
            figures.unknown += 1;
            return Taken::Unknown;
        };
        figures.bytes += packet.len() as u64;
        let known = self
            .tracks
            .iter()
            .position(|track| track.ssrc == header.ssrc);
        let Some(at) = known.or_else(|| self.begin(&header, packet, opener, scratch)) else {
            figures.unknown += 1;
            return Taken::Unknown;
        };
        let first = known.is_none() && self.tracks.len() == 1;
        let (care, since) = (self.care, self.since);
        let track = &mut self.tracks[at];
        let number = track.sequence.extend(header.seqno);
        if !track.sequence.accept(number) {
            figures.duplicates += 1;
            return Taken::Media;
        }
        track.count(now, number, care, figures);
        track.until_verify = track.until_verify.saturating_sub(1);
        if track.until_verify == 0 {
            track.until_verify = care.verify_every;
            track.verify(
                number, arrival, since, &header, packet, opener, figures, scratch,
            );
        }
        if first { Taken::First } else { Taken::Media }
    }

    /// A new track, if the packet is of a format that was agreed on, and authentic.
    fn begin(
        &mut self,
        header: &Header,
        packet: &[u8],
        opener: &Opener,
        scratch: &mut [u8],
    ) -> Option<usize> {
        let format = *self
            .formats
            .iter()
            .find(|format| format.payload_type == header.payload_type)?;
        if self.tracks.len() == MAX_TRACKS {
            return None;
        }
        let sequence = Sequence::default();
        let number = sequence.extend(header.seqno);
        open(number, header, packet, opener, scratch)?;
        self.tracks.push(Track {
            ssrc: header.ssrc,
            format,
            sequence,
            highest: number.saturating_sub(1),
            first: number,
            unique: 0,
            until_verify: 1,
            source: None,
            missing: Vec::new(),
            sender_report: None,
            reported: (0, 0),
        });
        Some(self.tracks.len() - 1)
    }

    /// Takes what the server reports.
    pub(crate) fn reported(&mut self, now: Instant, report: &Report<'_>) {
        if let Report::SenderReport { ssrc, info, .. } = report
            && let Some(track) = self.tracks.iter_mut().find(|track| track.ssrc == *ssrc)
        {
            track.sender_report = Some((NtpTime::short(info.ntp), now));
        }
    }

    /// Writes the regular report. `None` when there is nothing to report on.
    pub(crate) fn report(&mut self, now: Instant, buffer: &mut [u8]) -> Option<usize> {
        let reports: Vec<ReceptionReport> = self
            .tracks
            .iter_mut()
            .map(|track| track.report(now))
            .collect();
        if reports.is_empty() {
            return None;
        }
        let mut compound = Compound::with_receiver_report(buffer, self.ssrc, &reports).ok()?;
        compound.cname(self.ssrc, "load").ok()?;
        let ssrcs: Vec<u32> = self
            .tracks
            .iter()
            .filter(|track| track.format.remb)
            .map(|track| track.ssrc)
            .collect();
        if !ssrcs.is_empty() {
            compound.remb(self.ssrc, REMB, &ssrcs).ok()?;
        }
        Some(compound.len())
    }

    /// When packets are to be asked for again.
    pub(crate) fn nack_due(&self) -> Option<Instant> {
        self.tracks
            .iter()
            .flat_map(|track| &track.missing)
            .map(|missing| missing.due)
            .min()
    }

    /// Writes the request for what is missing.
    pub(crate) fn nack(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
        figures: &mut Figures,
    ) -> Option<usize> {
        let ssrc = self.ssrc;
        let mut compound = Compound::with_receiver_report(buffer, ssrc, &[]).ok()?;
        let mut any = false;
        for track in &mut self.tracks {
            let mut lost = Vec::new();
            track.missing.retain_mut(|missing| {
                if missing.due <= now {
                    lost.push(missing.number as u16);
                    missing.due = now + NACK_AGAIN;
                    missing.times += 1;
                }
                missing.times < NACK_TIMES
            });
            if !lost.is_empty() && compound.nack(ssrc, track.ssrc, &lost).is_ok() {
                figures.nacked += lost.len() as u64;
                any = true;
            }
        }
        any.then(|| compound.len())
    }

    /// The last packets of the publisher's flows that came.
    pub(crate) fn last(&self) -> impl Iterator<Item = Last> {
        self.tracks.iter().filter_map(|track| {
            let (source, offset) = track.source?;
            Some(Last {
                source,
                counter: track.highest.checked_add_signed(offset)?,
            })
        })
    }
}

impl Track {
    /// Counts a packet that was not there before.
    fn count(&mut self, now: Instant, number: u64, care: Care, figures: &mut Figures) {
        self.unique += 1;
        figures.received += 1;
        if number == self.highest + 1 {
            self.highest = number;
        } else if number > self.highest {
            let gap = number - self.highest - 1;
            figures.lost += gap;
            if care.nack {
                let from = number - gap.min(MAX_MISSING as u64);
                let room = MAX_MISSING - self.missing.len();
                self.missing
                    .extend((from..number).take(room).map(|number| Missing {
                        number,
                        due: now + NACK_AFTER,
                        times: 0,
                    }));
            }
            self.highest = number;
        } else {
            figures.reordered += 1;
            figures.lost = figures.lost.saturating_sub(1);
            self.missing.retain(|missing| missing.number != number);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "all of one packet")]
    fn verify(
        &mut self,
        number: u64,
        arrival: u64,
        since: u64,
        header: &Header,
        packet: &[u8],
        opener: &Opener,
        figures: &mut Figures,
        scratch: &mut [u8],
    ) {
        figures.verified += 1;
        let Some(len) = open(number, header, packet, opener, scratch) else {
            figures.forged += 1;
            return;
        };
        let payload = without_padding(header, &scratch[..len]);
        let Some(stamp) = payload::read(payload, self.format.kind) else {
            figures.corrupt += 1;
            return;
        };
        if stamp.sent < since {
            figures.replayed += 1;
        } else {
            figures.latency.record(arrival.saturating_sub(stamp.sent));
        }
        let offset = stamp.counter.cast_signed() - number.cast_signed();
        if let Some((source, before)) = self.source
            && source == stamp.source
            && number == self.highest
        {
            figures.withheld += u64::try_from(offset - before).unwrap_or(0);
        }
        if number == self.highest {
            self.source = Some((stamp.source, offset));
        }
    }

    fn report(&mut self, now: Instant) -> ReceptionReport {
        let expected = (self.highest + 1).saturating_sub(self.first);
        let lost = expected.cast_signed() - self.unique.cast_signed();
        let (expected_before, unique_before) = self.reported;
        let interval = expected - expected_before;
        let lost_now = interval.saturating_sub(self.unique - unique_before);
        self.reported = (expected, self.unique);
        ReceptionReport {
            ssrc: self.ssrc,
            fraction_lost: match interval {
                0 => 0,
                interval => (lost_now * 256 / interval).min(255) as u8,
            },
            cumulative_lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_seq: Sequence::roc_index(self.highest) as u32,
            jitter: 0,
            last_sr: self.sender_report.map_or(0, |(short, _)| short),
            delay_since_last_sr: self
                .sender_report
                .map_or(0, |(_, at)| short_from_duration(now.duration_since(at))),
        }
    }
}

/// Decrypts a packet to the start of `scratch`; `None` when its tag is wrong.
fn open(
    number: u64,
    header: &Header,
    packet: &[u8],
    opener: &Opener,
    scratch: &mut [u8],
) -> Option<usize> {
    let len = opener.payload_len(packet.len(), header.len)?;
    let out = scratch.get_mut(..len)?;
    let index = Sequence::roc_index(number);
    opener
        .open_rtp(packet, header.ssrc, index, header.len, out)
        .ok()?;
    Some(len)
}
