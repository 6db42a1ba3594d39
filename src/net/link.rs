//! How threads reach each other: messages, which are few, and packets, which are many.

use super::figures::ThreadFigures;
use crate::media::cache::SLOT;
use crate::shard::{Command, RelayHeader, Relays, ShardStats};
use mio::{Poll, Token, Waker};
use rtrb::{Consumer, Producer, RingBuffer};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use tokio::sync::oneshot;

/// What a thread's waker looks like among its sockets.
pub(super) const WAKE: Token = Token(usize::MAX);
/// Packets that may wait between two shards: more than a second of a large stream.
const RING: usize = 1_024;

/// What a thread is told from outside.
pub(super) enum Message {
    Command(Box<Command>),
    Stats(oneshot::Sender<ShardStats>),
    Figures(oneshot::Sender<ThreadFigures>),
    Stop,
}

/// Where to reach a thread.
#[derive(Debug, Clone)]
pub(super) struct Address {
    messages: Sender<Message>,
    waker: Arc<Waker>,
}

impl Address {
    pub(super) fn tell(&self, message: Message) {
        if self.messages.send(message).is_err() {
            tracing::debug!("a media thread has ended");
        } else {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake a media thread");
        }
    }
}

/// A thread's own end.
pub(super) struct Inbox {
    pub(super) poll: Poll,
    pub(super) messages: Receiver<Message>,
    address: Address,
}

impl Inbox {
    pub(super) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (messages, inbox) = std::sync::mpsc::channel();
        Ok(Self {
            poll,
            messages: inbox,
            address: Address { messages, waker },
        })
    }

    pub(super) fn address(&self) -> Address {
        self.address.clone()
    }
}

/// A packet on its way to another shard.
pub(super) struct Packet {
    pub(super) header: RelayHeader,
    pub(super) bytes: [u8; SLOT],
}

/// One thread's ties to the others.
pub(super) struct Links {
    /// By shard; none to itself.
    to: Vec<Option<(Address, Producer<Packet>)>>,
    pub(super) from: Vec<Consumer<Packet>>,
}

/// Ties every thread to every other.
pub(super) fn connect(inboxes: &[Inbox]) -> Vec<Links> {
    let mut links: Vec<Links> = inboxes
        .iter()
        .map(|_| Links {
            to: Vec::new(),
            from: Vec::new(),
        })
        .collect();
    for (receiver, inbox) in inboxes.iter().enumerate() {
        for sender in 0..inboxes.len() {
            if sender == receiver {
                links[sender].to.push(None);
                continue;
            }
            let (producer, consumer) = RingBuffer::new(RING);
            links[sender].to.push(Some((inbox.address(), producer)));
            links[receiver].from.push(consumer);
        }
    }
    links
}

impl Links {
    /// Hands packets on. Returns how many found no room: their shard does not keep up.
    pub(super) fn send(&mut self, relays: &mut Relays) -> u64 {
        let mut dropped = 0;
        for (to, header, bytes) in relays.packets() {
            let Some(Some((_, producer))) = self.to.get_mut(to.0) else {
                continue;
            };
            let mut packet = Packet {
                header: *header,
                bytes: [0; SLOT],
            };
            packet.bytes[..bytes.len()].copy_from_slice(bytes);
            dropped += u64::from(producer.push(packet).is_err());
        }
        for (at, link) in self.to.iter().enumerate() {
            if let Some((address, _)) = link
                && relays.packets().any(|(to, _, _)| to.0 == at)
            {
                address.wake();
            }
        }
        relays.clear();
        dropped
    }

    /// Gives another shard a command.
    pub(super) fn tell(&self, to: usize, command: Box<Command>) {
        if let Some(Some((address, _))) = self.to.get(to) {
            address.tell(Message::Command(command));
        }
    }
}
