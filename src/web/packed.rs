//! Files packed by gzip: each version once, then kept.

use super::file::{Content, File};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder};
use std::collections::HashMap;
use std::io::{self, Read as _};
use std::sync::{Mutex, PoisonError};

/// How much is kept, in bytes. The web client needs a tenth of it; past that it is begun anew.
const KEPT: usize = 4 * 1024 * 1024;

/// The largest file that is unpacked for those who do not accept gzip, in bytes.
const UNPACKED: u64 = 64 * 1024 * 1024;

/// What was packed.
#[derive(Debug, Default)]
pub(super) struct Packed(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// By name: the tag of the version, and what it became, unless that is no smaller.
    files: HashMap<String, (String, Option<Bytes>)>,
    /// Of all of them, in bytes.
    size: usize,
}

impl Packed {
    /// The file for a client that accepts gzip, or does not. Blocks.
    pub(super) fn of(&self, name: &str, mut file: File, packs: bool) -> io::Result<File> {
        if !packs {
            return Ok(file.varying());
        }
        let found = match self.kept(name, file.tag()) {
            Some(found) => found,
            None => {
                let bytes = file.read()?;
                let mut packed = Vec::new();
                GzEncoder::new(&*bytes, Compression::best()).read_to_end(&mut packed)?;
                let packed = (packed.len() < bytes.len()).then(|| Bytes::from(packed));
                self.keep(name, file.tag(), packed.clone());
                packed
            }
        };
        Ok(match found {
            Some(bytes) => file.packed(Content::Memory(bytes)),
            None => file.varying(),
        })
    }

    fn kept(&self, name: &str, tag: &str) -> Option<Option<Bytes>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (version, bytes) = kept.files.get(name)?;
        (version == tag).then(|| bytes.clone())
    }

    fn keep(&self, name: &str, tag: &str, bytes: Option<Bytes>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let length = |bytes: &Option<Bytes>| name.len() + bytes.as_ref().map_or(0, Bytes::len);
        if kept.size + length(&bytes) > KEPT {
            *kept = Kept::default();
        }
        kept.size += length(&bytes);
        if let Some((_, old)) = kept.files.insert(name.to_owned(), (tag.to_owned(), bytes)) {
            kept.size -= length(&old);
        }
    }
}

/// A file of which there is only the packed form, as if it were called `name`. Blocks if the
/// client does not accept gzip, which no browser does.
pub(super) fn unpacked(name: &str, mut file: File, packs: bool) -> io::Result<File> {
    file.rename(name);
    if packs {
        return Ok(file.packed_already());
    }
    let bytes = file.read()?;
    let mut plain = Vec::new();
    GzDecoder::new(&*bytes)
        .take(UNPACKED + 1)
        .read_to_end(&mut plain)?;
    if plain.len() as u64 > UNPACKED {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(file.with(Content::Memory(plain.into())).varying())
}

/// Whether `Accept-Encoding` allows gzip (RFC 9110, section 12.5.3).
pub(super) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    for header in headers.get_all(header::ACCEPT_ENCODING) {
        for coding in header.to_str().unwrap_or("").split(',') {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            let wanted = weight.parse::<f32>().is_ok_and(|weight| weight > 0.0);
            match name.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => return wanted,
                "*" => any = wanted,
                _ => {}
            }
        }
    }
    any
}

#[cfg(test)]
mod tests;
