//! Notices changed group files, so that those inside are told at once.

use super::registry::{Registry, Scan};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// After a change, the time to wait for more: editors write a file in several steps.
const SETTLE: Duration = Duration::from_millis(250);
/// How often files are looked at when no one says that they changed (network file systems do
/// not), and idle groups are forgotten.
const INTERVAL: Duration = Duration::from_secs(15);

/// Watches the groups folder for as long as it lives.
#[derive(Debug)]
pub(super) struct Watch {
    _watcher: Option<RecommendedWatcher>,
    /// Its end ends the thread.
    changed: Sender<()>,
}

impl Watch {
    /// Watches `directory` on behalf of `registry`. If the system cannot watch, files are only
    /// looked at now and then.
    pub(super) fn start(registry: &Arc<Registry>, directory: &Path) -> Self {
        let (changed, changes) = channel();
        let tell = changed.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading files is no change: the server does it itself.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _ = tell.send(());
            }
        })
        .and_then(|mut watcher| {
            watcher.watch(directory, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        let watcher = watcher
            .map_err(|error| {
                tracing::warn!(
                    folder = %directory.display(),
                    %error,
                    "cannot watch the groups folder, changes are noticed every {INTERVAL:?}"
                );
            })
            .ok();
        let registry = Arc::downgrade(registry);
        let thread = std::thread::Builder::new()
            .name("group-files".to_owned())
            .spawn(move || follow(&changes, &registry));
        if let Err(error) = thread {
            tracing::error!(%error, "changed group files are noticed only when someone joins");
        }
        Self {
            _watcher: watcher,
            changed,
        }
    }

    /// As if something had changed: all files are looked at soon.
    pub(super) fn look(&self) {
        // If no one listens, that there is no thread is in the log.
        let _ = self.changed.send(());
    }
}

fn follow(changes: &Receiver<()>, registry: &Weak<Registry>) {
    loop {
        match changes.recv_timeout(INTERVAL) {
            Ok(()) => {
                // Not for ever: a file that changes all the time is read all the same.
                std::thread::sleep(SETTLE);
                while changes.try_recv().is_ok() {}
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let Some(registry) = registry.upgrade() else {
            return;
        };
        registry.rescan(Scan::All);
    }
}
