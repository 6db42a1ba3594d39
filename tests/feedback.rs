//! RTCP as this server reads and writes it, against the crate `rtc-rtcp`: what one writes, the
//! other reads the same.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failure of a test is a panic"
)]

use bytes::{Bytes, BytesMut};
use perikon::media::feedback::{Compound, NtpTime, ReceptionReport, Report, Reports, SenderInfo};
use proptest::collection::vec;
use proptest::prelude::*;
use rtc_rtcp::goodbye::Goodbye;
use rtc_rtcp::packet::Packet;
use rtc_rtcp::payload_feedbacks::full_intra_request::{FirEntry, FullIntraRequest};
use rtc_rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport as TheirBlock;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::source_description::{
    SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem,
};
use rtc_rtcp::transport_feedbacks::transport_layer_nack::{
    TransportLayerNack, nack_pairs_from_sequence_numbers,
};

const SENDER: u32 = 0xCAFE_0001;

/// One packet, in words that neither side owns.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    SenderReport {
        ssrc: u32,
        info: SenderInfo,
        blocks: Vec<ReceptionReport>,
    },
    ReceiverReport {
        ssrc: u32,
        blocks: Vec<ReceptionReport>,
    },
    Cname(String),
    Nack {
        media_ssrc: u32,
        lost: Vec<u16>,
    },
    Pli(u32),
    Fir(u32, u8),
    Remb {
        bitrate: u64,
        ssrcs: Vec<u32>,
    },
    Bye(Vec<u32>),
}

fn block() -> impl Strategy<Value = ReceptionReport> {
    let counts = (any::<u32>(), any::<u8>(), 0i32..0x80_0000, any::<u32>());
    (counts, any::<u32>(), any::<u32>(), any::<u32>()).prop_map(
        |((ssrc, fraction_lost, cumulative_lost, highest_seq), jitter, last_sr, delay)| {
            ReceptionReport {
                ssrc,
                fraction_lost,
                cumulative_lost,
                highest_seq,
                jitter,
                last_sr,
                delay_since_last_sr: delay,
            }
        },
    )
}

fn sender_report() -> impl Strategy<Value = Said> {
    let info = (any::<u64>(), any::<u32>(), any::<u32>(), any::<u32>());
    (any::<u32>(), info, vec(block(), 0..5)).prop_map(|(ssrc, info, blocks)| {
        let (ntp, rtp_time, packets, octets) = info;
        let info = SenderInfo {
            ntp: NtpTime(ntp),
            rtp_time,
            packets,
            octets,
        };
        Said::SenderReport { ssrc, info, blocks }
    })
}

fn receiver_report() -> impl Strategy<Value = Said> {
    (any::<u32>(), vec(block(), 0..5))
        .prop_map(|(ssrc, blocks)| Said::ReceiverReport { ssrc, blocks })
}

/// Ascending numbers, as a NACK wants them.
fn lost() -> impl Strategy<Value = Vec<u16>> {
    (any::<u16>(), vec(1u16..50, 0..40)).prop_map(|(first, steps)| {
        let following = steps.into_iter().scan(first, |seqno, step| {
            *seqno = seqno.wrapping_add(step);
            Some(*seqno)
        });
        std::iter::once(first).chain(following).collect()
    })
}

fn feedback() -> impl Strategy<Value = Said> {
    // Eighteen significant bits and no more than a float has: both sides say it exactly.
    let bitrate = (0u64..1 << 18, 0u32..20).prop_map(|(mantissa, exponent)| mantissa << exponent);
    prop_oneof![
        sender_report(),
        receiver_report(),
        "[a-z0-9]{1,40}".prop_map(Said::Cname),
        (any::<u32>(), lost()).prop_map(|(media_ssrc, lost)| Said::Nack { media_ssrc, lost }),
        any::<u32>().prop_map(Said::Pli),
        (any::<u32>(), any::<u8>()).prop_map(|(ssrc, command)| Said::Fir(ssrc, command)),
        (bitrate, vec(any::<u32>(), 0..5))
            .prop_map(|(bitrate, ssrcs)| Said::Remb { bitrate, ssrcs }),
        vec(any::<u32>(), 1..31).prop_map(Said::Bye),
    ]
}

/// A report, then anything.
fn compound() -> impl Strategy<Value = Vec<Said>> {
    let first = prop_oneof![sender_report(), receiver_report()];
    (first, vec(feedback(), 0..6)).prop_map(|(first, mut others)| {
        others.insert(0, first);
        others
    })
}

fn we_write(said: &[Said]) -> Vec<u8> {
    let mut buffer = vec![0; 8192];
    let (first, others) = said.split_first().unwrap();
    let mut compound = match first {
        Said::SenderReport { ssrc, info, blocks } => {
            Compound::with_sender_report(&mut buffer, *ssrc, info, blocks).unwrap()
        }
        Said::ReceiverReport { ssrc, blocks } => {
            Compound::with_receiver_report(&mut buffer, *ssrc, blocks).unwrap()
        }
        other => panic!("{other:?} cannot be the first"),
    };
    for one in others {
        match one {
            Said::SenderReport { ssrc, info, blocks } => {
                compound.sender_report(*ssrc, info, blocks)
            }
            Said::ReceiverReport { ssrc, blocks } => compound.receiver_report(*ssrc, blocks),
            Said::Cname(name) => compound.cname(SENDER, name),
            Said::Nack { media_ssrc, lost } => compound.nack(SENDER, *media_ssrc, lost),
            Said::Pli(ssrc) => compound.pli(SENDER, *ssrc),
            Said::Fir(ssrc, command) => compound.fir(SENDER, *ssrc, *command),
            Said::Remb { bitrate, ssrcs } => compound.remb(SENDER, *bitrate, ssrcs),
            Said::Bye(ssrcs) => compound.bye(ssrcs),
        }
        .unwrap();
    }
    let len = compound.len();
    buffer.truncate(len);
    buffer
}

fn we_read(bytes: &[u8]) -> Vec<Said> {
    let read = |report| match report {
        Report::SenderReport {
            ssrc,
            info,
            reports,
        } => Said::SenderReport {
            ssrc,
            info,
            blocks: reports.collect(),
        },
        Report::ReceiverReport { ssrc, reports } => Said::ReceiverReport {
            ssrc,
            blocks: reports.collect(),
        },
        Report::Nack { media_ssrc, lost } => Said::Nack {
            media_ssrc,
            lost: lost.collect(),
        },
        Report::Pli { media_ssrc } => Said::Pli(media_ssrc),
        Report::Fir { mut entries } => {
            let (ssrc, command) = entries.next().unwrap();
            assert_eq!(entries.next(), None);
            Said::Fir(ssrc, command)
        }
        Report::Remb { bitrate, ssrcs } => Said::Remb {
            bitrate,
            ssrcs: ssrcs.collect(),
        },
        Report::Bye { ssrcs } => Said::Bye(ssrcs.collect()),
        other => panic!("{other:?} was not written"),
    };
    Reports::new(bytes)
        .map(|report| read(report.unwrap()))
        .collect()
}

fn to_theirs(blocks: &[ReceptionReport]) -> Vec<TheirBlock> {
    let block = |block: &ReceptionReport| TheirBlock {
        ssrc: block.ssrc,
        fraction_lost: block.fraction_lost,
        total_lost: block.cumulative_lost.cast_unsigned(),
        last_sequence_number: block.highest_seq,
        jitter: block.jitter,
        last_sender_report: block.last_sr,
        delay: block.delay_since_last_sr,
    };
    blocks.iter().map(block).collect()
}

fn from_theirs(blocks: &[TheirBlock]) -> Vec<ReceptionReport> {
    let block = |block: &TheirBlock| ReceptionReport {
        ssrc: block.ssrc,
        fraction_lost: block.fraction_lost,
        cumulative_lost: block.total_lost.cast_signed(),
        highest_seq: block.last_sequence_number,
        jitter: block.jitter,
        last_sr: block.last_sender_report,
        delay_since_last_sr: block.delay,
    };
    blocks.iter().map(block).collect()
}

fn they_write(said: &[Said]) -> BytesMut {
    let packet = |one: &Said| -> Box<dyn Packet> {
        match one.clone() {
            Said::SenderReport { ssrc, info, blocks } => Box::new(SenderReport {
                ssrc,
                ntp_time: info.ntp.0,
                rtp_time: info.rtp_time,
                packet_count: info.packets,
                octet_count: info.octets,
                reports: to_theirs(&blocks),
                profile_extensions: Bytes::new(),
            }),
            Said::ReceiverReport { ssrc, blocks } => Box::new(ReceiverReport {
                ssrc,
                reports: to_theirs(&blocks),
                profile_extensions: Bytes::new(),
            }),
            Said::Cname(name) => {
                let item = SourceDescriptionItem {
                    sdes_type: SdesType::SdesCname,
                    text: Bytes::from(name),
                };
                let chunk = SourceDescriptionChunk {
                    source: SENDER,
                    items: vec![item],
                };
                Box::new(SourceDescription {
                    chunks: vec![chunk],
                })
            }
            Said::Nack { media_ssrc, lost } => Box::new(TransportLayerNack {
                sender_ssrc: SENDER,
                media_ssrc,
                nacks: nack_pairs_from_sequence_numbers(&lost),
            }),
            Said::Pli(media_ssrc) => Box::new(PictureLossIndication {
                sender_ssrc: SENDER,
                media_ssrc,
            }),
            Said::Fir(ssrc, sequence_number) => Box::new(FullIntraRequest {
                sender_ssrc: SENDER,
                media_ssrc: 0,
                fir: vec![FirEntry {
                    ssrc,
                    sequence_number,
                }],
            }),
            Said::Remb { bitrate, ssrcs } => Box::new(ReceiverEstimatedMaximumBitrate {
                sender_ssrc: SENDER,
                bitrate: bitrate as f32,
                ssrcs,
            }),
            Said::Bye(sources) => Box::new(Goodbye {
                sources,
                reason: Bytes::new(),
            }),
        }
    };
    let packets: Vec<_> = said.iter().map(packet).collect();
    rtc_rtcp::packet::marshal(&packets).unwrap()
}

fn they_read(bytes: &[u8]) -> Vec<Said> {
    let mut bytes = Bytes::copy_from_slice(bytes);
    let read = |packet: &dyn Packet| {
        let any = packet.as_any();
        if let Some(report) = any.downcast_ref::<SenderReport>() {
            let info = SenderInfo {
                ntp: NtpTime(report.ntp_time),
                rtp_time: report.rtp_time,
                packets: report.packet_count,
                octets: report.octet_count,
            };
            let blocks = from_theirs(&report.reports);
            Said::SenderReport {
                ssrc: report.ssrc,
                info,
                blocks,
            }
        } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
            Said::ReceiverReport {
                ssrc: report.ssrc,
                blocks: from_theirs(&report.reports),
            }
        } else if let Some(description) = any.downcast_ref::<SourceDescription>() {
            let [chunk] = description.chunks.as_slice() else {
                panic!("not one chunk")
            };
            let [item] = chunk.items.as_slice() else {
                panic!("not one item")
            };
            assert_eq!(
                (chunk.source, item.sdes_type),
                (SENDER, SdesType::SdesCname)
            );
            Said::Cname(String::from_utf8(item.text.to_vec()).unwrap())
        } else if let Some(nack) = any.downcast_ref::<TransportLayerNack>() {
            assert_eq!(nack.sender_ssrc, SENDER);
            let lost = nack
                .nacks
                .iter()
                .flat_map(|pair| pair.packet_list())
                .collect();
            Said::Nack {
                media_ssrc: nack.media_ssrc,
                lost,
            }
        } else if let Some(pli) = any.downcast_ref::<PictureLossIndication>() {
            Said::Pli(pli.media_ssrc)
        } else if let Some(fir) = any.downcast_ref::<FullIntraRequest>() {
            let [entry] = fir.fir.as_slice() else {
                panic!("not one entry")
            };
            Said::Fir(entry.ssrc, entry.sequence_number)
        } else if let Some(remb) = any.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
            Said::Remb {
                bitrate: remb.bitrate as u64,
                ssrcs: remb.ssrcs.clone(),
            }
        } else if let Some(bye) = any.downcast_ref::<Goodbye>() {
            Said::Bye(bye.sources.clone())
        } else {
            panic!("{packet:?} was not written")
        }
    };
    rtc_rtcp::packet::unmarshal(&mut bytes)
        .unwrap()
        .iter()
        .map(|packet| read(packet.as_ref()))
        .collect()
}

proptest! {
    #[test]
    fn they_read_what_we_write(said in compound()) {
        prop_assert_eq!(they_read(&we_write(&said)), said);
    }

    /// Source descriptions, which say nothing that a server needs, are passed over.
    #[test]
    fn we_read_what_they_write(said in compound()) {
        let bytes = they_write(&said);
        let heard = said.into_iter().filter(|one| !matches!(one, Said::Cname(_)));
        prop_assert_eq!(we_read(&bytes), heard.collect::<Vec<_>>());
    }

    /// But for those that end in text: theirs puts the length of the padding into it, and gives
    /// a BYE an empty reason.
    #[test]
    fn both_write_the_same_bytes(mut said in compound()) {
        said.retain(|one| !matches!(one, Said::Bye(_) | Said::Cname(_)));
        prop_assert_eq!(we_write(&said), they_write(&said).to_vec());
    }
}
