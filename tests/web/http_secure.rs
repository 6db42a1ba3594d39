//! HTTPS, and who may open a WebSocket.

use crate::support::{Site, request, request_over, until};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ProtocolVersion, SignatureScheme};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The certificate is the server's own: any is believed.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

async fn connect(
    address: SocketAddr,
    versions: &[&'static rustls::SupportedProtocolVersion],
    protocols: &[&str],
) -> TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let name = ServerName::try_from("localhost").expect("a name");
    let tcp = TcpStream::connect(address).await.expect("a connection");
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .expect("TLS")
}

fn certificate(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream
        .get_ref()
        .1
        .peer_certificates()
        .expect("certificates")[0]
        .to_vec()
}

#[tokio::test]
async fn https() {
    let site = Site::new(&[("groups/open.json", "{}")]);
    let server = site.serve(&[]).await;
    for (versions, expected) in [
        (&[&rustls::version::TLS12] as &[_], ProtocolVersion::TLSv1_2),
        (&[&rustls::version::TLS13], ProtocolVersion::TLSv1_3),
    ] {
        for (offered, chosen) in [
            (&["h2", "http/1.1"] as &[_], Some(&b"h2"[..])),
            (&["http/1.1"], Some(b"http/1.1")),
            (&[], None),
        ] {
            let stream = connect(server.address(), versions, offered).await;
            assert_eq!(stream.get_ref().1.protocol_version(), Some(expected));
            assert_eq!(stream.get_ref().1.alpn_protocol(), chosen);
            if chosen != Some(b"h2") {
                let answer = request_over(stream, "GET", "/group/open/.status", &[]).await;
                assert!(answer.text().contains("https://meet.test:8443/group/open/"));
                assert!(answer.text().contains("wss://meet.test:8443/ws"));
            }
        }
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart() {
    let (site, other) = (Site::new(&[]), Site::new(&[]));
    let server = site.serve(&[]).await;
    other.serve(&[]).await.shutdown().await;
    let seen =
        || async { certificate(&connect(server.address(), &[&rustls::version::TLS13], &[]).await) };
    let first = seen().await;
    for name in ["data/cert.pem", "data/key.pem"] {
        std::fs::copy(other.path(name), site.path(name)).expect("copying");
    }
    until("the new certificate is used", || async {
        (seen().await != first).then_some(())
    })
    .await;
    server.shutdown().await;
}

#[tokio::test]
async fn who_may_open_a_websocket() {
    let site = Site::new(&[(
        "data/config.json",
        r#"{"allowOrigin": ["https://Friend.test"], "proxyURL": "https://proxy.test:444/x/"}"#,
    )]);
    let server = site.serve(&["-insecure"]).await;
    let cases = [
        (None, 101),
        (Some("http://meet.test:8443"), 101),
        (Some("https://MEET.test:8443"), 101),
        (Some("https://friend.TEST"), 101),
        (Some("https://proxy.test:444"), 101),
        (Some("https://meet.test"), 403),
        (Some("https://evil.test"), 403),
        (Some("https://meet.test:8443.evil.test"), 403),
        (Some("http://friend.test"), 403),
        (Some("null"), 403),
    ];
    for (origin, status) in cases {
        let mut headers = vec![
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        headers.extend(origin.map(|origin| ("Origin", origin)));
        // A refused one leaves the connection open: it must be told to close it.
        if status != 101 {
            headers[0].1 = "Upgrade, close";
        }
        let answer = request(server.address(), "GET", "/ws", &headers).await;
        assert_eq!(answer.status, status, "{origin:?}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn another_origin_is_let_in_without_a_restart() {
    let site = Site::new(&[]);
    let server = site.serve(&["-insecure"]).await;
    let open = async || {
        let headers = [
            ("Connection", "Upgrade, close"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Origin", "https://friend.test"),
        ];
        request(server.address(), "GET", "/ws", &headers)
            .await
            .status
    };
    assert_eq!(open().await, 403);
    site.write(
        "data/config.json",
        r#"{"allowOrigin": ["https://friend.test"]}"#,
    );
    until("it is let in", || async {
        (open().await == 101).then_some(())
    })
    .await;
    server.shutdown().await;
}
