//! What offers and answers have in common when they are read.

use super::{MAX_LENGTH, MAX_SECTIONS, SdpError};
use crate::media::Codec;
use crate::transport::description::{
    CodecParameters, Extension, Feedback, Fingerprint, IceCredentials, RemoteTransport, Setup,
};
use rtc_sdp::description::common::Attribute;
use rtc_sdp::description::media::MediaDescription;
use rtc_sdp::description::session::SessionDescription;
use std::collections::HashSet;
use std::io::Cursor;

/// The most candidates that are taken from a description; more can be trickled.
const MAX_CANDIDATES: usize = 64;

/// The longest fmtp that is believed, in bytes: it is passed on to every receiver.
const MAX_FMTP: usize = 512;

/// Parses a text, and checks what holds for each: its size, and that mids are good and unique.
pub(super) fn parse(sdp: &str) -> Result<SessionDescription, SdpError> {
    if sdp.len() > MAX_LENGTH {
        return Err(SdpError::TooLarge("the text"));
    }
    // A lone carriage return would end a line for some readers of what is passed on.
    if sdp
        .lines()
        .any(|line| line.contains(|c: char| c.is_control() && c != '\t'))
    {
        return Err(SdpError::Syntax("control character".to_owned()));
    }
    let session = SessionDescription::unmarshal(&mut Cursor::new(sdp.trim().as_bytes()))
        .map_err(|error| SdpError::Syntax(error.to_string().chars().take(200).collect()))?;
    if session.version != 0 || session.time_descriptions.is_empty() {
        return Err(SdpError::Missing("its first lines (v=, o=, s=, t=)"));
    }
    if session.media_descriptions.len() > MAX_SECTIONS {
        return Err(SdpError::TooLarge("the number of media sections"));
    }
    let mut mids = HashSet::new();
    for media in &session.media_descriptions {
        if let Some(value) = value(&media.attributes, "mid") {
            if !is_token(value, 64) {
                return Err(SdpError::bad("mid", value));
            }
            if !mids.insert(value) {
                return Err(SdpError::DuplicateMid(value.to_owned()));
            }
        }
    }
    Ok(session)
}

/// A token of RFC 8866, section 9, at most `max` bytes long.
pub(super) fn is_token(text: &str, max: usize) -> bool {
    !text.is_empty()
        && text.len() <= max
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&byte))
}

/// The values of all attributes of a name, in order.
pub(super) fn values<'a>(
    attributes: &'a [Attribute],
    key: &'a str,
) -> impl Iterator<Item = &'a str> {
    attributes
        .iter()
        .filter(move |attribute| attribute.key == key)
        .filter_map(|attribute| attribute.value.as_deref())
        .map(str::trim)
}

/// The value of the first attribute of a name.
pub(super) fn value<'a>(attributes: &'a [Attribute], key: &'a str) -> Option<&'a str> {
    values(attributes, key).next()
}

/// Whether an attribute without a value is there.
pub(super) fn flag(attributes: &[Attribute], key: &str) -> bool {
    attributes.iter().any(|attribute| attribute.key == key)
}

/// The mids of the first bundle. Without any, the only section is a bundle of its own.
pub(super) fn bundle(session: &SessionDescription) -> Option<HashSet<&str>> {
    values(&session.attributes, "group")
        .find_map(|group| group.strip_prefix("BUNDLE"))
        .map(|mids| mids.split_ascii_whitespace().collect())
}

/// Port 0 rejects a section, unless it says that it only waits for its bundle (RFC 9143,
/// section 6).
pub(super) fn is_alive(media: &MediaDescription) -> bool {
    media.media_name.port.value != 0 || flag(&media.attributes, "bundle-only")
}

/// The section that speaks for the transport: the first that is not rejected.
pub(super) fn speaker(media: &[MediaDescription]) -> Result<&MediaDescription, SdpError> {
    media
        .iter()
        .find(|media| is_alive(media))
        .or(media.first())
        .ok_or(SdpError::Missing("a media section"))
}

/// RTP over DTLS with feedback, whatever is below it.
pub(super) fn is_secure_rtp(media: &MediaDescription) -> bool {
    media.media_name.protos.iter().any(|proto| proto == "SAVPF")
}

/// The direction of a section, seen from its writer: (sends, receives).
pub(super) fn direction(session: &SessionDescription, media: &MediaDescription) -> (bool, bool) {
    [&media.attributes, &session.attributes]
        .into_iter()
        .flatten()
        .find_map(|attribute| match attribute.key.as_str() {
            "sendrecv" => Some((true, true)),
            "sendonly" => Some((true, false)),
            "recvonly" => Some((false, true)),
            "inactive" => Some((false, false)),
            _ => None,
        })
        .unwrap_or((true, true))
}

/// What the description says of its transport: in the section that speaks for the bundle, or for
/// the session. `default_setup` is for those who do not say `a=setup`.
pub(super) fn transport(
    session: &SessionDescription,
    bundled: &MediaDescription,
    default_setup: Setup,
) -> Result<RemoteTransport, SdpError> {
    let find = |key: &'static str| {
        value(&bundled.attributes, key).or_else(|| value(&session.attributes, key))
    };
    let ice = |key: &'static str, length: std::ops::RangeInclusive<usize>| {
        let found = find(key).ok_or(SdpError::Missing(key))?;
        // RFC 8839, section 5.4, and some leniency in the characters: what matters is that a
        // colon separates the two fragments in STUN.
        if length.contains(&found.len())
            && found
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b':')
        {
            Ok(found.to_owned())
        } else {
            Err(SdpError::bad(key, found))
        }
    };
    let ice = IceCredentials {
        ufrag: ice("ice-ufrag", 4..=256)?,
        pwd: ice("ice-pwd", 22..=256)?,
    };
    let setup = match find("setup") {
        None => default_setup,
        Some("active") => Setup::Active,
        Some("passive") => Setup::Passive,
        Some("actpass") => Setup::Actpass,
        Some(other) => return Err(SdpError::bad("setup", other)),
    };
    let candidates = values(&bundled.attributes, "candidate")
        // With RTCP on the port of RTP, the candidates of the second component lead nowhere.
        .filter(|candidate| candidate.split_ascii_whitespace().nth(1) != Some("2"))
        .take(MAX_CANDIDATES)
        .map(|candidate| format!("candidate:{candidate}"))
        .collect();
    Ok(RemoteTransport {
        ice,
        fingerprint: fingerprint(session, bundled)?,
        setup,
        lite: flag(&session.attributes, "ice-lite"),
        candidates,
    })
}

/// The strongest of the fingerprints whose hash is known. Those of a section replace those of
/// the session.
fn fingerprint(
    session: &SessionDescription,
    bundled: &MediaDescription,
) -> Result<Fingerprint, SdpError> {
    let mut best: Option<Fingerprint> = None;
    for attributes in [&bundled.attributes, &session.attributes] {
        for value in values(attributes, "fingerprint") {
            let found =
                parse_fingerprint(value).ok_or_else(|| SdpError::bad("fingerprint", value))?;
            if strength(found.as_ref()) > strength(best.as_ref()) {
                best = found;
            }
        }
        if best.is_some() {
            break;
        }
    }
    best.ok_or(SdpError::Missing(
        "a fingerprint (sha-256, sha-384 or sha-512)",
    ))
}

fn strength(fingerprint: Option<&Fingerprint>) -> usize {
    match fingerprint {
        None => 0,
        Some(Fingerprint::Sha256(_)) => 32,
        Some(Fingerprint::Sha384(_)) => 48,
        Some(Fingerprint::Sha512(_)) => 64,
    }
}

/// `None` is malformed, `Some(None)` a hash that is not used here.
fn parse_fingerprint(value: &str) -> Option<Option<Fingerprint>> {
    let (hash, digits) = value.split_once(' ')?;
    let octets = digits
        .trim()
        .split(':')
        .map(|pair| (pair.len() == 2).then(|| u8::from_str_radix(pair, 16).ok())?)
        .collect::<Option<Vec<u8>>>()?;
    Some(match hash.to_ascii_lowercase().as_str() {
        "sha-256" => Some(Fingerprint::Sha256(octets.try_into().ok()?)),
        "sha-384" => Some(Fingerprint::Sha384(octets.try_into().ok()?)),
        "sha-512" => Some(Fingerprint::Sha512(octets.try_into().ok()?)),
        _ => None,
    })
}

/// The codecs of a section that this server knows, in the writer's order of preference.
pub(super) fn codecs(media: &MediaDescription) -> Vec<CodecParameters> {
    media
        .media_name
        .formats
        .iter()
        .filter_map(|format| {
            let payload_type = format
                .parse()
                .ok()
                .filter(|payload_type| *payload_type < 128)?;
            let (codec, channels) = match format_value(media, "rtpmap", format) {
                Some(rtpmap) => parse_rtpmap(rtpmap)?,
                None => (static_codec(payload_type)?, 1),
            };
            let fmtp = format_value(media, "fmtp", format)
                .unwrap_or_default()
                .to_owned();
            if fmtp.len() > MAX_FMTP {
                return None;
            }
            Some(CodecParameters {
                codec,
                payload_type,
                channels,
                fmtp,
            })
        })
        .collect()
}

/// The payload type that packets of another are sent again with (RFC 4588, section 8.1).
pub(super) fn rtx(media: &MediaDescription, payload_type: u8) -> Option<u8> {
    let of = payload_type.to_string();
    media.media_name.formats.iter().find_map(|format| {
        let name = format_value(media, "rtpmap", format)?.split('/').next()?;
        let apt = fmtp_parameter(format_value(media, "fmtp", format)?, "apt")?;
        let number = format.parse().ok().filter(|number| *number < 128);
        number.filter(|_| name.eq_ignore_ascii_case("rtx") && apt == of)
    })
}

/// The payload type of packets that carry several of another (RFC 2198, section 5), where nothing
/// else is carried. Sound alone has it here: elsewhere it wraps what is not a frame.
pub(super) fn red(media: &MediaDescription, codec: &CodecParameters) -> Option<u8> {
    if codec.codec != Codec::Opus {
        return None;
    }
    let name = format!("red/{}/{}", codec.codec.clock_rate(), codec.channels);
    let of = codec.payload_type.to_string();
    media.media_name.formats.iter().find_map(|format| {
        let is_red = format_value(media, "rtpmap", format)?.eq_ignore_ascii_case(&name);
        let mut blocks = format_value(media, "fmtp", format)?.split('/');
        let number = format.parse().ok().filter(|number| *number < 128);
        number.filter(|_| is_red && blocks.all(|block| block == of))
    })
}

/// What an attribute like `a=fmtp:96 …` says of a payload type.
fn format_value<'a>(media: &'a MediaDescription, key: &'a str, format: &str) -> Option<&'a str> {
    values(&media.attributes, key).find_map(|value| {
        value
            .split_once(' ')
            .filter(|(of, _)| *of == format)
            .map(|(_, value)| value.trim())
    })
}

/// `opus/48000/2`: the codec, if its clock rate is right too, and the channels.
fn parse_rtpmap(rtpmap: &str) -> Option<(Codec, u16)> {
    let mut parts = rtpmap.split('/');
    let codec: Codec = parts.next()?.parse().ok()?;
    let clock_rate: u32 = parts.next()?.parse().ok()?;
    let channels = parts
        .next()
        .map_or(Some(1), |channels| channels.parse().ok())?;
    (clock_rate == codec.clock_rate()).then_some((codec, channels))
}

/// The payload types of RFC 3551 that need no rtpmap.
fn static_codec(payload_type: u8) -> Option<Codec> {
    match payload_type {
        0 => Some(Codec::Pcmu),
        8 => Some(Codec::Pcma),
        9 => Some(Codec::G722),
        _ => None,
    }
}

/// One parameter of an fmtp value.
pub(super) fn fmtp_parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// The RTCP feedback of a payload type.
pub(super) fn feedback(media: &MediaDescription, payload_type: u8) -> Feedback {
    let mut feedback = Feedback::default();
    for value in values(&media.attributes, "rtcp-fb") {
        let mut words = value.split_ascii_whitespace();
        let matches = words
            .next()
            .is_some_and(|of| of == "*" || of.parse::<u8>().is_ok_and(|of| of == payload_type));
        if matches {
            match (words.next(), words.next()) {
                (Some("nack"), None) => feedback.nack = true,
                (Some("nack"), Some("pli")) => feedback.pli = true,
                (Some("ccm"), Some("fir")) => feedback.fir = true,
                (Some("goog-remb"), None) => feedback.remb = true,
                (Some("transport-cc"), None) => feedback.transport_cc = true,
                _ => {}
            }
        }
    }
    feedback
}

/// One `a=extmap` that this server understands.
pub(super) struct Extmap {
    /// What it names.
    pub extension: Extension,
    /// Its id: 1 to 14, or 16 to 255 in the two-byte form.
    pub id: u8,
    /// The direction, if it says one: `sendonly` and so on.
    pub direction: Option<&'static str>,
}

/// The header extensions of a section, or else of the session (RFC 8285, section 5).
pub(super) fn extmaps(session: &SessionDescription, media: &MediaDescription) -> Vec<Extmap> {
    let mut found: Vec<Extmap> = Vec::new();
    for value in [&media.attributes, &session.attributes]
        .into_iter()
        .flat_map(|attributes| values(attributes, "extmap"))
    {
        let Some(extmap) = parse_extmap(value) else {
            continue;
        };
        if found
            .iter()
            .all(|other| other.id != extmap.id && other.extension != extmap.extension)
        {
            found.push(extmap);
        }
    }
    found
}

fn parse_extmap(value: &str) -> Option<Extmap> {
    let mut words = value.split_ascii_whitespace();
    let (id, uri) = (words.next()?, words.next()?);
    let (id, direction) = match id.split_once('/') {
        None => (id, None),
        Some((id, direction)) => {
            let known = ["sendrecv", "sendonly", "recvonly", "inactive"];
            (id, Some(*known.iter().find(|known| **known == direction)?))
        }
    };
    let id = id
        .parse()
        .ok()
        .filter(|id| matches!(id, 1..=14 | 16..=255))?;
    let extension = Extension::ALL
        .into_iter()
        .find(|extension| extension.uri() == uri)?;
    Some(Extmap {
        extension,
        id,
        direction,
    })
}
