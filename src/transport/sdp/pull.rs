//! A receiver's offer, and the answer in which the server sends (WHEP). Everywhere else the server
//! offers what it sends: here payload types are the receiver's.

use super::down::{fmtp, msid, offered_feedback};
use super::write::{self, Section};
use super::{SdpError, read};
use crate::media::{Codec, Kind};
use crate::transport::description::{
    CodecParameters, Extension, Feedback, LocalTransport, RemoteTransport, Rtx, Setup,
};
use rtc_sdp::description::media::MediaDescription;

/// What a receiver is ready to receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullOffer {
    /// What the offer says of its transport.
    pub remote: RemoteTransport,
    sections: Vec<Offered>,
    allow_mixed: bool,
}

/// One section of the offer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offered {
    mid: String,
    /// `audio`, `video`, `application`, …
    name: String,
    protos: Vec<String>,
    /// The first format: a rejected section must have one too.
    format: String,
    /// Empty if nothing can be sent in it.
    codecs: Vec<Format>,
    /// Those that the offer gives the id that the server writes.
    extensions: Vec<Extension>,
    reduced_size: bool,
}

/// A codec in a section of the offer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Format {
    codec: CodecParameters,
    feedback: Feedback,
    /// The payload type of packets with earlier ones in them.
    red: Option<u8>,
    /// The payload type of repairs.
    rtx: Option<u8>,
}

/// What the server sends in one section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullMedia {
    /// `a=mid`
    pub mid: String,
    /// With the receiver's payload type.
    pub codec: CodecParameters,
    /// The id on the wire of the stream that the track is of.
    pub stream_id: String,
    /// That the server sends with.
    pub ssrc: u32,
    /// How the server sends packets again, if the receiver takes a stream for that.
    pub rtx: Option<Rtx>,
    /// The payload type of packets with earlier ones in them (RFC 2198), if that is offered.
    pub red: Option<u8>,
    /// Extensions that the publisher sends, and the receiver would understand.
    pub extensions: Vec<Extension>,
}

impl PullOffer {
    /// Reads an offer.
    ///
    /// # Errors
    /// If it is no SDP, or lacks what every WebRTC offer has.
    pub fn parse(sdp: &str) -> Result<Self, SdpError> {
        let session = read::parse(sdp)?;
        let descriptions = &session.media_descriptions;
        let first = read::speaker(descriptions)?;
        let bundle = read::bundle(&session);
        let mut sections = Vec::with_capacity(descriptions.len());
        for description in descriptions {
            let attributes = &description.attributes;
            let mid = read::value(attributes, "mid").unwrap_or_default();
            if mid.is_empty() && descriptions.len() > 1 {
                return Err(SdpError::Missing("a=mid in every media section"));
            }
            let bundled = match &bundle {
                Some(mids) => mids.contains(mid),
                None => std::ptr::eq(description, first),
            };
            let usable = bundled
                && read::is_alive(description)
                && read::is_secure_rtp(description)
                && read::direction(&session, description).1;
            let codecs: Vec<_> = if usable {
                let of = |codec: CodecParameters| Format {
                    feedback: read::feedback(description, codec.payload_type),
                    red: read::red(description, &codec),
                    rtx: read::rtx(description, codec.payload_type),
                    codec,
                };
                read::codecs(description).into_iter().map(of).collect()
            } else {
                Vec::new()
            };
            if !codecs.is_empty() && !read::flag(attributes, "rtcp-mux") {
                let mid = mid.to_owned();
                return Err(SdpError::NoRtcpMux { mid });
            }
            let extmaps = read::extmaps(&session, description).into_iter();
            sections.push(Offered {
                mid: mid.to_owned(),
                name: description.media_name.media.clone(),
                protos: description.media_name.protos.clone(),
                format: description
                    .media_name
                    .formats
                    .first()
                    .cloned()
                    .unwrap_or_default(),
                codecs,
                extensions: extmaps
                    .filter(|extmap| extmap.id == extmap.extension.own_id())
                    .map(|extmap| extmap.extension)
                    .collect(),
                reduced_size: read::flag(attributes, "rtcp-rsize"),
            });
        }
        Ok(Self {
            remote: read::transport(&session, first, Setup::Actpass)?,
            sections,
            allow_mixed: read::flag(&session.attributes, "extmap-allow-mixed"),
        })
    }

    /// Whether there is room for more than one stream: two sections of a kind, or more.
    pub fn has_room_for_several(&self) -> bool {
        [Kind::Audio, Kind::Video].into_iter().any(|kind| {
            let of_kind = |section: &&Offered| {
                let mut codecs = section.codecs.iter();
                codecs.any(|format| format.codec.codec.kind() == kind)
            };
            self.sections.iter().filter(of_kind).count() > 1
        })
    }

    /// The first section that can carry a codec and that is not in `taken`, and how: with one
    /// SSRC for media and another for repairs.
    pub fn fit(
        &self,
        published: &CodecParameters,
        stream_id: &str,
        (ssrc, repair_ssrc): (u32, u32),
        extensions: &[Extension],
        taken: &[PullMedia],
    ) -> Option<PullMedia> {
        let free = |section: &&Offered| taken.iter().all(|other| other.mid != section.mid);
        self.sections.iter().filter(free).find_map(|section| {
            let payload_type = section.codec_for(published)?.payload_type;
            let format = section.format(payload_type);
            let rtx = format
                .filter(|format| format.feedback.nack)
                .and_then(|format| format.rtx);
            let mut extensions = extensions.to_vec();
            extensions.retain(|extension| section.extensions.contains(extension));
            // What has transport-wide numbers can only be sent again by RTX.
            let feedback = format.map_or_else(Feedback::default, |format| format.feedback);
            let transport_cc = feedback.transport_cc
                && match published.codec.kind() {
                    Kind::Audio => !feedback.nack,
                    Kind::Video => rtx.is_some(),
                };
            extensions.retain(|extension| transport_cc || *extension != Extension::TransportCc);
            // RFC 8843, section 10.1.2: in all sections of a bundle, a payload type is the same
            // to the last parameter.
            let same = |other: &&PullMedia| other.codec.payload_type == payload_type;
            let fmtp = taken.iter().find(same).map(|other| &other.codec.fmtp);
            Some(PullMedia {
                mid: section.mid.clone(),
                codec: CodecParameters {
                    payload_type,
                    fmtp: fmtp.unwrap_or(&published.fmtp).clone(),
                    ..published.clone()
                },
                stream_id: stream_id.to_owned(),
                ssrc,
                red: format.and_then(|format| format.red),
                rtx: rtx.map(|payload_type| Rtx {
                    payload_type,
                    ssrc: repair_ssrc,
                }),
                extensions,
            })
        })
    }

    /// The answer, in which the server sends `media` and rejects all other sections. Candidates
    /// are trickled.
    pub fn answer(&self, local: &LocalTransport, media: &[PullMedia]) -> String {
        let of = |section: &Offered| media.iter().find(|media| media.mid == section.mid);
        let kept = self.sections.iter().filter(|section| of(section).is_some());
        let mids = kept
            .map(|section| section.mid.as_str())
            .filter(|mid| !mid.is_empty());
        let mut session = write::session(local, mids, self.allow_mixed);
        for section in &self.sections {
            let description = section.answer(of(section), self.remote.setup, local);
            session = session.with_media(description);
        }
        session.marshal()
    }
}

impl Offered {
    fn format(&self, payload_type: u8) -> Option<&Format> {
        let mut formats = self.codecs.iter();
        formats.find(|format| format.codec.payload_type == payload_type)
    }

    /// The offered form of a codec that a receiver can be sent the published one in.
    fn codec_for(&self, published: &CodecParameters) -> Option<&CodecParameters> {
        let same = |one: &&CodecParameters| one.codec == published.codec;
        let mut offered = self.codecs.iter().map(|format| &format.codec).filter(same);
        let parameter = |codec: &CodecParameters, name| {
            read::fmtp_parameter(&codec.fmtp, name).map(str::to_ascii_lowercase)
        };
        match published.codec {
            Codec::H264 => {
                let shape = |codec: &CodecParameters| {
                    let mode = parameter(codec, "packetization-mode");
                    let profile = parameter(codec, "profile-level-id");
                    (
                        mode.unwrap_or_else(|| "0".to_owned()),
                        profile.and_then(|id| id.get(..4).map(str::to_owned)),
                    )
                };
                let wanted = shape(published);
                let all: Vec<_> = offered.collect();
                let exact = all.iter().find(|codec| shape(codec) == wanted);
                let mode = || all.iter().find(|codec| shape(codec).0 == wanted.0);
                exact.or_else(mode).copied()
            }
            Codec::Vp9 | Codec::Av1 => {
                let name = if published.codec == Codec::Vp9 {
                    "profile-id"
                } else {
                    "profile"
                };
                let profile =
                    |codec: &CodecParameters| parameter(codec, name).unwrap_or_else(|| "0".into());
                offered.find(|codec| profile(codec) == profile(published))
            }
            _ => offered.next(),
        }
    }

    fn answer(
        &self,
        media: Option<&PullMedia>,
        offered: Setup,
        local: &LocalTransport,
    ) -> MediaDescription {
        let port = if media.is_some() { 9 } else { 0 };
        let mut section = Section(write::media(&self.name, port, &self.protos));
        if !self.mid.is_empty() {
            section.value("mid", &self.mid);
        }
        let Some(media) = media else {
            match self.codecs.first() {
                // Some libraries want to know the format even of what is rejected.
                Some(format) => section.codec(&format.codec, Feedback::default()),
                None => {
                    section.0.media_name.formats.push(self.format.clone());
                    &mut section
                }
            };
            section.flag("inactive");
            return section.0;
        };
        section.transport(local, offered.answered());
        if self.reduced_size {
            section.flag("rtcp-rsize");
        }
        let codec = &media.codec;
        let theirs = self
            .format(codec.payload_type)
            .map_or_else(Feedback::default, |format| format.feedback);
        let mut feedback = offered_feedback(codec.codec.kind()).and(theirs);
        feedback.transport_cc &= media.extensions.contains(&Extension::TransportCc);
        let codec = CodecParameters {
            fmtp: fmtp(codec),
            ..codec.clone()
        };
        section.flag("sendonly").codec(&codec, feedback);
        if let Some(red) = media.red {
            section.red(&codec, red);
        }
        if let Some(rtx) = media.rtx {
            section.rtx(&codec, rtx.payload_type);
        }
        for extension in &media.extensions {
            let line = format!("{} {}", extension.own_id(), extension.uri());
            section.value("extmap", line);
        }
        let stream = msid(&media.stream_id);
        let track = format!("{stream}-{}", msid(&self.mid));
        section.source(&stream, &track, media.ssrc, media.rtx);
        section.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::description::{Fingerprint, IceCredentials};

    fn offer() -> String {
        let section = |kind: &str, mid: &str, formats: &str, lines: &str| {
            format!(
                "m={kind} 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
                 a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=rtcp-mux\r\n\
                 a=fingerprint:sha-256 {}\r\na=setup:actpass\r\n{lines}",
                ["AA"; 32].join(":")
            )
        };
        let mut sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v a d\r\n"
            .to_owned();
        sdp += &section(
            "video",
            "v",
            "45 46 47",
            "a=recvonly\r\na=rtpmap:45 H264/90000\r\n\
             a=fmtp:45 packetization-mode=0;profile-level-id=42e01f\r\na=rtpmap:46 H264/90000\r\n\
             a=fmtp:46 packetization-mode=1;profile-level-id=42e01f\r\na=rtcp-fb:46 nack\r\n\
             a=rtcp-fb:46 transport-cc\r\na=rtpmap:47 VP8/90000\r\n\
             a=extmap:4 urn:3gpp:video-orientation\r\n\
             a=extmap:6 urn:ietf:params:rtp-hdrext:sdes:mid\r\n",
        );
        sdp += &section(
            "audio",
            "a",
            "109",
            "a=sendonly\r\na=rtpmap:109 opus/48000/2\r\n",
        );
        sdp += &section(
            "audio",
            "d",
            "109",
            "a=sendrecv\r\na=rtpmap:109 opus/48000/2\r\n",
        );
        sdp
    }

    fn published(codec: Codec, fmtp: &str) -> CodecParameters {
        CodecParameters {
            codec,
            payload_type: 0,
            channels: if codec == Codec::Opus { 2 } else { 1 },
            fmtp: fmtp.to_owned(),
        }
    }

    fn local() -> LocalTransport {
        LocalTransport {
            ice: IceCredentials {
                ufrag: "serv".to_owned(),
                pwd: "serverserverserverserver".to_owned(),
            },
            fingerprint: Fingerprint::Sha256([7; 32]),
            session: (1, 1),
        }
    }

    #[test]
    fn tracks_find_the_sections_that_can_carry_them() {
        let offer = PullOffer::parse(&offer()).unwrap();
        assert!(!offer.has_room_for_several());
        let fit = |codec: &CodecParameters, ssrc, extensions: &[_], taken: &[_]| {
            offer.fit(codec, "s", ssrc, extensions, taken)
        };
        let sound = fit(&published(Codec::Opus, ""), (1, 10), &[], &[]).unwrap();
        assert_eq!((sound.mid.as_str(), sound.codec.payload_type), ("d", 109));
        let taken = [sound];
        assert_eq!(fit(&published(Codec::Opus, ""), (2, 20), &[], &taken), None);
        let h264 = published(Codec::H264, "packetization-mode=1;profile-level-id=42E034");
        let extensions = [Extension::VideoOrientation, Extension::DependencyDescriptor];
        let video = fit(&h264, (3, 30), &extensions, &taken).unwrap();
        assert_eq!((video.mid.as_str(), video.codec.payload_type), ("v", 46));
        assert_eq!(video.extensions, [Extension::VideoOrientation]);
        assert_eq!(fit(&published(Codec::Vp9, ""), (3, 30), &[], &[]), None);
    }

    #[test]
    fn a_payload_type_means_the_same_in_every_section() {
        // The section that was only to send receives too.
        let offer = PullOffer::parse(&offer().replace("a=sendonly\r\n", "")).unwrap();
        assert!(offer.has_room_for_several());
        let (stereo, plain) = ("stereo=1", "minptime=10");
        let one = published(Codec::Opus, stereo);
        let one = offer.fit(&one, "s", (1, 10), &[], &[]).unwrap();
        let other = published(Codec::Opus, plain);
        let other = offer.fit(&other, "t", (2, 20), &[], std::slice::from_ref(&one));
        let other = other.unwrap();
        assert_eq!((one.mid.as_str(), one.codec.fmtp.as_str()), ("a", stereo));
        assert_eq!(
            (other.mid.as_str(), other.codec.fmtp.as_str()),
            ("d", stereo)
        );
        let answer = offer.answer(&local(), &[one, other]);
        for line in ["a=msid:s s-a", "a=msid:t t-d"] {
            assert!(answer.contains(&format!("{line}\r\n")), "{answer}");
        }
    }

    #[test]
    fn the_answer_sends_what_was_taken_and_rejects_the_rest() {
        let offer = PullOffer::parse(&offer()).unwrap();
        let vp8 = published(Codec::Vp8, "");
        let media = offer.fit(&vp8, "s", (77, 770), &[], &[]).unwrap();
        let answer = offer.answer(&local(), &[media]);
        assert!(answer.contains("a=group:BUNDLE v\r\n"), "{answer}");
        assert!(
            answer.contains("m=video 9 UDP/TLS/RTP/SAVPF 47\r\n"),
            "{answer}"
        );
        assert_eq!(answer.matches("m=audio 0 ").count(), 2, "{answer}");
        assert_eq!(answer.matches("a=sendonly").count(), 1, "{answer}");
        assert!(answer.contains("a=setup:active\r\n"), "{answer}");
        assert!(answer.contains("a=ssrc:77 cname:s\r\n"), "{answer}");
    }

    #[test]
    fn repairs_go_by_the_payload_type_of_the_receiver() {
        let rtx = "a=rtpmap:50 rtx/90000\r\na=fmtp:50 apt=46\r\na=rtpmap:46 ";
        let sdp = offer()
            .replace("45 46 47", "45 46 47 50")
            .replace("a=rtpmap:46 ", rtx);
        let offer = PullOffer::parse(&sdp).unwrap();
        let h264 = published(Codec::H264, "packetization-mode=1;profile-level-id=42e01f");
        let media = offer.fit(&h264, "s", (7, 70), &[], &[]).unwrap();
        let rtx = Rtx {
            payload_type: 50,
            ssrc: 70,
        };
        assert_eq!(media.rtx, Some(rtx));
        let answer = offer.answer(&local(), &[media]);
        for line in [
            "m=video 9 UDP/TLS/RTP/SAVPF 46 50\r\n",
            "a=rtpmap:50 rtx/90000\r\n",
            "a=fmtp:50 apt=46\r\n",
            "a=ssrc-group:FID 7 70\r\n",
            "a=ssrc:70 cname:s\r\n",
        ] {
            assert!(answer.contains(line), "{line} in {answer}");
        }
        let vp8 = offer.fit(&published(Codec::Vp8, ""), "s", (7, 70), &[], &[]);
        assert_eq!(vp8.unwrap().rtx, None);
    }

    #[test]
    fn a_player_that_takes_redundant_sound_is_answered_by_its_own_numbers() {
        let opus = "a=rtpmap:109 opus/48000/2\r\n";
        assert!(
            offer().contains(opus) && offer().contains("SAVPF 45"),
            "{}",
            offer()
        );
        let text = offer().replace("SAVPF 109", "SAVPF 109 50").replace(
            opus,
            &format!("{opus}a=rtpmap:50 red/48000/2\r\na=fmtp:50 109/109\r\n"),
        );
        for (text, red) in [(text, Some(50)), (offer(), None)] {
            let offer = PullOffer::parse(&text).unwrap();
            let opus = CodecParameters {
                channels: 2,
                ..published(Codec::Opus, "")
            };
            let media = offer.fit(&opus, "s", (7, 70), &[], &[]).unwrap();
            assert_eq!(media.red, red);
            let answer = offer.answer(&local(), &[media]);
            assert_eq!(
                answer.contains("a=fmtp:50 109/109\r\n"),
                red.is_some(),
                "{answer}"
            );
        }
    }

    #[test]
    fn what_is_no_offer_is_an_error() {
        for bad in [
            "",
            "v=0",
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
        ] {
            assert!(PullOffer::parse(bad).is_err(), "{bad}");
        }
        assert!(PullOffer::parse(&offer().replace("a=rtcp-mux\r\n", "")).is_err());
    }
}
