//! What the system says of a process: CPU time, memory, sockets.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::time::Duration;

/// Of times in `/proc/PID/stat` and `/proc/stat`: USER_HZ, 100 everywhere.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cpu {
    user: Duration,
    system: Duration,
    /// Of each thread, to the nanosecond.
    threads: HashMap<u32, Duration>,
}

/// CPU time between two moments.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Used {
    pub(crate) fn total(&self) -> Duration {
        self.user + self.system
    }
}

impl Cpu {
    /// # Errors
    /// When there is no such process.
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in parentheses, may hold anything.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks = |at: usize| -> Duration {
            let field = fields.split_ascii_whitespace().nth(at);
            TICK * field.and_then(|field| field.parse().ok()).unwrap_or(0)
        };
        let mut threads = HashMap::new();
        for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            let id = thread.file_name().to_string_lossy().parse().ok();
            // A thread may end meanwhile.
            let time = fs::read_to_string(thread.path().join("schedstat")).ok();
            let time = time.as_deref().and_then(first_number);
            if let (Some(id), Some(time)) = (id, time) {
                threads.insert(id, Duration::from_nanos(time));
            }
        }
        Ok(Self {
            user: ticks(11),
            system: ticks(12),
            threads,
        })
    }

    /// What was used since `before`. The sum is exact to the nanosecond where threads did not
    /// end; its parts are shared out as the kernel's clock ticks say.
    pub(crate) fn since(&self, before: &Self) -> Used {
        let user = self.user.saturating_sub(before.user);
        let system = self.system.saturating_sub(before.system);
        let ticks = user + system;
        let threads: Duration = self
            .threads
            .keys()
            .map(|thread| self.thread_since(before, *thread))
            .sum();
        // Threads that ended took their nanoseconds with them.
        let total = if threads + 3 * TICK < ticks {
            ticks
        } else {
            threads
        };
        let share = if ticks.is_zero() {
            0.5
        } else {
            user.as_secs_f64() / ticks.as_secs_f64()
        };
        let user = total.mul_f64(share);
        Used {
            user,
            system: total.saturating_sub(user),
        }
    }

    /// What one thread used since `before`.
    pub(crate) fn thread_since(&self, before: &Self, thread: u32) -> Duration {
        let time = |cpu: &Self| cpu.threads.get(&thread).copied().unwrap_or_default();
        time(self).saturating_sub(time(before))
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// CPU time that all processes of the machine used so far, of all cores together.
pub(crate) fn machine() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let fields = line.split_ascii_whitespace().skip(1).enumerate();
    // user nice system idle iowait irq softirq steal; guests are part of user.
    let busy = fields
        .filter(|(at, _)| matches!(at, 0..=2 | 5..=7))
        .filter_map(|(_, field)| field.parse::<u32>().ok())
        .sum::<u32>();
    TICK * busy
}

/// Memory and such.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Size {
    /// Resident, bytes.
    pub(crate) rss: u64,
    pub(crate) threads: u64,
    /// Open descriptors; `None` when the process is another user's.
    pub(crate) descriptors: Option<u64>,
}

impl Size {
    /// # Errors
    /// When there is no such process.
    pub(crate) fn read(pid: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(first_number)
                .unwrap_or(0)
        };
        Ok(Self {
            rss: field("VmRSS:") * 1_024,
            threads: field("Threads:"),
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))
                .ok()
                .map(|entries| entries.count() as u64),
        })
    }
}

/// Datagrams that the kernel dropped because the buffers of the process's sockets were full,
/// since those were opened. `None` when that cannot be known: the process is another user's.
pub(crate) fn dropped(pid: u32) -> Option<u64> {
    let inodes: HashSet<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?;
            let target = target.to_string_lossy();
            let inode = target.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    let mut sum = 0;
    for table in ["udp", "udp6"] {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let mut fields = line.split_ascii_whitespace().skip(9);
            if fields.next().is_some_and(|inode| inodes.contains(inode)) {
                sum += fields
                    .nth(2)
                    .and_then(|drops| drops.parse::<u64>().ok())
                    .unwrap_or(0);
            }
        }
    }
    Some(sum)
}

/// Asks a process to end.
pub(crate) fn terminate(pid: u32) {
    // SAFETY: no pointers.
    #[allow(unsafe_code, reason = "the standard library only kills")]
    unsafe {
        libc::kill(pid.cast_signed(), libc::SIGTERM);
    }
}
