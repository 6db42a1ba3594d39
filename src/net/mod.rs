//! The only code that touches UDP and the clock: one thread a shard, and the way to talk to it.

mod bind;
mod driver;
mod engine;
pub mod mmsg;

pub use engine::{Engine, EngineConfig, EngineError, PortRange, ShardId};
