//! What signalling costs: joins, and chat to everyone of a large group, through the real web
//! server over loopback. Server and clients share the machine: the server's CPU time, which is
//! counted by its threads, says more than messages a second.
//!
//! `cargo bench --bench signal`; its last line is JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench may fail"
)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

use futures_util::{SinkExt as _, StreamExt as _};
use perikon::Server;
use perikon::config::{self, Asked};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Members of the large group.
const CLIENTS: usize = 1_000;
/// Members of each small group.
const SMALL: usize = 10;
/// Clients that join at the same time.
const AT_ONCE: usize = 50;
/// Messages that are said to the large group, and how many before all are read.
const CHATS: u64 = 300;
const WINDOW: u64 = 10;
const DEADLINE: Duration = Duration::from_secs(60);
/// What the server's threads are called.
const NAME: &str = "server";
const GROUP: &str = r#"{
    "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}
}"#;

type Socket = WebSocketStream<TcpStream>;

/// CPU time of the server's threads so far.
fn server_cpu() -> Duration {
    let mut total = 0;
    for thread in fs::read_dir("/proc/self/task").unwrap().flatten() {
        let read = |name| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
        if read("comm").trim() == NAME {
            let time = read("schedstat");
            total += time.split(' ').next().unwrap().parse::<u64>().unwrap();
        }
    }
    Duration::from_nanos(total)
}

/// Waits until the server has nothing more to do.
async fn quiet() {
    loop {
        let before = server_cpu();
        tokio::time::sleep(Duration::from_millis(100)).await;
        if server_cpu() - before < Duration::from_millis(2) {
            return;
        }
    }
}

/// What all clients have read.
#[derive(Default)]
struct Counts {
    all: AtomicU64,
    chats: AtomicU64,
}

impl Counts {
    async fn until(&self, what: &str, count: &AtomicU64, wanted: u64) {
        let deadline = Instant::now() + DEADLINE;
        while count.load(Ordering::Relaxed) < wanted {
            assert!(Instant::now() < deadline, "{what} do not arrive");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn say(socket: &mut Socket, message: Value) {
    let message = Message::text(message.to_string());
    socket.send(message).await.unwrap();
}

/// A client that has joined, and was told so.
async fn join(address: SocketAddr, group: String, number: usize) -> Socket {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let url = format!("ws://{address}/ws");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    let id = format!("client{number}");
    say(
        &mut socket,
        json!({"type": "handshake", "version": ["2"], "id": id}),
    )
    .await;
    let name = format!("name{number}");
    say(
        &mut socket,
        json!({"type": "join", "kind": "join", "group": group, "username": name, "password": ""}),
    )
    .await;
    loop {
        let message = socket.next().await.unwrap().unwrap().into_text().unwrap();
        let message: Value = serde_json::from_str(&message).unwrap();
        if message["type"] == "joined" {
            assert_eq!(message["kind"], "join", "{message}");
            return socket;
        }
    }
}

/// Everybody joins the group that `group` says. Those who are inside read what they are told.
async fn join_all(
    address: SocketAddr,
    counts: &Arc<Counts>,
    group: impl Fn(usize) -> String,
) -> (
    Vec<futures_util::stream::SplitSink<Socket, Message>>,
    JoinSet<()>,
) {
    let (mut joining, mut sinks, mut reading) = (JoinSet::new(), Vec::new(), JoinSet::new());
    let mut begun = 0;
    while sinks.len() < CLIENTS {
        while begun < CLIENTS && joining.len() < AT_ONCE {
            joining.spawn(join(address, group(begun), begun));
            begun += 1;
        }
        let (sink, mut stream) = joining.join_next().await.unwrap().unwrap().split();
        sinks.push(sink);
        let counts = Arc::clone(counts);
        reading.spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                counts.all.fetch_add(1, Ordering::Relaxed);
                if let Message::Text(text) = message
                    && text.starts_with(r#"{"type":"chat""#)
                {
                    counts.chats.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    (sinks, reading)
}

/// How fast something was done, by the wall and by the server's CPU time.
struct Rate {
    per_second: f64,
    cpu_us: f64,
}

/// A stretch of time that is measured.
struct Stretch(Instant, Duration);

impl Stretch {
    fn begin() -> Self {
        Self(Instant::now(), server_cpu())
    }

    fn end(&self, count: f64) -> Rate {
        Rate {
            per_second: count / self.0.elapsed().as_secs_f64(),
            cpu_us: (server_cpu() - self.1).as_secs_f64() * 1e6 / count,
        }
    }
}

fn print(what: &str, rate: &Rate) {
    println!("{what:<44} {:>10.0} {:>13.2}", rate.per_second, rate.cpu_us);
}

async fn measure(address: SocketAddr) -> [Rate; 4] {
    let people = CLIENTS as f64;
    let counts = Arc::new(Counts::default());
    let stretch = Stretch::begin();
    let small = join_all(address, &counts, |at| format!("small{}", at / SMALL)).await;
    let small_joins = stretch.end(people);
    print(&format!("joins, groups of {SMALL}"), &small_joins);
    drop(small);
    quiet().await;

    let counts = Arc::new(Counts::default());
    let stretch = Stretch::begin();
    let (mut sinks, _reading) = join_all(address, &counts, |_| "large".to_owned()).await;
    // Each has heard of every other, before or after it came.
    let users = (CLIENTS * CLIENTS) as u64;
    counts.until("members", &counts.all, users).await;
    let large_joins = stretch.end(people);
    let members = stretch.end(counts.all.load(Ordering::Relaxed) as f64);
    print(&format!("joins, one group of {CLIENTS}"), &large_joins);
    print("  messages of which: who is here", &members);

    let message = json!({"type": "chat", "value": "x".repeat(100)});
    let stretch = Stretch::begin();
    for said in 1..=CHATS {
        let message = Message::text(message.to_string());
        sinks[0].send(message).await.unwrap();
        if said % WINDOW == 0 {
            counts
                .until("chats", &counts.chats, said * CLIENTS as u64)
                .await;
        }
    }
    let chats = stretch.end((CHATS * CLIENTS as u64) as f64);
    print(&format!("chat, delivered to {CLIENTS} each"), &chats);
    [small_joins, large_joins, members, chats]
}

fn runtime(name: &str) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).thread_name(name).enable_all();
    builder.build().unwrap()
}

fn main() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let sub = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    let groups = sub("groups");
    let names = (0..CLIENTS / SMALL).map(|at| format!("small{at}"));
    for name in names.chain(["large".to_owned()]) {
        fs::write(groups.join(format!("{name}.json")), GROUP).unwrap();
    }
    let arguments = [
        "-http".into(),
        "127.0.0.1:0".into(),
        "-insecure".into(),
        "-groups".into(),
        groups.into_os_string(),
        "-data".into(),
        sub("data").into_os_string(),
        "-recordings".into(),
        sub("recordings").into_os_string(),
        "--media-address".into(),
        "127.0.0.1".into(),
    ];
    let Asked::Run(config) = config::parse(arguments).unwrap() else {
        panic!("not asked to run");
    };
    let (serving, asking) = (runtime(NAME), runtime("clients"));
    let server = serving.block_on(Server::start(*config)).unwrap();
    println!("{:<44} {:>10} {:>13}", "", "/s", "server CPU µs");
    let [small, large, members, chats] = asking.block_on(measure(server.address()));
    asking.shutdown_background();
    serving.block_on(server.shutdown());
    println!(
        "{{\"bench\":\"signal\",\"clients\":{CLIENTS},\"joins_per_second\":{:.0},\
         \"join_cpu_us\":{:.1},\"large_group_join_cpu_us\":{:.1},\
         \"member_message_cpu_us\":{:.2},\"chat_messages_per_second\":{:.0},\
         \"chat_message_cpu_us\":{:.2}}}",
        small.per_second,
        small.cpu_us,
        large.cpu_us,
        members.cpu_us,
        chats.per_second,
        chats.cpu_us,
    );
}
