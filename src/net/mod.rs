//! The only code that touches UDP and the clock: one thread a shard, and the way to talk to it.

mod bind;
mod driver;
mod engine;
mod figures;
mod link;
pub mod mmsg;

pub use crate::shard::ShardId;
pub use engine::{Engine, EngineConfig, EngineError, PortRange};
pub use figures::{SocketFigures, ThreadFigures};
