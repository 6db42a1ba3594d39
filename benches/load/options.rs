//! The command line.

use clap::{Parser, ValueEnum};
use std::net::IpAddr;
use std::time::Duration;

/// Load-tests a Galène-compatible server: real clients of its WebSocket protocol, real WebRTC.
///
/// Without --server, the server of this package is started, measured and ended.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "load",
    bin_name = "cargo bench --bench load --",
    after_help = "Against a server elsewhere: load --server https://host:8443 --group test \
                  --user u --password p [--insecure-tls] [--pid PID if it runs on this machine]"
)]
pub(crate) struct Options {
    /// The server to test: http://HOST:PORT or https://HOST:PORT.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The group to join.
    #[arg(long, default_value = "load")]
    pub(crate) group: String,
    /// The user name of every client; the user needs `present` in the group.
    #[arg(long, default_value = "load")]
    pub(crate) user: String,
    /// Its password.
    #[arg(long, default_value = "load")]
    pub(crate) password: String,
    /// A token to join with, instead of the password.
    #[arg(long)]
    pub(crate) token: Option<String>,
    /// Accept any certificate of the server.
    #[arg(long)]
    pub(crate) insecure_tls: bool,
    /// The server's process, when it runs on this machine: its CPU time and memory are measured.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// One more argument for the server that is started (repeatable).
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) server_arg: Vec<String>,

    /// Clients that publish.
    #[arg(long, default_value_t = 1, value_name = "P")]
    pub(crate) publishers: usize,
    /// Clients that receive everything that is published.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) receivers: usize,
    /// Instead: clients that each publish, and receive all others.
    #[arg(long, value_name = "N", conflicts_with_all = ["publishers", "receivers"])]
    pub(crate) meeting: Option<usize>,
    /// Joins a second.
    #[arg(long, default_value_t = 100.0, value_name = "R")]
    pub(crate) join_rate: f64,
    /// Receivers that leave, and others that join, a second, while it is measured.
    #[arg(long, default_value_t = 0.0, value_name = "R")]
    pub(crate) churn: f64,

    /// Receivers that join all at once, in the middle of what is measured.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) storm: usize,

    /// Publish sound (50 packets a second, 120 bytes each) beside the video.
    #[arg(long)]
    pub(crate) audio: bool,
    /// Publish sound only.
    #[arg(long)]
    pub(crate) audio_only: bool,
    /// Publish a second, low layer of a tenth of the packets; every second receiver asks for it.
    #[arg(long)]
    pub(crate) simulcast: bool,
    /// Video packets a second.
    #[arg(long, default_value_t = 300.0, value_name = "N")]
    pub(crate) packet_rate: f64,
    /// The same as bits a second of RTP.
    #[arg(long, conflicts_with = "packet_rate", value_name = "BPS")]
    pub(crate) bitrate: Option<f64>,
    /// Bytes of a video packet, RTP header included.
    #[arg(long, default_value_t = 1100, value_name = "BYTES")]
    pub(crate) packet_size: usize,
    /// Bytes by which video packets may be smaller than that, at random.
    #[arg(long, default_value_t = 0, value_name = "BYTES")]
    pub(crate) size_spread: usize,
    /// Video packets that are sent together, as those of a frame are; 1 spaces them evenly.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) frame: usize,

    /// Seconds that are measured.
    #[arg(long, default_value_t = 10.0, value_name = "S")]
    pub(crate) duration: f64,
    /// Seconds of media before that.
    #[arg(long, default_value_t = 2.0, value_name = "S")]
    pub(crate) warmup: f64,
    /// Seconds without media before that, in which the idle server is measured.
    #[arg(long, default_value_t = 3.0, value_name = "S")]
    pub(crate) idle: f64,

    /// Seconds after the last has left, before it is measured what the server keeps.
    #[arg(long, default_value_t = 1.0, value_name = "S")]
    pub(crate) after: f64,

    /// Scrape the server's `/metrics` meanwhile; fail if promtool does not take them, or if they
    /// do not say what was counted here.
    #[arg(long, conflicts_with_all = ["churn", "storm"])]
    pub(crate) check_metrics: bool,

    /// Of how many packets one is decrypted and checked; 1 checks each.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) verify_every: u32,
    /// Ask for lost packets again.
    #[arg(long)]
    pub(crate) nack: bool,
    /// The SRTP protection that is offered.
    #[arg(long, value_enum, default_value_t = Protection::Gcm)]
    pub(crate) profile: Protection,
    /// Threads of the generator for media.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) threads: usize,
    /// The local address of the generator's media; by default the one that leads to the server.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bind: Option<IpAddr>,
    /// Print the report as one line of JSON.
    #[arg(long)]
    pub(crate) json: bool,

    /// Said by `cargo bench`.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

/// Which SRTP profiles the generator's handshakes offer and accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protection {
    /// AES-GCM, of 128 or 256 bits.
    Gcm,
    /// AES_CM_128_HMAC_SHA1_80
    Cm,
}

/// The shape of one kind of packets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flow {
    /// Bytes of a packet, RTP header included.
    pub(crate) size: usize,
    /// Bytes by which a packet may be smaller.
    pub(crate) spread: usize,
    /// Packets sent together.
    pub(crate) burst: usize,
    /// Between two bursts.
    pub(crate) interval: Duration,
    /// Packets of a frame.
    pub(crate) frame: usize,
}

/// Frames a second when packets are evenly spaced.
const FRAME_RATE: f64 = 30.0;

impl Options {
    /// Checks what clap cannot.
    ///
    /// # Errors
    /// With a sentence for the user.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let rate = self.video_rate();
        let checks = [
            (self.frame >= 1 && self.frame <= 64, "--frame is 1 to 64"),
            (
                (128..=1_400).contains(&self.packet_size),
                "--packet-size is 128 to 1400",
            ),
            (
                self.size_spread <= self.packet_size - 128,
                "--size-spread leaves no room in the packet",
            ),
            (
                rate > 0.0 && rate <= 100_000.0,
                "--packet-rate is above 0, at most 100000",
            ),
            (self.join_rate > 0.0, "--join-rate is above 0"),
            (self.churn >= 0.0, "--churn is not below 0"),
            (self.duration > 0.0, "--duration is above 0"),
            (
                self.warmup >= 0.0 && self.idle >= 0.0 && self.after >= 0.0,
                "--warmup, --idle and --after are not below 0",
            ),
            (self.verify_every >= 1, "--verify-every is at least 1"),
            ((1..=16).contains(&self.threads), "--threads is 1 to 16"),
            (
                self.meeting.is_none_or(|clients| clients >= 2),
                "--meeting is at least 2",
            ),
            (
                self.meeting.is_some() || (self.publishers >= 1 && self.receivers >= 1),
                "--publishers and --receivers are at least 1",
            ),
            (
                self.meeting.is_none() || (self.churn == 0.0 && self.storm == 0),
                "--churn and --storm go with --publishers and --receivers",
            ),
        ];
        match checks.iter().find(|(holds, _)| !holds) {
            Some((_, text)) => Err((*text).to_owned()),
            None => Ok(()),
        }
    }

    /// Video packets a second.
    fn video_rate(&self) -> f64 {
        self.bitrate.map_or(self.packet_rate, |bitrate| {
            bitrate / (8.0 * self.packet_size as f64)
        })
    }

    /// The layers of the video, the best first.
    pub(crate) fn video(&self) -> Vec<Flow> {
        if self.audio_only {
            return Vec::new();
        }
        let layer = |rate: f64, burst: usize| Flow {
            size: self.packet_size,
            spread: self.size_spread,
            burst,
            interval: Duration::from_secs_f64(burst as f64 / rate),
            frame: if burst > 1 {
                burst
            } else {
                ((rate / FRAME_RATE).round() as usize).max(1)
            },
        };
        let rate = self.video_rate();
        let mut layers = vec![layer(rate, self.frame)];
        if self.simulcast {
            layers.push(layer(rate / 10.0, 1));
        }
        layers
    }

    /// The sound, if any.
    pub(crate) fn sound(&self) -> Option<Flow> {
        (self.audio || self.audio_only).then_some(Flow {
            size: 120,
            spread: 0,
            burst: 1,
            interval: Duration::from_millis(20),
            frame: 1,
        })
    }

    /// Down streams when everyone is there.
    pub(crate) fn down_streams(&self) -> usize {
        match self.meeting {
            Some(clients) => clients * (clients - 1),
            None => self.publishers * self.receivers,
        }
    }

    /// What is run, in words.
    pub(crate) fn pattern(&self) -> String {
        let shape = match self.meeting {
            Some(clients) => format!("meeting of {clients}"),
            None => format!("{} -> {}", self.publishers, self.receivers),
        };
        let mut parts = vec![shape];
        if !self.audio_only {
            parts.push(format!(
                "{:.0} packets/s of {} bytes{}",
                self.video_rate(),
                self.packet_size,
                match self.frame {
                    1 => String::new(),
                    frame => format!(" in frames of {frame}"),
                }
            ));
        }
        if self.audio || self.audio_only {
            parts.push("sound".to_owned());
        }
        if self.simulcast {
            parts.push("two layers".to_owned());
        }
        if self.churn > 0.0 {
            parts.push(format!("{} of the receivers change a second", self.churn));
        }
        if self.storm > 0 {
            parts.push(format!("{} more receivers join at once", self.storm));
        }
        parts.join(", ")
    }
}
