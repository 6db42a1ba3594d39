//! One thread: its sockets, its clock, its shard.

use super::engine::ShardId;
use super::mmsg::{self, Reader};
use crate::shard::{Batch, Command, Event, Shard, ShardStats};
use crate::transport::Path;
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

const WAKE: Token = Token(usize::MAX);
/// Commands taken before media has its turn again.
const MAX_COMMANDS: usize = 64;

/// What the thread is told from outside.
pub(super) enum Message {
    Command(Box<Command>),
    Stats(oneshot::Sender<ShardStats>),
    Stop,
}

/// Everything the thread owns.
pub(super) struct Driver {
    id: ShardId,
    shard: Shard,
    sockets: Vec<Socket>,
    poll: Poll,
    messages: Receiver<Message>,
    events: mpsc::UnboundedSender<(ShardId, Event)>,
    load: Arc<AtomicUsize>,
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
        messages: Receiver<Message>,
        events: mpsc::UnboundedSender<(ShardId, Event)>,
        load: Arc<AtomicUsize>,
    ) -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let sockets = sockets
            .into_iter()
            .enumerate()
            .map(|(at, socket)| {
                let fd = socket.as_raw_fd();
                let mut socket = mio::net::UdpSocket::from_std(socket);
                poll.registry()
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
        let driver = Self {
            id,
            shard,
            sockets,
            poll,
            messages,
            events,
            load,
            reader: Reader::new(),
            batch: Batch::new(),
            stats: HashMap::new(),
            next_token: 0,
            more_messages: false,
        };
        Ok((driver, waker))
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        let mut ready = Events::with_capacity(64);
        loop {
            let more = self.more_messages || self.sockets.iter().any(|socket| socket.readable);
            let timeout = if more {
                Some(Duration::ZERO)
            } else {
                self.timeout()
            };
            match self.poll.poll(&mut ready, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "the media thread cannot wait for datagrams");
                    return;
                }
            }
            for event in &ready {
                if let Some(socket) = self.sockets.get_mut(event.token().0) {
                    socket.readable = true;
                }
            }
            for at in 0..self.sockets.len() {
                self.read(at);
            }
            let now = Instant::now();
            if !self.take_messages(now) {
                self.flush(now);
                return;
            }
            self.shard.handle_timeout(now);
            self.flush(now);
            self.tell();
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
            Ok(more) => socket.readable = more,
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
            ..
        } = self;
        reader.datagrams(|remote, data| {
            shard.handle_datagram(
                now,
                Path {
                    local: at as u8,
                    remote: plain(remote),
                },
                data,
            );
            if shard.wants_flush() {
                flush(now, shard, batch, sockets);
            }
        });
        self.flush(now);
    }

    fn flush(&mut self, now: Instant) {
        flush(now, &mut self.shard, &mut self.batch, &mut self.sockets);
    }

    /// False when it is time to stop.
    fn take_messages(&mut self, now: Instant) -> bool {
        self.more_messages = true;
        for _ in 0..MAX_COMMANDS {
            match self.messages.try_recv() {
                Ok(Message::Command(command)) => self.shard.handle_command(now, *command),
                Ok(Message::Stats(reply)) => {
                    let token = self.next_token;
                    self.next_token += 1;
                    self.stats.insert(token, reply);
                    self.shard.handle_command(now, Command::Stats { token });
                }
                Err(TryRecvError::Empty) => {
                    self.more_messages = false;
                    break;
                }
                Ok(Message::Stop) | Err(TryRecvError::Disconnected) => return false,
            }
        }
        self.load.store(self.shard.peers(), Ordering::Relaxed);
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
                event => {
                    // At the end of the process nobody listens any more.
                    let _ = self.events.send((self.id, event));
                }
            }
        }
    }
}

fn flush(now: Instant, shard: &mut Shard, batch: &mut Batch, sockets: &mut [Socket]) {
    loop {
        let more = shard.poll_transmit(now, batch);
        if !batch.is_empty() {
            for (at, socket) in sockets.iter_mut().enumerate() {
                let sent = mmsg::send(socket.fd, at as u8, batch, socket.segmentation);
                if sent.no_segmentation {
                    tracing::info!("this network device cannot segment (UDP_SEGMENT)");
                    socket.segmentation = false;
                }
                if sent.refused > 0 {
                    tracing::debug!(refused = sent.refused, local = ?socket.socket.local_addr(), "send");
                }
            }
            batch.clear();
        }
        if !more {
            return;
        }
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
