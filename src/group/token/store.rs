//! The file of the stateful tokens, in step with the disk in both directions.

use super::Token;
use crate::group::disk::{self, DiskError, Expected, Version};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Why something about a token was refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no such token. The text is that of Galène, whose clients show it.
    #[error("file does not exist")]
    DoesNotExist,
    /// A token of this name is there already.
    #[error("file already exists")]
    Exists,
    /// Someone else changed it meanwhile; this is how it is now (`None`: it is gone).
    #[error("the token was changed in the meantime")]
    Conflict(Option<Version>),
    /// This server was started without a place for tokens.
    #[error("this server keeps no tokens")]
    Nowhere,
    /// The file cannot be read or written.
    #[error("the tokens cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

impl From<DiskError> for TokenError {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Conflict(version) => Self::Conflict(version),
            DiskError::Io(error) => Self::Io(error),
        }
    }
}

/// Some tokens at one moment.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Those that never were good for want of `expires` first, then by the time they expire.
    pub tokens: Vec<Arc<Token>>,
    /// Of all of them together.
    pub version: Version,
}

/// All stateful tokens. Every method may wait for the disk: call them on blocking threads only.
///
/// New tokens are appended to the file, other changes replace it as a whole. A token whose
/// creation was acknowledged is on the disk, whatever happens to the server then. A line that
/// cannot be read is no token, is logged, and stays as it is for someone to mend it.
#[derive(Debug, Default)]
pub struct TokenStore {
    path: Option<PathBuf>,
    loaded: Mutex<Loaded>,
}

#[derive(Debug, Default, Clone)]
struct Loaded {
    stamp: Option<Stamp>,
    lines: Arc<Lines>,
}

/// Which version of the file was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    changed: (i64, i64),
    size: u64,
    inode: u64,
}

/// What the file says.
#[derive(Debug, Default, Clone)]
struct Lines {
    tokens: BTreeMap<String, Arc<Token>>,
    broken: Vec<Vec<u8>>,
}

impl TokenStore {
    /// The tokens of this file, which need not exist yet, nor its folder.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path: Some(path),
            loaded: Mutex::default(),
        }
    }

    /// The token of this name.
    pub fn get(&self, token: &str) -> Option<Arc<Token>> {
        self.current().lines.tokens.get(token).cloned()
    }

    /// The tokens that were made for this group (not for those above it); all without one.
    pub fn list(&self, group: Option<&str>) -> Tokens {
        let lines = self.current().lines;
        let tokens = lines.sorted(|token| group.is_none_or(|group| token.group == group));
        let mut versions = String::new();
        for token in &tokens {
            versions += token.version().as_str();
        }
        Tokens {
            tokens,
            version: Version::of(versions.as_bytes()),
        }
    }

    /// Adds a token.
    ///
    /// # Errors
    /// When there is one of this name, or it cannot be written.
    pub fn create(&self, token: Token) -> Result<Arc<Token>, TokenError> {
        let path = self.writable_path()?;
        let lock = disk::Lock::acquire(&path)?;
        let Loaded { stamp, mut lines } = self.refresh()?;
        if lines.tokens.contains_key(&token.token) {
            return Err(TokenError::Exists);
        }
        let mut line = serde_json::to_vec(&token).map_err(io::Error::from)?;
        line.push(b'\n');
        let stamp = append(&path, stamp.as_ref(), &line)?;
        lock.sync()?;
        let token = Arc::new(token);
        Arc::make_mut(&mut lines)
            .tokens
            .insert(token.token.clone(), Arc::clone(&token));
        *self.loaded() = Loaded { stamp, lines };
        Ok(token)
    }

    /// Changes a token, if it is as `expected` and `change` does not refuse. Its name stays.
    ///
    /// # Errors
    /// When there is none, or another than expected, or `change` refuses, or it cannot be written.
    pub fn update<E: From<TokenError>>(
        &self,
        token: &str,
        expected: Expected<'_>,
        change: impl FnOnce(&mut Token) -> Result<(), E>,
    ) -> Result<Arc<Token>, E> {
        self.rewrite(|lines| {
            let old = lines.expect(token, expected)?;
            let mut new = Token::clone(old);
            change(&mut new)?;
            token.clone_into(&mut new.token);
            let new = Arc::new(new);
            lines.tokens.insert(token.to_owned(), Arc::clone(&new));
            Ok(new)
        })
    }

    /// Puts a token where there is one, or none, as `expected`; true if there was none.
    ///
    /// # Errors
    /// When it is not as expected, or cannot be written.
    pub fn put(&self, token: Token, expected: Expected<'_>) -> Result<bool, TokenError> {
        self.rewrite(|lines| {
            let old = lines.tokens.get(&token.token).map(|old| old.version());
            if !expected.fits(old.as_ref()) {
                return Err(TokenError::Conflict(old));
            }
            lines.tokens.insert(token.token.clone(), Arc::new(token));
            Ok(old.is_none())
        })
    }

    /// Removes a token, if it is as `expected`.
    ///
    /// # Errors
    /// When there is none, or another than expected, or the file cannot be written.
    pub fn delete(&self, token: &str, expected: Expected<'_>) -> Result<(), TokenError> {
        self.rewrite(|lines| {
            lines.expect(token, expected)?;
            lines.tokens.remove(token);
            Ok(())
        })
    }

    /// Forgets tokens that expired seven days ago.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn expire(&self, now: Timestamp) -> Result<(), TokenError> {
        let old = |token: &Arc<Token>| token.is_forgotten_at(now);
        if !self.current().lines.tokens.values().any(old) {
            return Ok(());
        }
        self.rewrite(|lines| {
            lines.tokens.retain(|_, token| !old(token));
            Ok(())
        })
    }

    fn rewrite<T, E: From<TokenError>>(
        &self,
        change: impl FnOnce(&mut Lines) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = self.writable_path()?;
        let lock = disk::Lock::acquire(&path).map_err(TokenError::from)?;
        let mut lines = self.refresh().map_err(TokenError::from)?.lines;
        let result = change(Arc::make_mut(&mut lines))?;
        let stamp = lines
            .write(&path, &lock)
            .and_then(|()| Stamp::of(&path))
            .map_err(TokenError::from)?;
        *self.loaded() = Loaded { stamp, lines };
        Ok(result)
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a link leads to is what is written.
    fn writable_path(&self) -> Result<PathBuf, TokenError> {
        let path = self.path.as_ref().ok_or(TokenError::Nowhere)?;
        Ok(fs::canonicalize(path).unwrap_or_else(|_| path.clone()))
    }

    /// What the file says now; if it cannot be read, what it said last.
    fn current(&self) -> Loaded {
        self.refresh().unwrap_or_else(|error| {
            if let Some(path) = &self.path {
                let file = path.display();
                tracing::error!(%file, %error, "cannot read the tokens, the last ones known stay");
            }
            self.loaded().clone()
        })
    }

    /// Reads the file again if it changed.
    fn refresh(&self) -> io::Result<Loaded> {
        let Some(path) = &self.path else {
            return Ok(Loaded::default());
        };
        let mut loaded = self.loaded();
        // Taken first: if it is written meanwhile, the stamp is old and the file is read again.
        let stamp = Stamp::of(path)?;
        if stamp.is_none() {
            *loaded = Loaded::default();
        } else if loaded.stamp != stamp {
            let lines = disk::read(path)?.map(|(content, _)| Lines::parse(path, &content));
            *loaded = Loaded {
                stamp,
                lines: Arc::new(lines.unwrap_or_default()),
            };
        }
        Ok(loaded.clone())
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(metadata) => Ok(Some(Self::new(&metadata)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn new(metadata: &fs::Metadata) -> io::Result<Self> {
        Ok(Self {
            modified: metadata.modified()?,
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            size: metadata.len(),
            inode: metadata.ino(),
        })
    }
}

impl Lines {
    fn parse(path: &Path, content: &[u8]) -> Self {
        let mut lines = Self::default();
        for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            let reason = match serde_json::from_slice::<Token>(line) {
                Ok(token) if !token.token.is_empty() => {
                    lines.tokens.insert(token.token.clone(), Arc::new(token));
                    continue;
                }
                Ok(_) => "it has no token".to_owned(),
                Err(error) => error.to_string(),
            };
            let (file, line_number) = (path.display(), index + 1);
            tracing::error!(%file, line = line_number, %reason, "this line is no token, it is ignored");
            lines.broken.push(line.to_owned());
        }
        lines
    }

    fn sorted(&self, fits: impl Fn(&Token) -> bool) -> Vec<Arc<Token>> {
        let mut tokens: Vec<_> = self
            .tokens
            .values()
            .filter(|token| fits(token))
            .cloned()
            .collect();
        // Stable: those that expire together stay in the order of their names.
        tokens.sort_by_key(|token| token.expires);
        tokens
    }

    fn expect(&self, token: &str, expected: Expected<'_>) -> Result<&Token, TokenError> {
        let found = self.tokens.get(token).ok_or(TokenError::DoesNotExist)?;
        let version = found.version();
        if expected.fits(Some(&version)) {
            Ok(found)
        } else {
            Err(TokenError::Conflict(Some(version)))
        }
    }

    fn write(&self, path: &Path, lock: &disk::Lock) -> io::Result<()> {
        let mut content = Vec::new();
        for token in self.sorted(|_| true) {
            serde_json::to_writer(&mut content, &*token)?;
            content.push(b'\n');
        }
        for line in &self.broken {
            content.extend_from_slice(line);
            content.push(b'\n');
        }
        if !content.is_empty() {
            return lock.replace(path, &content);
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => lock.sync(),
        }
    }
}

/// Adds a line to the file that was read at `stamp`. Returns its new stamp, or `None` if someone
/// else wrote to it at the same moment, so that it must be read again.
fn append(path: &Path, stamp: Option<&Stamp>, line: &[u8]) -> io::Result<Option<Stamp>> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    let size = file.metadata()?.len();
    let mut text = Vec::with_capacity(line.len() + 1);
    if !ends_a_line(&file, size)? {
        // Whoever wrote last was stopped in the midst of it: that line is lost, not this one.
        text.push(b'\n');
    }
    text.extend_from_slice(line);
    if let Err(error) = file.write_all(&text).and_then(|()| file.sync_all()) {
        // Half a line is worth nothing.
        let _ = file.set_len(size);
        return Err(error);
    }
    let written = Stamp::new(&file.metadata()?)?;
    let undisturbed = size == stamp.map_or(0, |stamp| stamp.size)
        && written.size == size + text.len() as u64
        && stamp.is_none_or(|stamp| stamp.inode == written.inode);
    Ok(undisturbed.then_some(written))
}

fn ends_a_line(file: &File, size: u64) -> io::Result<bool> {
    let Some(last) = size.checked_sub(1) else {
        return Ok(true);
    };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte == *b"\n")
}
