//! The log: lines on standard error, written by a thread of their own. Whoever reads them, or does
//! not, stops nobody else.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// The most that waits to be written, in bytes. What comes then is lost, and counted.
const ROOM: usize = 1 << 20;
/// What a line takes besides its text: no more lines can wait than the queue has places.
const LINE: usize = 64;
/// One more for the word that ends the thread.
const PLACES: usize = ROOM / LINE + 1;

/// What the two ends of the queue know together.
#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    /// Lines that were lost and not told of yet.
    lost: AtomicUsize,
}

/// Where lines are put. Each is written whole or not at all.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    queue: NonBlocking,
    waiting: Arc<Waiting>,
}

/// Writes what waits for as long as it lives, and as it is dropped what is left, for a second at
/// most.
#[must_use]
pub(crate) struct Writing(#[expect(dead_code, reason = "does its work when dropped")] WorkerGuard);

impl Lines {
    /// Lines for standard error.
    ///
    /// # Errors
    /// When standard error cannot be used.
    pub(crate) fn start() -> io::Result<(Self, Writing)> {
        let waiting = Arc::<Waiting>::default();
        // Not by `io::stderr`, whose lock others would wait for.
        let to = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let writer = Writer {
            to,
            waiting: Arc::clone(&waiting),
        };
        let (queue, guard) = NonBlockingBuilder::default()
            .thread_name("log")
            .buffered_lines_limit(PLACES)
            .finish(writer);
        Ok((Self { queue, waiting }, Writing(guard)))
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let with_this = |bytes: usize| {
            let bytes = bytes.checked_add(line.len() + LINE)?;
            (bytes <= ROOM).then_some(bytes)
        };
        let bytes = &self.waiting.bytes;
        let room = bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_this);
        if room.is_err() {
            self.waiting.lost.fetch_add(1, Ordering::Relaxed);
            return Ok(line.len());
        }
        self.queue.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The end of the queue: what its thread calls.
struct Writer {
    to: File,
    waiting: Arc<Waiting>,
}

impl Write for Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = self.to.write_all(line);
        // A line that cannot be written is gone, too.
        let bytes = &self.waiting.bytes;
        bytes.fetch_sub(line.len() + LINE, Ordering::Relaxed);
        written.map(|()| line.len())
    }

    /// Nothing waits any more: where lines are missing, those before the gap are written.
    fn flush(&mut self) -> io::Result<()> {
        let lost = self.waiting.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lines = lost, "lost of the log: nobody read it for too long");
        }
        Ok(())
    }
}
