//! A server of the test's own, and an HTTP client that sends exactly what it is told: those of
//! libraries clean paths up before anyone sees them.

use perikon::Server;
use perikon::config::{Asked, parse};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The folders of a server.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
}

impl Site {
    /// With these files; their folders are made.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let site = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir_all(site.path("groups")).expect("a folder");
        for (name, content) in files {
            site.write(name, content);
        }
        site
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// The flags that keep a server in these folders and on loopback.
    pub(crate) fn flags(&self) -> Vec<String> {
        let folder = |name| self.path(name).display().to_string();
        [
            ("-http", "127.0.0.1:0".to_owned()),
            ("-data", folder("data")),
            ("-groups", folder("groups")),
            ("-recordings", folder("recordings")),
            ("-media-address", "127.0.0.1".to_owned()),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect()
    }

    /// A server in this process.
    pub(crate) async fn serve(&self, more: &[&str]) -> Server {
        let flags = self
            .flags()
            .into_iter()
            .chain(more.iter().map(|&flag| flag.to_owned()));
        let Ok(Asked::Run(config)) = parse(flags.map(Into::into)) else {
            panic!("good flags")
        };
        Server::start(*config).await.expect("a server")
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header that is there at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let first = found.next();
        assert!(found.next().is_none(), "{name} twice in {self:?}");
        first.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

/// A request, with `Host: HOST` unless the headers name another, over a connection of its own.
pub(crate) async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let stream = TcpStream::connect(address).await.expect("a connection");
    request_over(stream, method, path, headers).await
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, &[]).await
}

/// What `Host` says in the requests of these tests.
pub(crate) const HOST: &str = "meet.test:8443";

pub(crate) async fn request_over(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    request_with_body(stream, method, path, headers, &[]).await
}

/// Says how long the body is, unless there is none.
pub(crate) async fn request_with_body(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        text += &format!("Host: {HOST}\r\n");
    }
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("connection"))
    {
        text += "Connection: close\r\n";
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    let exchange = async {
        stream.write_all(&bytes).await.expect("writing");
        let mut bytes = Vec::new();
        // A connection that was upgraded stays open: its headers are enough.
        while !(is_upgraded(&bytes) && header_end(&bytes).is_some()) {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                // Not every TLS peer says goodbye.
                Ok(0) | Err(_) => break,
                Ok(read) => bytes.extend_from_slice(&chunk[..read]),
            }
        }
        bytes
    };
    let bytes = tokio::time::timeout(PATIENCE, exchange)
        .await
        .expect("an answer in time");
    parse_answer(&bytes)
}

fn is_upgraded(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HTTP/1.1 101")
}

fn header_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n")
}

fn parse_answer(bytes: &[u8]) -> Answer {
    let end = header_end(bytes)
        .unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
    let head = std::str::from_utf8(&bytes[..end]).expect("headers are text");
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .expect("a status line")
        .split(' ')
        .nth(1)
        .expect("a status");
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').expect("a header"))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut body = bytes[end + 4..].to_vec();
    let value = |name: &str| {
        headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    if value("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        body = dechunk(&body);
    }
    Answer {
        status: status.parse().expect("a status"),
        headers,
        body,
    }
}

fn dechunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = bytes
            .windows(2)
            .position(|window| window == b"\r\n")
            .expect("a chunk's length");
        let length = std::str::from_utf8(&bytes[..end]).expect("text");
        let length = usize::from_str_radix(length, 16).expect("a chunk's length");
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&bytes[end + 2..end + 2 + length]);
        bytes = &bytes[end + 2 + length + 2..];
    }
}

/// Asks again until the answer is as wanted, and fails when it never is.
pub(crate) async fn until<F, T>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
