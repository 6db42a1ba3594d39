//! The server's offer to a receiver, and the receiver's answer.

use super::write::{self, Section};
use super::{SdpError, read};
use crate::media::{Codec, Kind};
use crate::transport::description::{
    CodecParameters, DownMedia, DownMediaAnswer, Extension, ExtensionIds, Feedback, LocalTransport,
    RemoteTransport, Setup,
};
use rtc_sdp::description::media::MediaDescription;
use rtc_sdp::description::session::SessionDescription;

/// A stream, or several, as they are offered to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownOffer {
    /// Its sections, in order. Those that were once offered stay, inactive.
    pub media: Vec<DownMedia>,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownAnswer {
    /// What the answer says of its transport.
    pub remote: RemoteTransport,
    /// One entry a media section, in the order of the offer.
    pub media: Vec<DownMediaAnswer>,
}

impl DownOffer {
    /// The text of the offer, in which the server only sends. Candidates are trickled.
    pub fn to_sdp(&self, local: &LocalTransport) -> String {
        let mids = self.media.iter().map(|media| media.mid.as_str());
        let mut session = write::session(local, mids, true);
        for media in &self.media {
            session = session.with_media(offer_section(media, local));
        }
        session.marshal()
    }

    /// Reads the answer to this offer.
    ///
    /// # Errors
    /// If it is no SDP, its sections are not those of the offer, or it lacks what every WebRTC
    /// answer has.
    pub fn accept(&self, answer: &str) -> Result<DownAnswer, SdpError> {
        let session = read::parse(answer)?;
        let descriptions = &session.media_descriptions;
        if descriptions.len() != self.media.len() {
            return Err(SdpError::Mismatch);
        }
        let mut media = Vec::with_capacity(descriptions.len());
        for (offered, description) in self.media.iter().zip(descriptions) {
            media.push(answered(&session, offered, description)?);
        }
        let speaker = read::speaker(descriptions)?;
        let remote = read::transport(&session, speaker, Setup::Active)?;
        if remote.setup == Setup::Actpass {
            return Err(SdpError::bad("setup", "actpass"));
        }
        Ok(DownAnswer { remote, media })
    }
}

/// What the server can understand of a receiver. Transport-wide feedback needs its extension too.
pub(super) fn offered_feedback(kind: Kind) -> Feedback {
    match kind {
        Kind::Audio => Feedback {
            nack: true,
            transport_cc: true,
            ..Feedback::default()
        },
        Kind::Video => Feedback {
            nack: true,
            pli: true,
            fir: true,
            remb: true,
            transport_cc: true,
        },
    }
}

fn offer_section(media: &DownMedia, local: &LocalTransport) -> MediaDescription {
    let protos = ["UDP", "TLS", "RTP", "SAVPF"].map(str::to_owned);
    let kind = media.codec.codec.kind();
    let name = match kind {
        Kind::Audio => "audio",
        Kind::Video => "video",
    };
    let mut section = Section(write::media(name, 9, &protos));
    section
        .value("mid", &media.mid)
        .transport(local, Setup::Actpass)
        .flag("rtcp-rsize")
        .flag(if media.active { "sendonly" } else { "inactive" })
        .codec(
            &CodecParameters {
                fmtp: fmtp(&media.codec),
                ..media.codec.clone()
            },
            Feedback {
                transport_cc: media.extensions.contains(&Extension::TransportCc),
                ..offered_feedback(kind)
            },
        );
    if let Some(red) = media.red {
        section.red(&media.codec, red);
    }
    if let Some(rtx) = media.rtx {
        section.rtx(&media.codec, rtx.payload_type);
    }
    for extension in &media.extensions {
        section.value(
            "extmap",
            format!("{} {}", extension.own_id(), extension.uri()),
        );
    }
    if media.active {
        let stream = msid(&media.stream_id);
        let track = format!("{stream}-{}", msid(&media.mid));
        section.source(&stream, &track, media.ssrc, media.rtx);
    }
    section.0
}

/// The fmtp that a receiver is offered for what the publisher sends.
pub(super) fn fmtp(codec: &CodecParameters) -> String {
    match codec.codec {
        Codec::Opus if codec.fmtp.is_empty() => "minptime=10;useinbandfec=1".to_owned(),
        Codec::H264 => {
            let parameter = |name| read::fmtp_parameter(&codec.fmtp, name);
            // RFC 6184, section 8.1: without the parameter, the baseline profile at level 1.
            // 42e01f is what decoders that say nothing can take.
            let profile = parameter("profile-level-id")
                .filter(|id| id.len() == 6 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .unwrap_or("42e01f");
            let mode = if parameter("packetization-mode") == Some("0") {
                0
            } else {
                1
            };
            format!(
                "level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={profile}"
            )
        }
        _ => codec.fmtp.clone(),
    }
}

/// A name that may stand in `a=msid` (RFC 8830, section 2) and as a cname.
pub(super) fn msid(id: &str) -> String {
    let plain: String = id
        .chars()
        .take(40)
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.+".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    if plain.is_empty() {
        "-".to_owned()
    } else {
        plain
    }
}

/// What the answer says of one section.
fn answered(
    session: &SessionDescription,
    offered: &DownMedia,
    description: &MediaDescription,
) -> Result<DownMediaAnswer, SdpError> {
    let attributes = &description.attributes;
    let alive = description.media_name.port.value != 0;
    if let Some(mid) = read::value(attributes, "mid")
        && mid != offered.mid
    {
        return Err(SdpError::Mismatch);
    }
    let codec = &offered.codec;
    let keeps_codec = read::codecs(description).iter().any(|answered| {
        answered.codec == codec.codec && answered.payload_type == codec.payload_type
    });
    let receives = read::direction(session, description).1;
    let accepted = offered.active && alive && keeps_codec && receives;
    if accepted && !read::flag(attributes, "rtcp-mux") {
        return Err(SdpError::NoRtcpMux {
            mid: offered.mid.clone(),
        });
    }
    let mut answer = DownMediaAnswer {
        mid: offered.mid.clone(),
        accepted,
        red: false,
        rtx: false,
        feedback: Feedback::default(),
        extensions: ExtensionIds::default(),
    };
    if accepted {
        let ours = offered_feedback(codec.codec.kind());
        let theirs = read::feedback(description, codec.payload_type);
        answer.feedback = ours.and(theirs);
        answer.red = offered.red.is_some() && read::red(description, codec) == offered.red;
        // Who does not say what is missing is not sent it again either.
        answer.rtx = answer.feedback.nack
            && offered.rtx.is_some_and(|rtx| {
                read::rtx(description, codec.payload_type) == Some(rtx.payload_type)
            });
        for extmap in read::extmaps(session, description) {
            let kept = offered.extensions.contains(&extmap.extension)
                && extmap.id == extmap.extension.own_id()
                && !matches!(extmap.direction, Some("sendonly" | "inactive"));
            if kept {
                answer.extensions[extmap.extension as usize] = extmap.id;
            }
        }
        let kept = answer.extensions[Extension::TransportCc as usize] != 0;
        // Sound has no RTX, so what is sent again must be the same.
        let sound_again = codec.codec.kind() == Kind::Audio && answer.feedback.nack;
        answer.feedback.transport_cc &= kept && !sound_again;
    }
    Ok(answer)
}
