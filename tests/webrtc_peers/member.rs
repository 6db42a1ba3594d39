//! A member of the group: a WebSocket, and a peer connection of the `webrtc` crate.

use crate::lossy::Lossy;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{
    Registry, register_default_interceptors,
};
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_VP8, MediaEngine};
use rtc::rtp::packet::Packet;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription,
};

/// What the publisher calls its video.
pub(crate) const VIDEO_SSRC: u32 = 0x00de_cafe;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A packet of VP8: the first of every 150 begins a keyframe; the number stands in the payload.
pub(crate) fn video_packet(number: u64) -> Packet {
    let keyframe = number.is_multiple_of(150);
    let mut payload = vec![
        0x10,
        u8::from(!keyframe),
        0,
        0,
        0x9d,
        0x01,
        0x2a,
        0x40,
        1,
        0xf0,
        0,
    ];
    if !number.is_multiple_of(3) {
        // Not the start of a frame.
        payload[0] = 0;
    }
    payload.extend_from_slice(&number.to_be_bytes());
    payload.extend((0..900).map(|at| (at as u64 * 31 + number) as u8));
    Packet {
        header: rtc::rtp::header::Header {
            version: 2,
            marker: number % 3 == 2,
            payload_type: 96,
            sequence_number: (number as u16).wrapping_add(65_300),
            timestamp: (number / 3 * 3_000) as u32,
            ssrc: VIDEO_SSRC,
            ..Default::default()
        },
        payload: payload.into(),
    }
}

fn codec() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_VP8.to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: String::new(),
        rtcp_feedback: Vec::new(),
    }
}

/// What the peer connection tells.
struct Observer {
    gathered: watch::Sender<bool>,
    connected: watch::Sender<bool>,
    packets: Arc<Mutex<Vec<Packet>>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Observer {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.gathered
            .send_replace(state == RTCIceGatheringState::Complete);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.connected
            .send_replace(state == RTCPeerConnectionState::Connected);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let packets = Arc::clone(&self.packets);
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    packets.lock().unwrap().push(packet);
                }
            }
        });
    }
}

/// A peer connection of the `webrtc` crate, with a video that it may publish.
pub(crate) struct Peer {
    connection: Arc<dyn PeerConnection>,
    video: Arc<TrackLocalStaticRTP>,
    gathered: watch::Receiver<bool>,
    connected: watch::Receiver<bool>,
    packets: Arc<Mutex<Vec<Packet>>>,
}

impl Peer {
    pub(crate) async fn new() -> Self {
        let (gathered_to, gathered) = watch::channel(false);
        let (connected_to, connected) = watch::channel(false);
        let packets: Arc<Mutex<Vec<Packet>>> = Arc::default();
        let observer = Observer {
            gathered: gathered_to,
            connected: connected_to,
            packets: Arc::clone(&packets),
        };
        let mut media = MediaEngine::default();
        let parameters = RTCRtpCodecParameters {
            rtp_codec: codec(),
            payload_type: 96,
        };
        media
            .register_codec(parameters, RtpCodecKind::Video)
            .unwrap();
        let registry = register_default_interceptors(Registry::new(), &mut media).unwrap();
        let building = PeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(observer))
            .with_udp_addrs(vec!["127.0.0.1:0".to_owned()])
            .build();
        // The crate's future is large.
        let connection = Box::pin(building).await.unwrap();
        let video = TrackLocalStaticRTP::new(MediaStreamTrack::new(
            "stream".to_owned(),
            "video".to_owned(),
            "label".to_owned(),
            RtpCodecKind::Video,
            vec![RTCRtpEncodingParameters {
                rtp_coding_parameters: RTCRtpCodingParameters {
                    ssrc: Some(VIDEO_SSRC),
                    ..Default::default()
                },
                codec: codec(),
                ..Default::default()
            }],
        ));
        Self {
            connection: Arc::new(connection),
            video: Arc::new(video),
            gathered,
            connected,
            packets,
        }
    }

    /// The description with all candidates in it.
    async fn gathered(&mut self) -> String {
        self.gathered.wait_for(|done| *done).await.unwrap();
        self.connection.local_description().await.unwrap().sdp
    }

    /// An offer of the video.
    pub(crate) async fn offer(&mut self) -> String {
        let track = Arc::clone(&self.video) as Arc<dyn TrackLocal>;
        self.connection.add_track(track).await.unwrap();
        let offer = self.connection.create_offer(None).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        self.gathered().await
    }

    /// An offer to receive so many videos.
    pub(crate) async fn offer_to_receive(&mut self, videos: usize) -> String {
        for _ in 0..videos {
            let init = RTCRtpTransceiverInit {
                direction: RTCRtpTransceiverDirection::Recvonly,
                streams: Vec::new(),
                send_encodings: Vec::new(),
            };
            self.connection
                .add_transceiver_from_kind(RtpCodecKind::Video, Some(init))
                .await
                .unwrap();
        }
        let offer = self.connection.create_offer(None).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        self.gathered().await
    }

    /// The answer to an offer.
    pub(crate) async fn answer(&mut self, sdp: &str) -> String {
        let offer = RTCSessionDescription::offer(sdp.to_owned()).unwrap();
        self.connection.set_remote_description(offer).await.unwrap();
        let answer = self.connection.create_answer(None).await.unwrap();
        self.connection.set_local_description(answer).await.unwrap();
        self.gathered().await
    }

    /// Takes the answer to the offer.
    pub(crate) async fn accept(&self, sdp: &str) {
        let answer = RTCSessionDescription::answer(sdp.to_owned()).unwrap();
        self.connection
            .set_remote_description(answer)
            .await
            .unwrap();
    }

    /// Returns once media can flow.
    pub(crate) async fn connected(&self) {
        let mut connected = self.connected.clone();
        connected.wait_for(|done| *done).await.unwrap();
    }

    /// What has arrived, in the order of arrival.
    pub(crate) fn packets(&self) -> Vec<Packet> {
        self.packets.lock().unwrap().clone()
    }

    /// Sends a packet of video.
    pub(crate) async fn send(&self, packet: Packet) {
        self.video.write_rtp(packet).await.unwrap();
    }
}

/// One member.
pub(crate) struct Member {
    id: String,
    sink: tokio::sync::Mutex<SplitSink<Socket, Message>>,
    stream: SplitStream<Socket>,
    pub(crate) peer: Peer,
}

impl Member {
    /// Joins the group `g`.
    pub(crate) async fn join(server: SocketAddr, id: &str) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://{server}/ws"))
            .await
            .unwrap();
        let (sink, stream) = socket.split();
        let mut member = Self {
            id: id.to_owned(),
            sink: tokio::sync::Mutex::new(sink),
            stream,
            peer: Peer::new().await,
        };
        member
            .say(json!({"type": "handshake", "version": ["2"], "id": id}))
            .await;
        let join =
            json!({"type": "join", "kind": "join", "group": "g", "username": id, "password": ""});
        member.say(join).await;
        let joined = member.hear("joined").await;
        assert_eq!(joined["kind"], "join", "{joined}");
        member
    }

    async fn say(&self, message: Value) {
        let text = Message::text(message.to_string());
        self.sink.lock().await.send(text).await.unwrap();
    }

    /// The next message of a type; others are passed over, pings answered.
    pub(crate) async fn hear(&mut self, kind: &str) -> Value {
        loop {
            let frame = self
                .stream
                .next()
                .await
                .expect("the server hung up")
                .unwrap();
            let Message::Text(text) = frame else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            assert_ne!(message["kind"], "error", "{message}");
            if message["type"] == "ping" {
                self.say(json!({"type": "pong"})).await;
            }
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// Wants everything that is published.
    pub(crate) async fn request_all(&self) {
        self.say(json!({"type": "request", "request": {"": ["audio", "video"]}}))
            .await;
    }

    /// Adds the server's candidates until one was told.
    async fn take_candidate(&mut self, line: Option<&Lossy>) {
        let message = self.hear("ice").await;
        let mut candidate = message["candidate"]["candidate"]
            .as_str()
            .unwrap()
            .to_owned();
        if let Some(line) = line {
            let words: Vec<&str> = candidate.split(' ').collect();
            let server = SocketAddr::new(words[4].parse().unwrap(), words[5].parse().unwrap());
            let instead = line.in_place_of(server).await;
            candidate = candidate.replace(
                &format!("{} {}", words[4], words[5]),
                &format!("{} {}", instead.ip(), instead.port()),
            );
        }
        let candidate = RTCIceCandidateInit {
            candidate,
            sdp_mid: Some("0".to_owned()),
            sdp_mline_index: Some(0),
            ..Default::default()
        };
        self.peer
            .connection
            .add_ice_candidate(candidate)
            .await
            .unwrap();
    }

    /// What it calls the stream that it publishes.
    pub(crate) fn stream_id(&self) -> String {
        format!("video-of-{}", self.id)
    }

    /// Publishes the video.
    pub(crate) async fn publish(&mut self) {
        let sdp = self.peer.offer().await;
        let offer = json!({
            "type": "offer", "id": self.stream_id(), "label": "camera", "sdp": sdp,
            "source": self.id, "username": self.id,
        });
        self.say(offer).await;
        let answer = self.hear("answer").await;
        self.peer.accept(answer["sdp"].as_str().unwrap()).await;
        self.take_candidate(None).await;
    }

    /// Ends what it publishes.
    pub(crate) async fn close(&self) {
        self.say(json!({"type": "close", "id": self.stream_id()}))
            .await;
    }

    /// Answers the stream that the server offers, perhaps over a lossy line.
    pub(crate) async fn accept_stream(&mut self, line: Option<&Lossy>) -> Value {
        let offer = self.hear("offer").await;
        let mut sdp = self.peer.answer(offer["sdp"].as_str().unwrap()).await;
        if line.is_some() {
            // The server must not find the way around the lossy line.
            sdp = sdp
                .split_inclusive('\n')
                .filter(|one| !one.starts_with("a=candidate"))
                .collect();
        }
        let id = offer["id"].clone();
        self.say(json!({"type": "answer", "id": id, "sdp": sdp}))
            .await;
        self.take_candidate(line).await;
        offer
    }
}
