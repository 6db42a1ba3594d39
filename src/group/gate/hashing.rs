//! Threads for what is slow on purpose.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// How far hashing yields to everything else: media and signalling are nice 0.
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// As many threads as there are cores, which compute only what no one else has a use for the
/// cores. They are started when they are first needed.
#[derive(Default)]
pub(super) struct Hashers {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl fmt::Debug for Hashers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.shared.queue();
        f.debug_struct("Hashers")
            .field("waiting", &queue.jobs.len())
            .field("threads", &queue.threads)
            .finish()
    }
}

impl Hashers {
    /// Does `work` when its turn has come, unless whoever asked for it has gone. `None` if it
    /// panicked, or no thread could be had.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        self.push(Box::new(move || {
            if !sender.is_closed() {
                let _ = sender.send(work());
            }
        }));
        receiver.await.ok()
    }

    fn push(&self, job: Job) {
        let limit = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut queue = self.shared.queue();
        queue.jobs.push_back(job);
        if queue.idle < queue.jobs.len() && queue.threads < limit {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new()
                .name("hashing".to_owned())
                .spawn(move || shared.work());
            match thread {
                Ok(_) => queue.threads += 1,
                Err(error) if queue.threads == 0 => {
                    tracing::error!(%error, "no thread to check passwords on");
                    queue.jobs.clear();
                }
                Err(_) => {}
            }
        }
        drop(queue);
        self.shared.ready.notify_one();
    }
}

impl Drop for Hashers {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.closed = true;
        queue.jobs.clear();
        drop(queue);
        self.shared.ready.notify_all();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        yield_to_others();
        let mut queue = self.queue();
        while !queue.closed {
            if let Some(job) = queue.jobs.pop_front() {
                drop(queue);
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!("checking a password failed");
                }
                queue = self.queue();
            } else {
                queue.idle += 1;
                queue = self
                    .ready
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
                queue.idle -= 1;
            }
        }
    }
}

/// Lowers the priority of this thread alone, as Linux has it; elsewhere nothing may be lowered
/// without the whole process.
fn yield_to_others() {
    if cfg!(target_os = "linux")
        && let Err(error) = rustix::process::setpriority_process(None, NICENESS)
    {
        tracing::debug!(%error, "checking passwords does not yield to others");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[tokio::test]
    async fn so_many_at_a_time_and_no_more() {
        let hashers = Arc::new(Hashers::default());
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let (hashers, now, most) = (Arc::clone(&hashers), Arc::clone(&now), Arc::clone(&most));
            tasks.spawn(async move {
                hashers
                    .run(move || {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(2));
                        now.fetch_sub(1, Ordering::SeqCst);
                    })
                    .await
                    .unwrap();
            });
        }
        assert_eq!(tasks.join_all().await.len(), 100);
        let cores = std::thread::available_parallelism().unwrap().get();
        let most = most.load(Ordering::SeqCst);
        assert!((cores.min(2)..=cores).contains(&most), "{most} of {cores}");
    }

    #[tokio::test]
    async fn a_panic_is_one_failure() {
        let hashers = Hashers::default();
        for _ in 0..10 {
            assert_eq!(hashers.run(|| -> u8 { panic!("a test") }).await, None);
        }
        assert_eq!(hashers.run(|| 7).await, Some(7));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn it_yields_to_others_and_alone() {
        let hashers = Hashers::default();
        let own = || rustix::process::getpriority_process(None).unwrap();
        let before = own();
        assert_eq!(hashers.run(own).await, Some(NICENESS.max(before)));
        assert_eq!(own(), before);
    }
}
