//! Group files on disk: finding them, reading them, and saying what is wrong with them.

use crate::group::description::{Description, Remark};
use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A group file larger than this is no group file.
const FILE_LIMIT: u64 = 16 << 20;
/// A file that was broken this shortly after it changed may still be being written.
const SETTLING: Duration = Duration::from_millis(200);
/// How deep folders may be nested, lest a symbolic link leads in circles.
const DEPTH_LIMIT: usize = 16;

/// Which version of a file was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::group) struct Stamp {
    modified: SystemTime,
    changed: (i64, i64),
    size: u64,
    inode: u64,
    device: u64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> io::Result<Self> {
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
pub(in crate::group) struct Source {
    pub(super) path: PathBuf,
    pub(super) stamp: Stamp,
    /// The group whose file it is.
    pub(in crate::group) group: String,
    /// The file is that of a group above, which has `auto-subgroups`.
    pub(in crate::group) subgroup: bool,
}

#[cfg(test)]
impl Source {
    /// Of a group that has no file.
    pub(in crate::group) fn none() -> Self {
        Self {
            path: PathBuf::new(),
            stamp: Stamp {
                modified: SystemTime::UNIX_EPOCH,
                changed: (0, 0),
                size: 0,
                inode: 0,
                device: 0,
            },
            group: "g".to_owned(),
            subgroup: false,
        }
    }
}

/// Every group file below a folder: its group's name, and its path.
pub(super) fn collect(
    directory: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<(String, PathBuf)>,
) {
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
pub(super) enum BrokenKind {
    Absent,
    Unreadable,
}

#[derive(Debug)]
pub(super) struct Broken {
    pub(super) kind: BrokenKind,
    reason: String,
    stamp: Option<Stamp>,
}

pub(super) struct Content {
    pub(super) description: Description,
    pub(super) remarks: Vec<Remark>,
    pub(super) stamp: Stamp,
}

/// The bytes of a group file, or why there are none.
pub(super) fn read_text(path: &Path) -> Result<Vec<u8>, String> {
    let mut json = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_LIMIT + 1).read_to_end(&mut json));
    read.map_err(|error| error.to_string())?;
    if json.len() as u64 > FILE_LIMIT {
        return Err(too_large());
    }
    Ok(json)
}

fn too_large() -> String {
    format!("it is larger than {FILE_LIMIT} bytes")
}

/// Reads a group file.
pub(super) fn read(path: &Path) -> Result<Content, Broken> {
    read_if(path, |_| true)?.ok_or(Broken {
        kind: BrokenKind::Unreadable,
        reason: String::new(),
        stamp: None,
    })
}

/// Reads a group file, and understands it if its text is `wanted`.
pub(super) fn read_if(
    path: &Path,
    wanted: impl FnOnce(&[u8]) -> bool,
) -> Result<Option<Content>, Broken> {
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
        Err(too_large())
    } else if wanted(&json) {
        Description::read(&json).map_err(|error| error.to_string())
    } else {
        return Ok(None);
    };
    match parsed {
        Ok((description, remarks)) => Ok(Some(Content {
            description,
            remarks,
            stamp,
        })),
        Err(reason) => Err(Broken {
            kind: BrokenKind::Unreadable,
            reason,
            stamp: Some(stamp),
        }),
    }
}

/// Which versions of which files were looked at already.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Broken, or of groups that no one asked for.
    idle: HashMap<PathBuf, Stamp>,
    /// What there is to say about them is in the log.
    remarked: HashMap<PathBuf, Stamp>,
}

impl Seen {
    /// Whether this version need not be read again until someone asks for it.
    pub(super) fn is_known(&self, path: &Path, stamp: &Stamp) -> bool {
        self.idle.get(path) == Some(stamp)
    }

    pub(super) fn put_aside(&mut self, path: &Path, stamp: Stamp) {
        self.idle.insert(path.to_owned(), stamp);
    }

    pub(super) fn forget(&mut self, path: &Path) {
        self.idle.remove(path);
    }

    /// Forgets files that are there no more.
    pub(super) fn retain(&mut self, is_there: impl Fn(&Path) -> bool) {
        self.idle.retain(|path, _| is_there(path));
        self.remarked.retain(|path, _| is_there(path));
    }

    /// Logs what the admin should know of a good file, once for each version of it.
    pub(super) fn remark(&mut self, path: &Path, content: &Content) {
        if content.remarks.is_empty() || self.remarked.get(path) == Some(&content.stamp) {
            return;
        }
        self.remarked.insert(path.to_owned(), content.stamp.clone());
        let file = path.display();
        for remark in &content.remarks {
            if remark.is_upgrade {
                tracing::info!(%file, "{remark} (a field of old, which is understood)");
            } else {
                tracing::warn!(%file, "{remark}");
            }
        }
    }
}

/// Logs what is wrong with a file, once for each version of it.
pub(super) fn report(path: &Path, broken: &Broken, in_force: bool, seen: &mut Seen) {
    if let Some(stamp) = &broken.stamp {
        let settling = stamp.modified.elapsed().is_ok_and(|age| age < SETTLING);
        if settling || seen.is_known(path, stamp) {
            return;
        }
        seen.put_aside(path, stamp.clone());
    }
    let file = path.display();
    let reason = &broken.reason;
    if in_force {
        tracing::error!(%file, %reason, "broken group file, the last good version stays in force");
    } else {
        tracing::error!(%file, %reason, "broken group file");
    }
}
