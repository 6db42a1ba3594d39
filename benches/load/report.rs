//! What was measured, as a table and as JSON.

use super::figures::{Figures, Times};
use super::metrics::Agreement;
use super::options::Options;
use super::process::{Size, Used};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// Above this share of a core, a thread of the generator is the bottleneck.
const BUSY: f64 = 0.9;

/// Everything that a run found out.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Peer connections that should carry media down, and those that did.
    pub(crate) streams_wanted: usize,
    pub(crate) streams: usize,
    pub(crate) joins: Joins,
    /// How long was measured.
    pub(crate) window: Duration,
    /// At the end of the window.
    pub(crate) figures: Figures,
    /// When nothing was on its way any more: loss is told from this.
    pub(crate) settled: Figures,
    pub(crate) tail_loss: u64,
    pub(crate) server: Option<ServerReport>,
    pub(crate) generator: Generator,
    /// Cores that were busy with something else.
    pub(crate) other_cores: f64,
    pub(crate) cores: usize,
    /// What `/metrics` says.
    pub(crate) metrics: Option<Agreement>,
    /// What went wrong.
    pub(crate) troubles: Vec<String>,
}

/// How clients came in.
#[derive(Debug, Default)]
pub(crate) struct Joins {
    pub(crate) clients: usize,
    pub(crate) failed: usize,
    pub(crate) per_second: f64,
    /// Until `joined`.
    pub(crate) joined: Times,
    /// From the join until the first media packet is decrypted.
    pub(crate) first_media: Times,
    /// From a stream's offer until its first media packet is decrypted.
    pub(crate) stream: Times,
}

/// The server's process.
#[derive(Debug, Default)]
pub(crate) struct ServerReport {
    pub(crate) used: Used,
    /// Without media: CPU time, in how long.
    pub(crate) idle: Option<(Duration, Duration)>,
    pub(crate) size_before: Size,
    pub(crate) size: Size,
    /// Down streams at that moment.
    pub(crate) streams: usize,
    /// When everyone had left.
    pub(crate) size_after: Size,
    /// Datagrams its full sockets dropped.
    pub(crate) dropped: Option<u64>,
}

/// This process.
#[derive(Debug, Default)]
pub(crate) struct Generator {
    pub(crate) used: Used,
    /// Of each media thread.
    pub(crate) threads: Vec<Duration>,
    /// Datagrams its full sockets dropped.
    pub(crate) dropped: u64,
}

impl Report {
    fn expected(&self) -> u64 {
        self.settled.received + self.lost()
    }

    fn lost(&self) -> u64 {
        self.settled.lost + self.settled.withheld + self.tail_loss
    }

    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.window.as_secs_f64()
    }

    /// Of a core.
    fn share(&self, time: Duration) -> f64 {
        time.as_secs_f64() / self.window.as_secs_f64()
    }

    /// Microseconds a forwarded packet.
    fn per_packet(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.figures.received.max(1) as f64
    }

    /// Reasons not to believe that the server is what was measured.
    pub(crate) fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        for (number, thread) in self.generator.threads.iter().enumerate() {
            let share = self.share(*thread);
            if share > BUSY {
                doubts.push(format!(
                    "the generator's media thread {number} was busy for {:.0} % of the time \
                     (--threads gives it more)",
                    100.0 * share
                ));
            }
        }
        if self.generator.dropped > 0 {
            doubts.push(format!(
                "the generator's sockets were full: {} datagrams were dropped",
                self.generator.dropped
            ));
        }
        let bursts = self.figures.lateness.count();
        if self.figures.late * 100 > bursts {
            doubts.push(format!(
                "the generator was late: {} of {bursts} bursts left more than 2 ms after their time",
                self.figures.late
            ));
        }
        if self.figures.skipped > 0 || self.figures.refused > 0 {
            doubts.push(format!(
                "the generator sent less than it should: {} bursts skipped, {} packets refused by \
                 the kernel",
                self.figures.skipped, self.figures.refused
            ));
        }
        let server = self.server.as_ref().map(|server| server.used.total());
        let busy = self.share(self.generator.used.total() + server.unwrap_or_default());
        if busy + self.other_cores > 0.95 * self.cores as f64 {
            doubts.push(format!(
                "all {} cores were busy ({:.2} of them with neither server nor generator): \
                 latencies are those of a full machine",
                self.cores, self.other_cores
            ));
        }
        doubts
    }

    /// For people.
    pub(crate) fn table(&self, options: &Options) -> String {
        let mut text = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(text, "  {name:<26}{value}");
        };
        let figures = &self.figures;
        row("pattern", options.pattern());
        row(
            "down streams",
            format!("{} of {}", self.streams, self.streams_wanted),
        );
        row(
            "joins",
            format!(
                "{} ({} failed), {:.1}/s",
                self.joins.clients, self.joins.failed, self.joins.per_second
            ),
        );
        row("join -> joined", two(&self.joins.joined));
        row("join -> first media", two(&self.joins.first_media));
        row("offer -> first media", two(&self.joins.stream));
        row(
            "sent",
            format!("{:.0} packets/s", self.per_second(figures.sent)),
        );
        row(
            "forwarded",
            format!(
                "{:.0} packets/s, {:.1} Mbit/s",
                self.per_second(figures.received),
                self.per_second(figures.bytes) * 8.0 / 1e6
            ),
        );
        row(
            "received / expected",
            format!("{} / {}", self.settled.received, self.expected()),
        );
        row(
            "lost",
            format!(
                "{} ({:.4} %): {} gaps, {} left out, {} at the end",
                self.lost(),
                100.0 * self.lost() as f64 / self.expected().max(1) as f64,
                self.settled.lost,
                self.settled.withheld,
                self.tail_loss
            ),
        );
        row(
            "duplicates, reordered",
            format!("{}, {}", self.settled.duplicates, self.settled.reordered),
        );
        row(
            "verified",
            format!(
                "{}: {} forged, {} corrupt, {} replayed to newcomers",
                self.settled.verified,
                self.settled.forged,
                self.settled.corrupt,
                self.settled.replayed
            ),
        );
        let latency = &figures.latency;
        row(
            "latency",
            format!(
                "p50 {:.2}  p90 {:.2}  p99 {:.2}  max {:.2} ms",
                latency.quantile(0.5),
                latency.quantile(0.9),
                latency.quantile(0.99),
                latency.max()
            ),
        );
        if let Some(server) = &self.server {
            row(
                "server CPU per packet",
                format!(
                    "{:.2} us: {:.2} user, {:.2} system",
                    self.per_packet(server.used.total()),
                    self.per_packet(server.used.user),
                    self.per_packet(server.used.system)
                ),
            );
            row(
                "server CPU",
                format!("{:.1} % of a core", 100.0 * self.share(server.used.total())),
            );
            if let Some((used, time)) = server.idle {
                row(
                    "server CPU, idle",
                    format!("{:.2} ms a second", idle_rate(used, time)),
                );
            }
            row(
                "server memory",
                format!(
                    "{:.1} MB ({:.1} before, {:.1} after), {:.1} kB a down stream",
                    megabytes(server.size.rss),
                    megabytes(server.size_before.rss),
                    megabytes(server.size_after.rss),
                    self.per_stream(server) / 1e3
                ),
            );
            row(
                "server threads, fds",
                format!(
                    "{}, {} ({}, {} after)",
                    server.size.threads,
                    count(server.size.descriptors),
                    server.size_after.threads,
                    count(server.size_after.descriptors)
                ),
            );
            row("server socket drops", count(server.dropped));
        }
        if let Some(metrics) = &self.metrics {
            row("/metrics", metrics.line());
        }
        let threads = self.generator.threads.iter();
        let threads: Vec<String> = threads
            .map(|thread| format!("{:.0} %", 100.0 * self.share(*thread)))
            .collect();
        row(
            "generator",
            format!(
                "CPU {:.0} % (media {}), late p99 {:.2} max {:.1} ms, {} sockets' drops",
                100.0 * self.share(self.generator.used.total()),
                threads.join(", "),
                figures.lateness.quantile(0.99),
                figures.lateness.max(),
                self.generator.dropped
            ),
        );
        row(
            "asked of publishers",
            format!(
                "{} keyframes, {} packets again",
                figures.keyframe_requests, figures.resent
            ),
        );
        if self.other_cores > 0.05 {
            row("other processes", format!("{:.2} cores", self.other_cores));
        }
        for trouble in &self.troubles {
            row("TROUBLE", trouble.clone());
        }
        for doubt in self.doubts() {
            row("NOT THE SERVER'S LIMIT", doubt);
        }
        text
    }

    fn per_stream(&self, server: &ServerReport) -> f64 {
        let grown = server.size.rss.saturating_sub(server.size_before.rss);
        grown as f64 / server.streams.max(1) as f64
    }

    /// For programs: one object.
    pub(crate) fn json(&self, options: &Options) -> Value {
        let figures = &self.figures;
        let server = self.server.as_ref().map(|server| {
            json!({
                "us_per_packet": self.per_packet(server.used.total()),
                "user_us_per_packet": self.per_packet(server.used.user),
                "system_us_per_packet": self.per_packet(server.used.system),
                "cores": self.share(server.used.total()),
                "idle_ms_per_second": server.idle.map(|(used, time)| idle_rate(used, time)),
                "rss": server.size.rss,
                "rss_before": server.size_before.rss,
                "rss_after": server.size_after.rss,
                "rss_per_stream": self.per_stream(server),
                "threads": server.size.threads,
                "threads_after": server.size_after.threads,
                "descriptors": server.size.descriptors,
                "descriptors_before": server.size_before.descriptors,
                "descriptors_after": server.size_after.descriptors,
                "socket_drops": server.dropped,
            })
        });
        let threads: Vec<f64> = self
            .generator
            .threads
            .iter()
            .map(|thread| self.share(*thread))
            .collect();
        json!({
            "bench": "load",
            "pattern": options.pattern(),
            "seconds": self.window.as_secs_f64(),
            "streams": self.streams,
            "streams_wanted": self.streams_wanted,
            "joins": {
                "clients": self.joins.clients,
                "failed": self.joins.failed,
                "per_second": self.joins.per_second,
                "joined_ms": quantiles(&self.joins.joined),
                "first_media_ms": quantiles(&self.joins.first_media),
                "stream_ms": quantiles(&self.joins.stream),
            },
            "sent_per_second": self.per_second(figures.sent),
            "forwarded_per_second": self.per_second(figures.received),
            "bits_per_second": self.per_second(figures.bytes) * 8.0,
            "received": self.settled.received,
            "expected": self.expected(),
            "lost": self.lost(),
            "duplicates": self.settled.duplicates,
            "reordered": self.settled.reordered,
            "verified": self.settled.verified,
            "forged": self.settled.forged,
            "corrupt": self.settled.corrupt,
            "nacked": self.settled.nacked,
            "keyframe_requests": figures.keyframe_requests,
            "resent_to_server": figures.resent,
            "unknown": self.settled.unknown,
            "latency_ms": quantiles(&figures.latency),
            "server": server,
            "generator": {
                "cores": self.share(self.generator.used.total()),
                "media_threads": threads,
                "late_ms": quantiles(&figures.lateness),
                "late": figures.late,
                "socket_drops": self.generator.dropped,
            },
            "metrics": self.metrics.as_ref().map(Agreement::json),
            "other_cores": self.other_cores,
            "troubles": self.troubles,
            "not_the_servers_limit": self.doubts(),
        })
    }
}

fn idle_rate(used: Duration, time: Duration) -> f64 {
    used.as_secs_f64() * 1e3 / time.as_secs_f64()
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn count(value: Option<u64>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| value.to_string())
}

fn two(times: &Times) -> String {
    format!(
        "p50 {:.1}  p99 {:.1} ms  ({})",
        times.quantile(0.5),
        times.quantile(0.99),
        times.count()
    )
}

fn quantiles(times: &Times) -> Value {
    json!({
        "count": times.count(),
        "p50": times.quantile(0.5),
        "p90": times.quantile(0.9),
        "p99": times.quantile(0.99),
        "max": times.max(),
    })
}
