//! `.stats`: the figures that Galène's own page of statistics shows.

use super::{Answer, Call};

pub(super) async fn answer(call: &Call) -> Answer {
    call.show(&call.state.signal().statistics().await)
}
