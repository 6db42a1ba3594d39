//! Who speaks is told to clients that understand it. The voices themselves are compared by the
//! media engine (`tests/sim_speakers.rs`), whose word is given here.

use crate::harness::{Client, Server};
use crate::streams::PLAIN;
use perikon::net::ShardId;
use perikon::shard::{Event, PeerId, Speaker};
use serde_json::{Value, json};

impl Server {
    fn peer(&self, stream: &str) -> PeerId {
        let group = self.state.registry().get("g").unwrap();
        group.stream(stream).unwrap().peer
    }

    /// The engine's word on who speaks.
    fn speakers(&self, speakers: &[(PeerId, bool, bool)]) {
        let group = self.state.registry().get("g").unwrap().id();
        let speakers = speakers
            .iter()
            .map(|&(peer, speaks, withheld)| Speaker {
                peer,
                speaks,
                withheld,
            })
            .collect();
        let event = Event::Speakers { group, speakers };
        self.events.send((ShardId(0), event)).unwrap();
    }

    async fn listener(&self, id: &str) -> Client {
        let mut client = self.connect().await;
        client.id = id.into();
        client
            .send(json!({"type": "handshake", "version": ["2"], "id": id,
                         "features": ["speakers"]}))
            .await;
        let handshake = client.next().await;
        assert_eq!(handshake["features"], json!(["speakers"]));
        assert_eq!(client.join("g", id, id).await["kind"], "join");
        client
    }
}

fn is_speakers(message: &Value) -> bool {
    message["kind"] == "speakers"
}

fn told(dest: &str, value: &Value) -> Value {
    json!({"type": "usermessage", "kind": "speakers", "dest": dest, "privileged": true,
           "value": value})
}

#[tokio::test]
async fn who_understands_is_told_who_speaks() {
    let open = r#"{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#;
    let server = Server::start(&[("g.json", open)]).await;
    let mut alice = server.join("a", "alice").await;
    let mut bob = server.join("b", "bob").await;
    let mut carol = server.listener("c").await;
    alice.publish("camera-a", "camera", PLAIN).await;
    bob.publish("camera-b", "camera", PLAIN).await;
    alice.settle().await;
    bob.settle().await;
    let (a, b) = (server.peer("camera-a"), server.peer("camera-b"));
    server.speakers(&[(b, true, false)]);
    let speaks = json!([{"id": "camera-b", "speaks": true}]);
    assert_eq!(carol.until(is_speakers).await, told("c", &speaks));
    server.speakers(&[(a, true, false), (b, false, true)]);
    let both = json!([{"id": "camera-a", "speaks": true}, {"id": "camera-b", "speaks": false, "withheld": true}]);
    assert_eq!(carol.until(is_speakers).await, told("c", &both));
    // Who comes later knows it at once; who does not understand it is never told.
    let mut dave = server.listener("d").await;
    assert_eq!(dave.until(is_speakers).await, told("d", &both));
    let heard = [alice.settle().await, bob.settle().await].concat();
    assert_eq!(
        heard.iter().filter(|message| is_speakers(message)).count(),
        0
    );
    // A stream that has ended speaks no more.
    alice.send(json!({"type": "close", "id": "camera-a"})).await;
    alice.settle().await;
    let mut erin = server.listener("e").await;
    let rest = json!([{"id": "camera-b", "speaks": false, "withheld": true}]);
    assert_eq!(erin.until(is_speakers).await, told("e", &rest));
}
