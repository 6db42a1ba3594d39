//! How many there are, of all groups together.

use super::Registry;

/// How many there are at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Groups in memory.
    pub groups: usize,
    /// Those in which someone is.
    pub populated: usize,
    /// Clients inside.
    pub clients: usize,
    /// Clients that wait for an operator to let them in.
    pub waiting: usize,
    /// Streams that are published.
    pub streams: usize,
}

impl Registry {
    /// Counts. Each group is locked for a moment, one after another.
    pub fn census(&self) -> Census {
        let mut census = Census::default();
        for group in self.loaded() {
            let state = group.state();
            census.groups += 1;
            census.populated += usize::from(!state.members.is_empty());
            census.clients += state.members.len();
            census.waiting += state.waiting.len();
            census.streams += state.streams.len();
        }
        census
    }
}
