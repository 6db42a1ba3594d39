//! The process, as the system sees it. The names are those that Prometheus' own libraries use.

use super::exposition::Exposition;
use rustix::process::{Resource, getrlimit};
use std::fs;

/// Of times in `/proc/self/stat`: USER_HZ, 100 on every architecture that Linux supports today.
const TICKS: f64 = 100.0;
/// Of `/proc/self/stat`, counted behind the name of the program: `proc_pid_stat(5)`.
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;
const THREADS: usize = 17;
const START_TIME: usize = 19;
const VIRTUAL_BYTES: usize = 20;

/// Reads `/proc`: blocks. What cannot be read there is left out.
pub(super) fn write(exposition: &mut Exposition) {
    exposition
        .gauge(
            "perikon_build_info",
            "Always 1; the label says the version.",
        )
        .value(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, in parentheses, may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let fields: Vec<f64> = fields
        .split_ascii_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    let field = |at: usize| fields.get(at).copied();
    exposition
        .counter("process_cpu_seconds_total", "CPU time, user and system.")
        .value_if(
            field(USER_TIME).zip(field(SYSTEM_TIME)),
            |(user, system)| (user + system) / TICKS,
        );
    exposition
        .gauge("process_resident_memory_bytes", "Memory in RAM.")
        .value_if(resident(), |bytes| bytes);
    exposition
        .gauge("process_virtual_memory_bytes", "Address space.")
        .value_if(field(VIRTUAL_BYTES), |bytes| bytes);
    exposition
        .gauge("process_threads", "Threads.")
        .value_if(field(THREADS), |threads| threads);
    let open = fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
    exposition
        .gauge("process_open_fds", "Open file descriptors.")
        // One of them reads the list.
        .value_if(open, |open| open.saturating_sub(1));
    exposition
        .gauge("process_max_fds", "File descriptors that may be open.")
        .value_if(getrlimit(Resource::Nofile).current, |limit| limit);
    exposition
        .gauge(
            "process_start_time_seconds",
            "When the process started, since the Unix epoch.",
        )
        .value_if(field(START_TIME).zip(boot_time()), |(ticks, boot)| {
            boot + ticks / TICKS
        });
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1_024)
}

fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}
