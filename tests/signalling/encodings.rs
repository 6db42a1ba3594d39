//! Which encodings a publisher is to send is told to clients that understand it. Who watches what is
//! found by the media engine (`tests/sim_watched.rs`), whose word is given here.

use crate::harness::{Client, Server};
use crate::streams::{PLAIN, SIMULCAST};
use perikon::net::ShardId;
use perikon::shard::{Event, Wanted};
use serde_json::{Value, json};

const OPEN: &str =
    r#"{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#;

impl Server {
    /// The engine's word on what nobody watches: a bit for each track of the offer.
    fn unwatched(&self, stream: &str, paused: u64) {
        let bounds = Vec::new();
        self.wanted(stream, Wanted { paused, bounds });
    }

    /// The engine's word on what is of use.
    fn wanted(&self, stream: &str, wanted: Wanted) {
        let group = self.state.registry().get("g").unwrap();
        let peer = group.stream(stream).unwrap().peer;
        let event = Event::Watched { peer, wanted };
        self.events.send((ShardId(0), event)).unwrap();
    }

    async fn obedient(&self, id: &str) -> Client {
        let mut client = self.connect().await;
        client.id = id.into();
        client
            .send(json!({"type": "handshake", "version": ["2"], "id": id,
                         "features": ["encodings", "unheard-of"]}))
            .await;
        let handshake = client.next().await;
        assert_eq!(handshake["features"], json!(["encodings"]));
        assert_eq!(client.join("g", id, "").await["kind"], "join");
        client
    }
}

fn is_encodings(message: &Value) -> bool {
    message["type"] == "encodings"
}

#[tokio::test]
async fn who_understands_is_told_what_nobody_watches() {
    let server = Server::start(&[("g.json", OPEN)]).await;
    let mut alice = server.obedient("a").await;
    alice.username = "a".into();
    alice.publish("camera", "camera", SIMULCAST).await;
    alice.publish("file", "video", PLAIN).await;
    alice.settle().await;
    // The rids in the order of the offer; sound has none, and is never paused.
    let encodings = |active: [bool; 3]| {
        let of_rid = |(rid, active)| json!({"mid": "1", "rid": rid, "active": active});
        let all: Vec<_> = ["h", "m", "l"]
            .into_iter()
            .zip(active)
            .map(of_rid)
            .collect();
        json!({"type": "encodings", "id": "camera", "encodings": all})
    };
    server.unwatched("camera", 0b0110);
    assert_eq!(
        alice.until(is_encodings).await,
        encodings([false, false, true])
    );
    server.unwatched("camera", 0);
    assert_eq!(alice.until(is_encodings).await, encodings([true; 3]));
    // Of the largest, nobody has use for more than half a megabit a second.
    let wanted = Wanted {
        paused: 0b1000,
        bounds: vec![(1, 500_000)],
    };
    server.wanted("camera", wanted);
    let mut bounded = encodings([true, true, false]);
    bounded["encodings"][0]["maxBitrate"] = json!(500_000);
    assert_eq!(alice.until(is_encodings).await, bounded);
    // One encoding has no rid.
    server.unwatched("file", 0b10);
    let one = json!({"type": "encodings", "id": "file",
                     "encodings": [{"mid": "1", "active": false}]});
    assert_eq!(alice.until(is_encodings).await, one);
    // A new offer of the same stream changes nothing of the names.
    alice.publish("camera", "camera", SIMULCAST).await;
    alice.settle().await;
    server.unwatched("camera", 0b1110);
    assert_eq!(alice.until(is_encodings).await, encodings([false; 3]));
    // Of a stream that has ended nothing is said.
    let group = server.state.registry().get("g").unwrap();
    let peer = group.stream("file").unwrap().peer;
    alice.send(json!({"type": "close", "id": "file"})).await;
    alice.settle().await;
    let wanted = Wanted::default();
    let event = Event::Watched { peer, wanted };
    server.events.send((ShardId(0), event)).unwrap();
    server.unwatched("camera", 0);
    assert_eq!(alice.until(is_encodings).await, encodings([true; 3]));
}
