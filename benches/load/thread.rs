//! A thread of media: all of its sockets, their schedule, their reading.
//!
//! It sleeps until packets are to be sent, not until some arrive: those wait in their sockets
//! for the next turn, a few milliseconds later, with the time at which the kernel received them.
//! That saves a wake-up per packet, on both sides.

use super::endpoint::{Endpoint, EndpointId, Event, Role, Shared};
use super::figures::{Figures, Live, LiveValues, Snapshot};
use super::media::{Command, NewEndpoint, Work};
use super::publisher::Publisher;
use super::receiver::Receiver;
use super::socket::{Burst, Reader, Wake};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use perikon::media::feedback::NtpClock;
use perikon::transport::identity::Identity;
use perikon::transport::peer::{self, Transport};
use slab::Slab;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Inbox, TryRecvError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two readings of the sockets, when nothing is to be sent meanwhile.
const READ_INTERVAL: Duration = Duration::from_millis(4);
/// Readings are not more frequent than this, whatever is sent.
const READ_PAUSE: Duration = Duration::from_millis(1);
/// While peer connections are set up, their round trips are not to wait.
const EAGER_INTERVAL: Duration = Duration::from_micros(200);
/// Between two looks at the timers of the peer connections.
const TIMER_INTERVAL: Duration = Duration::from_millis(5);

/// Everything the thread owns.
pub(crate) struct Thread {
    shared: Shared,
    poll: Poll,
    wake: Arc<Wake>,
    inbox: Inbox<Command>,
    live: Arc<Live>,
    told: LiveValues,
    endpoints: Slab<Endpoint>,
    /// The descriptor of each, and when it is due: looked at often, so kept together.
    timers: Vec<Option<Instant>>,
    places: HashMap<EndpointId, usize>,
    schedule: BinaryHeap<Reverse<(Instant, u64)>>,
    reader: Reader,
    /// Sockets that may hold more than one reading took.
    unread: Vec<(usize, RawFd)>,
    /// Peer connections that wait for a path, keys or media.
    connecting: usize,
    recount: bool,
    paused: bool,
    last_read: Instant,
    last_timers: Instant,
}

impl Thread {
    pub(crate) fn new(
        identity: Identity,
        poll: Poll,
        wake: Arc<Wake>,
        inbox: Inbox<Command>,
        live: Arc<Live>,
    ) -> Self {
        let now = Instant::now();
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            shared: Shared {
                identity,
                clock: NtpClock::new(now, unix),
                figures: Figures::default(),
                burst: Burst::default(),
                scratch: vec![0; 65_536].into(),
            },
            poll,
            wake,
            inbox,
            live,
            told: LiveValues::default(),
            endpoints: Slab::new(),
            timers: Vec::new(),
            places: HashMap::new(),
            schedule: BinaryHeap::new(),
            reader: Reader::new(),
            unread: Vec::new(),
            connecting: 0,
            recount: false,
            paused: false,
            last_read: now,
            last_timers: now,
        }
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self) {
        let mut ready = Events::with_capacity(1_024);
        loop {
            let now = Instant::now();
            self.wake
                .wait(self.next_turn().saturating_duration_since(now));
            self.publish();
            if !self.take_commands() {
                return;
            }
            let now = Instant::now();
            if now >= self.last_read + self.read_pause() {
                self.last_read = now;
                if let Err(error) = self.read_all(&mut ready)
                    && error.kind() != io::ErrorKind::Interrupted
                {
                    // Nothing would be received any more: the figures would be wrong.
                    eprintln!("the media thread cannot wait for its sockets: {error}");
                    return;
                }
                self.tell();
            }
            let pause = if self.connecting > 0 {
                EAGER_INTERVAL
            } else {
                TIMER_INTERVAL
            };
            if now >= self.last_timers + pause {
                self.last_timers = now;
                self.handle_timers(now);
            }
        }
    }

    fn read_pause(&self) -> Duration {
        if self.connecting > 0 {
            EAGER_INTERVAL
        } else {
            READ_PAUSE
        }
    }

    fn next_turn(&self) -> Instant {
        let read = if self.connecting > 0 || !self.unread.is_empty() {
            EAGER_INTERVAL
        } else {
            READ_INTERVAL
        };
        let read = self.last_read + read;
        match self.schedule.peek() {
            Some(Reverse((at, _))) => read.min(*at),
            None => read,
        }
    }

    /// Sends the media that is due.
    fn publish(&mut self) {
        let Some(Reverse((first, _))) = self.schedule.peek() else {
            return;
        };
        let mut now = Instant::now();
        if *first > now {
            return;
        }
        while let Some(Reverse((at, id))) = self.schedule.peek().copied() {
            if at > now {
                return;
            }
            self.schedule.pop();
            let endpoint = self
                .places
                .get(&EndpointId(id))
                .and_then(|place| self.endpoints.get_mut(*place));
            if let Some(next) =
                endpoint.and_then(|endpoint| endpoint.publish(now, &mut self.shared))
            {
                self.schedule.push(Reverse((next, id)));
            }
            now = Instant::now();
        }
    }

    /// False when it is time to stop.
    fn take_commands(&mut self) -> bool {
        // Each takes a handshake's time at the worst: media comes first.
        for _ in 0..4 {
            match self.inbox.try_recv() {
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Ok(command) => self.handle_command(command),
                Err(TryRecvError::Empty) => return true,
            }
            self.publish();
        }
        self.wake.wake();
        true
    }

    fn handle_command(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Add(endpoint) => {
                let events = endpoint.events.clone();
                if let Err(reason) = self.add(now, *endpoint) {
                    let _ = events.send(Event::Failed(reason));
                }
            }
            Command::Remote(id, remote) => {
                self.with(id, |endpoint, shared| {
                    endpoint.set_remote(now, shared, *remote);
                });
            }
            Command::Candidate(id, candidate) => {
                self.with(id, |endpoint, _| endpoint.add_candidate(now, &candidate));
            }
            Command::Formats(id, formats) => {
                self.with(id, |endpoint, _| {
                    if let Role::Receive(receiver) = &mut endpoint.role {
                        receiver.set_formats(formats);
                    }
                });
            }
            Command::Remove(id) => self.remove(now, id),
            Command::Pause(paused) => self.pause(now, paused),
            Command::Begin => {
                self.tell();
                self.told = LiveValues::default();
                self.shared.figures = Figures::default();
            }
            Command::Snapshot(reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.snapshot());
            }
            Command::Stop => {}
        }
    }

    fn with(&mut self, id: EndpointId, act: impl FnOnce(&mut Endpoint, &mut Shared)) {
        let Some(place) = self.places.get(&id).copied() else {
            return;
        };
        if let Some(endpoint) = self.endpoints.get_mut(place) {
            act(endpoint, &mut self.shared);
        }
        self.refresh(place);
    }

    fn add(&mut self, now: Instant, new: NewEndpoint) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let local = new.socket.local_addr().map_err(|error| failed(&error))?;
        let (end, role) = match new.work {
            Work::Publish { flows, phase } => (
                peer::Role::Offerer,
                Role::Publish(Publisher::new(flows, phase)),
            ),
            Work::Receive { formats, care } => {
                let ssrc = rand::random();
                let receiver = Receiver::new(formats, ssrc, care);
                (peer::Role::Answerer, Role::Receive(receiver))
            }
        };
        let identity = &self.shared.identity;
        let transport = Transport::new(now, identity, end, &new.local, &[local])
            .map_err(|error| failed(&error))?;
        let fd = new.socket.as_raw_fd();
        let entry = self.endpoints.vacant_entry();
        let place = entry.key();
        self.poll
            .registry()
            .register(&mut SourceFd(&fd), Token(place), Interest::READABLE)
            .map_err(|error| failed(&error))?;
        // Closing the socket takes it out of the poll again.
        entry.insert(Endpoint::new(
            new.id, new.socket, local, transport, role, new.events,
        ));
        self.places.insert(new.id, place);
        if let Some(remote) = new.remote {
            self.with(new.id, |endpoint, shared| {
                endpoint.set_remote(now, shared, remote);
            });
        }
        self.refresh(place);
        Ok(())
    }

    fn remove(&mut self, now: Instant, id: EndpointId) {
        let Some(place) = self.places.remove(&id) else {
            return;
        };
        self.unread.retain(|(unread, _)| *unread != place);
        if let Some(mut endpoint) = self.endpoints.try_remove(place) {
            endpoint.close(now);
        }
        if let Some(timer) = self.timers.get_mut(place) {
            *timer = None;
        }
        self.recount = true;
    }

    fn pause(&mut self, now: Instant, paused: bool) {
        self.paused = paused;
        self.schedule.clear();
        for (_, endpoint) in &mut self.endpoints {
            let connected = endpoint.connected;
            let id = endpoint.id.0;
            let Role::Publish(publisher) = &mut endpoint.role else {
                continue;
            };
            if paused {
                publisher.pause();
            } else if connected {
                publisher.begin(now);
                if let Some(next) = publisher.next() {
                    self.schedule.push(Reverse((next, id)));
                }
            }
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            figures: self.shared.figures.clone(),
            ..Snapshot::default()
        };
        for (_, endpoint) in &self.endpoints {
            match &endpoint.role {
                Role::Publish(publisher) => {
                    snapshot.sent.extend(publisher.last());
                    snapshot.publishing += usize::from(endpoint.connected);
                }
                Role::Receive(receiver) => {
                    snapshot.received.extend(receiver.last());
                    snapshot.receiving += usize::from(endpoint.connected);
                }
            }
        }
        snapshot
    }

    /// Reads what has arrived, and sends what falls due meanwhile.
    fn read_all(&mut self, ready: &mut Events) -> io::Result<()> {
        let unread = std::mem::take(&mut self.unread);
        for (place, fd) in unread {
            self.read(place, fd);
            self.publish();
        }
        self.poll.poll(ready, Some(Duration::ZERO))?;
        for event in &*ready {
            let place = event.token().0;
            let Some(fd) = self.endpoints.get(place).map(Endpoint::fd) else {
                continue;
            };
            self.read(place, fd);
            self.publish();
        }
        Ok(())
    }

    fn read(&mut self, place: usize, fd: RawFd) {
        let now = Instant::now();
        let Self {
            reader,
            endpoints,
            shared,
            ..
        } = self;
        let Some(endpoint) = endpoints.get_mut(place) else {
            return;
        };
        let was_connecting = endpoint.is_connecting();
        let mut only_media = true;
        let read = reader.read(fd, |from, arrival, data| {
            only_media &= endpoint.handle_datagram(now, from, arrival, data, shared);
        });
        match read {
            Ok(true) => self.unread.push((place, fd)),
            Ok(false) => {}
            // An error of the network (a port that was closed) leaves the rest unread.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                self.unread.push((place, fd));
            }
            Err(_) => {}
        }
        if !only_media || was_connecting {
            self.refresh(place);
        }
    }

    /// Looks anew at what an endpoint waits for. A publisher that has just been connected begins.
    fn refresh(&mut self, place: usize) {
        if self.timers.len() <= place {
            self.timers.resize(place + 1, None);
        }
        let Some(endpoint) = self.endpoints.get_mut(place) else {
            return;
        };
        self.timers[place] = endpoint.due();
        self.recount = true;
        let (connected, id) = (endpoint.connected, endpoint.id.0);
        if let Role::Publish(publisher) = &mut endpoint.role
            && connected
            && !self.paused
            && publisher.next().is_none()
        {
            publisher.begin(Instant::now());
            if let Some(next) = publisher.next() {
                self.schedule.push(Reverse((next, id)));
            }
        }
    }

    fn handle_timers(&mut self, now: Instant) {
        for place in 0..self.timers.len() {
            if self.timers[place].is_none_or(|at| at > now) {
                continue;
            }
            if let Some(endpoint) = self.endpoints.get_mut(place) {
                endpoint.handle_timeout(now, &mut self.shared);
            }
            self.refresh(place);
            self.publish();
        }
        if std::mem::take(&mut self.recount) {
            self.connecting = self
                .endpoints
                .iter()
                .filter(|(_, endpoint)| endpoint.is_connecting())
                .count();
        }
    }

    /// Adds to the counters that are shown while it runs.
    fn tell(&mut self) {
        let figures = &self.shared.figures;
        let values = LiveValues {
            sent: figures.sent,
            received: figures.received,
            lost: figures.lost,
            late: figures.late,
        };
        self.live.add(&values.since(&self.told));
        self.told = values;
    }
}
