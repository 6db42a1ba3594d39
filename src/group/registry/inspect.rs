//! What there is to say about group files before a server uses them.

use super::file::{collect, read_text};
use crate::group::description::{Description, DescriptionError, Remark};
use crate::group::name::is_legal_name;
use std::path::{Path, PathBuf};

/// A group file that was looked at.
#[derive(Debug)]
pub struct Inspected {
    /// The file.
    pub path: PathBuf,
    /// What the admin should know of it, or why it is refused.
    pub result: Result<Vec<Remark>, Refused>,
}

/// Why a group file is refused.
#[derive(Debug)]
pub struct Refused {
    /// Counted from 1, if it is about a line.
    pub line: Option<usize>,
    /// Why.
    pub reason: String,
}

/// Reads every group file below a folder, sorted by path. Blocks.
pub fn inspect(directory: &Path) -> Vec<Inspected> {
    let mut files = Vec::new();
    collect(directory, "", 0, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|(name, path)| Inspected {
            result: inspect_file(&name, &path),
            path,
        })
        .collect()
}

fn inspect_file(name: &str, path: &Path) -> Result<Vec<Remark>, Refused> {
    let refused = |line, reason| Refused { line, reason };
    if !is_legal_name(name) {
        return Err(refused(
            None,
            format!("{name:?} is no legal name of a group"),
        ));
    }
    let json = read_text(path).map_err(|reason| refused(None, reason))?;
    match Description::read(&json) {
        Ok((_, remarks)) => Ok(remarks),
        Err(DescriptionError::Json(error)) => {
            let line = (error.line() > 0).then(|| error.line());
            Err(refused(line, error.to_string()))
        }
    }
}
