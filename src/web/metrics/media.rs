//! What the media threads count.

use super::exposition::Exposition;
use crate::media::{Codec, Kind};
use crate::net::{ShardId, ThreadFigures};
use crate::shard::{MediaCounts, MediaFigures, PathFigures, ShardFigures};

type Threads = [(ShardId, ThreadFigures)];

pub(super) fn write(exposition: &mut Exposition, threads: &Threads) {
    let shards: Vec<&ShardFigures> = threads.iter().map(|(_, thread)| &thread.shard).collect();
    peers(exposition, &shards);
    media(exposition, &shards);
    estimates(exposition, &shards);
    paths(exposition, &shards);
    drops(exposition, &shards);
    load(exposition, threads);
    sockets(exposition, threads);
}

fn peers(exposition: &mut Exposition, shards: &[&ShardFigures]) {
    let mut family = exposition.gauge(
        "perikon_peer_connections",
        "Peer connections: one for each stream that is published, and one for each receiver of it.",
    );
    let sum = |of: fn(&ShardFigures) -> usize| shards.iter().map(|one| of(one)).sum::<usize>();
    for (direction, state, count) in [
        ("in", "connected", sum(|one| one.ups.connected)),
        ("in", "connecting", sum(|one| one.ups.connecting)),
        ("out", "connected", sum(|one| one.downs.connected)),
        ("out", "connecting", sum(|one| one.downs.connecting)),
    ] {
        family.value(&[("direction", direction), ("state", state)], count);
    }
}

/// The same direction and codec in all shards.
fn sums(shards: &[&ShardFigures]) -> Vec<MediaFigures> {
    let mut sums: Vec<MediaFigures> = Vec::new();
    for figures in shards.iter().flat_map(|shard| &shard.media) {
        let same = sums
            .iter_mut()
            .find(|sum| (sum.up, sum.codec) == (figures.up, figures.codec));
        match same {
            Some(sum) => {
                sum.tracks += figures.tracks;
                sum.counts += figures.counts;
            }
            None => sums.push(*figures),
        }
    }
    sums
}

/// A counter of [`MediaCounts`]: its name, what it is, and its value.
type Counter = (&'static str, &'static str, fn(&MediaCounts) -> u64);

const COUNTERS: [Counter; 10] = [
    (
        "perikon_rtp_packets_total",
        "RTP packets received or sent, each counted once.",
        |counts| counts.packets,
    ),
    (
        "perikon_rtp_bytes_total",
        "Bytes of these packets, RTP headers included.",
        |counts| counts.bytes,
    ),
    (
        "perikon_rtp_lost_packets_total",
        "Packets that never arrived, not even by repair, here or as receivers report.",
        |counts| counts.lost,
    ),
    (
        "perikon_rtp_nacked_packets_total",
        "Packets that were asked for again, each time counted.",
        |counts| counts.nacks,
    ),
    (
        "perikon_rtp_repaired_packets_total",
        "Packets that arrived by repair, or were sent again.",
        |counts| counts.repaired,
    ),
    (
        "perikon_rtp_redundant_packets_total",
        "Packets of sound found in later ones, or sent with earlier ones in them.",
        |counts| counts.redundant,
    ),
    (
        "perikon_rtp_keyframes_total",
        "Keyframes received or sent.",
        |counts| counts.keyframes,
    ),
    (
        "perikon_rtp_keyframe_requests_total",
        "Keyframes asked for (PLI, FIR): of publishers, or by receivers.",
        |counts| counts.keyframe_requests,
    ),
    (
        "perikon_rtp_layer_switches_total",
        "Times that a receiver was sent another encoding or layer than before.",
        |counts| counts.switches,
    ),
    (
        "perikon_rtp_pauses_total",
        "Times that a track was paused, as its receiver's path did not carry it.",
        |counts| counts.pauses,
    ),
];

fn media(exposition: &mut Exposition, shards: &[&ShardFigures]) {
    let sums = sums(shards);
    let mut family = exposition.gauge("perikon_tracks", "Tracks that are received or sent.");
    for sum in &sums {
        family.value(&labels(sum.up, sum.codec), sum.tracks);
    }
    exposition
        .gauge(
            "perikon_unwatched_encodings",
            "Encodings that publishers were told not to send, as nobody watches them.",
        )
        .value(&[], shards.iter().map(|shard| shard.unwatched).sum::<u64>());
    for (name, help, count) in COUNTERS {
        let mut family = exposition.counter(name, help);
        for sum in &sums {
            family.value(&labels(sum.up, sum.codec), count(&sum.counts));
        }
    }
}

fn labels(up: bool, codec: Codec) -> [(&'static str, &'static str); 3] {
    let kind = match codec.kind() {
        Kind::Audio => "audio",
        Kind::Video => "video",
    };
    [
        ("direction", if up { "in" } else { "out" }),
        ("kind", kind),
        ("codec", codec.encoding_name()),
    ]
}

fn estimates(exposition: &mut Exposition, shards: &[&ShardFigures]) {
    let estimates = shards.iter().flat_map(|shard| &shard.estimates);
    let mut estimates: Vec<f64> = estimates.map(|bits| *bits as f64 / 8.0).collect();
    exposition
        .gauge(
            "perikon_estimating_receivers",
            "Receivers of whose paths it is known what they carry.",
        )
        .value(&[], estimates.len());
    let family = "perikon_receiver_bandwidth_bytes_per_second";
    let help = "What the paths of receivers carry: least, median, most and those between.";
    ranks(exposition, family, help, &mut estimates);
    let times = shards.iter().flat_map(|shard| &shard.rtts);
    let mut times: Vec<f64> = times.map(std::time::Duration::as_secs_f64).collect();
    let family = "perikon_round_trip_time_seconds";
    let help = "Round trips of peer connections: least, median, most and those between.";
    ranks(exposition, family, help, &mut times);
}

/// One figure of [`PathFigures`]: its name, what it is, and its value.
type PathFigure = (&'static str, &'static str, fn(&PathFigures) -> u64);

const WAITING: [PathFigure; 2] = [
    (
        "perikon_waiting_packets",
        "Packets that wait now until their receiver's path takes them.",
        |paths| paths.waiting,
    ),
    (
        "perikon_waiting_bytes",
        "Bytes of these packets, RTP headers included.",
        |paths| paths.waiting_bytes,
    ),
];

const PATHS: [PathFigure; 4] = [
    (
        "perikon_delayed_packets_total",
        "Packets that had to wait until their receiver's path took them.",
        |paths| paths.delayed,
    ),
    (
        "perikon_given_up_packets_total",
        "Packets that waited too long for that, or that no more could wait with.",
        |paths| paths.given_up,
    ),
    (
        "perikon_probes_total",
        "Probes begun, of whether a receiver's path carries more.",
        |paths| paths.probes,
    ),
    (
        "perikon_padding_bytes_total",
        "Bytes that were sent for probes, and carry nothing.",
        |paths| paths.padding_bytes,
    ),
];

fn paths(exposition: &mut Exposition, shards: &[&ShardFigures]) {
    let sum = |of: fn(&PathFigures) -> u64| shards.iter().map(|one| of(&one.paths)).sum::<u64>();
    for (name, help, of) in WAITING {
        exposition.gauge(name, help).value(&[], sum(of));
    }
    for (name, help, of) in PATHS {
        exposition.counter(name, help).value(&[], sum(of));
    }
    let mut family = exposition.counter(
        "perikon_probe_results_total",
        "What probes showed of receivers' paths.",
    );
    for (result, count) in [
        ("carried", sum(|paths| paths.carried)),
        ("saturated", sum(|paths| paths.saturated)),
        ("lost", sum(|paths| paths.lost)),
    ] {
        family.value(&[("result", result)], count);
    }
}

/// Where values lie; nothing if there are none.
fn ranks(exposition: &mut Exposition, name: &'static str, help: &str, values: &mut [f64]) {
    values.sort_unstable_by(f64::total_cmp);
    let mut family = exposition.gauge(name, help);
    let Some(last) = values.len().checked_sub(1) else {
        return;
    };
    for (rank, percent) in [
        ("min", 0),
        ("p10", 10),
        ("median", 50),
        ("p90", 90),
        ("max", 100),
    ] {
        let at = (last * percent + 50) / 100;
        if let Some(value) = values.get(at) {
            family.value(&[("rank", rank)], value);
        }
    }
}

fn drops(exposition: &mut Exposition, shards: &[&ShardFigures]) {
    let mut family = exposition.counter(
        "perikon_dropped_packets_total",
        "Datagrams and packets that were dropped, by reason.",
    );
    let Some(first) = shards.first() else { return };
    for (at, (reason, _)) in first.drops.iter().enumerate() {
        let of = |shard: &&ShardFigures| shard.drops.get(at).map_or(0, |(_, count)| *count);
        let count: u64 = shards.iter().map(of).sum();
        family.value(&[("reason", reason)], count);
    }
}

fn load(exposition: &mut Exposition, threads: &Threads) {
    let mut family = exposition.gauge(
        "perikon_shard_peer_connections",
        "Peer connections of a shard.",
    );
    for (shard, thread) in threads {
        family.value(&[("shard", &shard.0.to_string())], thread.peers);
    }
    let mut family = exposition.gauge(
        "perikon_shard_busy_ratio",
        "The share of its time that a media thread worked, over the last half second or so.",
    );
    for (shard, thread) in threads {
        family.value(&[("shard", &shard.0.to_string())], thread.load);
    }
    let mut family = exposition.counter(
        "perikon_shard_busy_seconds_total",
        "For how long a media thread worked.",
    );
    for (shard, thread) in threads {
        let busy = thread.busy.as_secs_f64();
        family.value(&[("shard", &shard.0.to_string())], busy);
    }
    let mut family = exposition.counter(
        "perikon_shard_timers_total",
        "Timers of peer connections that ended, by what they were for.",
    );
    for (shard, thread) in threads {
        let shard = shard.0.to_string();
        for (reason, count) in &thread.shard.timers {
            family.value(&[("shard", &shard), ("reason", reason)], count);
        }
    }
    let mut family = exposition.histogram(
        "perikon_forwarding_latency_seconds",
        "From the reading of datagrams until the kernel took a batch of what they led to.",
    );
    for (shard, thread) in threads {
        family.observed(&[("shard", &shard.0.to_string())], &thread.forwarding);
    }
}

/// A counter of a thread: its name, what it is, and its value.
type ThreadCounter = (&'static str, &'static str, fn(&ThreadFigures) -> u64);

const SOCKETS: [ThreadCounter; 8] = [
    (
        "perikon_shard_wakeups_total",
        "How often a media thread woke up.",
        |thread| thread.sockets.wakeups,
    ),
    (
        "perikon_shard_receive_calls_total",
        "System calls that read datagrams.",
        |thread| thread.sockets.receive_calls,
    ),
    (
        "perikon_shard_received_datagrams_total",
        "Datagrams read, of all protocols.",
        |thread| thread.sockets.received,
    ),
    (
        "perikon_shard_received_bytes_total",
        "Bytes of these datagrams, UDP headers left out.",
        |thread| thread.sockets.received_bytes,
    ),
    (
        "perikon_shard_send_calls_total",
        "System calls that send datagrams.",
        |thread| thread.sockets.send_calls,
    ),
    (
        "perikon_shard_sent_datagrams_total",
        "Datagrams given to the kernel, of all protocols.",
        |thread| thread.sockets.sent,
    ),
    (
        "perikon_shard_sent_bytes_total",
        "Bytes of these datagrams, UDP headers left out.",
        |thread| thread.sockets.sent_bytes,
    ),
    (
        "perikon_shard_refused_sends_total",
        "Sends, of one datagram or several, that the kernel refused.",
        |thread| thread.sockets.refused,
    ),
];

fn sockets(exposition: &mut Exposition, threads: &Threads) {
    for (name, help, count) in SOCKETS {
        let mut family = exposition.counter(name, help);
        for (shard, thread) in threads {
            family.value(&[("shard", &shard.0.to_string())], count(thread));
        }
    }
}
