//! Meetings as browsers hold them, over links as people have them: what is measured is what a
//! user would see and hear.
//!
//! The clients of [`super`] are plain, so that tests can be exact about packets. Those here are
//! shaped after libwebrtc: an encoder that keeps to a rate and makes keyframes and layers, a
//! sender that adapts, a receiver that asks, estimates and decodes by what the packets say of
//! themselves. [`Scenario`]s put them behind links with traces; an [`Outcome`] is a row of
//! `docs/conference.txt`.

mod encoder;
mod gradient;
mod mark;
mod measure;
mod picture;
mod plot;
mod probe;
mod publisher;
mod rate;
mod scenario;
mod sound;
mod stream;
mod table;
mod viewer;

pub use encoder::{EncodingConfig, SIMULCAST2, SIMULCAST3, SINGLE};
pub use measure::{Freeze, Outcome, Timeline};
pub use picture::Shown;
pub use plot::plot;
pub(super) use publisher::Publisher;
pub use publisher::{PublisherConfig, PublisherReport};
pub use scenario::{SCENARIOS, SEED, Scenario};
pub use table::table;
pub(super) use viewer::Viewer;
pub use viewer::{ViewerConfig, ViewerReport};
