//! Writing RTCP into a buffer of the caller.

use super::arrivals::{ArrivalReport, Chunks};
use super::{FeedbackError, NtpTime, ReceptionReport, SenderInfo, format, packet_type};

/// The number of blocks that fit the count of one report.
const MAX_BLOCKS: usize = 31;

/// A compound packet that is being written. It begins with a report, as RFC 3550,
/// section 6.1 demands; [`Compound::cname`] should follow, then any feedback.
///
/// Each packet is appended whole or, with [`FeedbackError::Full`], not at all: what was written
/// before stays valid.
#[derive(Debug)]
pub struct Compound<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Compound<'a> {
    /// Begins with a sender report.
    ///
    /// # Errors
    /// `Full` when the buffer is too short.
    pub fn with_sender_report(
        buffer: &'a mut [u8],
        ssrc: u32,
        info: &SenderInfo,
        reports: &[ReceptionReport],
    ) -> Result<Self, FeedbackError> {
        let mut compound = Self { buffer, len: 0 };
        compound.sender_report(ssrc, info, reports)?;
        Ok(compound)
    }

    /// Begins with a receiver report, which may be empty.
    ///
    /// # Errors
    /// `Full` when the buffer is too short.
    pub fn with_receiver_report(
        buffer: &'a mut [u8],
        ssrc: u32,
        reports: &[ReceptionReport],
    ) -> Result<Self, FeedbackError> {
        let mut compound = Self { buffer, len: 0 };
        compound.receiver_report(ssrc, reports)?;
        Ok(compound)
    }

    /// How many bytes of the buffer are written.
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// A sender report (RFC 3550, section 6.4.1). Blocks beyond 31 go to receiver reports that
    /// follow it.
    ///
    /// # Errors
    /// `Full`.
    pub fn sender_report(
        &mut self,
        ssrc: u32,
        info: &SenderInfo,
        reports: &[ReceptionReport],
    ) -> Result<(), FeedbackError> {
        let (first, others) = reports.split_at(reports.len().min(MAX_BLOCKS));
        self.append(|packets| {
            packets.packet(first.len() as u8, packet_type::SENDER_REPORT, |body| {
                body.u32(ssrc)?;
                body.bytes(&info.ntp.0.to_be_bytes())?;
                body.u32(info.rtp_time)?;
                body.u32(info.packets)?;
                body.u32(info.octets)?;
                first.iter().try_for_each(|report| body.block(report))
            })?;
            others
                .chunks(MAX_BLOCKS)
                .try_for_each(|some| packets.receiver_report(ssrc, some))
        })
    }

    /// A receiver report (RFC 3550, section 6.4.2), or several when there are more than 31
    /// blocks.
    ///
    /// # Errors
    /// `Full`.
    pub fn receiver_report(
        &mut self,
        ssrc: u32,
        reports: &[ReceptionReport],
    ) -> Result<(), FeedbackError> {
        let (first, others) = reports.split_at(reports.len().min(MAX_BLOCKS));
        self.append(|packets| {
            packets.receiver_report(ssrc, first)?;
            others
                .chunks(MAX_BLOCKS)
                .try_for_each(|some| packets.receiver_report(ssrc, some))
        })
    }

    /// A source description with the canonical name of the end that sends `ssrc` (RFC 3550,
    /// section 6.5.1). A name longer than 255 bytes is cut.
    ///
    /// # Errors
    /// `Full`.
    pub fn cname(&mut self, ssrc: u32, cname: &str) -> Result<(), FeedbackError> {
        let name = cname.as_bytes();
        let name = name.get(..255).unwrap_or(name);
        self.append(|packets| {
            packets.packet(1, packet_type::SOURCE_DESCRIPTION, |body| {
                body.u32(ssrc)?;
                // Item CNAME, its length, its text; then one to four zeros end the chunk.
                body.bytes(&[1, name.len() as u8])?;
                body.bytes(name)?;
                let zeros = 4 - (2 + name.len()) % 4;
                body.bytes([0; 4].get(..zeros).unwrap_or_default())
            })
        })
    }

    /// Tells the time to who only sends (RFC 3611, section 4.4), so that its
    /// [`TimeEcho`](super::TimeEcho) shows the round-trip time.
    ///
    /// # Errors
    /// `Full`.
    pub fn reference_time(&mut self, ssrc: u32, ntp: NtpTime) -> Result<(), FeedbackError> {
        self.append(|packets| {
            packets.packet(0, packet_type::EXTENDED_REPORT, |body| {
                body.u32(ssrc)?;
                // Block type 4, two words.
                body.bytes(&[4, 0, 0, 2])?;
                body.bytes(&ntp.0.to_be_bytes())
            })
        })
    }

    /// Asks for a keyframe (RFC 4585, section 6.3.1).
    ///
    /// # Errors
    /// `Full`.
    pub fn pli(&mut self, sender_ssrc: u32, media_ssrc: u32) -> Result<(), FeedbackError> {
        self.append(|packets| {
            packets.packet(format::PLI, packet_type::PAYLOAD_FEEDBACK, |body| {
                body.u32(sender_ssrc)?;
                body.u32(media_ssrc)
            })
        })
    }

    /// Asks for a keyframe (RFC 5104, section 4.3.1). `command` counts up by one for each new
    /// request to the source and stays the same when one is repeated.
    ///
    /// # Errors
    /// `Full`.
    pub fn fir(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        command: u8,
    ) -> Result<(), FeedbackError> {
        self.append(|packets| {
            packets.packet(format::FIR, packet_type::PAYLOAD_FEEDBACK, |body| {
                body.u32(sender_ssrc)?;
                // The media source of the header is unused (RFC 5104, section 4.3.1.2).
                body.u32(0)?;
                body.u32(media_ssrc)?;
                body.bytes(&[command, 0, 0, 0])
            })
        })
    }

    /// Asks for packets again (RFC 4585, section 6.2.1). The numbers should ascend, in the order
    /// of sequence numbers, to need the fewest bytes; without any, nothing is written.
    ///
    /// # Errors
    /// `Full`.
    pub fn nack(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        lost: &[u16],
    ) -> Result<(), FeedbackError> {
        let Some((&first, others)) = lost.split_first() else {
            return Ok(());
        };
        self.append(|packets| {
            packets.packet(format::NACK, packet_type::TRANSPORT_FEEDBACK, |body| {
                body.u32(sender_ssrc)?;
                body.u32(media_ssrc)?;
                let (mut base, mut following) = (first, 0u16);
                for &seqno in others {
                    match seqno.wrapping_sub(base) {
                        0 => {}
                        offset @ 1..=16 => following |= 1 << (offset - 1),
                        _ => {
                            body.u32(nack_word(base, following))?;
                            (base, following) = (seqno, 0);
                        }
                    }
                }
                body.u32(nack_word(base, following))
            })
        })
    }

    /// Tells a sender how much can be received (draft-alvestrand-rmcat-remb-03), in bit/s for
    /// all sources together. The bitrate is rounded down to 18 significant bits; sources beyond
    /// 255 are left out.
    ///
    /// # Errors
    /// `Full`.
    pub fn remb(
        &mut self,
        sender_ssrc: u32,
        bitrate: u64,
        ssrcs: &[u32],
    ) -> Result<(), FeedbackError> {
        let ssrcs = ssrcs.get(..255).unwrap_or(ssrcs);
        let exponent = (u64::BITS - bitrate.leading_zeros()).saturating_sub(18);
        let mantissa = (bitrate >> exponent) as u32;
        self.append(|packets| {
            packets.packet(format::APPLICATION, packet_type::PAYLOAD_FEEDBACK, |body| {
                body.u32(sender_ssrc)?;
                body.u32(0)?;
                body.bytes(b"REMB")?;
                body.u32(((ssrcs.len() as u32) << 24) | (exponent << 18) | mantissa)?;
                ssrcs.iter().try_for_each(|&ssrc| body.u32(ssrc))
            })
        })
    }

    /// Tells a sender which of its packets arrived, and when
    /// (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    ///
    /// # Errors
    /// `Full`.
    pub fn arrivals(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        report: &ArrivalReport<'_>,
    ) -> Result<(), FeedbackError> {
        let count = u16::try_from(report.symbols.len()).map_err(|_| FeedbackError::Full)?;
        self.append(|packets| {
            packets.packet(
                format::TRANSPORT_CC,
                packet_type::TRANSPORT_FEEDBACK,
                |body| {
                    body.u32(sender_ssrc)?;
                    body.u32(media_ssrc)?;
                    body.u32((u32::from(report.base) << 16) | u32::from(count))?;
                    body.u32((report.reference << 8) | u32::from(report.message))?;
                    for chunk in Chunks(report.symbols) {
                        body.bytes(&chunk.to_be_bytes())?;
                    }
                    for &time in report.times {
                        match u8::try_from(time) {
                            Ok(small) => body.bytes(&[small])?,
                            Err(_) => body.bytes(&time.to_be_bytes())?,
                        }
                    }
                    let padding = body.len.wrapping_neg() % 4;
                    body.bytes([0; 4].get(..padding).unwrap_or_default())
                },
            )
        })
    }

    /// Says that sources ended (RFC 3550, section 6.6), 31 at the most; the rest is left out.
    /// Must be the last packet.
    ///
    /// # Errors
    /// `Full`.
    pub fn bye(&mut self, ssrcs: &[u32]) -> Result<(), FeedbackError> {
        let ssrcs = ssrcs.get(..31).unwrap_or(ssrcs);
        self.append(|packets| {
            packets.packet(ssrcs.len() as u8, packet_type::BYE, |body| {
                ssrcs.iter().try_for_each(|&ssrc| body.u32(ssrc))
            })
        })
    }

    /// Appends what `write` writes, or nothing if it fails.
    fn append(
        &mut self,
        write: impl FnOnce(&mut Cursor<'_>) -> Result<(), FeedbackError>,
    ) -> Result<(), FeedbackError> {
        let rest = self.buffer.get_mut(self.len..).unwrap_or_default();
        let mut cursor = Cursor {
            buffer: rest,
            len: 0,
        };
        write(&mut cursor)?;
        self.len += cursor.len;
        Ok(())
    }
}

fn nack_word(base: u16, following: u16) -> u32 {
    (u32::from(base) << 16) | u32::from(following)
}

/// Where the next byte goes.
struct Cursor<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl Cursor<'_> {
    /// A packet whose body is written by `write`; its length is filled in afterwards.
    fn packet(
        &mut self,
        count: u8,
        kind: u8,
        write: impl FnOnce(&mut Self) -> Result<(), FeedbackError>,
    ) -> Result<(), FeedbackError> {
        let start = self.len;
        self.bytes(&[0x80 | count, kind, 0, 0])?;
        write(self)?;
        // Words that follow the first.
        let words = u16::try_from((self.len - start) / 4 - 1).map_err(|_| FeedbackError::Full)?;
        let length = self
            .buffer
            .get_mut(start + 2..start + 4)
            .ok_or(FeedbackError::Full)?;
        length.copy_from_slice(&words.to_be_bytes());
        Ok(())
    }

    fn receiver_report(
        &mut self,
        ssrc: u32,
        reports: &[ReceptionReport],
    ) -> Result<(), FeedbackError> {
        self.packet(reports.len() as u8, packet_type::RECEIVER_REPORT, |body| {
            body.u32(ssrc)?;
            reports.iter().try_for_each(|report| body.block(report))
        })
    }

    fn block(&mut self, report: &ReceptionReport) -> Result<(), FeedbackError> {
        // RFC 3550, A.3: the count is clamped, it does not wrap.
        let lost = report
            .cumulative_lost
            .clamp(-0x80_0000, 0x7F_FFFF)
            .cast_unsigned()
            & 0xFF_FFFF;
        self.u32(report.ssrc)?;
        self.u32((u32::from(report.fraction_lost) << 24) | lost)?;
        self.u32(report.highest_seq)?;
        self.u32(report.jitter)?;
        self.u32(report.last_sr)?;
        self.u32(report.delay_since_last_sr)
    }

    fn u32(&mut self, value: u32) -> Result<(), FeedbackError> {
        self.bytes(&value.to_be_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), FeedbackError> {
        let end = self.len + bytes.len();
        let room = self
            .buffer
            .get_mut(self.len..end)
            .ok_or(FeedbackError::Full)?;
        room.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }
}
