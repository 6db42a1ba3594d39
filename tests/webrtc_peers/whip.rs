//! WHIP and WHEP as encoders and players use them: an offer by HTTP, and media flows.

use super::member::{Member, Peer, video_packet};
use super::{PATIENCE, by_seqno, publish, publish_from, received, server};
use reqwest::{Client, Method, RequestBuilder, Response};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::time::timeout;

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

struct Http {
    client: Client,
    server: SocketAddr,
}

impl Http {
    fn new(server: SocketAddr) -> Self {
        // The server in this process has perhaps chosen already, and the same.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self {
            client: Client::new(),
            server,
        }
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("http://{}{path}", self.server);
        self.client.request(method, url).timeout(PATIENCE)
    }

    async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Response {
        let request = self.request("POST", path).header("content-type", SDP);
        request.body(body).send().await.unwrap()
    }

    async fn patch(&self, path: &str, tag: &str, body: String) -> Response {
        let request = self.request("PATCH", path).header("if-match", tag);
        let request = request.header("content-type", FRAGMENT);
        request.body(body).send().await.unwrap()
    }

    async fn delete(&self, path: &str, tag: &str) -> u16 {
        let request = self.request("DELETE", path).header("if-match", tag);
        request.send().await.unwrap().status().as_u16()
    }
}

fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    let value = value.unwrap_or_else(|| panic!("{name} in {response:?}"));
    value.to_str().unwrap().to_owned()
}

fn attribute<'a>(sdp: &'a str, name: &str) -> &'a str {
    let mut lines = sdp.lines();
    lines.find_map(|line| line.strip_prefix(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encoder_publishes_trickles_restarts_and_goes() {
    const PACKETS: u64 = 300;
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let http = Http::new(server.address());
    let mut receiver = Member::join(server.address(), "receiver").await;
    receiver.request_all().await;

    let mut encoder = Peer::new().await;
    let offer = encoder.offer().await;
    let created = http.post("/group/g/.whip", offer.clone()).await;
    assert_eq!(created.status(), 201);
    assert_eq!(header(&created, "content-type"), SDP);
    let (session, tag) = (header(&created, "location"), header(&created, "etag"));
    assert!(session.starts_with("/group/g/.whip/"), "{session}");
    let answer = created.text().await.unwrap();
    assert!(answer.contains("a=end-of-candidates\r\n"), "{answer}");
    encoder.accept(&answer).await;
    let stream = timeout(PATIENCE, receiver.accept_stream(None))
        .await
        .unwrap();
    assert_eq!(
        (stream["username"].as_str(), stream["label"].as_str()),
        (Some("whip"), Some(""))
    );
    for peer in [&encoder, &receiver.peer] {
        timeout(PATIENCE, peer.connected()).await.unwrap();
    }
    publish(&encoder, PACKETS).await;
    received(&receiver.peer, PACKETS as usize).await;
    assert_eq!(by_seqno(&receiver.peer).len(), PACKETS as usize);

    // Another candidate of the same ICE session.
    let ufrag = attribute(&offer, "a=ice-ufrag:");
    let pwd = attribute(&offer, "a=ice-pwd:");
    let more = format!(
        "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
         a=candidate:9 1 udp 1 127.0.0.1 9 typ host\r\n"
    );
    assert_eq!(
        http.patch(&session, "\"x\"", more.clone()).await.status(),
        412
    );
    assert_eq!(http.patch(&session, &tag, more).await.status(), 204);
    assert_eq!(
        http.patch(&session, &tag, "nonsense".into()).await.status(),
        400
    );

    // A new ICE session: other credentials, another tag.
    let restart = "a=ice-ufrag:anew\r\na=ice-pwd:0123456789012345678901\r\n";
    let restarted = http.patch(&session, "*", restart.to_owned()).await;
    assert_eq!(restarted.status(), 200);
    let new_tag = header(&restarted, "etag");
    assert_ne!(new_tag, tag);
    let fragment = restarted.text().await.unwrap();
    let old = attribute(&answer, "a=ice-ufrag:");
    assert_ne!(attribute(&fragment, "a=ice-ufrag:"), old);
    assert!(fragment.contains("a=candidate:"), "{fragment}");

    assert_eq!(http.delete(&session, &tag).await, 412);
    assert_eq!(http.delete(&session, &new_tag).await, 200);
    assert_eq!(http.delete(&session, &new_tag).await, 404);
    let closed = timeout(PATIENCE, receiver.hear("close")).await.unwrap();
    assert_eq!(closed["id"], stream["id"]);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_good_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let groups = folder.path().join("groups");
    std::fs::create_dir_all(&groups).unwrap();
    for (name, text) in [
        (
            "watch",
            r#"{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "observe"}}"#,
        ),
        (
            "closed",
            r#"{"users": {"whip": {"password": "x", "permissions": "present"}}}"#,
        ),
        (
            "audio",
            r#"{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"},
                      "codecs": ["opus"]}"#,
        ),
    ] {
        std::fs::write(groups.join(format!("{name}.json")), text).unwrap();
    }
    let server = server(&folder).await;
    let http = Http::new(server.address());
    let offer = Peer::new().await.offer().await;
    let status = async |path: &str, body: &str| {
        let response = http.post(path, body.to_owned()).await;
        response.status().as_u16()
    };
    assert_eq!(status("/group/watch/.whip", &offer).await, 403);
    assert_eq!(status("/group/closed/.whip", &offer).await, 401);
    assert_eq!(status("/group/nowhere/.whip", &offer).await, 404);
    assert_eq!(status("/group/audio/.whip", &offer).await, 422);
    assert_eq!(status("/group/g/.whip", "v=0").await, 400);
    assert_eq!(status("/group/g/.whip", "").await, 400);
    assert_eq!(
        status("/group/g/.whip", &"a".repeat((1 << 20) + 1)).await,
        413
    );
    assert_eq!(status("/group/g/.whip/x", &offer).await, 405);

    let request = http.request("POST", "/group/g/.whip").body(offer.clone());
    assert_eq!(request.send().await.unwrap().status(), 415);
    let request = http
        .request("POST", "/group/g/.whip")
        .header("content-type", SDP);
    let basic = request
        .try_clone()
        .unwrap()
        .header("authorization", "Basic eDp5");
    assert_eq!(
        basic.body(offer.clone()).send().await.unwrap().status(),
        401
    );
    let wrong = request.bearer_auth("no-such-token").body(offer.clone());
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    let foreign = http
        .request("POST", "/group/g/.whip")
        .header("content-type", SDP);
    let foreign = foreign.header("origin", "https://elsewhere.example");
    assert_eq!(
        foreign.body(offer.clone()).send().await.unwrap().status(),
        403
    );
    let got = http.request("GET", "/group/g/.whip").send().await.unwrap();
    assert_eq!(got.status(), 405);
    assert_eq!(header(&got, "allow"), "OPTIONS, POST");
    let options = http
        .request("OPTIONS", "/group/g/.whip")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (options.status().as_u16(), header(&options, "accept-post")),
        (204, SDP.to_owned())
    );

    // Someone else's session.
    let created = http.post("/group/g/.whip", offer).await;
    let session = header(&created, "location");
    let theirs = http.request("DELETE", &session).bearer_auth("another");
    assert_eq!(theirs.send().await.unwrap().status(), 403);
    let elsewhere = session.replace("/group/g/", "/group/watch/");
    assert_eq!(http.delete(&elsewhere, "*").await, 404);
    assert_eq!(http.delete(&session, "*").await, 200);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn players_receive_by_their_offer_or_by_the_servers() {
    const PACKETS: u64 = 300;
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let http = Http::new(server.address());
    let mut player = Peer::new().await;
    let offer = player.offer_to_receive(1).await;
    let early = http.post("/group/g/.whep", offer.clone()).await;
    assert_eq!(early.status(), 409, "nobody publishes yet");

    let mut publisher = Member::join(server.address(), "publisher").await;
    publisher.publish().await;
    let other = http
        .post("/group/g/.whep?username=someone", offer.clone())
        .await;
    assert_eq!(other.status(), 409);
    let created = http.post("/group/g/.whep?username=publisher", offer).await;
    assert_eq!(created.status(), 201);
    let session = header(&created, "location");
    assert!(session.starts_with("/group/g/.whep/"), "{session}");
    player.accept(&created.text().await.unwrap()).await;

    let mut asking = Peer::new().await;
    let request = http.request("POST", "/group/g/.whep");
    let request = request.header("content-type", "application/octet-stream");
    let created = request.send().await.unwrap();
    assert_eq!(created.status(), 201);
    let theirs = header(&created, "location");
    let answer = asking.answer(&created.text().await.unwrap()).await;
    let request = || http.request("PATCH", &theirs).header("content-type", SDP);
    let nonsense = request().body("nonsense").send().await.unwrap();
    assert_eq!(nonsense.status(), 400);
    let accepted = request().body(answer.clone()).send().await.unwrap();
    assert_eq!(accepted.status(), 204);
    let again = request().body(answer).send().await.unwrap();
    assert_eq!(again.status(), 409, "there is nothing left to answer");

    for peer in [&publisher.peer, &player, &asking] {
        timeout(PATIENCE, peer.connected()).await.unwrap();
    }
    publish(&publisher.peer, PACKETS).await;
    for peer in [&player, &asking] {
        received(peer, PACKETS as usize).await;
        assert_eq!(by_seqno(peer).len(), PACKETS as usize);
    }
    // A session of one kind is none of the other.
    assert_eq!(
        http.delete(&theirs.replace(".whep", ".whip"), "*").await,
        404
    );
    assert_eq!(http.delete(&theirs, "*").await, 200);
    // When the stream ends, so does the session.
    publisher.close().await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while http.patch(&session, "*", String::new()).await.status() != 404 {
        assert!(tokio::time::Instant::now() < deadline, "the session stays");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    server.shutdown().await;
}

/// The numbers of the payloads that arrived, by SSRC. Each payload must be what was sent.
fn by_track(player: &Peer) -> BTreeMap<u32, Vec<u64>> {
    let mut tracks: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for packet in player.packets() {
        let number = u64::from_be_bytes(packet.payload[11..19].try_into().unwrap());
        assert_eq!(packet.payload, video_packet(number).payload);
        tracks.entry(packet.header.ssrc).or_default().push(number);
    }
    tracks
}

/// The SSRC that a description gives to the track of a stream.
fn ssrc_of(sdp: &str, stream: &str) -> u32 {
    let suffix = format!(" cname:{stream}");
    let mut lines = sdp.lines();
    let line = lines.find_map(|line| line.strip_prefix("a=ssrc:")?.strip_suffix(&suffix));
    line.unwrap_or_else(|| panic!("{stream} in {sdp}"))
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_receives_all_streams_of_the_group_over_one_connection() {
    const PACKETS: u64 = 300;
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let http = Http::new(server.address());
    let mut ann = Member::join(server.address(), "ann").await;
    ann.publish().await;
    let mut ben = Member::join(server.address(), "ben").await;
    ben.publish().await;
    let streams = [(ann.stream_id(), 0), (ben.stream_id(), 15_000)];

    // More room than streams; no room for the second; and the server's offer.
    let (mut roomy, mut narrow, mut asking) =
        (Peer::new().await, Peer::new().await, Peer::new().await);
    let created = http
        .post("/group/g/.whep", roomy.offer_to_receive(3).await)
        .await;
    assert_eq!(created.status(), 201);
    let (session, tag) = (header(&created, "location"), header(&created, "etag"));
    let answer = created.text().await.unwrap();
    assert_eq!(answer.matches("\r\na=sendonly\r\n").count(), 2, "{answer}");
    assert_eq!(answer.matches("\r\nm=video 0 ").count(), 1, "{answer}");
    roomy.accept(&answer).await;
    let created = http
        .post("/group/g/.whep", narrow.offer_to_receive(1).await)
        .await;
    let only = created.text().await.unwrap();
    assert!(
        only.contains(&streams[0].0) && !only.contains(&streams[1].0),
        "{only}"
    );
    narrow.accept(&only).await;
    let request = http.request("POST", "/group/g/.whep").send().await.unwrap();
    let theirs = header(&request, "location");
    let offer = request.text().await.unwrap();
    let answered = asking.answer(&offer).await;
    let patch = http.request("PATCH", &theirs).header("content-type", SDP);
    assert_eq!(patch.body(answered).send().await.unwrap().status(), 204);

    for peer in [&ann.peer, &ben.peer, &roomy, &narrow, &asking] {
        timeout(PATIENCE, peer.connected()).await.unwrap();
    }
    tokio::join!(
        publish_from(&ann.peer, streams[0].1, PACKETS),
        publish_from(&ben.peer, streams[1].1, PACKETS),
    );
    for (player, description) in [(&roomy, &answer), (&asking, &offer)] {
        received(player, 2 * PACKETS as usize).await;
        let tracks = by_track(player);
        assert_eq!(tracks.len(), 2);
        for (stream, first) in &streams {
            let numbers = &tracks[&ssrc_of(description, stream)];
            assert_eq!(
                *numbers,
                (*first..first + PACKETS).collect::<Vec<_>>(),
                "{stream}"
            );
        }
    }
    received(&narrow, PACKETS as usize).await;
    assert_eq!(by_track(&narrow).len(), 1);

    // One stream ends, the other goes on; with the last, the session ends.
    ann.close().await;
    let mut watcher = Member::join(server.address(), "watcher").await;
    watcher.request_all().await;
    let left = timeout(PATIENCE, watcher.hear("offer")).await.unwrap();
    assert_eq!(left["id"], ben.stream_id(), "the other has ended");
    publish_from(&ben.peer, streams[1].1 + PACKETS, PACKETS).await;
    received(&roomy, 3 * PACKETS as usize).await;
    assert_eq!(
        http.patch(&session, &tag, String::new()).await.status(),
        204
    );
    ben.close().await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while http.patch(&session, "*", String::new()).await.status() != 404 {
        assert!(tokio::time::Instant::now() < deadline, "the session stays");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    server.shutdown().await;
}
