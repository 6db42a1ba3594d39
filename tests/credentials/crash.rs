//! The server is killed in the midst of writing tokens, again and again: what it has acknowledged
//! is there afterwards, and nothing else is broken.

use super::harness::Client;
use super::support::Site;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const GROUP: &str = r#"{"users": {"op": {"password": "op", "permissions": "op"}}}"#;
const ROUNDS: u64 = 25;

/// The program, and where it listens.
fn start(site: &Site) -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_perikon"))
        .args(site.flags())
        .arg("-insecure")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| {
        let line = line.unwrap();
        let (_, rest) = line.split_once("http://")?;
        rest.trim_end_matches('/').parse().ok()
    });
    (child, address.expect("it says where it listens"))
}

/// Reads until the reply to an action comes; `None` when the server is gone.
async fn reply(client: &mut Client) -> Option<Value> {
    use futures_util::StreamExt as _;
    loop {
        let message = client.socket.next().await?.ok()?;
        let text = message.into_text().ok()?;
        let message: Value = serde_json::from_str(&text).ok()?;
        if message["kind"] == "token" {
            assert_eq!(message.get("error"), None, "{message}");
            return Some(message["value"].clone());
        }
    }
}

/// Makes and edits tokens until the server is gone. `known` is what it has acknowledged.
async fn write(
    address: SocketAddr,
    known: &mut BTreeMap<String, String>,
    first: std::sync::mpsc::Sender<()>,
) {
    use futures_util::SinkExt as _;
    let mut client = super::greet(address, "1", Ipv4Addr::LOCALHOST.into(), &[]).await;
    assert_eq!(client.join("g", "op", "op").await["kind"], "join");
    let mut last = None;
    for number in 0_u64.. {
        // The longer the lines, the longer it takes to write them.
        let (action, value) = match (&last, number % 3) {
            (Some(token), 2) => ("edittoken", json!({"token": token, "expires": 7_200_000})),
            _ => (
                "maketoken",
                json!({"group": "g", "expires": 3_600_000, "username": "x".repeat(1000)}),
            ),
        };
        let message = client.group_action(action, &value).to_string();
        let message = tokio_tungstenite::tungstenite::Message::text(message);
        if client.socket.send(message).await.is_err() {
            return;
        }
        let Some(value) = reply(&mut client).await else {
            return;
        };
        let text = |name: &str| value[name].as_str().unwrap().to_owned();
        known.insert(text("token"), text("expires"));
        last = Some(text("token"));
        let _ = first.send(());
    }
}

#[tokio::test]
async fn no_token_is_lost_by_kill_9() {
    let site = Site::new(&[("groups/g.json", GROUP)]);
    let path = site.path("data/var/tokens.jsonl");
    let mut known = BTreeMap::new();
    for round in 0..ROUNDS {
        let (mut child, address) = start(&site);
        let before = known.len();
        // One more moment each time, from the first writes to hundreds of them.
        let (first, written) = std::sync::mpsc::channel();
        let killed = tokio::task::spawn_blocking(move || {
            written.recv().unwrap();
            std::thread::sleep(Duration::from_millis(round * 7));
            child.kill().unwrap();
            child.wait().unwrap()
        });
        write(address, &mut known, first).await;
        killed.await.unwrap();
        assert!(known.len() > before, "round {round}: something was written");

        let file = fs::read_to_string(&path).unwrap();
        let mut found = BTreeMap::new();
        let mut torn = 0;
        for line in file.lines() {
            match serde_json::from_str::<Value>(line) {
                Ok(token) => {
                    let text = |name: &str| token[name].as_str().unwrap().to_owned();
                    found.insert(text("token"), text("expires"));
                }
                Err(_) => torn += 1,
            }
        }
        // Half of a line that was being appended, which no one was told of: one a kill.
        assert!(torn <= round + 1, "round {round}: {torn} lines are broken");
        for (token, expires) in &known {
            let now = found
                .get(token)
                .unwrap_or_else(|| panic!("round {round}: a token is lost"));
            // An edit that was not acknowledged may have been made.
            assert!(now >= expires, "round {round}: an edit is lost");
        }
        assert!(found.len() <= known.len() + 1, "round {round}");
        // It is the next round's business what the file says.
        known = found;
    }
    // And the server reads all of it.
    let (mut child, address) = start(&site);
    let mut client = super::greet(address, "1", Ipv4Addr::LOCALHOST.into(), &[]).await;
    client.join("g", "op", "op").await;
    client.settle().await;
    client.act_on_group("listtokens", json!(null)).await;
    let list = client.until(|message| message["kind"] == "tokenlist").await;
    assert_eq!(list["value"].as_array().unwrap().len(), known.len());
    child.kill().unwrap();
    child.wait().unwrap();
}
