//! A publisher's offer, and the server's answer to it.

use super::SdpError;
use super::read::{self, Extmap};
use super::write::{self, Section};
use crate::media::{Codec, Kind};
use crate::transport::description::{
    CodecParameters, Extension, ExtensionIds, Feedback, LocalTransport, Red, RemoteTransport,
    Setup, UpMedia,
};
use rtc_sdp::description::media::MediaDescription;
use rtc_sdp::description::session::SessionDescription;

/// The most rids of one section: libwebrtc sends three.
const MAX_RIDS: usize = 8;
/// The most SSRCs of one section.
const MAX_SSRCS: usize = 32;

/// What a publisher wants to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpOffer {
    /// What the offer says of its transport.
    pub remote: RemoteTransport,
    /// One entry a media section, in order. Sections that are rejected (of another kind, without
    /// an allowed codec, stopped, outside the bundle) are entries without a codec; the kind of
    /// those that are neither audio nor video says nothing.
    pub media: Vec<UpMedia>,
    /// What only the answer needs, one entry a media section.
    sections: Vec<OfferedSection>,
    /// `a=extmap-allow-mixed` was offered.
    allow_mixed: bool,
}

/// What the answer repeats of a section of the offer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OfferedSection {
    /// `audio`, `video`, `application`, …
    kind: String,
    protos: Vec<String>,
    /// The first format: a rejected section must have one too.
    format: String,
    /// Values of `a=extmap` for the answer.
    extmaps: Vec<String>,
    reduced_size: bool,
}

impl UpOffer {
    /// Reads an offer. Of each section, the first codec offered that is `allowed` is chosen;
    /// where a codec is offered in several forms, the one that most receivers understand.
    ///
    /// # Errors
    /// If it is no SDP, or lacks what every WebRTC offer has. An offer of which nothing is
    /// accepted is no error.
    pub fn parse(sdp: &str, allowed: &[Codec]) -> Result<Self, SdpError> {
        let session = read::parse(sdp)?;
        let descriptions = &session.media_descriptions;
        let first = read::speaker(descriptions)?;
        let bundle = read::bundle(&session);
        let mut media = Vec::with_capacity(descriptions.len());
        for description in descriptions {
            let mid = read::value(&description.attributes, "mid").unwrap_or_default();
            let bundled = match &bundle {
                Some(mids) => mids.contains(mid),
                None => std::ptr::eq(description, first),
            };
            if mid.is_empty() && descriptions.len() > 1 {
                return Err(SdpError::Missing("a=mid in every media section"));
            }
            let usable = bundled && read::is_alive(description);
            media.push(up_media(&session, description, mid, allowed, usable)?);
        }
        // The first section of the bundle speaks for its transport (RFC 9143, section 7.1).
        let speaker = media
            .iter()
            .zip(descriptions)
            .find_map(|(media, description)| media.codec.is_some().then_some(description));
        let sections = descriptions
            .iter()
            .zip(&media)
            .map(|(description, media)| {
                offered_section(&session, description, media.codec.as_ref())
            })
            .collect();
        let remote = read::transport(&session, speaker.unwrap_or(first), Setup::Actpass)?;
        let allow_mixed = read::flag(&session.attributes, "extmap-allow-mixed")
            || descriptions
                .iter()
                .any(|media| read::flag(&media.attributes, "extmap-allow-mixed"));
        Ok(Self {
            remote,
            media,
            sections,
            allow_mixed,
        })
    }

    /// The answer, in which the server receives what it accepted. Candidates are trickled.
    pub fn answer(&self, local: &LocalTransport) -> String {
        let bundle = self
            .media
            .iter()
            .filter(|media| media.codec.is_some() && !media.mid.is_empty());
        let mut session = write::session(
            local,
            bundle.map(|media| media.mid.as_str()),
            self.allow_mixed,
        );
        for (media, offered) in self.media.iter().zip(&self.sections) {
            session = session.with_media(self.answer_section(media, offered, local));
        }
        session.marshal()
    }

    fn answer_section(
        &self,
        media: &UpMedia,
        offered: &OfferedSection,
        local: &LocalTransport,
    ) -> MediaDescription {
        let port = if media.codec.is_some() { 9 } else { 0 };
        let mut section = Section(write::media(&offered.kind, port, &offered.protos));
        if !media.mid.is_empty() {
            section.value("mid", &media.mid);
        }
        let Some(codec) = &media.codec else {
            section.0.media_name.formats.push(offered.format.clone());
            section.flag("inactive");
            return section.0;
        };
        section.transport(local, self.remote.setup.answered());
        if offered.reduced_size {
            section.flag("rtcp-rsize");
        }
        section.flag(if media.sending {
            "recvonly"
        } else {
            "inactive"
        });
        // What stands first is what the publisher sends.
        let red = |preferred| media.red.filter(|red| red.is_preferred == preferred);
        if let Some(red) = red(true) {
            section.red(codec, red.payload_type);
        }
        section.codec(codec, media.feedback);
        if let Some(red) = red(false) {
            section.red(codec, red.payload_type);
        }
        if let Some(rtx) = media.rtx {
            section.rtx(codec, rtx);
        }
        for extmap in &offered.extmaps {
            section.value("extmap", extmap);
        }
        if media.sending && !media.rids.is_empty() {
            for rid in &media.rids {
                section.value("rid", format!("{rid} recv"));
            }
            section.value("simulcast", format!("recv {}", media.rids.join(";")));
        }
        section.0
    }
}

/// What is accepted of one section.
fn up_media(
    session: &SessionDescription,
    description: &MediaDescription,
    mid: &str,
    allowed: &[Codec],
    usable: bool,
) -> Result<UpMedia, SdpError> {
    let kind = match description.media_name.media.as_str() {
        "audio" => Some(Kind::Audio),
        "video" => Some(Kind::Video),
        _ => None,
    };
    let codec = if usable && read::is_secure_rtp(description) {
        kind.and_then(|kind| choose(&read::codecs(description), kind, allowed))
    } else {
        None
    };
    if codec.is_some() && !read::flag(&description.attributes, "rtcp-mux") {
        return Err(SdpError::NoRtcpMux {
            mid: mid.to_owned(),
        });
    }
    let mut extensions = ExtensionIds::default();
    for extmap in accepted_extmaps(session, description, codec.as_ref()) {
        extensions[extmap.extension as usize] = extmap.id;
    }
    let mut feedback = codec.as_ref().map_or_else(Feedback::default, |codec| {
        read::feedback(description, codec.payload_type)
    });
    // Feedback on numbers that no packet has would be none at all.
    feedback.transport_cc &= extensions[Extension::TransportCc as usize] != 0;
    let rtx = codec
        .as_ref()
        .filter(|_| feedback.nack)
        .and_then(|codec| read::rtx(description, codec.payload_type));
    let red = codec.as_ref().and_then(|codec| red(description, codec));
    Ok(UpMedia {
        red,
        mid: mid.to_owned(),
        rtx,
        repairs: repairs(description),
        kind: kind.unwrap_or(Kind::Video),
        sending: codec.is_some() && read::direction(session, description).0,
        extensions,
        feedback,
        simulcast: simulcast(description, &ssrcs(description)?),
        ssrcs: ssrcs(description)?,
        rids: rids(description)?,
        codec,
    })
}

/// How packets of the chosen codec may have earlier ones in them.
fn red(description: &MediaDescription, codec: &CodecParameters) -> Option<Red> {
    let payload_type = read::red(description, codec)?;
    let [own, red] = [codec.payload_type, payload_type].map(|number| number.to_string());
    let mut formats = description.media_name.formats.iter();
    let first = formats.find(|format| **format == own || **format == red);
    Some(Red {
        payload_type,
        is_preferred: first == Some(&red),
    })
}

/// The first codec that is allowed; of its payload types, the most widely understood.
fn choose(offered: &[CodecParameters], kind: Kind, allowed: &[Codec]) -> Option<CodecParameters> {
    let codec = offered
        .iter()
        .map(|offered| offered.codec)
        .find(|codec| codec.kind() == kind && allowed.contains(codec))?;
    offered
        .iter()
        .filter(|offered| offered.codec == codec)
        // Of equals the first: it is the publisher's favourite.
        .min_by_key(|offered| rarity(codec, &offered.fmtp))
        .cloned()
}

/// How few receivers understand a form of a codec; 0 is understood by all that know the codec.
fn rarity(codec: Codec, fmtp: &str) -> u8 {
    let parameter = |name| read::fmtp_parameter(fmtp, name);
    match codec {
        // RFC 6184, section 8.1: mode 1 cuts a picture at any size. Firefox decodes only the
        // constrained baseline profile (42 with the second constraint flag).
        Codec::H264 => {
            let fragments = parameter("packetization-mode") == Some("1");
            let profile = parameter("profile-level-id")
                .unwrap_or_default()
                .to_ascii_lowercase();
            let baseline = profile.starts_with("42e") || profile.starts_with("42c");
            2 * u8::from(!fragments) + u8::from(!baseline)
        }
        Codec::Vp9 => u8::from(parameter("profile-id").is_some_and(|profile| profile != "0")),
        Codec::Av1 => u8::from(parameter("profile").is_some_and(|profile| profile != "0")),
        _ => 0,
    }
}

/// The extensions that the answer accepts.
fn accepted_extmaps(
    session: &SessionDescription,
    media: &MediaDescription,
    codec: Option<&CodecParameters>,
) -> Vec<Extmap> {
    let mut extmaps = read::extmaps(session, media);
    // With a dependency descriptor, libwebrtc leaves picture ids and layers out of the payload of
    // other codecs, where receivers look for them.
    let described = codec.is_some_and(|codec| codec.codec == Codec::Av1);
    extmaps.retain(|extmap| {
        (described || extmap.extension != Extension::DependencyDescriptor)
            && !matches!(extmap.direction, Some("recvonly" | "inactive"))
    });
    extmaps
}

fn offered_section(
    session: &SessionDescription,
    media: &MediaDescription,
    codec: Option<&CodecParameters>,
) -> OfferedSection {
    let extmaps = accepted_extmaps(session, media, codec)
        .iter()
        .map(|extmap| {
            let direction = match extmap.direction {
                Some("sendonly") => "/recvonly",
                _ => "",
            };
            format!("{}{direction} {}", extmap.id, extmap.extension.uri())
        })
        .collect();
    OfferedSection {
        kind: media.media_name.media.clone(),
        protos: media.media_name.protos.clone(),
        format: media
            .media_name
            .formats
            .first()
            .cloned()
            .unwrap_or_default(),
        extmaps,
        reduced_size: read::flag(&media.attributes, "rtcp-rsize"),
    }
}

/// The SSRCs that send packets of others again (RFC 5576, section 4.2; RFC 4588, section 8.3).
/// Each is a number: [`ssrcs`] looks.
fn repairs(media: &MediaDescription) -> Vec<(u32, u32)> {
    read::values(&media.attributes, "ssrc-group")
        .filter_map(|group| {
            let mut words = group.split_ascii_whitespace();
            let (semantics, media) = (words.next()?, words.next()?);
            let pair = (media.parse().ok()?, words.next()?.parse().ok()?);
            (semantics == "FID").then_some(pair)
        })
        .take(MAX_SSRCS)
        .collect()
}

/// The SSRCs of the section, without those that only repair others (RFC 5576).
fn ssrcs(media: &MediaDescription) -> Result<Vec<u32>, SdpError> {
    let parse = |text: &str| text.parse::<u32>().map_err(|_| SdpError::bad("ssrc", text));
    let mut repairs = Vec::new();
    for group in read::values(&media.attributes, "ssrc-group") {
        let mut words = group.split_ascii_whitespace();
        if matches!(words.next(), Some("FID" | "FEC" | "FEC-FR")) {
            for ssrc in words.skip(1).take(MAX_SSRCS) {
                repairs.push(parse(ssrc)?);
            }
        }
        if repairs.len() > MAX_SSRCS {
            return Err(SdpError::TooLarge("the number of SSRCs"));
        }
    }
    let mut ssrcs = Vec::new();
    for value in read::values(&media.attributes, "ssrc") {
        let ssrc = parse(value.split_ascii_whitespace().next().unwrap_or_default())?;
        if !ssrcs.contains(&ssrc) && !repairs.contains(&ssrc) {
            ssrcs.push(ssrc);
        }
        if ssrcs.len() > MAX_SSRCS {
            return Err(SdpError::TooLarge("the number of SSRCs"));
        }
    }
    Ok(ssrcs)
}

/// The SSRCs of the section's simulcast group, if they are `known` (a scheme from before rids,
/// which names the lowest encoding first).
fn simulcast(media: &MediaDescription, known: &[u32]) -> Vec<u32> {
    let groups = read::values(&media.attributes, "ssrc-group");
    let mut simulcast = groups.filter_map(|group| group.strip_prefix("SIM "));
    let words = simulcast.next().map(str::split_ascii_whitespace);
    let mut ssrcs: Vec<u32> = Vec::new();
    for ssrc in words
        .into_iter()
        .flatten()
        .filter_map(|word| word.parse().ok())
    {
        if known.contains(&ssrc) && !ssrcs.contains(&ssrc) && ssrcs.len() < MAX_RIDS {
            ssrcs.push(ssrc);
        }
    }
    if ssrcs.len() > 1 { ssrcs } else { Vec::new() }
}

/// The rids that the section sends by its `a=simulcast` (RFC 8853): the first of each list of
/// alternatives, whether it begins paused (`~`) or not.
fn rids(media: &MediaDescription) -> Result<Vec<String>, SdpError> {
    let Some(simulcast) = read::value(&media.attributes, "simulcast") else {
        return Ok(Vec::new());
    };
    let mut words = simulcast.split_ascii_whitespace();
    let mut rids: Vec<String> = Vec::new();
    while let (Some(direction), Some(list)) = (words.next(), words.next()) {
        if direction != "send" {
            continue;
        }
        for alternatives in list.split(';') {
            let rid = alternatives
                .split(',')
                .next()
                .unwrap_or_default()
                .trim_start_matches('~');
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if rid.is_empty() || rid.len() > 16 || !rid.bytes().all(plain) {
                return Err(SdpError::bad("simulcast", simulcast));
            }
            let declared = read::values(&media.attributes, "rid").any(|value| {
                let mut words = value.split_ascii_whitespace();
                words.next() == Some(rid) && words.next() == Some("send")
            });
            if declared && !rids.iter().any(|other| other == rid) {
                rids.push(rid.to_owned());
            }
        }
    }
    if rids.len() > MAX_RIDS {
        Err(SdpError::TooLarge("the number of rids"))
    } else {
        Ok(rids)
    }
}
