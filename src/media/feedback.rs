//! RTCP, in and out: reports, feedback and the times in them. Nothing here allocates.
//!
//! [`Reports`] reads a compound packet, [`Compound`] writes one. Wire formats are those of
//! RFC 3550 (SR, RR, BYE), RFC 3611 (XR), RFC 4585 (NACK, PLI), RFC 5104 (FIR),
//! draft-alvestrand-rmcat-remb-03 (REMB) and draft-holmer-rmcat-transport-wide-cc-extensions-01.

mod arrivals;
mod ntp;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use arrivals::{ArrivalReport, Arrivals, REFERENCE_TICKS, TICK_MICROS};
pub use ntp::{NtpClock, NtpTime, short_from_duration, short_to_duration};
pub use read::{FirEntries, LostSeqnos, ReceptionReports, Report, Reports, Ssrcs, TimeEchoes};
pub use write::Compound;

use std::time::Duration;

/// RTCP packet types.
mod packet_type {
    pub(super) const SENDER_REPORT: u8 = 200;
    pub(super) const RECEIVER_REPORT: u8 = 201;
    pub(super) const SOURCE_DESCRIPTION: u8 = 202;
    pub(super) const BYE: u8 = 203;
    pub(super) const TRANSPORT_FEEDBACK: u8 = 205;
    pub(super) const PAYLOAD_FEEDBACK: u8 = 206;
    pub(super) const EXTENDED_REPORT: u8 = 207;
}

/// The format field of feedback packets.
mod format {
    /// Of transport feedback, RFC 4585, section 6.2.1.
    pub(super) const NACK: u8 = 1;
    /// Of transport feedback.
    pub(super) const TRANSPORT_CC: u8 = 15;
    /// Of payload feedback, RFC 4585, section 6.3.1.
    pub(super) const PLI: u8 = 1;
    /// Of payload feedback, RFC 5104, section 4.3.1.
    pub(super) const FIR: u8 = 4;
    /// Of payload feedback, RFC 4585, section 6.4.
    pub(super) const APPLICATION: u8 = 15;
}

/// RTCP that could not be read, or did not fit where it should be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FeedbackError {
    /// A header is cut short, or its length reaches beyond the end of the datagram.
    #[error("RTCP packet is truncated")]
    Truncated,
    /// The version is not 2.
    #[error("RTCP version {0} instead of 2")]
    Version(u8),
    /// The padding is empty, or longer than its packet.
    #[error("RTCP padding is malformed")]
    Padding,
    /// The contents are shorter than the packet's type and count promise.
    #[error("RTCP packet of type {0} is too short for its contents")]
    Contents(u8),
    /// The buffer that is written to has no room. Nothing of the packet was written.
    #[error("no room for the RTCP packet")]
    Full,
}

/// What a sender says of its clock and of what it sent (RFC 3550, section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// When the report was made, by the sender's wall clock.
    pub ntp: NtpTime,
    /// The same moment in the units of the RTP timestamps.
    pub rtp_time: u32,
    /// RTP packets sent since the start.
    pub packets: u32,
    /// Their payload bytes, headers and padding left out.
    pub octets: u32,
}

/// What a receiver says of one source: a report block (RFC 3550, section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReceptionReport {
    /// The source that is reported on.
    pub ssrc: u32,
    /// Of the last interval, in 1/256.
    pub fraction_lost: u8,
    /// Since the start; negative when duplicates outnumber losses. 24 bits on the wire.
    pub cumulative_lost: i32,
    /// The low 32 bits of the extended sequence number.
    pub highest_seq: u32,
    /// Interarrival jitter in the units of the RTP timestamps.
    pub jitter: u32,
    /// [`NtpTime::short`] of the last sender report; 0 when there was none.
    pub last_sr: u32,
    /// Time since that arrived, in 1/65536 s; 0 when there was none.
    pub delay_since_last_sr: u32,
}

impl ReceptionReport {
    /// The round-trip time that this block shows when it arrives at `now` (RFC 3550, figure 2).
    /// `None` when the receiver had no sender report yet, or the times contradict each other.
    pub fn round_trip(&self, now: NtpTime) -> Option<Duration> {
        round_trip(now, self.last_sr, self.delay_since_last_sr)
    }
}

/// That a reference time was heard (RFC 3611, section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeEcho {
    /// Whose reference time.
    pub ssrc: u32,
    /// [`NtpTime::short`] of it; 0 when there was none.
    pub last_time: u32,
    /// How long ago it was heard, in 1/65536 s.
    pub delay: u32,
}

impl TimeEcho {
    /// The round-trip time, as [`ReceptionReport::round_trip`] tells it.
    pub fn round_trip(&self, now: NtpTime) -> Option<Duration> {
        round_trip(now, self.last_time, self.delay)
    }
}

/// From the departure of a time to `now`, less the time that it rested at the other end.
fn round_trip(now: NtpTime, departure: u32, rest: u32) -> Option<Duration> {
    if departure == 0 {
        return None;
    }
    let travelled = now.short().wrapping_sub(departure).wrapping_sub(rest);
    // The other end's clock may run a little fast: up to a second below zero is zero.
    if travelled.wrapping_neg() < 1 << 16 {
        return Some(Duration::ZERO);
    }
    // More than a minute is no round trip but a stale or foreign report.
    (travelled < 60 << 16).then(|| short_to_duration(travelled))
}
