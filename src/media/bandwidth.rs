//! How much a receiver's path can carry: from when its packets were sent, and when they arrived.
//!
//! A client has several peer connections over one path. Each has a clock of its own for arrivals,
//! and so a [`Detector`] of its own; all that they see is joined in one [`Reading`], and that moves
//! the one [`Estimate`] of the client. The parts are those of draft-ietf-rmcat-gcc-02 with what
//! experience has added since: a line through the delays of the last groups of packets instead of
//! a Kalman filter, a bound for losses that asks whether they have to do with the rate, and probes.

mod detector;
mod estimate;
mod hold;
mod loss;
mod probe;
#[cfg(test)]
mod tests;
mod throughput;
mod trend;

pub use detector::{Acked, Detector, Reading};
pub use estimate::{Estimate, FLOOR};
pub use hold::{Flight, Hold};
pub use probe::{Cluster, Probe, ProbeResult, Schedule};
pub use trend::Usage;
