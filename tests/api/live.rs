//! What those inside notice, and what is told of them.

use crate::client::Place;
use crate::harness::Client;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

const GROUP: &str = ".groups/watch";

impl Place {
    /// A client that has shaken hands.
    pub(crate) async fn greet(&self, id: &str) -> Client {
        let url = format!("ws://{}/ws", self.server.address());
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut client = Client {
            socket,
            id: id.into(),
            username: String::new(),
        };
        client
            .send(json!({"type": "handshake", "version": ["2"], "id": id}))
            .await;
        assert_eq!(client.next().await["type"], "handshake");
        client
    }

    /// A member of the group `watch` that was told everything.
    pub(crate) async fn member(&self, id: &str, username: &str, password: &str) -> Client {
        let mut client = self.greet(id).await;
        let joined = client.join("watch", username, password).await;
        assert_eq!(joined["kind"], "join", "{joined}");
        client.settle().await;
        client
    }

    /// The lines of the audit log.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.site.path("data/var/audit.jsonl"));
        let text = text.unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().expect("JSON lines")
    }
}

#[tokio::test]
async fn members_are_told_of_a_change_at_once() {
    let place = Place::start().await;
    let mut fred = place.member("f", "fred", "fred").await;
    let put = place.ask("PUT", ".groups/watch/.users/fred");
    let put = put.json(r#"{"permissions": "op"}"#);
    assert_eq!(put.status().await, 204);
    let told = fred.until(|message| message["type"] == "joined").await;
    assert_eq!(told["kind"], "change");
    let permissions = told["permissions"].as_array().expect("permissions");
    assert!(permissions.contains(&"op".into()), "{told}");

    let put = place.ask("PUT", GROUP).json(r#"{"displayName": "Night"}"#);
    assert_eq!(put.status().await, 204);
    let named = |message: &Value| message["status"]["displayName"] == "Night";
    fred.until(named).await;
}

#[tokio::test]
async fn what_the_api_sets_lets_people_in() {
    let place = Place::start().await;
    let password = ".groups/watch/.users/carrot/.password";
    let put = place.ask("PUT", ".groups/watch/.users/carrot");
    let put = put.json(r#"{"permissions": "present"}"#);
    assert_eq!(put.status().await, 201);
    let post = place
        .ask("POST", password)
        .body("text/plain", "ironfounders\u{e9}");
    assert_eq!(post.status().await, 204);
    place.member("c", "carrot", "ironfounders\u{e9}").await;

    let tokens = ".groups/watch/.tokens/";
    let body =
        r#"{"username": "guest", "permissions": ["present"], "expires": "2099-01-01T00:00:00Z"}"#;
    let made = place.ask("POST", tokens).json(body).send().await;
    let token = made.header("location").expect("a token");
    let join = json!({"type": "join", "kind": "join", "group": "watch", "token": token});
    let mut guest = place.greet("g").await;
    guest.send(join.clone()).await;
    let joined = guest.next().await;
    assert_eq!(
        (&joined["kind"], &joined["username"]),
        (&"join".into(), &"guest".into())
    );

    let path = format!("{tokens}{token}");
    assert_eq!(place.ask("DELETE", &path).status().await, 204);
    let mut late = place.greet("l").await;
    late.send(join).await;
    assert_eq!(late.next().await["value"], "not authorised");
}

#[tokio::test]
async fn figures_name_groups_and_clients() {
    let place = Place::start().await;
    let mut fred = place.member("f", "fred", "fred").await;
    let mut vimes = place.member("v", "vimes", "vimes").await;
    let stats = || async { place.ask("GET", ".stats").send().await.json() };
    assert_eq!(
        stats().await,
        json!([{"name": "watch", "clients": [{"id": "f"}, {"id": "v"}]}])
    );
    // One who sends is seen to send.
    let sdp = include_str!("../fixtures/sdp/chromium-audio-video.sdp");
    let offer = json!({"type": "offer", "id": "camera", "label": "camera",
                       "source": "f", "username": "fred", "sdp": sdp});
    fred.send(offer).await;
    fred.until(|message| message["type"] == "answer").await;
    let up = stats().await[0]["clients"][0]["up"].clone();
    assert_eq!(up[0]["id"], "camera", "{up}");
    for track in up[0]["tracks"].as_array().expect("tracks") {
        for figure in ["bitrate", "maxBitrate", "loss", "jitter"] {
            assert!(track[figure].is_number(), "{figure} in {track}");
        }
        assert_eq!(track["paused"], false, "{track}");
    }
    assert_eq!(up[0]["tracks"].as_array().map(Vec::len), Some(2), "{up}");

    // And one who receives: of sound, how redundant it is, if that was agreed on.
    let mut other = place.member("w", "vimes", "vimes").await;
    for (listener, at, redundant) in [(&mut vimes, 1, true), (&mut other, 2, false)] {
        let request = json!({"type": "request", "request": {"": ["audio", "video"]}});
        listener.send(request).await;
        let offer = listener.until(|message| message["type"] == "offer").await;
        let sdp = answer_to(offer["sdp"].as_str().expect("SDP"), redundant);
        let answer = json!({"type": "answer", "id": offer["id"], "sdp": sdp});
        listener.send(answer).await;
        let expected = [redundant.then_some(0), None];
        let begun = Instant::now();
        loop {
            let down = stats().await[0]["clients"][at]["down"].clone();
            let tracks = down[0]["tracks"].as_array().cloned().unwrap_or_default();
            let told: Vec<_> = tracks
                .iter()
                .map(|track| track.get("redundant").and_then(Value::as_u64))
                .collect();
            if told == expected {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{redundant}: {down}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The answer of a browser that takes all that is offered, or all but redundant sound.
fn answer_to(offer: &str, redundant: bool) -> String {
    let lines = offer.lines().filter(|line| {
        let of_server = ["a=ssrc", "a=msid:", "a=candidate", "a=ice-lite"];
        let of_red = ["a=rtpmap:63 ", "a=fmtp:63 "];
        let is_any = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
        !is_any(&of_server) && (redundant || !is_any(&of_red))
    });
    let lines = lines.map(|line| match line {
        "a=sendonly" => "a=recvonly".to_owned(),
        "a=setup:actpass" => "a=setup:active".to_owned(),
        _ if line.starts_with("m=audio") && !redundant => line.replace(" 63", ""),
        _ => line.to_owned(),
    });
    lines.map(|line| line + "\r\n").collect()
}

#[tokio::test]
async fn the_audit_log_says_who_changed_what() {
    let place = Place::start().await;
    let put = |path| place.ask("PUT", path);
    assert_eq!(put(GROUP).json("{}").status().await, 204);
    assert_eq!(put(GROUP).json("{").status().await, 400);
    assert_eq!(place.ask("GET", GROUP).status().await, 200);
    let own = ".groups/watch/.users/fred/.password";
    let own = place.ask_bare("POST", own).basic("fred", "fred");
    assert_eq!(own.body("text/plain", "hush").status().await, 204);
    let delete = place.ask_bare("DELETE", ".groups/watch/.tokens/tick");
    assert_eq!(delete.bearer("watchadmin").status().await, 204);

    let mut lines = place.audit();
    for line in &mut lines {
        let fields = line.as_object_mut().expect("an object");
        let time = fields.remove("time").expect("a time");
        let time: Result<jiff::Timestamp, _> = time.as_str().unwrap_or_default().parse();
        assert!(time.is_ok(), "{line}");
        let fields = line.as_object_mut().expect("an object");
        let address = fields.remove("address").expect("an address");
        assert!(
            address
                .as_str()
                .is_some_and(|text| text.starts_with("127.1."))
        );
    }
    let line = |user: &str, rank: &str, method: &str, path: &str| {
        json!({"user": user, "rank": rank, "method": method, "status": 204,
               "path": format!("/galene-api/v0/.groups/watch{path}")})
    };
    assert_eq!(
        lines,
        [
            line("root", "server", "PUT", ""),
            line("fred", "user", "POST", "/.users/fred/.password"),
            line("", "group", "DELETE", "/.tokens/sha256:55a4bc5b"),
        ]
    );
    let text = std::fs::read_to_string(place.site.path("data/var/audit.jsonl")).unwrap();
    assert!(
        !text.contains("hush") && !text.contains("watchadmin"),
        "{text}"
    );
}

/// Offers a camera, and waits for the answer.
async fn publish(client: &mut Client) {
    let sdp = include_str!("../fixtures/sdp/chromium-audio-video.sdp");
    let offer = json!({"type": "offer", "id": "camera", "label": "camera",
                       "source": client.id, "username": client.username, "sdp": sdp});
    client.send(offer).await;
    client.until(|message| message["type"] == "answer").await;
}

#[tokio::test]
async fn administrators_see_who_is_inside() {
    let place = Place::start().await;
    let clients = || async {
        let havelock = place.ask_bare("GET", ".groups/watch/.clients/");
        let answer = havelock.basic("havelock", "havelock").send().await;
        assert_eq!(answer.status, 200);
        answer.json()
    };
    assert_eq!(clients().await, json!([]));
    let mut fred = place.member("f", "fred", "fred").await;
    publish(&mut fred).await;
    let expected = json!({
        "id": "f", "username": "fred", "permissions": ["present", "message"],
        "address": "127.0.0.1",
        "streams": [{"id": "camera", "label": "camera", "tracks": [
            {"kind": "audio", "codec": "opus"}, {"kind": "video", "codec": "VP8"}]}],
    });
    assert_eq!(clients().await, json!([expected]));
    let one = place.ask("GET", ".groups/watch/.clients/f").send().await;
    assert_eq!(one.json(), expected);
    let operator = place.ask_bare("GET", ".groups/watch/.clients/");
    assert_eq!(operator.basic("vimes", "vimes").status().await, 401);
}

#[tokio::test]
async fn administrators_throw_out_and_mute() {
    let place = Place::start().await;
    let mut fred = place.member("f", "fred", "fred").await;
    let mute = place.ask("POST", ".groups/watch/.clients/f/.mute");
    assert_eq!(mute.status().await, 204);
    let told = fred.until(|message| message["kind"] == "mute").await;
    assert_eq!(
        told,
        json!({"type": "usermessage", "kind": "mute", "dest": "f", "privileged": true})
    );

    let path = ".groups/watch/.clients/f";
    let late = place.ask("DELETE", path).header("If-Match", "\"other\"");
    assert_eq!(late.status().await, 412);
    let kick = place.ask(
        "DELETE",
        ".groups/watch/.clients/f?message=good%20bye%2C+fred",
    );
    assert_eq!(kick.status().await, 204);
    let told = fred.until(|message| message["kind"] == "kicked").await;
    assert_eq!(told["value"], "good bye, fred");
    assert_eq!(fred.closed().await.0, 1000);
    crate::support::until("fred is gone", || async {
        (place.ask("GET", path).status().await == 404).then_some(())
    })
    .await;
    assert_eq!(place.ask("DELETE", path).status().await, 404);
    let methods: Vec<Value> = place
        .audit()
        .iter()
        .map(|line| line["method"].clone())
        .collect();
    assert_eq!(methods, ["POST", "DELETE"]);
}

#[tokio::test]
async fn administrators_end_streams() {
    let place = Place::start().await;
    let mut fred = place.member("f", "fred", "fred").await;
    let mut vimes = place.member("v", "vimes", "vimes").await;
    vimes
        .send(json!({"type": "request", "request": {"": ["audio", "video"]}}))
        .await;
    fred.settle().await;
    publish(&mut fred).await;
    vimes.until(|message| message["type"] == "offer").await;
    let path = ".groups/watch/.clients/f/.streams/camera";
    let wrong = path.replace("/f/", "/v/");
    assert_eq!(place.ask("DELETE", &wrong).status().await, 404);
    assert_eq!(place.ask("DELETE", path).status().await, 204);
    vimes.until(|message| message["type"] == "close").await;
    let told = fred.until(|message| message["type"] == "abort").await;
    assert_eq!(told["id"], "camera");
    assert_eq!(place.ask("DELETE", path).status().await, 404);
    // It may send again.
    publish(&mut fred).await;
    vimes.until(|message| message["type"] == "offer").await;
}

#[tokio::test]
async fn a_whip_session_ends_with_its_stream() {
    let place = Place::start().await;
    let sdp = include_str!("../fixtures/sdp/pion.sdp");
    let post = place.ask_at("POST", "/group/watch/.whip").bearer("tick");
    let made = post.body("application/sdp", sdp).send().await;
    assert_eq!(made.status, 201, "{made:?}");
    let clients = || async {
        let answer = place.ask("GET", ".groups/watch/.clients/").send().await;
        answer.json()
    };
    let client = clients().await[0].clone();
    let part = |value: &Value| value.as_str().expect("an id").to_owned();
    let (id, stream) = (part(&client["id"]), part(&client["streams"][0]["id"]));
    let path = format!(".groups/watch/.clients/{id}/.streams/{stream}");
    assert_eq!(place.ask("DELETE", &path).status().await, 204);
    crate::support::until("its client is gone", || async {
        (clients().await == json!([])).then_some(())
    })
    .await;
}

#[tokio::test]
async fn administrators_lock_and_unlock() {
    let place = Place::start().await;
    let path = ".groups/watch/.lock";
    let mut vimes = place.member("v", "vimes", "vimes").await;
    assert_eq!(place.ask("GET", path).status().await, 404);
    let lock = place.ask("PUT", path).json(r#"{"message": "at night"}"#);
    assert_eq!(lock.status().await, 201);
    vimes
        .until(|message| message["status"]["locked"] == true)
        .await;
    let shown = place.ask("GET", path).send().await;
    assert_eq!(shown.json(), json!({"message": "at night"}));
    let mut fred = place.greet("f").await;
    let refused = fred.join("watch", "fred", "fred").await;
    assert_eq!(refused["value"], "at night");
    let late = place.ask("DELETE", path).header("If-Match", "\"other\"");
    assert_eq!(late.status().await, 412);
    let unlock = place.ask("DELETE", path).header("If-Match", &shown.tag());
    assert_eq!(unlock.status().await, 204);
    assert_eq!(fred.join("watch", "fred", "fred").await["kind"], "join");
}

#[tokio::test]
async fn the_server_says_that_it_is_well() {
    let config = r#"{"canonicalHost": "elsewhere.example"}"#;
    let place = Place::with(config).await;
    for path in ["/healthz", "/readyz"] {
        let answer = crate::support::get(place.server.address(), path).await;
        assert_eq!((answer.status, answer.text()), (200, "ok\n"), "{path}");
    }
}
