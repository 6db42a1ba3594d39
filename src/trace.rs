//! What takes long enough to be traced: spans, if the feature `otel` is there to send them
//! anywhere. Without it there are none.

use tracing::Span;

/// The target of all spans. The log leaves them out.
pub const TARGET: &str = "perikon::trace";

/// A span, with the arguments of [`tracing::info_span`] after its target; none without the feature.
macro_rules! span {
    ($($arguments:tt)+) => {
        if cfg!(feature = "otel") {
            tracing::info_span!(target: $crate::trace::TARGET, $($arguments)+)
        } else {
            tracing::Span::none()
        }
    };
}
pub(crate) use span;

/// What the span was about has failed. It has the fields `otel.status_code` and
/// `otel.status_description`.
pub(crate) fn failed(span: &Span, reason: &dyn std::fmt::Display) {
    if !span.is_none() {
        span.record("otel.status_code", "ERROR");
        span.record("otel.status_description", reason.to_string());
    }
}
