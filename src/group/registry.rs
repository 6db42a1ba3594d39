//! All groups: found by name, loaded from their files, and kept in step with them.

mod ban;
mod census;
mod edit;
mod file;
mod inspect;
mod join;
mod load;

pub use ban::{BanRequest, Banned};
pub use census::Census;
pub use edit::EditError;
use file::Seen;
pub(super) use file::Source;
pub use inspect::{Inspected, Refused, inspect};
pub use join::{JoinError, Newcomer};
pub(super) use load::Scan;

use super::ban::Bans;
use super::error::GroupError;
use super::event::{Follower, GroupEvent, Happening};
use super::gate::Gate;
use super::membership::Group;
use super::status::{BaseUrl, Status};
use super::watch::Watch;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use tokio::sync::mpsc;

/// All groups.
#[derive(Debug)]
pub struct Registry {
    directory: PathBuf,
    writable: AtomicBool,
    /// People are let in.
    open: AtomicBool,
    groups: RwLock<HashMap<String, Arc<Group>>>,
    /// Held while a file is read, so that it is read once.
    seen: Mutex<Seen>,
    bans: Bans,
    gate: Arc<Gate>,
    watch: OnceLock<Watch>,
    follower: Arc<Follower>,
}

impl Registry {
    /// Reads the group files below `directory`, loads the public groups, and watches for changes
    /// from then on. Blocks for as long as that takes. `writable`: the HTTP API may change groups
    /// (`writableGroups`). There are no stateful tokens.
    pub fn new(directory: PathBuf, writable: bool) -> Arc<Self> {
        Self::with_gate(directory, writable, Arc::default())
    }

    /// Like [`Self::new`]; `gate` says who comes in.
    pub fn with_gate(directory: PathBuf, writable: bool, gate: Arc<Gate>) -> Arc<Self> {
        let registry = Arc::new(Self {
            directory,
            writable: AtomicBool::new(writable),
            open: AtomicBool::new(true),
            groups: RwLock::default(),
            seen: Mutex::default(),
            bans: Bans::default(),
            gate,
            watch: OnceLock::new(),
            follower: Arc::default(),
        });
        // Watching begins before reading: what changes in between is read again.
        let watch = Watch::start(&registry, &registry.directory);
        let _ = registry.watch.set(watch);
        registry.rescan(Scan::Public);
        // What is wrong with the others is said later: the start does not wait for it.
        if let Some(watch) = registry.watch.get() {
            watch.look();
        }
        registry
    }

    /// What happens in all groups from now on; `None` if someone follows already. More than
    /// `capacity` events that wait are dropped.
    pub fn follow(&self, capacity: usize) -> Option<mpsc::Receiver<GroupEvent>> {
        self.follower.follow(capacity)
    }

    /// Tells whoever follows of something that is about all groups.
    pub fn tell(&self, happening: Happening) {
        self.follower.tell(None, happening);
    }

    /// Whether anyone may join; those inside stay.
    pub fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Relaxed);
    }

    /// Brings all groups up to date with their files, as a change of the files does. Blocks.
    pub fn reread(&self) {
        self.rescan(Scan::All);
    }

    /// The folder of the group files.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether the HTTP API may change groups, from now on (`writableGroups`): those inside are
    /// told.
    pub fn set_writable(&self, writable: bool) {
        self.writable.store(writable, Ordering::Relaxed);
        for group in self.loaded() {
            group.set_can_change_password(writable);
        }
    }

    /// Whether the HTTP API may change groups (`writableGroups`).
    pub fn is_writable(&self) -> bool {
        self.writable.load(Ordering::Relaxed)
    }

    /// Who comes in: passwords and tokens.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    fn loaded(&self) -> Vec<Arc<Group>> {
        self.groups
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// Those in which someone is, sorted by name.
    pub fn populated(&self) -> Vec<Arc<Group>> {
        let mut groups = self.loaded();
        groups.retain(|group| group.client_count() > 0);
        groups.sort_by(|a, b| a.name().cmp(b.name()));
        groups
    }

    /// The group if it is in memory, whatever became of its file.
    pub fn get(&self, name: &str) -> Option<Arc<Group>> {
        self.groups
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds or loads a group, off the async threads.
    ///
    /// # Errors
    /// When its name is illegal, or there is no file for it, or only a broken one.
    pub async fn find(self: &Arc<Self>, name: &str) -> Result<Arc<Group>, GroupError> {
        let registry = Arc::clone(self);
        let name = name.to_owned();
        let task = tokio::task::spawn_blocking(move || registry.lookup(&name, true));
        task.await.unwrap_or(Err(GroupError::Internal))
    }

    /// Like [`Self::find`], for someone who only looks: an automatic subgroup is not kept.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub async fn peek(self: &Arc<Self>, name: &str) -> Result<Arc<Group>, GroupError> {
        let registry = Arc::clone(self);
        let name = name.to_owned();
        let task = tokio::task::spawn_blocking(move || registry.lookup(&name, false));
        task.await.unwrap_or(Err(GroupError::Internal))
    }

    /// What everyone may know of a group, its `.status`. Of a group that lives elsewhere, only
    /// its names and `redirect`.
    ///
    /// # Errors
    /// When its name is illegal, or there is no file for it, or only a broken one.
    pub async fn status(
        self: &Arc<Self>,
        name: &str,
        base: &BaseUrl,
    ) -> Result<Status, GroupError> {
        Ok(self.peek(name).await?.status(base))
    }

    /// The content of `public-groups.json`, sorted by name.
    pub async fn public_groups(self: &Arc<Self>, base: &BaseUrl) -> Vec<Status> {
        let registry = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            for group in registry.loaded() {
                if group.description().public {
                    // Only brings it up to date; its own log says what is wrong.
                    let _ = registry.lookup(group.name(), false);
                }
            }
        });
        let _ = task.await;
        let mut statuses: Vec<Status> = self
            .loaded()
            .iter()
            .filter(|group| !group.is_removed() && group.description().public)
            .map(|group| group.status(base))
            .collect();
        statuses.sort_by(|a, b| a.name.cmp(&b.name));
        statuses
    }

    /// The populated groups below `name`, and how many are in each, sorted by name.
    pub fn subgroups(&self, name: &str) -> Vec<(String, usize)> {
        let prefix = format!("{name}/");
        let mut groups: Vec<_> = self
            .loaded()
            .iter()
            .filter(|group| group.name().starts_with(&prefix))
            .map(|group| (group.name().to_owned(), group.client_count()))
            .filter(|(_, clients)| *clients > 0)
            .collect();
        groups.sort();
        groups
    }
}

#[cfg(test)]
mod tests;
