//! Keeping the groups in memory in step with their files.

use super::Registry;
use super::file::{BrokenKind, Source, Stamp, collect, read, report};
use crate::group::error::GroupError;
use crate::group::membership::Group;
use crate::group::name::is_legal_name;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::{fs, io};

impl Registry {
    /// Finds a group in memory or on disk, and brings it up to date with its file. Blocks.
    /// `keep`: an automatic subgroup that was not there is made, not only looked at.
    pub(super) fn lookup(&self, name: &str, keep: bool) -> Result<Arc<Group>, GroupError> {
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
    pub(in crate::group) fn rescan(&self) {
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
