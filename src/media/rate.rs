//! How much arrives, how evenly, and how much of it is lost (RFC 3550, sections 6.4 and A.3).

mod meter;
mod reception;
#[cfg(test)]
mod tests;

pub use meter::RateMeter;
pub use reception::{Jitter, Reception};
