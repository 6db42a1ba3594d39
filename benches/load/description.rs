//! What clients say of their streams: descriptions, candidates, and the packets that go with
//! them.

use super::client::ClientError;
use super::options::Options;
use super::publisher::FlowConfig;
use super::receiver::Format;
use perikon::media::{Codec, Kind};
use perikon::transport::description::{CodecParameters, DownMedia, Extension, LocalTransport};
use perikon::transport::sdp::UpOffer;
use serde_json::{Value, json};
use std::net::UdpSocket;

const VP8: u8 = 96;
const OPUS: u8 = 111;
/// Every codec that receivers accept.
pub(crate) const CODECS: [Codec; 8] = [
    Codec::Vp8,
    Codec::Opus,
    Codec::Vp9,
    Codec::H264,
    Codec::Av1,
    Codec::G722,
    Codec::Pcmu,
    Codec::Pcma,
];

/// The `ice` message with the one candidate of a socket.
pub(crate) fn candidate(
    id: &str,
    socket: &UdpSocket,
    local: &LocalTransport,
) -> Result<Value, ClientError> {
    let address = socket.local_addr()?;
    let ufrag = &local.ice.ufrag;
    let candidate = format!(
        "candidate:1 1 udp 2130706431 {} {} typ host ufrag {ufrag}",
        address.ip(),
        address.port()
    );
    Ok(json!({
        "type": "ice",
        "id": id,
        "candidate": {
            "candidate": candidate,
            "sdpMid": "0",
            "sdpMLineIndex": 0,
            "usernameFragment": ufrag,
        },
    }))
}

/// What is published, as SDP and as packets.
pub(crate) fn flows(options: &Options, number: u32, id: &str) -> (Vec<DownMedia>, Vec<FlowConfig>) {
    let mut media = Vec::new();
    let mut flows = Vec::new();
    let source = |flows: &Vec<FlowConfig>| (number << 3) | flows.len() as u32;
    let mut section = |codec: Codec, payload_type, channels, extensions: Vec<Extension>| {
        let ssrc = rand::random::<u32>() | 1;
        media.push(DownMedia {
            mid: media.len().to_string(),
            codec: CodecParameters {
                codec,
                payload_type,
                channels,
                fmtp: String::new(),
            },
            stream_id: id.to_owned(),
            ssrc,
            red: None,
            rtx: None,
            active: true,
            extensions,
        });
        (ssrc, (media.len() - 1).to_string())
    };
    if let Some(flow) = options.sound() {
        let (ssrc, _) = section(Codec::Opus, OPUS, 2, Vec::new());
        flows.push(FlowConfig {
            flow,
            codec: Codec::Opus,
            payload_type: OPUS,
            ssrc,
            source: source(&flows),
            extensions: Vec::new(),
        });
    }
    let layers = options.video();
    if layers.is_empty() {
        return (media, flows);
    }
    let extensions = if layers.len() > 1 {
        vec![Extension::Mid, Extension::Rid]
    } else {
        Vec::new()
    };
    let (ssrc, mid) = section(Codec::Vp8, VP8, 1, extensions);
    let several = layers.len() > 1;
    for (layer, flow) in layers.into_iter().enumerate() {
        let extensions = if several {
            let rid = RIDS.get(layer).copied().unwrap_or_default();
            vec![
                (Extension::Mid, mid.clone()),
                (Extension::Rid, rid.to_owned()),
            ]
        } else {
            Vec::new()
        };
        flows.push(FlowConfig {
            flow,
            codec: Codec::Vp8,
            payload_type: VP8,
            ssrc: ssrc.wrapping_add(2 * layer as u32),
            source: source(&flows),
            extensions,
        });
    }
    (media, flows)
}

/// The rids of the layers, the best first.
const RIDS: [&str; 2] = ["h", "l"];

/// The last section sends its layers by rid (RFC 8853), so it names no SSRC.
pub(crate) fn with_simulcast(sdp: &str) -> String {
    let (before, video) = sdp.rsplit_once("m=video").unwrap_or((sdp, ""));
    let mut text = format!("{before}m=video");
    for line in video.lines() {
        if !line.starts_with("a=ssrc:") {
            text.push_str(line);
            text.push_str("\r\n");
        }
    }
    for rid in RIDS {
        text.push_str(&format!("a=rid:{rid} send\r\n"));
    }
    text.push_str(&format!("a=simulcast:send {}\r\n", RIDS.join(";")));
    text
}

/// The formats that the answer accepts.
pub(crate) fn formats(offer: &UpOffer) -> Vec<Format> {
    offer
        .media
        .iter()
        .filter(|media| media.sending)
        .filter_map(|media| {
            let codec = media.codec.as_ref()?;
            Some(Format {
                payload_type: codec.payload_type,
                kind: media.kind,
                remb: media.feedback.remb && media.kind == Kind::Video,
            })
        })
        .collect()
}
