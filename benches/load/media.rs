//! What a thread of media is told, and the way to tell it.

use super::endpoint::{EndpointId, Event};
use super::figures::{Live, Snapshot};
use super::publisher::FlowConfig;
use super::receiver::{Care, Format};
use super::socket::{self, Wake};
use super::thread::Thread;
use mio::Poll;
use perikon::transport::description::{IceCredentials, RemoteTransport};
use perikon::transport::identity::Identity;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc::{Sender as Outbox, channel};
use std::thread::JoinHandle;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

/// A peer connection to be.
pub(crate) struct NewEndpoint {
    pub(crate) id: EndpointId,
    pub(crate) socket: UdpSocket,
    /// Of the generator's own description.
    pub(crate) local: IceCredentials,
    /// What the server said: of an answerer at once, of an offerer later.
    pub(crate) remote: Option<RemoteTransport>,
    pub(crate) work: Work,
    pub(crate) events: UnboundedSender<Event>,
}

/// What a peer connection is for.
pub(crate) enum Work {
    Publish { flows: Vec<FlowConfig>, phase: f64 },
    Receive { formats: Vec<Format>, care: Care },
}

/// What a media thread is told.
pub(crate) enum Command {
    Add(Box<NewEndpoint>),
    Remote(EndpointId, Box<RemoteTransport>),
    Candidate(EndpointId, String),
    Formats(EndpointId, Vec<Format>),
    Remove(EndpointId),
    /// Publishers fall silent, or go on.
    Pause(bool),
    /// All figures begin anew.
    Begin,
    Snapshot(oneshot::Sender<Snapshot>),
    Stop,
}

/// A running media thread.
#[derive(Debug)]
pub(crate) struct Media {
    commands: Outbox<Command>,
    wake: Arc<Wake>,
    thread: Option<JoinHandle<()>>,
    /// Of the thread, for its CPU time.
    pub(crate) thread_id: u32,
}

impl Media {
    /// # Errors
    /// When the thread or its descriptors cannot be made.
    pub(crate) fn start(number: usize, identity: Identity, live: Arc<Live>) -> io::Result<Self> {
        let wake = Arc::new(Wake::new()?);
        let (commands, inbox) = channel();
        let (tell, told) = channel();
        let poll = Poll::new()?;
        let its_wake = Arc::clone(&wake);
        let thread = std::thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn(move || {
                // Whoever started the thread waits for this.
                let _ = tell.send(socket::prepare_thread());
                Thread::new(identity, poll, its_wake, inbox, live).run();
            })?;
        let thread_id = told.recv().map_err(io::Error::other)?;
        Ok(Self {
            commands,
            wake,
            thread: Some(thread),
            thread_id,
        })
    }

    /// Never blocks; commands arrive in order.
    pub(crate) fn send(&self, command: Command) {
        // A thread that has ended shows in its missing snapshots.
        let _ = self.commands.send(command);
        self.wake.wake();
    }

    /// Everything it counted; `None` when it has ended.
    pub(crate) async fn snapshot(&self) -> Option<Snapshot> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Snapshot(reply));
        answer.await.ok()
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            // Its panic was printed already.
            let _ = thread.join();
        }
    }
}
