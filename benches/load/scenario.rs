//! A run from the first join to the last leave.

use super::client::{ClientError, Place};
use super::figures::{Live, LiveValues, Snapshot};
use super::media::{Command, Media};
use super::metrics::Watch;
use super::options::{Options, Protection};
use super::process::{self, Cpu, Size};
use super::report::{Generator, Report, ServerReport};
use super::session::{self, Context, News, Part};
use perikon::transport::identity::Identity;
use perikon::transport::srtp::Profile;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::oneshot;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

/// Until what was asked for must have happened.
const PATIENCE: Duration = Duration::from_secs(20);
/// Until nothing is on its way any more.
const SETTLE: Duration = Duration::from_millis(500);
/// Different troubles that are told.
const MAX_TROUBLES: usize = 8;

/// Runs what the options say, against a server that is there.
///
/// # Errors
/// When it cannot begin, or nobody can publish or receive.
pub(crate) async fn run(
    options: &Options,
    url: &str,
    pid: Option<u32>,
) -> Result<Report, ClientError> {
    let place = Place::parse(url, options.insecure_tls)?;
    let metrics = place.at("/metrics");
    let place = endpoint(&place, options).await;
    let local = match options.bind {
        Some(address) => address,
        None => place.local_address().await?,
    };
    let profiles: &[Profile] = match options.profile {
        Protection::Gcm => &[Profile::Gcm128, Profile::Gcm256],
        Protection::Cm => &[Profile::Cm128Sha1_80],
    };
    let identity = Identity::with_profiles(profiles)
        .map_err(|error| ClientError::Message(error.to_string()))?;
    let live = Arc::new(Live::default());
    let media = (0..options.threads)
        .map(|number| Media::start(number, identity.clone(), Arc::clone(&live)))
        .collect::<Result<Vec<_>, _>>()?;
    let (news, inbox) = mpsc::unbounded_channel();
    let context = Arc::new(Context {
        options: options.clone(),
        place,
        local,
        fingerprint: identity.fingerprint().clone(),
        media,
        news,
        next: AtomicU64::new(0),
    });
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut scenario = Scenario {
        context,
        metrics,
        inbox,
        live,
        shown: LiveValues::default(),
        ticks,
        began: Instant::now(),
        phase: "join",
        report: Report {
            streams_wanted: options.down_streams(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            ..Report::default()
        },
        waiting: VecDeque::new(),
        next_start: Instant::now(),
        next_churn: None,
        publishers: Vec::new(),
        receivers: VecDeque::new(),
        clients: 0,
        published: 0,
        streams: 0,
        last_media: None,
        last_error: None,
    };
    scenario.run(pid).await?;
    Ok(scenario.report)
}

/// Where the group's status says that the WebSocket is.
async fn endpoint(place: &Place, options: &Options) -> Place {
    let status = place.at(&format!("/group/{}/.status", options.group));
    let found = match status.get().await {
        Ok((200, body)) => serde_json::from_str::<Value>(&body).ok(),
        _ => None,
    };
    found
        .and_then(|status| Place::parse(status["endpoint"].as_str()?, options.insecure_tls).ok())
        .unwrap_or_else(|| place.at("/ws"))
}

struct Scenario {
    context: Arc<Context>,
    /// Where the server's figures are.
    metrics: Place,
    inbox: UnboundedReceiver<News>,
    live: Arc<Live>,
    shown: LiveValues,
    ticks: Interval,
    began: Instant,
    phase: &'static str,
    report: Report,
    /// Clients that are to be started, at the join rate.
    waiting: VecDeque<Part>,
    next_start: Instant,
    next_churn: Option<Instant>,
    publishers: Vec<oneshot::Sender<()>>,
    /// The oldest first.
    receivers: VecDeque<oneshot::Sender<()>>,
    /// That live.
    clients: usize,
    published: usize,
    /// Down streams that carry media.
    streams: usize,
    last_media: Option<Instant>,
    last_error: Option<ClientError>,
}

/// The figures of all processes at one moment.
struct Marks {
    at: Instant,
    server: Option<Cpu>,
    own: Cpu,
    machine: Duration,
    server_dropped: Option<u64>,
    own_dropped: u64,
}

impl Scenario {
    async fn run(&mut self, pid: Option<u32>) -> Result<(), ClientError> {
        let options = self.context.options.clone();
        let mut server = match pid {
            Some(pid) => Some(ServerReport {
                size_before: Size::read(pid)?,
                ..ServerReport::default()
            }),
            None => None,
        };
        self.join(&options).await?;
        if let (Some(pid), Some(server)) = (pid, &mut server)
            && options.idle > 0.0
        {
            self.phase = "idle";
            self.tell_all(|| Command::Pause(true));
            self.wait(SETTLE).await;
            let (before, at) = (Cpu::read(pid)?, Instant::now());
            self.wait(Duration::from_secs_f64(options.idle)).await;
            let used = Cpu::read(pid)?.since(&before).total();
            server.idle = Some((used, at.elapsed()));
            self.tell_all(|| Command::Pause(false));
        }
        self.phase = "warm-up";
        if options.churn > 0.0 {
            self.next_churn = Some(Instant::now());
        }
        self.wait(Duration::from_secs_f64(options.warmup)).await;
        self.measure(&options, pid, server.as_mut()).await?;
        if let (Some(pid), Some(server)) = (pid, &mut server) {
            server.size = Size::read(pid)?;
            server.streams = self.streams;
        }
        self.phase = "leave";
        self.leave().await;
        self.wait(Duration::from_secs_f64(options.after)).await;
        if let (Some(pid), Some(server)) = (pid, &mut server) {
            server.size_after = Size::read(pid)?;
        }
        self.report.server = server;
        Ok(())
    }

    async fn join(&mut self, options: &Options) -> Result<(), ClientError> {
        let part = |number: usize| receiver(options.simulcast && number % 2 == 1);
        let publishers = options.meeting.unwrap_or(options.publishers);
        for number in 0..publishers {
            self.waiting.push_back(Part {
                publish: Some(number as u32),
                request: options.meeting.and_then(|_| part(number).request),
            });
        }
        self.next_start = Instant::now();
        let started = Instant::now();
        let patience =
            |clients: usize| PATIENCE + Duration::from_secs_f64(clients as f64 / options.join_rate);
        self.pump(Instant::now() + patience(publishers), |scenario| {
            scenario.published >= publishers
                || (scenario.waiting.is_empty() && scenario.clients == 0)
        })
        .await;
        if self.published == 0 {
            return Err(self.last_error.take().unwrap_or_else(|| {
                ClientError::Refused(format!(
                    "no publisher was connected. {}",
                    self.report.troubles.join("; ")
                ))
            }));
        }
        let receivers = if options.meeting.is_some() {
            0
        } else {
            options.receivers
        };
        let first = if receivers > 0 {
            Instant::now()
        } else {
            started
        };
        for number in 0..receivers {
            self.waiting.push_back(part(number));
        }
        let wanted = self.report.streams_wanted;
        self.pump(Instant::now() + patience(receivers), |scenario| {
            scenario.streams >= wanted
        })
        .await;
        self.report.streams = self.streams;
        let joined = if receivers > 0 { receivers } else { publishers };
        if let Some(last) = self.last_media {
            self.report.joins.per_second = joined as f64 / (last - first).as_secs_f64().max(1e-3);
        }
        if self.streams == 0 {
            let error = ClientError::Refused("no receiver was sent media".to_owned());
            return Err(self.last_error.take().unwrap_or(error));
        }
        if self.streams < wanted {
            let text = format!("only {} of {wanted} down streams carry media", self.streams);
            self.trouble(text);
        }
        Ok(())
    }

    async fn measure(
        &mut self,
        options: &Options,
        pid: Option<u32>,
        server: Option<&mut ServerReport>,
    ) -> Result<(), ClientError> {
        self.phase = "measure";
        let watch = if options.check_metrics {
            self.tell_all(|| Command::Pause(true));
            self.wait(SETTLE).await;
            Some(Watch::begin(self.metrics.clone()).await?)
        } else {
            None
        };
        let before = Marks::read(pid)?;
        self.tell_all(|| Command::Begin);
        if watch.is_some() {
            self.tell_all(|| Command::Pause(false));
        }
        let half = Duration::from_secs_f64(options.duration / 2.0);
        self.wait(half).await;
        self.storm(options.storm);
        self.wait(half).await;
        let edge = self.snapshot().await;
        let after = Marks::read(pid)?;
        self.next_churn = None;
        self.phase = "settle";
        self.tell_all(|| Command::Pause(true));
        self.wait(SETTLE).await;
        let settled = self.snapshot().await;
        if let Some(watch) = watch {
            let gcm = options.profile == Protection::Gcm;
            self.report.metrics = Some(watch.end(&settled.figures, gcm).await?);
        }
        let report = &mut self.report;
        report.window = after.at - before.at;
        report.figures = edge.figures;
        report.tail_loss = if options.simulcast {
            0
        } else {
            settled.tail_loss()
        };
        report.settled = settled.figures;
        let own = after.own.since(&before.own);
        report.generator = Generator {
            used: own,
            threads: self
                .context
                .media
                .iter()
                .map(|media| after.own.thread_since(&before.own, media.thread_id))
                .collect(),
            dropped: after.own_dropped.saturating_sub(before.own_dropped),
        };
        let mut known = own.total();
        let dropped = after
            .server_dropped
            .zip(before.server_dropped)
            .map(|(after, before)| after.saturating_sub(before));
        if let Some(server) = server
            && let (Some(after), Some(before)) = (&after.server, &before.server)
        {
            server.used = after.since(before);
            known += server.used.total();
            server.dropped = dropped;
        }
        let machine = after.machine.saturating_sub(before.machine);
        self.report.other_cores =
            machine.saturating_sub(known).as_secs_f64() / self.report.window.as_secs_f64();
        Ok(())
    }

    async fn leave(&mut self) {
        self.waiting.clear();
        self.receivers.clear();
        self.publishers.clear();
        self.pump(Instant::now() + PATIENCE, |scenario| scenario.clients == 0)
            .await;
    }

    fn tell_all(&self, command: impl Fn() -> Command) {
        for media in &self.context.media {
            media.send(command());
        }
    }

    async fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot::default();
        for media in &self.context.media {
            if let Some(snapshot) = media.snapshot().await {
                all.add(&snapshot);
            }
        }
        all
    }

    async fn wait(&mut self, time: Duration) {
        self.pump(Instant::now() + time, |_| false).await;
    }

    /// Lets everything go on until something has happened, or the time is over.
    async fn pump(&mut self, deadline: Instant, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let next_start = (!self.waiting.is_empty()).then_some(self.next_start);
            let next_churn = self.next_churn;
            tokio::select! {
                news = self.inbox.recv() => {
                    if let Some(news) = news {
                        self.news(news);
                    }
                }
                _ = self.ticks.tick() => self.show(),
                () = at(next_start) => self.start_next(),
                () = at(next_churn) => self.churn(),
                () = sleep_until(deadline) => return,
            }
        }
    }

    /// Many join at once.
    fn storm(&mut self, receivers: usize) {
        for _ in 0..receivers {
            self.start(receiver(false));
        }
    }

    fn start_next(&mut self) {
        let Some(part) = self.waiting.pop_front() else {
            return;
        };
        let pause = Duration::from_secs_f64(1.0 / self.context.options.join_rate);
        self.next_start = (self.next_start + pause).max(Instant::now() - pause);
        self.start(part);
    }

    fn start(&mut self, part: Part) {
        let (leave, told) = oneshot::channel();
        if part.publish.is_some() {
            self.publishers.push(leave);
        } else {
            self.receivers.push_back(leave);
        }
        self.clients += 1;
        tokio::spawn(session::run(Arc::clone(&self.context), part, told));
    }

    /// One leaves, and another comes.
    fn churn(&mut self) {
        let pause = Duration::from_secs_f64(1.0 / self.context.options.churn);
        self.next_churn = self.next_churn.map(|at| at + pause);
        // Dropping it tells the client to leave.
        self.receivers.pop_front();
        self.waiting.push_back(receiver(false));
        self.next_start = Instant::now();
    }

    fn news(&mut self, news: News) {
        match news {
            News::Joined(time) => {
                self.report.joins.clients += 1;
                self.report.joins.joined.record(time.as_nanos() as u64);
            }
            News::Published => self.published += 1,
            News::Media {
                since_offer,
                since_join,
            } => {
                self.streams += 1;
                self.last_media = Some(Instant::now());
                let joins = &mut self.report.joins;
                joins.stream.record(since_offer.as_nanos() as u64);
                if let Some(time) = since_join {
                    joins.first_media.record(time.as_nanos() as u64);
                }
            }
            News::Ended => self.streams = self.streams.saturating_sub(1),
            News::Trouble(text) => self.trouble(text),
            News::Left(result) => {
                self.clients -= 1;
                if let Err(error) = result {
                    self.report.joins.failed += 1;
                    self.trouble(error.to_string());
                    self.last_error = Some(error);
                }
            }
        }
    }

    fn trouble(&mut self, text: String) {
        let troubles = &mut self.report.troubles;
        if troubles.len() < MAX_TROUBLES && !troubles.contains(&text) {
            eprintln!("  {text}");
            troubles.push(text);
        }
    }

    /// One line a second.
    fn show(&mut self) {
        let now = self.live.read();
        let since = now.since(&self.shown);
        self.shown = now;
        eprintln!(
            "{:4} s  {:8} {:5} clients {:6} streams {:8} sent/s {:9} received/s {:6} lost {:5} late",
            self.began.elapsed().as_secs(),
            self.phase,
            self.clients,
            self.streams,
            since.sent,
            since.received,
            now.lost,
            since.late,
        );
    }
}

/// A client that receives everything that is published, in the low layer or the high one.
fn receiver(low: bool) -> Part {
    let video = if low { "video-low" } else { "video" };
    Part {
        publish: None,
        request: Some(json!({"": ["audio", video]})),
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl Marks {
    fn read(pid: Option<u32>) -> Result<Self, ClientError> {
        let own = std::process::id();
        let server_dropped = pid.and_then(process::dropped);
        let own_dropped = process::dropped(own).unwrap_or(0);
        let machine = process::machine();
        let own = Cpu::read(own)?;
        let server = match pid {
            Some(pid) => Some(Cpu::read(pid)?),
            None => None,
        };
        Ok(Self {
            at: Instant::now(),
            server,
            own,
            machine,
            server_dropped,
            own_dropped,
        })
    }
}
