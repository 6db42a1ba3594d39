//! One thread: its sockets, its clock, its shard.

use super::figures::Counts;
use super::link::{Inbox, Links, Message};
use super::mmsg::{self, Reader};
use crate::shard::{Batch, Command, Event, Shard, ShardId, ShardStats};
use crate::transport::Path;
use mio::{Events, Interest, Token};
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Commands taken before media has its turn again.
const MAX_COMMANDS: usize = 8;

/// Packets of other shards taken before the sockets have their turn again.
const MAX_RELAYED: usize = 256;
/// Over how long the load is measured.
const LOAD_INTERVAL: Duration = Duration::from_millis(500);

/// How busy a thread is, for whoever places groups and clients.
#[derive(Debug, Default)]
pub(super) struct Load {
    busy: AtomicU32,
    peers: AtomicUsize,
}

impl Load {
    /// The share of its time that it works, in thousandths, and its peers.
    pub(super) fn read(&self) -> (u32, usize) {
        (
            self.busy.load(Ordering::Relaxed),
            self.peers.load(Ordering::Relaxed),
        )
    }
}

/// Everything the thread owns.
pub(super) struct Driver {
    id: ShardId,
    shard: Shard,
    sockets: Vec<Socket>,
    inbox: Inbox,
    links: Links,
    events: mpsc::UnboundedSender<(ShardId, Event)>,
    load: Arc<Load>,
    counts: Counts,
    idle: Duration,
    load_since: Instant,
    reader: Reader,
    batch: Batch,
    stats: HashMap<u64, oneshot::Sender<ShardStats>>,
    next_token: u64,
    more_messages: bool,
}

struct Socket {
    /// Kept open as long as its descriptor is used.
    socket: mio::net::UdpSocket,
    fd: RawFd,
    readable: bool,
    segmentation: bool,
}

impl Driver {
    pub(super) fn new(
        id: ShardId,
        shard: Shard,
        sockets: Vec<UdpSocket>,
        inbox: Inbox,
        links: Links,
        events: mpsc::UnboundedSender<(ShardId, Event)>,
        load: Arc<Load>,
    ) -> io::Result<Self> {
        let sockets = sockets
            .into_iter()
            .enumerate()
            .map(|(at, socket)| {
                let fd = socket.as_raw_fd();
                let mut socket = mio::net::UdpSocket::from_std(socket);
                inbox
                    .poll
                    .registry()
                    .register(&mut socket, Token(at), Interest::READABLE)?;
                if !mmsg::enable_gro(fd) {
                    tracing::info!("this kernel does not put datagrams together (UDP_GRO)");
                }
                Ok(Socket {
                    socket,
                    fd,
                    readable: true,
                    segmentation: true,
                })
            })
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            id,
            shard,
            sockets,
            inbox,
            links,
            events,
            load,
            counts: Counts::new(Instant::now()),
            idle: Duration::ZERO,
            load_since: Instant::now(),
            reader: Reader::new(),
            batch: Batch::new(),
            stats: HashMap::new(),
            next_token: 0,
            more_messages: false,
        })
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        let mut ready = Events::with_capacity(64);
        loop {
            let more = self.more_messages
                || self.sockets.iter().any(|socket| socket.readable)
                || self.links.from.iter().any(|ring| !ring.is_empty());
            let timeout = if more {
                Some(Duration::ZERO)
            } else {
                self.timeout()
            };
            let waited = Instant::now();
            match self.inbox.poll.poll(&mut ready, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "the media thread cannot wait for datagrams");
                    return;
                }
            }
            self.measure(waited);
            for event in &ready {
                if let Some(socket) = self.sockets.get_mut(event.token().0) {
                    socket.readable = true;
                }
            }
            for at in 0..self.sockets.len() {
                self.read(at);
            }
            let now = Instant::now();
            self.take_relayed(now);
            if !self.take_messages(now) {
                self.flush(now);
                return;
            }
            self.shard.handle_timeout(now);
            self.flush(now);
            self.tell();
        }
    }

    /// Waiting has ended that began at `waited`.
    fn measure(&mut self, waited: Instant) {
        let now = Instant::now();
        self.idle += now - waited;
        self.counts.woke(now - waited);
        let elapsed = now - self.load_since;
        if elapsed >= LOAD_INTERVAL {
            let busy = elapsed.saturating_sub(self.idle).as_micros() * 1_000 / elapsed.as_micros();
            self.load.busy.store(busy as u32, Ordering::Relaxed);
            self.load.peers.store(self.shard.peers(), Ordering::Relaxed);
            self.load_since = now;
            self.idle = Duration::ZERO;
        }
    }

    /// Packets that other shards have received.
    fn take_relayed(&mut self, now: Instant) {
        let Self {
            links,
            shard,
            batch,
            sockets,
            counts,
            ..
        } = self;
        let mut out = Out {
            batch,
            sockets,
            counts,
            forwards: true,
        };
        let mut any = false;
        for at in 0..links.from.len() {
            for _ in 0..MAX_RELAYED {
                let Ok(packet) = links.from[at].pop() else {
                    break;
                };
                let len = usize::from(packet.header.meta.len);
                shard.handle_relay(now, &packet.header, &packet.bytes[..len]);
                any = true;
                if shard.wants_flush() {
                    out.flush(now, shard, links);
                }
            }
        }
        if any {
            out.flush(now, shard, links);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        self.shard
            .poll_timeout()
            .map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// One read of a socket, and the sending of what it leads to.
    fn read(&mut self, at: usize) {
        let Some(socket) = self.sockets.get_mut(at) else {
            return;
        };
        if !socket.readable {
            return;
        }
        match self.reader.read(socket.fd) {
            Ok(more) => {
                self.counts.sockets.receive_calls += 1;
                socket.readable = more;
            }
            Err(error) => {
                // Only a full read leaves doubt; an error of the network is not of the socket.
                socket.readable = false;
                if error.kind() != io::ErrorKind::WouldBlock {
                    tracing::debug!(%error, "receive");
                    socket.readable = true;
                }
                return;
            }
        }
        let now = Instant::now();
        let Self {
            reader,
            shard,
            batch,
            sockets,
            links,
            counts,
            ..
        } = self;
        let mut out = Out {
            batch,
            sockets,
            counts,
            forwards: true,
        };
        reader.datagrams(|remote, data| {
            out.counts.received(data.len());
            shard.handle_datagram(
                now,
                Path {
                    local: at as u8,
                    remote: plain(remote),
                },
                data,
            );
            if shard.wants_flush() {
                out.flush(now, shard, links);
            }
        });
        out.flush(now, shard, links);
    }

    fn flush(&mut self, now: Instant) {
        let Self {
            shard,
            batch,
            sockets,
            links,
            counts,
            ..
        } = self;
        let mut out = Out {
            batch,
            sockets,
            counts,
            forwards: false,
        };
        out.flush(now, shard, links);
    }

    /// False when it is time to stop.
    fn take_messages(&mut self, now: Instant) -> bool {
        self.more_messages = true;
        for _ in 0..MAX_COMMANDS {
            match self.inbox.messages.try_recv() {
                Ok(Message::Command(command)) => self.shard.handle_command(now, *command),
                Ok(Message::Stats(reply)) => {
                    let token = self.next_token;
                    self.next_token += 1;
                    self.stats.insert(token, reply);
                    self.shard.handle_command(now, Command::Stats { token });
                }
                Ok(Message::Figures(reply)) => {
                    let figures = self.shard.figures();
                    // Whoever asked may have gone.
                    let _ = reply.send(self.counts.snapshot(now, figures, &self.load));
                }
                Err(TryRecvError::Empty) => {
                    self.more_messages = false;
                    break;
                }
                Ok(Message::Stop) | Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    fn tell(&mut self) {
        while let Some(event) = self.shard.poll_event() {
            match event {
                Event::Stats { token, stats } => {
                    if let Some(reply) = self.stats.remove(&token) {
                        // Whoever asked may have gone.
                        let _ = reply.send(*stats);
                    }
                }
                Event::Relay { to, command } => self.links.tell(to.0, command),
                event => {
                    // At the end of the process nobody listens any more.
                    let _ = self.events.send((self.id, event));
                }
            }
        }
    }
}

/// The way out of a shard.
struct Out<'a> {
    batch: &'a mut Batch,
    sockets: &'a mut [Socket],
    counts: &'a mut Counts,
    /// What is sent was led to by what was received at that moment.
    forwards: bool,
}

impl Out<'_> {
    fn flush(&mut self, now: Instant, shard: &mut Shard, links: &mut Links) {
        loop {
            let more = shard.poll_transmit(now, self.batch);
            if !self.batch.is_empty() {
                self.send();
                if self.forwards {
                    self.counts.forwarding.observe(now.elapsed());
                }
            }
            if !shard.relays().is_empty() {
                let dropped = links.send(shard.relays());
                shard.relay_dropped(dropped);
            }
            if !more {
                return;
            }
        }
    }

    fn send(&mut self) {
        self.counts.sends(self.batch);
        for (at, socket) in self.sockets.iter_mut().enumerate() {
            let sent = mmsg::send(socket.fd, at as u8, self.batch, socket.segmentation);
            self.counts.sockets.send_calls += sent.calls;
            self.counts.sockets.refused += sent.refused;
            if sent.no_segmentation {
                tracing::info!("this network device cannot segment (UDP_SEGMENT)");
                socket.segmentation = false;
            }
            if sent.refused > 0 {
                tracing::debug!(refused = sent.refused, local = ?socket.socket.local_addr(), "send");
            }
        }
        self.batch.clear();
    }
}

/// The address as candidates and routes write it: IPv4 as such.
fn plain(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(ip.into(), v6.port()),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}
