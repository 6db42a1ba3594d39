//! `offer`, `answer`, `ice`, `request`, `renegotiate`, `close` and `abort`.

use crate::harness::{Client, Server};
use serde_json::{Value, json};

/// Offers of Chromium: audio and one video, and three rids.
pub(crate) const PLAIN: &str = include_str!("../fixtures/sdp/chromium-audio-video.sdp");
pub(crate) const SIMULCAST: &str = include_str!("../fixtures/sdp/chromium-simulcast.sdp");

/// Of each section: its name, whether it is rejected, and its direction.
fn sections(sdp: &str) -> Vec<(String, bool, String)> {
    let mut sections = Vec::new();
    for section in sdp.split("\r\nm=").skip(1) {
        let mut words = section.split(' ');
        let kind = words.next().unwrap().to_owned();
        let rejected = words.next().unwrap() == "0";
        let direction = ["sendonly", "recvonly", "inactive", "sendrecv"]
            .into_iter()
            .find(|direction| section.contains(&format!("\r\na={direction}\r\n")))
            .unwrap_or("none");
        sections.push((kind, rejected, direction.to_owned()));
    }
    sections
}

fn directions(sdp: &Value) -> Vec<String> {
    sections(sdp.as_str().unwrap())
        .into_iter()
        .map(|(_, _, direction)| direction)
        .collect()
}

fn value(sdp: &str, name: &str) -> String {
    let prefix = format!("a={name}:");
    sdp.lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .unwrap()
        .to_owned()
}

/// What a browser would answer.
fn answer_to(offer: &Value) -> String {
    let offer = offer["sdp"].as_str().unwrap();
    let mut answer = String::new();
    for line in offer.lines() {
        let line = match line {
            "a=setup:actpass" => "a=setup:active",
            "a=sendonly" => "a=recvonly",
            line if line.starts_with("a=ssrc") || line.starts_with("a=msid:") => continue,
            line => line,
        };
        answer.push_str(line);
        answer.push_str("\r\n");
    }
    answer
}

/// Takes the candidates out of what a client was told, and checks them.
fn without_candidates(told: Vec<Value>, id: &str, sdp: &str) -> Vec<Value> {
    let ufrag = value(sdp, "ice-ufrag");
    let (ice, rest): (Vec<Value>, Vec<Value>) = told
        .into_iter()
        .partition(|message| message["type"] == "ice" && message["id"] == id);
    assert!(!ice.is_empty(), "no candidate for {id}");
    for message in ice {
        let candidate = &message["candidate"];
        assert_eq!(
            (&candidate["sdpMid"], &candidate["sdpMLineIndex"]),
            (&json!("0"), &json!(0))
        );
        let text = candidate["candidate"].as_str().unwrap();
        assert!(
            text.starts_with("candidate:1 1 udp 2130706431 127.0.0.1 "),
            "{text}"
        );
        assert!(
            text.ends_with(&format!(" typ host ufrag {ufrag}")),
            "{text}"
        );
    }
    rest
}

impl Client {
    pub(crate) async fn publish(&mut self, id: &str, label: &str, sdp: &str) {
        self.send(
            json!({"type": "offer", "id": id, "label": label, "source": self.id,
                         "username": self.username, "sdp": sdp}),
        )
        .await;
    }

    pub(crate) async fn request(&mut self, request: Value) {
        self.send(json!({"type": "request", "request": request}))
            .await;
    }

    /// Answers an offer as a browser would.
    pub(crate) async fn accept(&mut self, offer: &Value) {
        assert_eq!(offer["type"], "offer", "{offer}");
        let answer = answer_to(offer);
        self.send(json!({"type": "answer", "id": offer["id"], "sdp": answer}))
            .await;
    }

    /// The one offer that waits to be read, with its candidates.
    async fn offered(&mut self) -> Value {
        let told = self.settle().await;
        let offer = told.first().cloned().unwrap_or_default();
        assert_eq!(offer["type"], "offer", "{told:?}");
        let sdp = offer["sdp"].as_str().unwrap();
        let rest = without_candidates(told, offer["id"].as_str().unwrap(), sdp);
        assert_eq!(rest.len(), 1, "{rest:?}");
        offer
    }
}

/// One who publishes, and one who has asked for everything.
async fn two(server: &Server) -> (Client, Client) {
    let mut alice = server.join("1", "op").await;
    let mut bob = server.join("2", "bob").await;
    bob.request(json!({"": ["audio", "video"]})).await;
    bob.settle().await;
    alice.settle().await;
    (alice, bob)
}

async fn accepted(client: &mut Client, id: &str) -> Value {
    let told = client.settle().await;
    let answer = told.first().cloned().unwrap_or_default();
    assert_eq!(
        (&answer["type"], &answer["id"]),
        (&json!("answer"), &json!(id)),
        "{told:?}"
    );
    answer
}

#[tokio::test]
async fn a_stream_from_offer_to_close() {
    let server = Server::start(&[]).await;
    let (mut alice, mut bob) = two(&server).await;
    alice.publish("s", "camera", PLAIN).await;
    let told = alice.settle().await;
    let sdp = told[0]["sdp"].as_str().unwrap().to_owned();
    assert_eq!(told[0], json!({"type": "answer", "id": "s", "sdp": sdp}));
    assert_eq!(without_candidates(told, "s", &sdp).len(), 1);
    assert!(!sdp.contains("a=candidate"), "they are trickled");
    assert_eq!(
        sections(&sdp),
        [
            ("audio".into(), false, "recvonly".into()),
            ("video".into(), false, "recvonly".into())
        ]
    );
    assert_eq!(value(&sdp, "setup"), "active");

    let offer = bob.offered().await;
    let down = offer["sdp"].as_str().unwrap().to_owned();
    assert_eq!(
        offer,
        json!({"type": "offer", "id": "s", "label": "camera", "source": "1", "username": "op",
               "sdp": down})
    );
    assert_eq!(directions(&offer["sdp"]), ["sendonly", "sendonly"]);
    assert!(down.contains("a=rtpmap:111 opus/48000/2\r\n"));
    assert!(down.contains("a=rtpmap:96 VP8/90000\r\n"));
    for feedback in ["goog-remb", "nack", "nack pli", "ccm fir"] {
        assert!(
            down.contains(&format!("a=rtcp-fb:96 {feedback}\r\n")),
            "{feedback}"
        );
    }
    assert_ne!(value(&down, "ice-ufrag"), value(&sdp, "ice-ufrag"));
    bob.accept(&offer).await;
    for id in ["s", "none"] {
        bob.send(json!({"type": "ice", "id": id,
                        "candidate": {"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host",
                                      "sdpMid": "0", "sdpMLineIndex": 0}}))
            .await;
    }
    bob.send(json!({"type": "ice", "id": "s", "candidate": {"candidate": ""}}))
        .await;
    assert_eq!(bob.settle().await, [Value::Null; 0]);

    for unknown in ["close", "renegotiate"] {
        bob.send(json!({"type": unknown, "id": "none"})).await;
    }
    assert_eq!(bob.settle().await, [Value::Null; 0], "ignored");
    alice.send(json!({"type": "close", "id": "s"})).await;
    assert_eq!(bob.next().await, json!({"type": "close", "id": "s"}));
    for (kind, sdp) in [("abort", Value::Null), ("answer", json!("x"))] {
        bob.send(json!({"type": kind, "id": "s", "sdp": sdp})).await;
        assert_eq!(
            bob.next().await,
            json!({"type": "close", "id": "s"}),
            "unknown by now"
        );
    }
}

#[tokio::test]
async fn streams_end_with_their_publisher() {
    let server = Server::start(&[]).await;
    let (mut alice, mut bob) = two(&server).await;
    alice.publish("s", "camera", PLAIN).await;
    accepted(&mut alice, "s").await;
    bob.offered().await;
    drop(alice);
    assert_eq!(bob.next().await, json!({"type": "close", "id": "s"}));
    assert_eq!(bob.next().await["kind"], "delete");
}

#[tokio::test]
async fn requests() {
    let server = Server::start(&[]).await;
    let mut alice = server.join("1", "op").await;
    alice.publish("camera", "camera", SIMULCAST).await;
    accepted(&mut alice, "camera").await;
    alice.publish("screen", "screenshare", PLAIN).await;
    accepted(&mut alice, "screen").await;

    let mut bob = server.join("2", "bob").await;
    assert_eq!(
        bob.settle().await,
        [Value::Null; 0],
        "who asks for nothing gets nothing"
    );
    // A label beats the default.
    bob.request(json!({"": ["audio"], "camera": ["audio", "video-low"], "screenshare": []}))
        .await;
    let offer = bob.offered().await;
    assert_eq!(offer["id"], "camera");
    assert_eq!(directions(&offer["sdp"]), ["sendonly", "sendonly"]);
    bob.accept(&offer).await;

    // The better encoding comes in the place of the lower, without a word.
    bob.request(json!({"camera": ["audio", "video"]})).await;
    assert_eq!(bob.settle().await, [Value::Null; 0]);
    for id in ["camera", "none"] {
        for (width, height) in [(640.5, 360.0), (0.0, -1.0), (1e300, 1e9)] {
            bob.send(
                json!({"type": "window", "id": id, "width": width, "height": height,
                            "priority": true}),
            )
            .await;
        }
    }
    assert_eq!(bob.settle().await, [Value::Null; 0]);

    // Narrower: the same id with that section inactive, and back.
    bob.request(json!({"": ["audio"]})).await;
    let told = bob.settle().await;
    let narrow = told
        .iter()
        .find(|message| message["id"] == "camera")
        .unwrap()
        .clone();
    assert_eq!(directions(&narrow["sdp"]), ["sendonly", "inactive"]);
    assert!(narrow.get("replace").is_none());
    let screen = told
        .iter()
        .find(|message| message["id"] == "screen")
        .unwrap()
        .clone();
    assert_eq!(directions(&screen["sdp"]), ["sendonly"]);
    bob.accept(&narrow).await;
    bob.accept(&screen).await;
    bob.send(json!({"type": "requestStream", "id": "screen", "request": ["audio", "video"]}))
        .await;
    let wide = bob.settle().await;
    assert_eq!(wide.len(), 1);
    assert_eq!(directions(&wide[0]["sdp"]), ["sendonly", "sendonly"]);

    // What was asked of a stream itself outlives other requests.
    bob.accept(&wide[0]).await;
    bob.request(json!({})).await;
    assert_eq!(
        bob.settle().await,
        [json!({"type": "close", "id": "camera"})]
    );
    bob.send(json!({"type": "requestStream", "id": "screen", "request": []}))
        .await;
    assert_eq!(
        bob.settle().await,
        [json!({"type": "close", "id": "screen"})]
    );
}

#[tokio::test]
async fn offers_wait_for_the_answer_to_the_last() {
    let server = Server::start(&[]).await;
    let (mut alice, mut bob) = two(&server).await;
    alice.publish("s", "camera", PLAIN).await;
    accepted(&mut alice, "s").await;
    let first = bob.offered().await;
    bob.request(json!({"": ["audio"]})).await;
    bob.send(json!({"type": "renegotiate", "id": "s"})).await;
    assert_eq!(
        bob.settle().await,
        [Value::Null; 0],
        "not while an answer is due"
    );
    bob.accept(&first).await;
    let second = bob.offered().await;
    assert_eq!(directions(&second["sdp"]), ["sendonly", "inactive"]);
    let ufrag = |offer: &Value| value(offer["sdp"].as_str().unwrap(), "ice-ufrag");
    assert_ne!(
        ufrag(&first),
        ufrag(&second),
        "with the restart that was asked for"
    );
    let session = |offer: &Value| {
        let sdp = offer["sdp"].as_str().unwrap();
        let line = sdp.lines().find(|line| line.starts_with("o=")).unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        (words[1].to_owned(), words[2].parse::<u64>().unwrap())
    };
    assert_eq!(session(&second), (session(&first).0, session(&first).1 + 1));
    bob.accept(&second).await;
    assert_eq!(bob.settle().await, [Value::Null; 0]);

    // An answer that no one waits for, and one that is no SDP.
    bob.accept(&second).await;
    assert_eq!(bob.next().await, json!({"type": "close", "id": "s"}));
    assert_eq!(bob.next().await["kind"], "error");
    bob.request(json!({"": ["audio"]})).await;
    bob.offered().await;
    bob.send(json!({"type": "answer", "id": "s", "sdp": "nonsense"}))
        .await;
    assert_eq!(bob.next().await, json!({"type": "close", "id": "s"}));
    let told = bob.next().await;
    assert!(told["value"].as_str().unwrap().contains("SDP"), "{told}");
}

#[tokio::test]
async fn a_publisher_offers_again() {
    let server = Server::start(&[]).await;
    let (mut alice, mut bob) = two(&server).await;
    alice.publish("s", "camera", PLAIN).await;
    let first = accepted(&mut alice, "s").await;
    let offer = bob.offered().await;
    bob.accept(&offer).await;

    let ufrag = |answer: &Value| value(answer["sdp"].as_str().unwrap(), "ice-ufrag");
    alice.publish("s", "camera", PLAIN).await;
    let told = alice.settle().await;
    assert_eq!(
        told.len(),
        1,
        "the same transport needs no candidates: {told:?}"
    );
    assert_eq!(ufrag(&told[0]), ufrag(&first));
    assert_eq!(
        bob.settle().await,
        [Value::Null; 0],
        "nothing is new for receivers"
    );

    let restarted = PLAIN.replace("a=ice-ufrag:YBwh", "a=ice-ufrag:ABCD");
    alice.publish("s", "camera", &restarted).await;
    let told = alice.settle().await;
    assert_ne!(ufrag(&told[0]), ufrag(&first));
    let sdp = told[0]["sdp"].as_str().unwrap().to_owned();
    assert_eq!(without_candidates(told, "s", &sdp).len(), 1);
    assert_eq!(bob.settle().await, [Value::Null; 0]);

    let muted = restarted.replacen("a=sendonly", "a=inactive", 1);
    alice.publish("s", "camera", &muted).await;
    accepted(&mut alice, "s").await;
    let narrow = bob.settle().await;
    assert_eq!(directions(&narrow[0]["sdp"]), ["inactive", "sendonly"]);
}

#[tokio::test]
async fn one_stream_in_the_place_of_another() {
    let server = Server::start(&[]).await;
    let (mut alice, mut bob) = two(&server).await;
    alice.publish("old", "camera", PLAIN).await;
    accepted(&mut alice, "old").await;
    let offer = bob.offered().await;
    bob.accept(&offer).await;
    let mut picky = server.join("3", "picky").await;
    picky.request(json!({"camera": ["audio"]})).await;
    picky.offered().await;
    bob.settle().await;
    alice.settle().await;

    alice
        .send(
            json!({"type": "offer", "id": "new", "replace": "old", "label": "screenshare",
                     "source": "1", "username": "op", "sdp": PLAIN}),
        )
        .await;
    accepted(&mut alice, "new").await;
    let offer = bob.offered().await;
    assert_eq!(
        (&offer["id"], &offer["replace"]),
        (&json!("new"), &json!("old"))
    );
    assert_eq!(
        picky.settle().await,
        [json!({"type": "close", "id": "old"})]
    );
    let mut late = server.join("4", "late").await;
    late.request(json!({"": ["audio"]})).await;
    let offer = late.offered().await;
    assert_eq!((&offer["id"], offer.get("replace")), (&json!("new"), None));
}

#[tokio::test]
async fn those_who_may_not_publish() {
    let server = Server::start(&[(
        "r.json",
        r#"{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "message"}}"#,
    )])
    .await;
    let mut carol = server.greet("3").await;
    carol.join("r", "carol", "").await;
    carol.settle().await;
    carol.publish("s", "camera", PLAIN).await;
    assert_eq!(carol.next().await, json!({"type": "abort", "id": "s"}));
    assert_eq!(carol.next().await["value"], "not authorised");

    let (mut alice, mut bob) = two(&server).await;
    bob.publish("s", "camera", PLAIN).await;
    accepted(&mut bob, "s").await;
    alice.request(json!({"": ["audio"]})).await;
    alice.offered().await;
    alice.act_on_user("unpresent", "2", Value::Null).await;
    let told = bob.settle().await;
    assert_eq!(
        (&told[0]["type"], &told[0]["kind"]),
        (&json!("joined"), &json!("change"))
    );
    assert_eq!(told[1], json!({"type": "abort", "id": "s"}));
    assert_eq!(
        told[2],
        json!({"type": "usermessage", "kind": "error", "dest": "2", "privileged": true,
               "value": "permission denied"})
    );
    let closed = alice.until(|message| message["type"] == "close").await;
    assert_eq!(closed["id"], "s");
}

#[tokio::test]
async fn offers_that_are_refused() {
    let server = Server::start(&[]).await;
    let (mut alice, mut bob) = two(&server).await;
    let only_h264: String = PLAIN
        .replace("VP8/90000", "FOO/90000")
        .replace("opus/", "bar/");
    let cases = [
        ("nonsense", "malformed SDP"),
        ("", "SDP"),
        (only_h264.as_str(), "no codec that"),
    ];
    for (sdp, text) in cases {
        alice.publish("s", "camera", sdp).await;
        assert_eq!(alice.next().await, json!({"type": "abort", "id": "s"}));
        let told = alice.next().await;
        assert_eq!(told["kind"], "error");
        assert!(told["value"].as_str().unwrap().contains(text), "{told}");
    }
    assert_eq!(bob.settle().await, [Value::Null; 0]);

    alice.publish("s", "camera", PLAIN).await;
    accepted(&mut alice, "s").await;
    bob.offered().await;
    bob.publish("s", "camera", PLAIN).await;
    assert_eq!(bob.next().await, json!({"type": "abort", "id": "s"}));
    assert_eq!(
        bob.next().await["value"],
        "this id is that of a stream you receive"
    );
    // Nor one that another uses and the client does not receive.
    let mut carol = server.join("3", "carol").await;
    carol.publish("s", "camera", PLAIN).await;
    assert_eq!(carol.next().await, json!({"type": "abort", "id": "s"}));
    assert_eq!(carol.next().await["value"], "this stream id is in use");
}

#[tokio::test]
async fn lost_connections_are_mended() {
    let server = Server::start(&[]).await;
    let (mut alice, mut bob) = two(&server).await;
    alice.publish("s", "camera", PLAIN).await;
    accepted(&mut alice, "s").await;
    let first = bob.offered().await;
    bob.accept(&first).await;
    bob.settle().await;
    server.fail_peers();
    assert_eq!(
        alice.next().await,
        json!({"type": "renegotiate", "id": "s"})
    );
    let second = bob.next().await;
    assert_eq!(
        (&second["type"], &second["id"]),
        (&json!("offer"), &json!("s"))
    );
    let ufrag = |offer: &Value| value(offer["sdp"].as_str().unwrap(), "ice-ufrag");
    assert_ne!(ufrag(&first), ufrag(&second));
    let rest = bob.settle().await;
    let sdp = second["sdp"].as_str().unwrap();
    assert_eq!(without_candidates(rest, "s", sdp), [Value::Null; 0]);
    bob.accept(&second).await;
    assert_eq!(bob.settle().await, [Value::Null; 0]);
}
