//! Files that are written whole or not at all, and never over someone else's change.
//!
//! Everything here waits for the disk: call it on blocking threads only.

use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a file, or a part of one, contains: two with the same content have the same version. Its
/// text can stand between the quotes of an HTTP ETag (RFC 9110, section 8.8.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(String);

impl Version {
    /// Of this content.
    pub fn of(content: &[u8]) -> Self {
        // Half of the digest is more than enough not to meet the same one again.
        let digest = Sha256::digest(content);
        Self(hex::encode(digest.get(..16).unwrap_or(&digest)))
    }

    /// 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What must be there for a change to be made: the conditions of RFC 9110, section 13.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expected<'a> {
    /// Whatever it is.
    #[default]
    Any,
    /// Nothing: `If-None-Match: *`.
    Absent,
    /// Something: `If-Match: *`.
    Present,
    /// One of these: `If-Match: "…"`.
    OneOf(&'a [Version]),
    /// None of these: `If-None-Match: "…"`.
    NoneOf(&'a [Version]),
}

impl Expected<'_> {
    /// Whether this is what was found; `None` for nothing.
    pub fn fits(&self, found: Option<&Version>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::Present => found.is_some(),
            Self::OneOf(versions) => found.is_some_and(|found| versions.contains(found)),
            Self::NoneOf(versions) => found.is_none_or(|found| !versions.contains(found)),
        }
    }
}

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Someone else changed it meanwhile; this is how it is now (`None`: it is gone).
    #[error("it was changed in the meantime")]
    Conflict(Option<Version>),
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The content of a file, and its version; `None` if there is none.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> io::Result<Option<(Vec<u8>, Version)>> {
    let mut content = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut content)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let version = Version::of(&content);
    Ok(Some((content, version)))
}

/// Writes a file as a whole: whoever reads it, and whenever the machine stops, finds either the
/// old content or the new. Makes the folder if it is missing. Only the owner may read the file.
///
/// # Errors
/// When it is not as `expected`, or cannot be written; then the old content stays.
pub fn write(path: &Path, expected: Expected<'_>, content: &[u8]) -> Result<Version, DiskError> {
    change(path, expected, |_| -> Result<_, DiskError> {
        Ok(Some(content.to_vec()))
    })?
    .ok_or_else(|| io::Error::other("nothing was written").into())
}

/// Removes a file.
///
/// # Errors
/// When it is not as `expected`, was not there, or cannot be removed.
pub fn remove(path: &Path, expected: Expected<'_>) -> Result<(), DiskError> {
    change(path, expected, |old| -> Result<_, DiskError> {
        let missing = || DiskError::Io(io::ErrorKind::NotFound.into());
        old.map(|_| None).ok_or_else(missing)
    })?;
    Ok(())
}

/// Reads a file (`None`: there is none), lets `new` say what it shall contain (`None`: that it
/// shall be removed), and writes that, without anyone else writing in between. Returns the
/// version that is there now.
///
/// # Errors
/// When it is not as `expected`, `new` refuses, or it cannot be written; then it stays as it was.
pub fn change<E>(
    path: &Path,
    expected: Expected<'_>,
    new: impl FnOnce(Option<&[u8]>) -> Result<Option<Vec<u8>>, E>,
) -> Result<Option<Version>, E>
where
    E: From<DiskError> + From<io::Error>,
{
    // A link stays one: what it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let lock = Lock::acquire(&path)?;
    let (content, found) = match read(&path)? {
        Some((content, version)) => (Some(content), Some(version)),
        None => (None, None),
    };
    if !expected.fits(found.as_ref()) {
        return Err(DiskError::Conflict(found).into());
    }
    match new(content.as_deref())? {
        Some(new) if content.as_ref() == Some(&new) => Ok(found),
        Some(new) => {
            lock.replace(&path, &new)?;
            Ok(Some(Version::of(&new)))
        }
        None => {
            if content.is_some() {
                fs::remove_file(&path)?;
                lock.sync()?;
            }
            Ok(None)
        }
    }
}

/// The right to write into one folder.
///
/// Threads exclude each other by a mutex, processes by a lock on the folder itself, which leaves
/// no file behind and ends with its owner. Reading needs no lock.
pub(super) struct Lock {
    folder: File,
    /// Whether other processes are kept out too: some network file systems cannot.
    exclusive: bool,
    _threads: MutexGuard<'static, ()>,
}

impl Lock {
    /// Waits for the right to write the file `path`; makes its folder if that is missing.
    pub(super) fn acquire(path: &Path) -> io::Result<Self> {
        static THREADS: Mutex<()> = Mutex::new(());
        let threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = parent(path);
        let opened = match File::open(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                use std::os::unix::fs::DirBuilderExt;
                fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(&folder)?;
                File::open(&folder)
            }
            opened => opened,
        };
        let folder = opened?;
        let exclusive = folder.lock().is_ok();
        Ok(Self {
            folder,
            exclusive,
            _threads: threads,
        })
    }

    /// Puts new content in the place of a file of this folder.
    pub(super) fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let temporary = self.temporary(path)?;
        let written = write_new(&temporary, content).and_then(|()| fs::rename(&temporary, path));
        if let Err(error) = written {
            let _ = fs::remove_file(&temporary);
            return Err(error);
        }
        self.sync()
    }

    /// Brings the names in the folder to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.folder.sync_all()
    }

    /// Its name begins with a dot, so that it is no group. While the lock is held it belongs to
    /// no one else, so that what a killed process left is written over.
    fn temporary(&self, path: &Path) -> io::Result<PathBuf> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut temporary = OsString::from(".");
        temporary.push(name);
        if !self.exclusive {
            temporary.push(format!(".{}", std::process::id()));
        }
        temporary.push(".tmp");
        Ok(path.with_file_name(temporary))
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests;
