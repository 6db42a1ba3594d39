//! What the server tells at `/metrics` while it is measured: promtool must accept each answer,
//! no counter may fall, and at the end they must say what the generator counted.

use super::client::{ClientError, Place};
use super::figures::Figures;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// Between two scrapes.
const INTERVAL: Duration = Duration::from_secs(1);
/// Bytes that AES-GCM, and HMAC-SHA1-80, add to a packet.
const GCM_TAG: u64 = 16;
const SHA1_TAG: u64 = 10;

/// One answer: samples by name and labels.
pub(crate) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// # Errors
    /// When there is no answer, or none that Prometheus would take.
    pub(crate) async fn take(place: &Place) -> Result<Self, ClientError> {
        let (status, text) = place.get().await?;
        if status != 200 {
            let text = format!("/metrics answers {status}: {text}");
            return Err(ClientError::Message(text));
        }
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        let scrape = Self(samples.collect());
        let checked = tokio::task::spawn_blocking(move || promtool(&text)).await;
        let checked = checked.unwrap_or_else(|error| Err(error.to_string()));
        checked.map_err(ClientError::Message)?;
        Ok(scrape)
    }

    /// All samples of one name and direction together.
    fn sum(&self, name: &str, direction: &str) -> f64 {
        let begin = format!("perikon_{name}{{direction=\"{direction}\"");
        let of_it = self.0.iter().filter(|(one, _)| one.starts_with(&begin));
        of_it.map(|(_, value)| value).sum()
    }

    /// A counter that has fallen since.
    fn fallen(&self, before: &Self) -> Option<String> {
        let mut counters = self.0.iter().filter(|(name, _)| {
            let name = name.split('{').next().unwrap_or_default();
            name.ends_with("_total") || name.ends_with("_count") || name.ends_with("_bucket")
        });
        let fell = |(name, now): &(&String, &f64)| before.0.get(*name).is_some_and(|old| old > now);
        let (name, now) = counters.find(fell)?;
        Some(format!("{name} fell to {now}"))
    }
}

fn promtool(text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("promtool (Debian: prometheus): {error}");
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    Err(format!("promtool does not take /metrics: {said}"))
}

/// Scrapes all the time.
pub(crate) struct Watch {
    place: Place,
    first: Scrape,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<u64, ClientError>>,
}

impl Watch {
    /// Begins, while nothing is on its way.
    ///
    /// # Errors
    /// When the first scrape is no good.
    pub(crate) async fn begin(place: Place) -> Result<Self, ClientError> {
        let first = Scrape::take(&place).await?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(watch(place.clone(), stopped));
        Ok(Self {
            place,
            first,
            stop,
            task,
        })
    }

    /// Ends, when nothing is on its way any more, and compares.
    ///
    /// # Errors
    /// When a scrape was no good.
    pub(crate) async fn end(self, counted: &Figures, gcm: bool) -> Result<Agreement, ClientError> {
        drop(self.stop);
        let scrapes = self.task.await;
        let scrapes = scrapes.map_err(|error| ClientError::Message(error.to_string()))??;
        let last = Scrape::take(&self.place).await?;
        if let Some(fallen) = last.fallen(&self.first) {
            return Err(ClientError::Message(fallen));
        }
        let grown = |name: &str, direction: &str| {
            (last.sum(name, direction) - self.first.sum(name, direction)).round() as u64
        };
        let tag = if gcm { GCM_TAG } else { SHA1_TAG };
        let received = counted.received + counted.duplicates;
        Ok(Agreement {
            scrapes: scrapes + 2,
            rows: vec![
                Row {
                    what: "packets in",
                    server: grown("rtp_packets_total", "in"),
                    generator: counted.sent - counted.refused,
                    lost: grown("rtp_lost_packets_total", "in"),
                },
                Row {
                    what: "packets out",
                    server: grown("rtp_packets_total", "out")
                        + grown("rtp_repaired_packets_total", "out"),
                    generator: received,
                    lost: counted.lost,
                },
                Row {
                    what: "packets lost",
                    server: grown("rtp_lost_packets_total", "out"),
                    generator: counted.lost,
                    // Receivers report once a second.
                    lost: counted.lost,
                },
                Row {
                    what: "bytes out",
                    server: grown("rtp_bytes_total", "out"),
                    generator: counted.bytes.saturating_sub(tag * received),
                    // Repairs are no part of it.
                    lost: (counted.lost + counted.nacked) * 1_500,
                },
                Row {
                    what: "keyframe requests",
                    server: grown("rtp_keyframe_requests_total", "in"),
                    generator: counted.keyframe_requests,
                    lost: 0,
                },
            ],
        })
    }
}

async fn watch(place: Place, mut stopped: oneshot::Receiver<()>) -> Result<u64, ClientError> {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<Scrape> = None;
    let mut scrapes = 0;
    loop {
        tokio::select! {
            _ = &mut stopped => return Ok(scrapes),
            _ = ticks.tick() => {}
        }
        let now = Scrape::take(&place).await?;
        if let Some(fallen) = before.as_ref().and_then(|before| now.fallen(before)) {
            return Err(ClientError::Message(fallen));
        }
        before = Some(now);
        scrapes += 1;
    }
}

/// What both sides counted.
#[derive(Debug)]
pub(crate) struct Agreement {
    pub(crate) scrapes: u64,
    pub(crate) rows: Vec<Row>,
}

/// One figure.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) server: u64,
    pub(crate) generator: u64,
    /// By so much they may differ: it was lost between the two.
    lost: u64,
}

impl Row {
    fn agrees(&self) -> bool {
        self.server.abs_diff(self.generator) <= self.lost
    }
}

impl Agreement {
    /// What the two sides do not agree on.
    pub(crate) fn disagreements(&self) -> Vec<String> {
        let rows = self.rows.iter().filter(|row| !row.agrees());
        rows.map(|row| {
            let Row {
                what,
                server,
                generator,
                lost,
            } = row;
            format!("{what}: the server says {server}, the generator {generator}; lost: {lost}")
        })
        .collect()
    }

    /// In words.
    pub(crate) fn line(&self) -> String {
        let rows = self.rows.iter();
        let rows = rows.map(|row| format!("{} {} of {}", row.what, row.server, row.generator));
        let rows: Vec<String> = rows.collect();
        format!("{} scrapes: {}", self.scrapes, rows.join(", "))
    }

    pub(crate) fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let counts = json!({"server": row.server, "generator": row.generator});
            (row.what.to_owned(), counts)
        });
        json!({"scrapes": self.scrapes, "counts": Value::Object(rows.collect())})
    }
}
