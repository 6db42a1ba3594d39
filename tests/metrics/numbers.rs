//! The numbers are those that peers counted.

use crate::lossy::Lossy;
use crate::member::{Member, video_packet};
use crate::scrape::{Scrape, scrape};
use crate::{PATIENCE, promtool, server};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::Message;

const PACKETS: u64 = 600;

/// Scrapes until the figures are as they should be.
async fn until(server: SocketAddr, what: &str, good: impl Fn(&Scrape) -> bool) -> Scrape {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let scrape = scrape(server).await;
        if good(&scrape) {
            return scrape;
        }
        assert!(Instant::now() < deadline, "never {what}:\n{}", scrape.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many different packets of the publisher a member has.
fn received(member: &Member) -> u64 {
    let packets = member.peer.packets();
    let numbers: BTreeSet<&[u8]> = packets.iter().map(|one| &one.payload[11..19]).collect();
    numbers.len() as u64
}

fn media(name: &str, direction: &str) -> String {
    format!("perikon_{name}{{direction=\"{direction}\",kind=\"video\",codec=\"VP8\"}}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_agrees_with_what_peers_counted() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder, "{}").await;
    let at = server.address();
    let first = scrape(at).await;
    promtool::accepts(&["check", "metrics"], &first.text);
    // A rate needs a beginning.
    assert_eq!(first.get(&media("rtp_packets_total", "in")), 0.0);
    assert_eq!(first.sum("perikon_clients"), 0.0);

    let mut publisher = Member::join(at, "publisher").await;
    let mut receivers = Vec::new();
    for number in 0..3 {
        let receiver = Member::join(at, &format!("receiver-{number}")).await;
        receiver.request_all().await;
        receivers.push(receiver);
    }
    publisher.publish().await;
    // Every 17th packet of media to the first receiver is lost the first time.
    let line = Lossy::start(17).await;
    for (number, receiver) in receivers.iter_mut().enumerate() {
        let line = (number == 0).then_some(&line);
        timeout(PATIENCE, receiver.accept_stream(line))
            .await
            .unwrap();
    }
    for member in receivers.iter().chain([&publisher]) {
        timeout(PATIENCE, member.peer.connected()).await.unwrap();
    }

    // Scraped while media flows, nothing falls.
    let mut before = first;
    let mut frames = interval(Duration::from_millis(20));
    for number in 0..PACKETS {
        if number % 3 == 0 {
            frames.tick().await;
        }
        publisher.peer.send(video_packet(number)).await;
        if number % 100 == 50 {
            let now = scrape(at).await;
            promtool::accepts(&["check", "metrics"], &now.text);
            now.assert_grown_since(&before);
            before = now;
        }
    }
    let all = PACKETS as f64;
    let seen = until(at, "all packets out", |scrape| {
        scrape.get(&media("rtp_packets_total", "out")) >= 3.0 * all
    })
    .await;
    seen.assert_grown_since(&before);
    let deadline = Instant::now() + PATIENCE;
    while receivers.iter().skip(1).any(|one| received(one) < PACKETS) {
        assert!(Instant::now() < deadline, "packets are missing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // In and out, packet by packet.
    assert_eq!(seen.get(&media("rtp_packets_total", "in")), all);
    assert_eq!(seen.get(&media("rtp_packets_total", "out")), 3.0 * all);
    assert_eq!(seen.get(&media("rtp_lost_packets_total", "in")), 0.0);
    assert_eq!(seen.get(&media("rtp_keyframes_total", "in")), 4.0);
    assert_eq!(seen.get(&media("rtp_keyframes_total", "out")), 12.0);
    assert_eq!(seen.sum("perikon_rtp_packets_total"), 4.0 * all);
    let payload = video_packet(0).payload.len() as f64;
    for (direction, packets) in [("in", all), ("out", 3.0 * all)] {
        let bytes = seen.get(&media("rtp_bytes_total", direction)) / packets - payload;
        // A header, and perhaps extensions.
        assert!(
            (12.0..60.0).contains(&bytes),
            "{direction}: header of {bytes} bytes"
        );
    }
    assert_eq!(seen.get(&media("tracks", "in")), 1.0);
    assert_eq!(seen.get(&media("tracks", "out")), 3.0);
    for (direction, count) in [("in", 1.0), ("out", 3.0)] {
        let connected =
            format!("perikon_peer_connections{{direction=\"{direction}\",state=\"connected\"}}");
        assert_eq!(seen.get(&connected), count);
        let connects = "perikon_connect_duration_seconds_count";
        assert_eq!(
            seen.get(&format!("{connects}{{direction=\"{direction}\"}}")),
            count
        );
    }
    assert_eq!(seen.sum("perikon_peer_connections"), 4.0);
    assert_eq!(seen.sum("perikon_shard_peer_connections"), 4.0);

    // People.
    for (name, count) in [
        ("perikon_populated_groups", 1.0),
        ("perikon_clients", 4.0),
        ("perikon_waiting_clients", 0.0),
        ("perikon_streams", 1.0),
        ("perikon_connections{protocol=\"websocket\"}", 4.0),
        ("perikon_connections{protocol=\"whip\"}", 0.0),
        ("perikon_joins_total{result=\"joined\"}", 4.0),
        ("perikon_joins_total{result=\"refused\"}", 0.0),
        ("perikon_join_duration_seconds_count", 4.0),
        ("perikon_connection_failures_total", 0.0),
    ] {
        assert_eq!(seen.get(name), count, "{name}");
    }

    // What the lossy line took was asked for again. The crate asks for nothing before it has
    // found out which track the packets are of.
    let repaired = until(at, "repaired", |scrape| {
        scrape.get(&media("rtp_repaired_packets_total", "out")) >= 20.0
    })
    .await;
    let nacked = repaired.get(&media("rtp_nacked_packets_total", "out"));
    assert!(nacked >= repaired.get(&media("rtp_repaired_packets_total", "out")));
    assert!(line.lost() >= 30, "{} were lost on purpose", line.lost());

    // The sockets carried that, and little else.
    let received = repaired.sum("perikon_shard_received_datagrams_total");
    let sent = repaired.sum("perikon_shard_sent_datagrams_total");
    assert!(
        (all..3.0 * all).contains(&received),
        "{received} datagrams in"
    );
    assert!(
        (3.0 * all..5.0 * all).contains(&sent),
        "{sent} datagrams out"
    );
    let calls = repaired.sum("perikon_shard_send_calls_total");
    assert!(
        (1.0..=sent).contains(&calls),
        "{calls} calls for {sent} datagrams"
    );
    assert!(repaired.sum("perikon_shard_sent_bytes_total") > 3.0 * all * payload);
    assert!(repaired.sum("perikon_shard_received_bytes_total") > all * payload);
    let batches = repaired.sum("perikon_forwarding_latency_seconds_count");
    assert!((100.0..3.0 * all).contains(&batches), "{batches} batches");
    let seconds = repaired.sum("perikon_forwarding_latency_seconds_sum");
    assert!(seconds > 0.0 && seconds / batches < 0.5, "{seconds} s");
    assert!(repaired.sum("perikon_shard_busy_seconds_total") > 0.0);
    assert!(repaired.sum("perikon_shard_wakeups_total") > 100.0);
    let timers = repaired.sum("perikon_shard_timers_total");
    assert!(timers > 0.0);

    // The process is this one.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    let ratio = repaired.get("process_resident_memory_bytes") / (kilobytes * 1_024.0);
    assert!((0.5..2.0).contains(&ratio), "{ratio} of the memory");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let age = now.unwrap().as_secs_f64() - repaired.get("process_start_time_seconds");
    assert!((-2.0..600.0).contains(&age), "started {age} s ago");
    assert!(repaired.get("process_cpu_seconds_total") > 0.0);
    assert!(repaired.get("process_open_fds") < repaired.get("process_max_fds"));

    // Who goes takes nothing of the sums along.
    drop(receivers);
    drop(publisher);
    let empty = until(at, "empty", |scrape| {
        scrape.sum("perikon_peer_connections") == 0.0
    })
    .await;
    empty.assert_grown_since(&repaired);
    assert_eq!(empty.get(&media("rtp_packets_total", "out")), 3.0 * all);
    assert_eq!(empty.sum("perikon_tracks"), 0.0);
    assert_eq!(empty.sum("perikon_clients"), 0.0);
    assert_eq!(empty.sum("perikon_connections"), 0.0);
    promtool::accepts(&["check", "metrics"], &empty.text);
    server.shutdown().await;
}

/// Wants to join a group without a password. Returns the kind of answer.
async fn knock(server: SocketAddr, group: &str) -> String {
    let url = format!("ws://{server}/ws");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    for message in [
        json!({"type": "handshake", "version": ["2"], "id": "x"}),
        json!({"type": "join", "kind": "join", "group": group, "username": "x", "password": ""}),
    ] {
        let text = Message::text(message.to_string());
        socket.send(text).await.unwrap();
    }
    loop {
        let next = timeout(PATIENCE, socket.next()).await.unwrap();
        let message = next.expect("the server hung up").unwrap();
        let Message::Text(text) = message else {
            continue;
        };
        let message: Value = serde_json::from_str(&text).unwrap();
        if message["type"] == "joined" {
            return message["kind"].as_str().unwrap().to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_that_lead_nowhere_count_too() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder, "{}").await;
    for (name, text) in [
        (
            "closed",
            r#"{"users": {"ann": {"password": "x", "permissions": "op"}}}"#,
        ),
        (
            "moved",
            r#"{"redirect": "https://elsewhere.example/group/moved/"}"#,
        ),
    ] {
        std::fs::write(folder.path().join(format!("groups/{name}.json")), text).unwrap();
    }
    for (group, answer) in [
        ("closed", "fail"),
        ("moved", "redirect"),
        ("nowhere", "fail"),
    ] {
        let kind = knock(server.address(), group).await;
        assert_eq!(kind, answer, "{group}");
    }
    let seen = scrape(server.address()).await;
    assert_eq!(seen.get("perikon_joins_total{result=\"refused\"}"), 2.0);
    assert_eq!(seen.get("perikon_joins_total{result=\"redirected\"}"), 1.0);
    assert_eq!(seen.get("perikon_joins_total{result=\"joined\"}"), 0.0);
    assert_eq!(seen.get("perikon_join_duration_seconds_count"), 0.0);
    server.shutdown().await;
}
