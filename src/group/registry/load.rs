//! Keeping the groups in memory in step with their files.

use super::Registry;
use super::file::{BrokenKind, Content, Source, Stamp, collect, read, read_if, report};
use crate::group::error::GroupError;
use crate::group::membership::Group;
use crate::group::name::is_legal_name;
use jiff::Timestamp;
use std::collections::HashSet;
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
        if let Some(group) = group.as_ref().filter(|_| keep) {
            group.touch();
        }
        let (path, owner) = match self.locate(name) {
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
        let subgroup = owner != name;
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
        let content = match read(&path) {
            Ok(content) => content,
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
        seen.forget(&path);
        seen.remark(&path, &content);
        let Content {
            description, stamp, ..
        } = content;
        if subgroup && !description.auto_subgroups {
            if let Some(group) = group {
                group.file_removed();
            }
            return Err(GroupError::DoesNotExist);
        }
        let description = if subgroup {
            description.for_subgroup()
        } else {
            description
        };
        let source = Source {
            path,
            stamp,
            group: owner.to_owned(),
            subgroup,
        };
        if let Some(group) = group {
            tracing::info!(group = name, "the description of the group changed");
            group.update(description, source, Timestamp::now());
            return Ok(group);
        }
        let group = Group::new(
            name.to_owned(),
            description,
            source,
            self.is_writable(),
            Arc::clone(&self.follower),
        );
        let group = Arc::new(group);
        if keep || !subgroup {
            let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
            groups.insert(name.to_owned(), Arc::clone(&group));
        }
        Ok(group)
    }

    /// The file of a group, or else that of the nearest group above it, and whose it is.
    fn locate<'a>(&self, name: &'a str) -> io::Result<(PathBuf, &'a str)> {
        let mut part = name;
        loop {
            let path = self.directory.join(format!("{part}.json"));
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => return Ok((path, part)),
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
    pub(in crate::group) fn rescan(&self, scan: Scan) {
        let now = Timestamp::now();
        for group in self.loaded() {
            let name = group.name();
            // What is wrong is in the log; the group in memory knows what it can go on with.
            let _ = self.lookup(name, false);
            if group.is_idle(now) {
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
        for (name, path) in &files {
            if is_legal_name(name) && self.get(name).is_none() {
                self.check(name, path, scan);
            }
        }
        let there: HashSet<&Path> = files.iter().map(|(_, path)| path.as_path()).collect();
        self.seen().retain(|path| there.contains(path));
    }

    /// Looks at the file of a group that is not in memory: it is loaded if it is public.
    fn check(&self, name: &str, path: &Path, scan: Scan) {
        let mut seen = self.seen();
        let stamp = fs::metadata(path).and_then(|metadata| Stamp::of(&metadata));
        if stamp.is_ok_and(|stamp| seen.is_known(path, &stamp)) {
            return;
        }
        let wanted = |json: &[u8]| scan == Scan::All || may_be_public(json);
        match read_if(path, wanted) {
            Ok(Some(content)) if content.description.public => {
                drop(seen);
                let _ = self.lookup(name, false);
            }
            Ok(Some(content)) => {
                seen.remark(path, &content);
                seen.put_aside(path, content.stamp);
            }
            Ok(None) => {}
            Err(broken) if broken.kind == BrokenKind::Absent => seen.forget(path),
            Err(broken) => report(path, &broken, false, &mut seen),
        }
    }
}

/// How thoroughly files are looked at whose groups no one asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::group) enum Scan {
    /// Those that could be public are understood.
    Public,
    /// All are, so that the log says what is wrong with them.
    All,
}

/// Whether a text may have the key `public`, which could be written with escapes.
fn may_be_public(json: &[u8]) -> bool {
    let has = |part: &[u8]| json.windows(part.len()).any(|window| window == part);
    has(b"\"public\"") || has(b"\\u")
}
