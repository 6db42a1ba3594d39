//! A WebSocket of the public protocol (version 2), over TCP or TLS.

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde_json::Value;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// Why a client cannot go on. The text is meant for the one who tests.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The URL is none.
    #[error("{0:?} is no URL like https://host:8443")]
    Url(String),
    /// The server cannot be reached.
    #[error("cannot connect to {0}: {1}")]
    Connect(String, std::io::Error),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(String),
    /// The server does not speak WebSocket, or stopped.
    #[error("WebSocket: {0}")]
    WebSocket(String),
    /// The server closed the connection.
    #[error("the server closed the connection: {0}")]
    Closed(String),
    /// A message makes no sense.
    #[error("the server sent {0}")]
    Message(String),
    /// The server says no.
    #[error("the server refused: {0}")]
    Refused(String),
    /// Of this machine.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Where a server is.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) host: String,
    port: u16,
    path: String,
    tls: Option<Arc<ClientConfig>>,
}

trait Pipe: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Pipe for T {}

impl Place {
    /// From `http://host:port/path` and the like; `ws` and `wss` do as well.
    ///
    /// # Errors
    /// When it is no URL, or the system's certificates cannot be read.
    pub(crate) fn parse(url: &str, insecure_tls: bool) -> Result<Self, ClientError> {
        let wrong = || ClientError::Url(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (tls, default_port) = match scheme {
            "http" | "ws" => (None, 80),
            "https" | "wss" => (Some(tls_config(insecure_tls)?), 443),
            _ => return Err(wrong()),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (authority, default_port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            path: format!("/{}", path.trim_end_matches('/')),
            tls,
        })
    }

    /// Another path of the same server.
    pub(crate) fn at(&self, path: &str) -> Self {
        Self {
            path: format!("{}{path}", self.path.trim_end_matches('/')),
            ..self.clone()
        }
    }

    /// The `Host` header.
    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    async fn open(&self) -> Result<Box<dyn Pipe>, ClientError> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| ClientError::Connect(self.authority(), error))?;
        tcp.set_nodelay(true)?;
        let Some(config) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|error| ClientError::Tls(error.to_string()))?;
        let tls = TlsConnector::from(Arc::clone(config))
            .connect(name, tcp)
            .await
            .map_err(|error| ClientError::Tls(error.to_string()))?;
        Ok(Box::new(tls))
    }

    /// The local address that leads to the server.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn local_address(&self) -> Result<std::net::IpAddr, ClientError> {
        let failed = |error| ClientError::Connect(self.authority(), error);
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(failed)?;
        Ok(tcp.local_addr().map_err(failed)?.ip())
    }

    /// GET of a small document: status and body.
    ///
    /// # Errors
    /// When the server does not answer in HTTP.
    pub(crate) async fn get(&self) -> Result<(u16, String), ClientError> {
        let mut pipe = self.open().await?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: application/json\r\n\r\n",
            self.path,
            self.authority()
        );
        pipe.write_all(request.as_bytes()).await?;
        let mut reply = Vec::new();
        // Some servers end TLS without goodbye.
        let _ = pipe.take(1 << 20).read_to_end(&mut reply).await;
        let reply = String::from_utf8_lossy(&reply);
        let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
        let status = head
            .split_ascii_whitespace()
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| ClientError::Message("no HTTP".to_owned()))?;
        Ok((status, body.to_owned()))
    }
}

/// A connection that has not said anything yet.
pub(crate) struct Client {
    socket: WebSocketStream<Box<dyn Pipe>>,
}

impl Client {
    /// # Errors
    /// When there is no WebSocket at this place.
    pub(crate) async fn connect(place: &Place) -> Result<Self, ClientError> {
        let pipe = place.open().await?;
        let scheme = if place.tls.is_some() { "wss" } else { "ws" };
        let url = format!("{scheme}://{}{}", place.authority(), place.path);
        let (socket, _) = client_async(url, pipe)
            .await
            .map_err(|error| ClientError::WebSocket(error.to_string()))?;
        Ok(Self { socket })
    }

    /// # Errors
    /// When the connection is gone.
    pub(crate) async fn send(&mut self, message: &Value) -> Result<(), ClientError> {
        self.socket
            .send(Message::text(message.to_string()))
            .await
            .map_err(|error| ClientError::WebSocket(error.to_string()))
    }

    /// The next message. Pings of the protocol are answered.
    ///
    /// # Errors
    /// When the connection is gone, or the message no JSON. Cancelling it loses nothing.
    pub(crate) async fn receive(&mut self) -> Result<Value, ClientError> {
        loop {
            let message = match self.socket.next().await {
                None => return Err(ClientError::Closed("without a word".to_owned())),
                Some(Err(error)) => return Err(ClientError::WebSocket(error.to_string())),
                Some(Ok(message)) => message,
            };
            match message {
                Message::Text(text) => {
                    return serde_json::from_str(&text)
                        .map_err(|error| ClientError::Message(format!("no JSON: {error}")));
                }
                Message::Close(frame) => {
                    let reason = frame.map_or_else(String::new, |frame| {
                        format!("{} {}", u16::from(frame.code), frame.reason)
                    });
                    return Err(ClientError::Closed(reason));
                }
                _ => {}
            }
        }
    }

    /// Says goodbye.
    pub(crate) async fn close(&mut self) {
        // It may be gone already.
        let _ = self.socket.close(None).await;
    }
}

fn tls_config(insecure: bool) -> Result<Arc<ClientConfig>, ClientError> {
    let failed = |error: &dyn std::fmt::Display| ClientError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?;
    let config = if insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        builder.with_root_certificates(roots).with_no_client_auth()
    };
    Ok(Arc::new(config))
}

/// `--insecure-tls`: whoever it is.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
