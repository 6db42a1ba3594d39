//! A line between a client and the server that loses packets of media on purpose: a UDP
//! forwarder.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::UdpSocket;
use tokio::sync::OnceCell;

/// The client's end of the line, and what it has lost.
pub(crate) struct Lossy {
    near: Arc<UdpSocket>,
    server: Arc<OnceCell<SocketAddr>>,
    lost: Arc<AtomicU64>,
}

impl Lossy {
    /// Loses every `nth` packet of media from the server, the first time it is sent.
    pub(crate) async fn start(nth: u64) -> Self {
        let near = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let far = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let server: Arc<OnceCell<SocketAddr>> = Arc::default();
        let client: Arc<OnceCell<SocketAddr>> = Arc::default();
        let lost = Arc::new(AtomicU64::new(0));
        tokio::spawn({
            let (near, far) = (Arc::clone(&near), Arc::clone(&far));
            let (server, client) = (Arc::clone(&server), Arc::clone(&client));
            async move {
                let mut buffer = [0; 2_048];
                while let Ok((len, from)) = near.recv_from(&mut buffer).await {
                    client.get_or_init(|| async { from }).await;
                    if let Some(server) = server.get() {
                        far.send_to(&buffer[..len], server).await.unwrap();
                    }
                }
            }
        });
        tokio::spawn({
            let (near, lost) = (Arc::clone(&near), Arc::clone(&lost));
            async move {
                let mut buffer = [0; 2_048];
                let mut seen = HashSet::new();
                while let Ok((len, _)) = far.recv_from(&mut buffer).await {
                    let datagram = &buffer[..len];
                    // RTP, not RTCP (RFC 5761).
                    let media = datagram[0] >> 6 == 2 && !(192..=223).contains(&datagram[1]);
                    let seqno = [datagram[2], datagram[3]];
                    if media && seen.insert(seqno) && (seen.len() as u64).is_multiple_of(nth) {
                        lost.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    if let Some(client) = client.get() {
                        near.send_to(datagram, client).await.unwrap();
                    }
                }
            }
        });
        Self { near, server, lost }
    }

    /// Where the client finds the server instead of where it is.
    pub(crate) async fn in_place_of(&self, server: SocketAddr) -> SocketAddr {
        self.server.get_or_init(|| async { server }).await;
        self.near.local_addr().unwrap()
    }

    /// How many packets it has lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}
