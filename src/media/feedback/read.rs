//! Reading RTCP: iterators that borrow from the datagram.

use super::{FeedbackError, NtpTime, ReceptionReport, SenderInfo, TimeEcho, format, packet_type};

/// One packet of a compound packet.
#[derive(Debug, Clone)]
pub enum Report<'a> {
    /// What a sender sent, and what it received of others (RFC 3550, section 6.4.1).
    SenderReport {
        /// The sender.
        ssrc: u32,
        /// Its clock and counts.
        info: SenderInfo,
        /// At most 31.
        reports: ReceptionReports<'a>,
    },
    /// What was received (RFC 3550, section 6.4.2).
    ReceiverReport {
        /// The receiver.
        ssrc: u32,
        /// At most 31.
        reports: ReceptionReports<'a>,
    },
    /// Packets to send again (RFC 4585, section 6.2.1).
    Nack {
        /// Whose packets.
        media_ssrc: u32,
        /// Which.
        lost: LostSeqnos<'a>,
    },
    /// A keyframe is needed (RFC 4585, section 6.3.1).
    Pli {
        /// Of which source.
        media_ssrc: u32,
    },
    /// Keyframes are needed (RFC 5104, section 4.3.1).
    Fir {
        /// Of which sources.
        entries: FirEntries<'a>,
    },
    /// The receiver's estimate of what it can take.
    Remb {
        /// bit/s, of all sources together.
        bitrate: u64,
        /// Of which sources.
        ssrcs: Ssrcs<'a>,
    },
    /// Transport-wide congestion control feedback, unread.
    TransportCc {
        /// A source of the transport.
        media_ssrc: u32,
        /// From the base sequence number on, padding taken off.
        body: &'a [u8],
    },
    /// Sources that end (RFC 3550, section 6.6).
    Bye {
        /// At most 31.
        ssrcs: Ssrcs<'a>,
    },
    /// When the sender heard our [`Compound::reference_time`](super::Compound::reference_time)
    /// (RFC 3611, section 4.5): the round-trip time to who sends without receiving.
    TimeEchoes {
        /// One for each of our SSRCs that it heard.
        echoes: TimeEchoes<'a>,
    },
    /// A well-formed packet of another kind.
    Unknown {
        /// Its packet type.
        packet_type: u8,
        /// Its count or format.
        format: u8,
    },
}

/// The packets of a compound packet, in order. Source descriptions, and extended reports of
/// other kinds than time echoes, are passed over in silence.
///
/// A packet whose contents are malformed is an error in its place; what follows it is still
/// read. After an error that leaves unknown where the next packet begins, the iterator ends.
/// A reduced-size packet (RFC 5506) is read as well.
#[derive(Debug, Clone)]
pub struct Reports<'a> {
    rest: &'a [u8],
}

impl<'a> Reports<'a> {
    /// Reads the decrypted contents of one datagram.
    pub fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }

    fn next_packet(&mut self) -> Result<Packet<'a>, FeedbackError> {
        let datagram = std::mem::take(&mut self.rest);
        let (&[first, kind, length @ ..], _) = datagram
            .split_first_chunk::<4>()
            .ok_or(FeedbackError::Truncated)?;
        if first >> 6 != 2 {
            return Err(FeedbackError::Version(first >> 6));
        }
        let end = 4 * (usize::from(u16::from_be_bytes(length)) + 1);
        let (packet, rest) = datagram
            .split_at_checked(end)
            .ok_or(FeedbackError::Truncated)?;
        let mut body = packet.get(4..).unwrap_or_default();
        if first & 0x20 != 0 {
            let padding = usize::from(body.last().copied().unwrap_or(0));
            // Only the last packet of a compound should be padded (RFC 3550, section 6.4.1), but
            // some senders pad each feedback packet by itself.
            if padding == 0 || padding > body.len() {
                return Err(FeedbackError::Padding);
            }
            body = body.get(..body.len() - padding).unwrap_or_default();
        }
        self.rest = rest;
        Ok(Packet {
            kind,
            count: first & 0x1F,
            body,
        })
    }
}

impl<'a> Iterator for Reports<'a> {
    type Item = Result<Report<'a>, FeedbackError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            match self.next_packet() {
                Ok(packet) => match packet.kind {
                    packet_type::SOURCE_DESCRIPTION => {}
                    packet_type::EXTENDED_REPORT => match packet.read_extended() {
                        Some(None) => {}
                        report => {
                            let error = FeedbackError::Contents(packet.kind);
                            return Some(report.flatten().ok_or(error));
                        }
                    },
                    kind => return Some(packet.read().ok_or(FeedbackError::Contents(kind))),
                },
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}

/// A packet with its header taken off.
struct Packet<'a> {
    kind: u8,
    count: u8,
    body: &'a [u8],
}

impl<'a> Packet<'a> {
    /// `None` when the body is too short.
    fn read(&self) -> Option<Report<'a>> {
        match (self.kind, self.count) {
            (packet_type::SENDER_REPORT, count) => {
                let (ssrc, rest) = take_u32(self.body)?;
                let (ntp, rest) = rest.split_first_chunk()?;
                let (rtp_time, rest) = take_u32(rest)?;
                let (packets, rest) = take_u32(rest)?;
                let (octets, rest) = take_u32(rest)?;
                let ntp = NtpTime(u64::from_be_bytes(*ntp));
                let info = SenderInfo {
                    ntp,
                    rtp_time,
                    packets,
                    octets,
                };
                let reports = ReceptionReports::take(rest, count)?;
                Some(Report::SenderReport {
                    ssrc,
                    info,
                    reports,
                })
            }
            (packet_type::RECEIVER_REPORT, count) => {
                let (ssrc, rest) = take_u32(self.body)?;
                let reports = ReceptionReports::take(rest, count)?;
                Some(Report::ReceiverReport { ssrc, reports })
            }
            (packet_type::BYE, count) => {
                let ssrcs = Ssrcs(self.body.get(..4 * usize::from(count))?);
                Some(Report::Bye { ssrcs })
            }
            (packet_type::TRANSPORT_FEEDBACK | packet_type::PAYLOAD_FEEDBACK, format) => {
                let (_sender, rest) = take_u32(self.body)?;
                let (media_ssrc, control) = take_u32(rest)?;
                self.read_feedback(format, media_ssrc, control)
            }
            (packet_type, format) => Some(Report::Unknown {
                packet_type,
                format,
            }),
        }
    }

    /// The first block of time echoes in an extended report (RFC 3611, section 2); `Some(None)`
    /// when there is none.
    fn read_extended(&self) -> Option<Option<Report<'a>>> {
        /// Delay since the last receiver reference time.
        const DLRR: u8 = 5;
        let (_sender, mut blocks) = take_u32(self.body)?;
        while !blocks.is_empty() {
            let (&[kind, _, high, low], rest) = blocks.split_first_chunk()?;
            let length = 4 * usize::from(u16::from_be_bytes([high, low]));
            let (block, rest) = rest.split_at_checked(length)?;
            if kind == DLRR {
                let whole = block.len().is_multiple_of(12);
                return whole.then_some(Some(Report::TimeEchoes {
                    echoes: TimeEchoes(block),
                }));
            }
            blocks = rest;
        }
        Some(None)
    }

    fn read_feedback(&self, format: u8, media_ssrc: u32, control: &'a [u8]) -> Option<Report<'a>> {
        let transport = self.kind == packet_type::TRANSPORT_FEEDBACK;
        match (transport, format) {
            (true, format::NACK) => Some(Report::Nack {
                media_ssrc,
                lost: LostSeqnos::take(control)?,
            }),
            // Base sequence number, count, reference time and feedback count: 8 bytes at least.
            (true, format::TRANSPORT_CC) if control.len() < 8 => None,
            (true, format::TRANSPORT_CC) => Some(Report::TransportCc {
                media_ssrc,
                body: control,
            }),
            (false, format::PLI) => Some(Report::Pli { media_ssrc }),
            (false, format::FIR) if control.is_empty() || !control.len().is_multiple_of(8) => None,
            (false, format::FIR) => Some(Report::Fir {
                entries: FirEntries(control),
            }),
            (false, format::APPLICATION) if control.starts_with(b"REMB") => read_remb(control),
            _ => Some(Report::Unknown {
                packet_type: self.kind,
                format,
            }),
        }
    }
}

/// draft-alvestrand-rmcat-remb-03, section 2.2.
fn read_remb(control: &[u8]) -> Option<Report<'_>> {
    let (_name, rest) = control.split_first_chunk::<4>()?;
    let (&[count, high, middle, low], ssrcs) = rest.split_first_chunk()?;
    let mantissa = u64::from(u32::from_be_bytes([0, high & 0x03, middle, low]));
    let exponent = u32::from(high >> 2);
    let bitrate = if mantissa == 0 || exponent <= mantissa.leading_zeros() {
        mantissa.checked_shl(exponent).unwrap_or(0)
    } else {
        u64::MAX
    };
    Some(Report::Remb {
        bitrate,
        ssrcs: Ssrcs(ssrcs.get(..4 * usize::from(count))?),
    })
}

fn take_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (value, rest) = bytes.split_first_chunk()?;
    Some((u16::from_be_bytes(*value), rest))
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (value, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*value), rest))
}

/// The blocks of a report. Each item of the slice is 24 bytes.
#[derive(Debug, Clone)]
pub struct ReceptionReports<'a>(&'a [u8]);

impl<'a> ReceptionReports<'a> {
    /// What follows the blocks is a profile's extension, and passed over.
    fn take(bytes: &'a [u8], count: u8) -> Option<Self> {
        Some(Self(bytes.get(..24 * usize::from(count))?))
    }
}

impl Iterator for ReceptionReports<'_> {
    type Item = ReceptionReport;

    fn next(&mut self) -> Option<ReceptionReport> {
        let (ssrc, rest) = take_u32(self.0)?;
        let (lost, rest) = take_u32(rest)?;
        let (highest_seq, rest) = take_u32(rest)?;
        let (jitter, rest) = take_u32(rest)?;
        let (last_sr, rest) = take_u32(rest)?;
        let (delay_since_last_sr, rest) = take_u32(rest)?;
        self.0 = rest;
        Some(ReceptionReport {
            ssrc,
            fraction_lost: (lost >> 24) as u8,
            // Shifted up and back, so that the sign of the 24 bits is kept.
            cumulative_lost: (lost << 8).cast_signed() >> 8,
            highest_seq,
            jitter,
            last_sr,
            delay_since_last_sr,
        })
    }
}

/// The sequence numbers that a NACK asks for, in its order: at most 17 for each of its words.
#[derive(Debug, Clone)]
pub struct LostSeqnos<'a> {
    rest: &'a [u8],
    base: u16,
    /// The bits of the current word that were not given yet; bit n is `base + n`.
    bits: u32,
}

impl<'a> LostSeqnos<'a> {
    fn take(control: &'a [u8]) -> Option<Self> {
        let whole = !control.is_empty() && control.len().is_multiple_of(4);
        whole.then_some(Self {
            rest: control,
            base: 0,
            bits: 0,
        })
    }
}

impl Iterator for LostSeqnos<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.bits == 0 {
            let (base, rest) = take_u16(self.rest)?;
            let (following, rest) = take_u16(rest)?;
            self.rest = rest;
            self.base = base;
            self.bits = (u32::from(following) << 1) | 1;
        }
        let offset = self.bits.trailing_zeros();
        self.bits &= self.bits - 1;
        Some(self.base.wrapping_add(offset as u16))
    }
}

/// A list of sources.
#[derive(Debug, Clone)]
pub struct Ssrcs<'a>(&'a [u8]);

impl Iterator for Ssrcs<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (ssrc, rest) = take_u32(self.0)?;
        self.0 = rest;
        Some(ssrc)
    }
}

/// The sources of which a FIR asks for keyframes, each with the number of the command: a
/// repeated number is a repetition of the same command (RFC 5104, section 4.3.1.2).
#[derive(Debug, Clone)]
pub struct FirEntries<'a>(&'a [u8]);

impl Iterator for FirEntries<'_> {
    type Item = (u32, u8);

    fn next(&mut self) -> Option<(u32, u8)> {
        let (ssrc, rest) = take_u32(self.0)?;
        let (&[command, ..], rest) = rest.split_first_chunk::<4>()?;
        self.0 = rest;
        Some((ssrc, command))
    }
}

/// Who heard our time, and when.
#[derive(Debug, Clone)]
pub struct TimeEchoes<'a>(&'a [u8]);

impl Iterator for TimeEchoes<'_> {
    type Item = TimeEcho;

    fn next(&mut self) -> Option<TimeEcho> {
        let (ssrc, rest) = take_u32(self.0)?;
        let (last_time, rest) = take_u32(rest)?;
        let (delay, rest) = take_u32(rest)?;
        self.0 = rest;
        Some(TimeEcho {
            ssrc,
            last_time,
            delay,
        })
    }
}
