//! What the service manager is told (sd_notify(3)), if there is one.

use sd_notify::{NotifyState, notify, watchdog_enabled};

/// The server serves.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read again; [`ready`] ends it.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "cannot ask for the time"),
    }
}

/// The server ends.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells for ever that the server lives, twice as often as it must; nothing if no one listens.
pub(crate) async fn feed_watchdog() {
    let Some(limit) = watchdog_enabled() else {
        return;
    };
    let mut interval = tokio::time::interval(limit / 2);
    loop {
        interval.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = notify(state) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
