//! A server in this process, and clients for it.

use futures_util::{SinkExt as _, StreamExt as _};
use perikon::config::{Settings, SettingsFile};
use perikon::group::Registry;
use perikon::net::{Engine, EngineConfig, ShardId};
use perikon::shard::{Event, PeerId};
use perikon::signal::{Limits, State};
use perikon::web::{self, Files};
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Longer than anything takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// An open group: `op` with the password `op` is an operator, everyone else presents.
pub(crate) const OPEN: &str = r#"{
    "users": {"op": {"password": "op", "permissions": "op"}},
    "wildcard-user": {"password": {"type": "wildcard"}, "permissions": "present"}
}"#;

pub(crate) struct Server {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) state: Arc<State>,
    pub(crate) address: SocketAddr,
    pub(crate) events: mpsc::UnboundedSender<(ShardId, Event)>,
}

impl Server {
    /// With group files, and one called `g` that is open.
    pub(crate) async fn start(files: &[(&str, &str)]) -> Self {
        Self::with_limits(files, Limits::default()).await
    }

    pub(crate) async fn with_limits(files: &[(&str, &str)], limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "g.json", OPEN);
        for (name, json) in files {
            write(folder.path(), name, json);
        }
        Self::serve(folder, limits).await
    }

    /// With just the files of a folder.
    pub(crate) async fn in_folder(folder: tempfile::TempDir) -> Self {
        Self::serve(folder, Limits::default()).await
    }

    async fn serve(folder: tempfile::TempDir, limits: Limits) -> Self {
        keep_log();
        let registry = Registry::new(folder.path().to_owned(), false);
        let config = EngineConfig {
            addresses: vec!["127.0.0.1".parse().unwrap()],
            ..EngineConfig::default()
        };
        let (engine, mut real) = Engine::start(&config).unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let real_sender = sender.clone();
        tokio::spawn(async move {
            while let Some(event) = real.recv().await {
                let _ = real_sender.send(event);
            }
        });
        let state = State::with_limits(registry, Arc::new(engine), events, limits);
        let app = web::router(web::State::new(
            Arc::clone(state.registry()),
            Arc::clone(&state),
            Arc::new(SettingsFile::fixed(Settings::default())),
            Files::embedded(),
            None,
            false,
        ));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let app = app.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, app).await.unwrap();
        });
        Self {
            folder,
            state,
            address,
            events: sender,
        }
    }

    /// Lets every peer connection fail, as if its client had vanished.
    pub(crate) fn fail_peers(&self) {
        for peer in (0..100).map(PeerId) {
            let reason = "a test".to_owned();
            let _ = self
                .events
                .send((ShardId(0), Event::Failed { peer, reason }));
        }
    }

    pub(crate) fn write(&self, name: &str, json: &str) {
        write(self.folder.path(), name, json);
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    /// What a GET of a path brings, which must be JSON.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    /// The names of the public groups.
    pub(crate) async fn public(&self) -> Vec<String> {
        let groups = self.get("/public-groups.json").await;
        let groups = groups.as_array().unwrap();
        let name = |group: &Value| group["name"].as_str().unwrap().to_owned();
        groups.iter().map(name).collect()
    }

    /// A client from another address of loopback, that has shaken hands.
    pub(crate) async fn greet_from(&self, address: &str, id: &str) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        let local = SocketAddr::new(address.parse().unwrap(), 0);
        socket.bind(local).unwrap();
        let stream = socket.connect(self.address).await.unwrap();
        let url = format!("ws://{}/ws", self.address);
        let stream = MaybeTlsStream::Plain(stream);
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
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

    /// A client that has said nothing yet.
    pub(crate) async fn connect(&self) -> Client {
        let url = format!("ws://{}/ws", self.address);
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Client {
            socket,
            id: String::new(),
            username: String::new(),
        }
    }

    /// A client that has shaken hands.
    pub(crate) async fn greet(&self, id: &str) -> Client {
        let mut client = self.connect().await;
        client.id = id.into();
        client
            .send(json!({"type": "handshake", "version": ["2"], "id": id}))
            .await;
        assert_eq!(
            client.next().await,
            json!({"type": "handshake", "version": ["2"]})
        );
        client
    }

    /// A client in the group `g`, which has read everything that it was told.
    pub(crate) async fn join(&self, id: &str, username: &str) -> Client {
        let mut client = self.greet(id).await;
        let joined = client.join("g", username, username).await;
        assert_eq!(joined["kind"], "join", "{joined}");
        client.settle().await;
        client
    }
}

pub(crate) fn write(folder: &Path, name: &str, json: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, json).unwrap();
}

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) id: String,
    pub(crate) username: String,
}

impl Client {
    pub(crate) async fn send(&mut self, message: Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        tokio::time::timeout(DEADLINE, self.socket.send(message))
            .await
            .unwrap()
            .unwrap();
    }

    async fn frame(&mut self) -> Message {
        tokio::time::timeout(DEADLINE, self.socket.next())
            .await
            .expect("the server says nothing")
            .expect("the connection is closed")
            .unwrap()
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Value {
        match self.frame().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("not a message: {other:?}"),
        }
    }

    /// The close frame, which must be the next thing.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        match self.frame().await {
            Message::Close(Some(frame)) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("not a close frame: {other:?}"),
        }
    }

    /// The error that it is told, and then the close frame.
    pub(crate) async fn told_and_closed(&mut self) -> (Value, u16, String) {
        let told = self.next().await;
        assert_eq!(told["type"], "usermessage");
        assert_eq!(told["kind"], "error");
        assert_eq!(told["privileged"], true);
        assert_eq!(told["dest"], self.id.as_str());
        let (code, reason) = self.closed().await;
        (told["value"].clone(), code, reason)
    }

    /// Sends something that is refused, and returns why.
    pub(crate) async fn refused(&mut self, message: Value) -> String {
        self.send(message).await;
        let told = self.next().await;
        let value = told["value"]
            .as_str()
            .unwrap_or_else(|| panic!("{told}"))
            .to_owned();
        assert_eq!(
            told,
            json!({"type": "usermessage", "kind": "error", "dest": self.id, "privileged": true,
                   "value": value})
        );
        value
    }

    /// Everything the server had to say up to now, in order.
    pub(crate) async fn settle(&mut self) -> Vec<Value> {
        self.send(json!({"type": "ping"})).await;
        let mut messages = Vec::new();
        loop {
            let message = self.next().await;
            if message["type"] == "pong" {
                return messages;
            }
            messages.push(message);
        }
    }

    /// Reads until a message fits, and returns it.
    pub(crate) async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < deadline, "it does not come");
            let message = self.next().await;
            if fits(&message) {
                return message;
            }
        }
    }

    /// Joins, and returns the reply.
    pub(crate) async fn join(&mut self, group: &str, username: &str, password: &str) -> Value {
        self.username = username.into();
        self.send(
            json!({"type": "join", "kind": "join", "group": group, "username": username,
                         "password": password}),
        )
        .await;
        self.next().await
    }

    /// Says something.
    pub(crate) async fn say(&mut self, value: &str) {
        self.send(
            json!({"type": "chat", "source": self.id, "username": self.username,
                         "value": value}),
        )
        .await;
    }

    pub(crate) async fn act_on_user(&mut self, kind: &str, dest: &str, value: Value) {
        let message = self.user_action(kind, dest, &value);
        self.send(message).await;
    }

    pub(crate) fn user_action(&self, kind: &str, dest: &str, value: &Value) -> Value {
        json!({"type": "useraction", "kind": kind, "source": self.id,
               "username": self.username, "dest": dest, "value": value})
    }

    pub(crate) async fn act_on_group(&mut self, kind: &str, value: Value) {
        let message = self.group_action(kind, &value);
        self.send(message).await;
    }

    pub(crate) fn group_action(&self, kind: &str, value: &Value) -> Value {
        json!({"type": "groupaction", "kind": kind, "source": self.id,
               "username": self.username, "value": value})
    }
}

/// All that was logged in this process.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn keep_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(|| LogWriter)
            .init();
    });
}

/// The lines of the log with this text.
pub(crate) fn logged(text: &str) -> Vec<String> {
    let log = String::from_utf8_lossy(&LOG.lock().unwrap()).into_owned();
    log.lines()
        .filter(|line| line.contains(text))
        .map(str::to_owned)
        .collect()
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut test: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !test() {
        assert!(
            Instant::now() < deadline,
            "{what}: it does not come to pass"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Takes the `time` out of a message, and sees that it is one.
pub(crate) fn without_time(mut message: Value) -> Value {
    let time = message
        .as_object_mut()
        .unwrap()
        .remove("time")
        .expect("a time");
    let time = time.as_str().unwrap();
    assert_eq!(time.len(), "2026-01-01T00:00:00Z".len(), "{time}");
    let time: jiff::Timestamp = time.parse().unwrap();
    let age = jiff::Timestamp::now().as_second() - time.as_second();
    assert!((0..60).contains(&age), "{age} seconds old");
    message
}
