//! Group files that are changed by the server itself. Everything here waits for the disk: call it
//! on blocking threads only.

use super::Registry;
use super::file::collect;
use crate::group::description::Description;
use crate::group::disk::{self, DiskError, Expected};
use crate::group::name::is_legal_name;
use std::io;
use std::path::PathBuf;

/// Why a group file was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The name can be no group's.
    #[error("illegal group name")]
    IllegalName,
    /// The file is there but not understood: changing it would lose what it says.
    #[error("the file of this group is broken, mend it first: {0}")]
    Broken(String),
    /// A file is where a folder should be, or the other way round.
    #[error("a file or folder is in the way of this group's file")]
    InTheWay,
    /// The file system does not take so long a name.
    #[error("the group name is too long")]
    NameTooLong,
    /// It cannot be read or written.
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for EditError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{AlreadyExists, InvalidFilename, IsADirectory, NotADirectory};
        match error.kind() {
            NotADirectory | IsADirectory | AlreadyExists => Self::InTheWay,
            InvalidFilename => Self::NameTooLong,
            _ => Self::Io(error),
        }
    }
}

impl Registry {
    /// The names of all groups that have a file, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut files = Vec::new();
        collect(self.directory(), "", 0, &mut files);
        let names = files.into_iter().map(|(name, _)| name);
        let mut names: Vec<String> = names.filter(|name| is_legal_name(name)).collect();
        names.sort();
        names
    }

    /// What a group's own file says at this moment; `None` if it has none.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn read_file(&self, name: &str) -> Result<Option<Description>, EditError> {
        let path = self.file_of(name)?;
        match disk::read(&path) {
            Ok(Some((content, _))) => parse(&content).map(Some),
            Ok(None) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets `change` say what a group's own file shall say (`None`: it shall be removed), from
    /// what it says now (`None`: there is none), without anyone else writing in between. When this
    /// returns, the change is in force for those inside.
    ///
    /// # Errors
    /// When it cannot be read, understood or written, or `change` refuses; then it stays as it is.
    pub fn edit<E>(
        &self,
        name: &str,
        change: impl FnOnce(Option<Description>) -> Result<Option<Description>, E>,
    ) -> Result<(), E>
    where
        E: From<EditError> + From<DiskError> + From<io::Error>,
    {
        let path = self.file_of(name)?;
        disk::change(&path, Expected::Any, |content| -> Result<_, E> {
            let old = content.map(parse).transpose()?;
            match change(old.clone())? {
                // As someone else wrote it, with all its blanks.
                new if new == old => Ok(content.map(<[u8]>::to_vec)),
                Some(new) => {
                    let text = new.to_json().map_err(io::Error::from)?;
                    Ok(Some(text.into_bytes()))
                }
                None => Ok(None),
            }
        })?;
        // Its own log says what is wrong, if anything is.
        let _ = self.lookup(name, false);
        Ok(())
    }

    fn file_of(&self, name: &str) -> Result<PathBuf, EditError> {
        if is_legal_name(name) {
            Ok(self.directory().join(format!("{name}.json")))
        } else {
            Err(EditError::IllegalName)
        }
    }
}

fn parse(content: &[u8]) -> Result<Description, EditError> {
    Description::parse(content).map_err(|error| EditError::Broken(error.to_string()))
}
