//! The files of the web client: those in the program, or those of a folder.

use super::file::{Content, File};
use super::packed::{Packed, accepts_gzip, unpacked};
use axum::http::{HeaderMap, header};
use rust_embed::RustEmbed;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The web client. A debug build reads it from its folder each time.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/static/"]
struct Client;

/// Where static files come from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Files {
    source: Source,
    packed: Arc<Packed>,
}

#[derive(Debug, Clone)]
enum Source {
    /// The web client in the program.
    Embedded,
    /// `-static`
    Folder(Arc<PathBuf>),
}

/// What there is under a name.
#[derive(Debug)]
pub(super) enum Found {
    /// A file, or the index of a folder.
    File(File),
    /// A folder, but the name has no slash at its end.
    Folder,
    /// A folder without an index.
    Closed,
    /// Nothing.
    Missing,
}

impl Files {
    /// The web client in the program.
    pub fn embedded() -> Self {
        Self::new(Source::Embedded)
    }

    /// A folder (`-static`).
    pub fn folder(path: PathBuf) -> Self {
        Self::new(Source::Folder(Arc::new(path)))
    }

    fn new(source: Source) -> Self {
        let packed = Arc::default();
        Self { source, packed }
    }

    /// Finds the file of a clean, decoded path like `/` or `/css/base.css`, for a request with
    /// these headers: packed if they allow it. Of ranges, only those of the plain file are served.
    ///
    /// # Errors
    /// When it is there but cannot be read.
    pub(super) async fn find(&self, path: &str, headers: &HeaderMap) -> io::Result<Found> {
        let files = self.clone();
        let path = path.to_owned();
        let packs = !headers.contains_key(header::RANGE) && accepts_gzip(headers);
        let task = tokio::task::spawn_blocking(move || files.find_blocking(&path, packs));
        task.await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    fn find_blocking(&self, path: &str, packs: bool) -> io::Result<Found> {
        let name = path.trim_matches('/');
        // Hidden files are the business of the one who keeps the folder; certificates are asked
        // for by what lies in this one (RFC 8615).
        if name
            .split('/')
            .any(|part| part.starts_with('.') && part != ".well-known")
        {
            return Ok(Found::Missing);
        }
        let wants_folder = path.ends_with('/');
        match self.source.find(name, wants_folder)? {
            Found::File(file) if file.is_packable() => {
                Ok(Found::File(self.packed.of(name, file, packs)?))
            }
            // What is large and seldom wanted is kept packed only.
            Found::Missing if !wants_folder => {
                match self.source.find(&format!("{name}.gz"), false)? {
                    Found::File(file) => Ok(Found::File(unpacked(name, file, packs)?)),
                    _ => Ok(Found::Missing),
                }
            }
            found => Ok(found),
        }
    }
}

impl Source {
    fn find(&self, name: &str, wants_folder: bool) -> io::Result<Found> {
        match self {
            Self::Embedded => Ok(embedded(name, wants_folder)),
            Self::Folder(root) => on_disk(root, name, wants_folder),
        }
    }
}

fn embedded(name: &str, wants_folder: bool) -> Found {
    let read = |name: &str| {
        Client::get(name).map(|found| {
            let mut tag = String::new();
            for byte in &found.metadata.sha256_hash()[..12] {
                let _ = write!(tag, "{byte:02x}");
            }
            let modified = found
                .metadata
                .last_modified()
                .map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
            let bytes = match found.data {
                Cow::Borrowed(bytes) => bytes::Bytes::from_static(bytes),
                Cow::Owned(bytes) => bytes.into(),
            };
            File::new(name, &tag, modified, Content::Memory(bytes))
        })
    };
    let prefix = if name.is_empty() {
        String::new()
    } else {
        format!("{name}/")
    };
    let is_folder = || name.is_empty() || Client::iter().any(|other| other.starts_with(&prefix));
    if wants_folder {
        match read(&format!("{prefix}index.html")) {
            Some(file) => Found::File(file),
            None if is_folder() => Found::Closed,
            None => Found::Missing,
        }
    } else {
        match read(name) {
            Some(file) => Found::File(file),
            None if is_folder() => Found::Folder,
            None => Found::Missing,
        }
    }
}

fn on_disk(root: &std::path::Path, name: &str, wants_folder: bool) -> io::Result<Found> {
    let path = root.join(name);
    let metadata = match std::fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if is_absence(&error) => return Ok(Found::Missing),
        Err(error) => return Err(error),
    };
    match (metadata.is_dir(), wants_folder) {
        (true, false) => return Ok(Found::Folder),
        (false, true) => return Ok(Found::Missing),
        _ => {}
    }
    let path = if metadata.is_dir() {
        path.join("index.html")
    } else {
        path
    };
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if is_absence(&error) => {
            return Ok(if wants_folder {
                Found::Closed
            } else {
                Found::Missing
            });
        }
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Found::Missing);
    }
    let modified = metadata.modified()?;
    let age = modified
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let tag = format!("{:x}-{:x}", age.as_nanos(), metadata.len());
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let content = Content::Disk(file, metadata.len());
    Ok(Found::File(File::new(
        &name.unwrap_or_default(),
        &tag,
        Some(modified),
        content,
    )))
}

fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}
