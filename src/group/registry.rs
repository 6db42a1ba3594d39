//! All groups: found by name, loaded from their files, and kept in step with them.

use super::credentials::Credentials;
use super::data::Data;
use super::description::Description;
use super::error::GroupError;
use super::mailbox::Mailbox;
use super::membership::{Group, JoinRequest, Stale};
use super::name::{is_legal_name, is_legal_username};
use super::permission::Permissions;
use super::status::{BaseUrl, Status};
use super::watch::Watch;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;

/// A group file larger than this is no group file.
const FILE_LIMIT: u64 = 16 << 20;
/// A file that was broken this shortly after it changed may still be being written.
const SETTLING: Duration = Duration::from_millis(200);
/// How deep folders may be nested, lest a symbolic link leads in circles.
const DEPTH_LIMIT: usize = 16;

/// Which version of a file was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: SystemTime,
    changed: (i64, i64),
    size: u64,
    inode: u64,
    device: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> io::Result<Self> {
        Ok(Self {
            modified: metadata.modified()?,
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.len(),
            inode: metadata.ino(),
            device: metadata.dev(),
        })
    }
}

/// Where a description comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    path: PathBuf,
    stamp: Stamp,
    /// The file is that of a group above, which has `auto-subgroups`.
    subgroup: bool,
}

/// Someone who wants in, before the credentials are checked.
#[derive(Debug)]
pub struct Newcomer {
    /// The client id.
    pub id: String,
    /// Who it says it is.
    pub credentials: Credentials,
    /// What it says of itself.
    pub data: Map<String, Value>,
    /// Where it connects from.
    pub address: Option<SocketAddr>,
    /// Where it is told things.
    pub mailbox: Arc<Mailbox>,
}

/// Why a client is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct JoinError {
    /// The name it would have had; empty until the credentials were found good.
    pub username: String,
    /// Why.
    pub error: GroupError,
}

impl From<GroupError> for JoinError {
    fn from(error: GroupError) -> Self {
        Self {
            username: String::new(),
            error,
        }
    }
}

/// All groups.
#[derive(Debug)]
pub struct Registry {
    directory: PathBuf,
    writable: bool,
    groups: RwLock<HashMap<String, Arc<Group>>>,
    /// Files that were last seen broken, or of groups that no one asked for, and which version.
    /// Held while a file is read, so that it is read once.
    seen: Mutex<HashMap<PathBuf, Stamp>>,
    /// So many passwords are hashed at a time.
    hashing: Arc<Semaphore>,
    watch: OnceLock<Watch>,
}

impl Registry {
    /// Reads the group files below `directory`, loads the public groups, and watches for changes
    /// from then on. Blocks for as long as that takes. `writable`: the HTTP API may change groups
    /// (`writableGroups`).
    pub fn new(directory: PathBuf, writable: bool) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let registry = Arc::new(Self {
            directory,
            writable,
            groups: RwLock::default(),
            seen: Mutex::default(),
            hashing: Arc::new(Semaphore::new(cores)),
            watch: OnceLock::new(),
        });
        // Watching begins before reading: what changes in between is read again.
        let watch = Watch::start(&registry, &registry.directory);
        let _ = registry.watch.set(watch);
        registry.rescan();
        registry
    }

    /// The folder of the group files.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn loaded(&self) -> Vec<Arc<Group>> {
        self.groups
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// The group if it is in memory, whatever became of its file.
    pub fn get(&self, name: &str) -> Option<Arc<Group>> {
        self.groups
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<PathBuf, Stamp>> {
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
        let registry = Arc::clone(self);
        let name = name.to_owned();
        // An automatic subgroup that is only asked about is not kept.
        let task = tokio::task::spawn_blocking(move || registry.lookup(&name, false));
        Ok(task
            .await
            .unwrap_or(Err(GroupError::Internal))?
            .status(base))
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

    /// Checks the credentials and lets the client in. From then on, everything that happens in
    /// the group arrives in its mailbox.
    ///
    /// # Errors
    /// The reason to show to the user.
    pub async fn join(
        self: &Arc<Self>,
        name: &str,
        newcomer: Newcomer,
    ) -> Result<Arc<Group>, JoinError> {
        let mut request = JoinRequest {
            id: newcomer.id,
            username: String::new(),
            permissions: Permissions::default(),
            data: Arc::new(Data::new(newcomer.data)?),
            address: newcomer.address,
            mailbox: newcomer.mailbox,
        };
        // Again if the file changes between the check and the join; it will not do so for ever.
        for _ in 0..10 {
            let group = self.find(name).await?;
            let description = group.description();
            if !description.redirect.is_empty() {
                return Err(GroupError::Redirect(description.redirect.clone()).into());
            }
            let (username, permissions) = self
                .authenticate(&description, &newcomer.credentials)
                .await?;
            request.username.clone_from(&username);
            request.permissions = permissions;
            match group.join(request.clone(), &description, Timestamp::now()) {
                Ok(Ok(())) => return Ok(group),
                Ok(Err(error)) => return Err(JoinError { username, error }),
                Err(Stale) => {}
            }
        }
        Err(GroupError::Internal.into())
    }

    async fn authenticate(
        &self,
        description: &Arc<Description>,
        credentials: &Credentials,
    ) -> Result<(String, Permissions), GroupError> {
        if credentials.token.is_some() {
            // Tokens come with the rest of the group format.
            return Err(GroupError::NotAuthorised);
        }
        let username = credentials
            .username
            .clone()
            .ok_or(GroupError::UsernameRequired)?;
        if !is_legal_username(&username) {
            return Err(GroupError::NotAuthorised);
        }
        let permissions = if description.is_slow(&username) {
            let Ok(_permit) = self.hashing.acquire().await else {
                return Err(GroupError::Internal);
            };
            let description = Arc::clone(description);
            let password = credentials.password.clone();
            let user = username.clone();
            tokio::task::spawn_blocking(move || description.login(&user, &password))
                .await
                .map_err(|_| GroupError::Internal)?
        } else {
            description.login(&username, &credentials.password)
        };
        Ok((username, permissions.ok_or(GroupError::NotAuthorised)?))
    }

    /// Finds a group in memory or on disk, and brings it up to date with its file. Blocks.
    /// `keep`: an automatic subgroup that was not there is made, not only looked at.
    fn lookup(&self, name: &str, keep: bool) -> Result<Arc<Group>, GroupError> {
        if !is_legal_name(name) {
            return Err(GroupError::IllegalName);
        }
        let group = self.get(name);
        let (path, subgroup) = match self.locate(name) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(group) = group {
                    group.file_removed();
                }
                return Err(GroupError::DoesNotExist);
            }
            Err(error) => {
                tracing::error!(group = name, %error, "cannot look for the file of a group");
                return group.ok_or(GroupError::Broken);
            }
        };
        let current = |group: &Arc<Group>| {
            let source = group.source();
            let stamp = fs::metadata(&path).and_then(|metadata| Stamp::of(&metadata));
            !group.is_removed()
                && source.path == path
                && source.subgroup == subgroup
                && stamp.is_ok_and(|stamp| stamp == source.stamp)
        };
        if let Some(group) = group
            && current(&group)
        {
            return Ok(group);
        }
        let mut seen = self.seen();
        // Another thread may have read it while this one waited.
        let group = self.get(name);
        if let Some(group) = group
            && current(&group)
        {
            return Ok(group);
        }
        let group = self.get(name);
        let (description, stamp) = match read(&path) {
            Ok(read) => read,
            Err(broken) if broken.kind == BrokenKind::Absent => {
                if let Some(group) = group {
                    group.file_removed();
                }
                return Err(GroupError::DoesNotExist);
            }
            Err(broken) => {
                report(&path, &broken, group.is_some(), &mut seen);
                return group
                    .filter(|group| !group.is_removed())
                    .ok_or(GroupError::Broken);
            }
        };
        seen.remove(&path);
        if subgroup && !description.auto_subgroups {
            if let Some(group) = group {
                group.file_removed();
            }
            return Err(GroupError::DoesNotExist);
        }
        for warning in description.warnings() {
            tracing::warn!(file = %path.display(), "{warning}");
        }
        let description = if subgroup {
            description.for_subgroup()
        } else {
            description
        };
        let source = Source {
            path,
            stamp,
            subgroup,
        };
        if let Some(group) = group {
            tracing::info!(group = name, "the description of the group changed");
            group.update(description, source);
            return Ok(group);
        }
        let group = Group::new(name.to_owned(), description, source, self.writable);
        let group = Arc::new(group);
        if keep || !subgroup {
            let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
            groups.insert(name.to_owned(), Arc::clone(&group));
        }
        Ok(group)
    }

    /// The file of a group, or else that of the nearest group above it.
    fn locate(&self, name: &str) -> io::Result<(PathBuf, bool)> {
        let mut part = name;
        loop {
            let path = self.directory.join(format!("{part}.json"));
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => return Ok((path, part.len() != name.len())),
                Ok(_) => {}
                // A file where a folder should be: `a.json/b` is not there either.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                    ) => {}
                Err(error) => return Err(error),
            }
            match part.rsplit_once('/') {
                Some((parent, _)) => part = parent,
                None => return Err(io::ErrorKind::NotFound.into()),
            }
        }
    }

    /// Brings everything in memory up to date with the files, loads public groups that are new,
    /// and forgets groups that no one would miss. Blocks.
    pub(super) fn rescan(&self) {
        let now = Timestamp::now();
        for group in self.loaded() {
            let name = group.name();
            // What is wrong is in the log; the group in memory knows what it can go on with.
            let _ = self.lookup(name, false);
            let forgettable = group.is_removed() || group.source().subgroup;
            if forgettable && group.is_idle(now) {
                let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
                // Someone may have come in the meantime, or be about to: then there are more
                // than this reference and that of the map.
                if group.is_idle(now) && Arc::strong_count(&group) <= 2 {
                    groups.remove(name);
                }
            }
        }
        let mut files = Vec::new();
        collect(&self.directory, "", 0, &mut files);
        for (name, path) in files {
            if is_legal_name(&name) && self.get(&name).is_none() {
                self.load_if_public(&name, &path);
            }
        }
    }

    fn load_if_public(&self, name: &str, path: &Path) {
        let mut seen = self.seen();
        let stamp = fs::metadata(path).and_then(|metadata| Stamp::of(&metadata));
        if stamp.is_ok_and(|stamp| seen.get(path) == Some(&stamp)) {
            return;
        }
        match read(path) {
            Ok((description, _)) if description.public => {
                drop(seen);
                let _ = self.lookup(name, false);
            }
            Ok((_, stamp)) => {
                seen.insert(path.to_owned(), stamp);
            }
            Err(broken) if broken.kind == BrokenKind::Absent => {
                seen.remove(path);
            }
            Err(broken) => report(path, &broken, false, &mut seen),
        }
    }
}

/// Every group file below a folder: its group's name, and its path.
fn collect(directory: &Path, prefix: &str, depth: usize, files: &mut Vec<(String, PathBuf)>) {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        // Whoever starts the server without the folder was told so once.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            tracing::error!(folder = %directory.display(), %error, "cannot read a groups folder");
            return;
        }
    };
    for entry in entries.flatten() {
        let file_name = entry.file_name();
        let Some(name) = file_name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let path = entry.path();
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        if metadata.is_dir() && depth < DEPTH_LIMIT {
            collect(&path, &format!("{prefix}{name}/"), depth + 1, files);
        } else if let Some(name) = name.strip_suffix(".json")
            && metadata.is_file()
        {
            files.push((format!("{prefix}{name}"), path));
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum BrokenKind {
    Absent,
    Unreadable,
}

#[derive(Debug)]
struct Broken {
    kind: BrokenKind,
    reason: String,
    stamp: Option<Stamp>,
}

fn read(path: &Path) -> Result<(Description, Stamp), Broken> {
    let unreadable = |error: io::Error| Broken {
        kind: if error.kind() == io::ErrorKind::NotFound {
            BrokenKind::Absent
        } else {
            BrokenKind::Unreadable
        },
        reason: error.to_string(),
        stamp: None,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    // Taken first: if the file is written while it is read, the stamp is old and it is read again.
    let stamp = file
        .metadata()
        .and_then(|metadata| Stamp::of(&metadata))
        .map_err(unreadable)?;
    let mut json = Vec::new();
    file.by_ref()
        .take(FILE_LIMIT + 1)
        .read_to_end(&mut json)
        .map_err(unreadable)?;
    let parsed = if json.len() as u64 > FILE_LIMIT {
        Err(format!("it is larger than {FILE_LIMIT} bytes"))
    } else {
        Description::parse(&json).map_err(|error| error.to_string())
    };
    match parsed {
        Ok(description) => Ok((description, stamp)),
        Err(reason) => Err(Broken {
            kind: BrokenKind::Unreadable,
            reason,
            stamp: Some(stamp),
        }),
    }
}

/// Logs what is wrong with a file, once for each version of it.
fn report(path: &Path, broken: &Broken, in_force: bool, seen: &mut HashMap<PathBuf, Stamp>) {
    if let Some(stamp) = &broken.stamp {
        let settling = stamp.modified.elapsed().is_ok_and(|age| age < SETTLING);
        if settling || seen.get(path) == Some(stamp) {
            return;
        }
        seen.insert(path.to_owned(), stamp.clone());
    }
    let file = path.display();
    let reason = &broken.reason;
    if in_force {
        tracing::error!(%file, %reason, "broken group file, the last good version stays in force");
    } else {
        tracing::error!(%file, %reason, "broken group file");
    }
}

#[cfg(test)]
mod tests;
