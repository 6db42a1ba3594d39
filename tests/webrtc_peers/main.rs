//! Real WebRTC peers, of the `webrtc` crate, over real sockets on loopback: what is published
//! arrives.

// Test helpers may panic like tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod lossy;
mod member;
mod whip;

use lossy::Lossy;
use member::{Member, Peer, VIDEO_SSRC, video_packet};
use perikon::Server;
use perikon::config::{Asked, parse};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::time::{interval, timeout};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn server(folder: &tempfile::TempDir) -> Server {
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir_all(folder.path().join("groups")).unwrap();
    std::fs::write(
        folder.path().join("groups/g.json"),
        r#"{"wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}}"#,
    )
    .unwrap();
    let flags = [
        ("-http", "127.0.0.1:0".to_owned()),
        ("-data", path("data")),
        ("-groups", path("groups")),
        ("-recordings", path("recordings")),
        ("-media-address", "127.0.0.1".to_owned()),
    ];
    let flags = flags
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value]);
    let flags = flags.chain(["-insecure".to_owned()]);
    let Ok(Asked::Run(config)) = parse(flags.map(Into::into)) else {
        panic!("good flags")
    };
    Server::start(*config).await.unwrap()
}

/// Publishes so many packets, a frame of three at a time, once everyone is connected.
async fn publish(publisher: &Peer, packets: u64) {
    publish_from(publisher, 0, packets).await;
}

/// The same, with payloads that are numbered from `first`.
async fn publish_from(publisher: &Peer, first: u64, packets: u64) {
    let mut frames = interval(Duration::from_millis(20));
    for number in first..first + packets {
        if number % 3 == 0 {
            frames.tick().await;
        }
        publisher.send(video_packet(number)).await;
    }
}

/// Waits until the receiver has this many different packets.
async fn received(receiver: &Peer, packets: usize) {
    let deadline = Instant::now() + PATIENCE;
    while receiver.packets().len() < packets {
        assert!(
            Instant::now() < deadline,
            "{} of {packets} packets arrived",
            receiver.packets().len()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The numbers in the payloads, by sequence number; the payloads must be what was sent.
fn by_seqno(receiver: &Peer) -> BTreeMap<u16, Vec<u64>> {
    let mut numbers: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
    for packet in receiver.packets() {
        let number = u64::from_be_bytes(packet.payload[11..19].try_into().unwrap());
        let sent = video_packet(number);
        assert_eq!(packet.payload, sent.payload, "packet {number} was changed");
        assert_eq!(packet.header.marker, sent.header.marker);
        assert_eq!(packet.header.timestamp, sent.header.timestamp);
        assert_ne!(
            packet.header.ssrc, VIDEO_SSRC,
            "the server sends under an SSRC of its own"
        );
        numbers
            .entry(packet.header.sequence_number)
            .or_default()
            .push(number);
    }
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_receivers_get_every_packet_once_and_in_order() {
    const PACKETS: u64 = 600;
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let mut publisher = Member::join(server.address(), "publisher").await;
    let mut receivers = Vec::new();
    for number in 0..10 {
        let receiver = Member::join(server.address(), &format!("receiver-{number}")).await;
        receiver.request_all().await;
        receivers.push(receiver);
    }
    publisher.publish().await;
    for receiver in &mut receivers {
        timeout(PATIENCE, receiver.accept_stream(None))
            .await
            .unwrap();
    }
    for member in receivers.iter().chain([&publisher]) {
        timeout(PATIENCE, member.peer.connected()).await.unwrap();
    }
    publish(&publisher.peer, PACKETS).await;
    for receiver in &receivers {
        received(&receiver.peer, PACKETS as usize).await;
        let order: Vec<u64> = receiver
            .peer
            .packets()
            .iter()
            .map(|packet| u64::from_be_bytes(packet.payload[11..19].try_into().unwrap()))
            .collect();
        assert_eq!(order, (0..PACKETS).collect::<Vec<_>>());
        let numbers = by_seqno(&receiver.peer);
        assert_eq!(
            numbers.len() as u64,
            PACKETS,
            "one sequence number a packet"
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_on_the_way_down_is_repaired() {
    const PACKETS: u64 = 600;
    let folder = tempfile::tempdir().unwrap();
    let server = server(&folder).await;
    let mut publisher = Member::join(server.address(), "publisher").await;
    let mut receiver = Member::join(server.address(), "receiver").await;
    receiver.request_all().await;
    publisher.publish().await;
    // Every 17th packet of media that the server sends is lost the first time.
    let line = Lossy::start(17).await;
    timeout(PATIENCE, receiver.accept_stream(Some(&line)))
        .await
        .unwrap();
    for member in [&receiver, &publisher] {
        timeout(PATIENCE, member.peer.connected()).await.unwrap();
    }
    publish(&publisher.peer, PACKETS).await;
    // The last ones show the receiver that something before them is missing.
    received(&receiver.peer, PACKETS as usize - 20).await;
    let first = PACKETS - 20;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let numbers: std::collections::BTreeSet<u64> =
            by_seqno(&receiver.peer).into_values().flatten().collect();
        // The crate asks for nothing before it has found out which track the packets are of.
        let missing: Vec<u64> = (100..first)
            .filter(|number| !numbers.contains(number))
            .collect();
        if missing.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "never repaired: {missing:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        line.lost() >= 30,
        "only {} packets were lost on purpose",
        line.lost()
    );
    for (seqno, numbers) in by_seqno(&receiver.peer) {
        assert!(
            numbers.windows(2).all(|pair| pair[0] == pair[1]),
            "sequence number {seqno} stood for {numbers:?}"
        );
    }
    server.shutdown().await;
}
