//! What offers and answers have in common when they are written.

use crate::transport::description::{
    CodecParameters, Feedback, Fingerprint, LocalTransport, Rtx, Setup,
};
use rtc_sdp::description::common::{Address, ConnectionInformation};
use rtc_sdp::description::media::{MediaDescription, MediaName, RangedPort};
use rtc_sdp::description::session::{Origin, SessionDescription, TimeDescription};
use std::fmt::Write as _;

/// The lines before the first section.
pub(super) fn session<'a>(
    local: &LocalTransport,
    bundle: impl IntoIterator<Item = &'a str>,
    allow_mixed: bool,
) -> SessionDescription {
    let mids: Vec<&str> = bundle.into_iter().collect();
    let mut session = SessionDescription {
        origin: Origin {
            username: "-".to_owned(),
            session_id: local.session.0,
            session_version: local.session.1,
            network_type: "IN".to_owned(),
            address_type: "IP4".to_owned(),
            unicast_address: "127.0.0.1".to_owned(),
        },
        session_name: "-".to_owned(),
        time_descriptions: vec![TimeDescription::default()],
        ..SessionDescription::default()
    };
    if !mids.is_empty() {
        session =
            session.with_value_attribute("group".to_owned(), format!("BUNDLE {}", mids.join(" ")));
    }
    if allow_mixed {
        session = session.with_property_attribute("extmap-allow-mixed".to_owned());
    }
    session
        .with_value_attribute("ice-options".to_owned(), "trickle".to_owned())
        .with_value_attribute("msid-semantic".to_owned(), "WMS *".to_owned())
}

/// A section with a port, without a format or attribute yet.
pub(super) fn media(kind: &str, port: u16, protos: &[String]) -> MediaDescription {
    MediaDescription {
        media_name: MediaName {
            media: kind.to_owned(),
            port: RangedPort {
                value: isize::from(port.cast_signed()),
                range: None,
            },
            protos: protos.to_vec(),
            formats: Vec::new(),
        },
        connection_information: Some(ConnectionInformation {
            network_type: "IN".to_owned(),
            address_type: "IP4".to_owned(),
            address: Some(Address {
                address: "0.0.0.0".to_owned(),
                ttl: None,
                range: None,
            }),
        }),
        ..MediaDescription::default()
    }
}

/// Adds attributes to a section.
pub(super) struct Section(pub(super) MediaDescription);

impl Section {
    /// `a=key:value`
    pub(super) fn value(&mut self, key: &str, value: impl Into<String>) -> &mut Self {
        let media = std::mem::take(&mut self.0);
        self.0 = media.with_value_attribute(key.to_owned(), value.into());
        self
    }

    /// `a=key`
    pub(super) fn flag(&mut self, key: &str) -> &mut Self {
        let media = std::mem::take(&mut self.0);
        self.0 = media.with_property_attribute(key.to_owned());
        self
    }

    /// ICE, DTLS and the one port for RTP and RTCP.
    pub(super) fn transport(&mut self, local: &LocalTransport, setup: Setup) -> &mut Self {
        self.value("ice-ufrag", &local.ice.ufrag)
            .value("ice-pwd", &local.ice.pwd)
            .value("ice-options", "trickle")
            .value("fingerprint", fingerprint(&local.fingerprint))
            .value("setup", setup_name(setup))
            .flag("rtcp-mux")
    }

    /// The format of the `m=` line, and what is to be said of it.
    pub(super) fn codec(&mut self, codec: &CodecParameters, feedback: Feedback) -> &mut Self {
        let payload_type = codec.payload_type;
        self.0.media_name.formats.push(payload_type.to_string());
        let mut rtpmap = format!(
            "{payload_type} {}/{}",
            codec.codec.encoding_name(),
            codec.codec.clock_rate()
        );
        if codec.channels > 1 {
            let _ = write!(rtpmap, "/{}", codec.channels);
        }
        self.value("rtpmap", rtpmap);
        if !codec.fmtp.is_empty() {
            self.value("fmtp", format!("{payload_type} {}", codec.fmtp));
        }
        for (agreed, name) in [
            (feedback.remb, "goog-remb"),
            (feedback.transport_cc, "transport-cc"),
            (feedback.nack, "nack"),
            (feedback.pli, "nack pli"),
            (feedback.fir, "ccm fir"),
        ] {
            if agreed {
                self.value("rtcp-fb", format!("{payload_type} {name}"));
            }
        }
        self
    }

    /// The format of packets with an earlier one in them (RFC 2198, section 5). Where it stands
    /// before what it carries, it is preferred to that.
    pub(super) fn red(&mut self, codec: &CodecParameters, payload_type: u8) -> &mut Self {
        let (clock_rate, channels) = (codec.codec.clock_rate(), codec.channels);
        let of = codec.payload_type;
        self.0.media_name.formats.push(payload_type.to_string());
        self.value(
            "rtpmap",
            format!("{payload_type} red/{clock_rate}/{channels}"),
        )
        .value("fmtp", format!("{payload_type} {of}/{of}"))
    }

    /// The format of packets that are sent again (RFC 4588, section 8.1).
    pub(super) fn rtx(&mut self, codec: &CodecParameters, payload_type: u8) -> &mut Self {
        let clock_rate = codec.codec.clock_rate();
        self.0.media_name.formats.push(payload_type.to_string());
        self.value("rtpmap", format!("{payload_type} rtx/{clock_rate}"))
            .value("fmtp", format!("{payload_type} apt={}", codec.payload_type))
    }

    /// What is sent in the section: a track of a stream (RFC 8830), its SSRC and that of its
    /// repairs (RFC 5576). Tracks of one stream are played in step by their common cname.
    pub(super) fn source(
        &mut self,
        stream: &str,
        track: &str,
        ssrc: u32,
        rtx: Option<Rtx>,
    ) -> &mut Self {
        self.value("msid", format!("{stream} {track}"));
        if let Some(rtx) = rtx {
            self.value("ssrc-group", format!("FID {ssrc} {}", rtx.ssrc));
        }
        for ssrc in [Some(ssrc), rtx.map(|rtx| rtx.ssrc)].into_iter().flatten() {
            self.value("ssrc", format!("{ssrc} cname:{stream}"));
        }
        self
    }
}

/// The value of `a=setup`.
fn setup_name(setup: Setup) -> &'static str {
    match setup {
        Setup::Active => "active",
        Setup::Passive => "passive",
        Setup::Actpass => "actpass",
    }
}

/// The value of `a=fingerprint`, in upper case (RFC 8122, section 5).
fn fingerprint(fingerprint: &Fingerprint) -> String {
    let (hash, octets): (_, &[u8]) = match fingerprint {
        Fingerprint::Sha256(octets) => ("sha-256", octets),
        Fingerprint::Sha384(octets) => ("sha-384", octets),
        Fingerprint::Sha512(octets) => ("sha-512", octets),
    };
    let mut text = format!("{hash} ");
    for (index, octet) in octets.iter().enumerate() {
        let separator = if index == 0 { "" } else { ":" };
        let _ = write!(text, "{separator}{octet:02X}");
    }
    text
}
