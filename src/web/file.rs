//! One file as the answer to a request: conditions and ranges (RFC 9110, sections 13 and 14).

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::{Range, RangeInclusive};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// How much of a file on disk is read at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// Files of this length may be packed, in bytes: smaller ones fit into a packet anyway.
const PACKABLE: RangeInclusive<u64> = 512..=1024 * 1024;

/// What is in a file.
#[derive(Debug)]
pub(super) enum Content {
    /// All of it.
    Memory(Bytes),
    /// An open file, and its length in bytes.
    Disk(std::fs::File, u64),
}

/// A file that was found.
#[derive(Debug)]
pub(super) struct File {
    content: Content,
    /// Of the name's extension.
    content_type: String,
    /// With its quotes.
    tag: String,
    modified: Option<SystemTime>,
    /// What is in `content` is packed by gzip.
    gzip: bool,
    /// Another answer is given to those who accept other encodings.
    varies: bool,
}

impl File {
    /// `tag` identifies this version of the file; it is not yet quoted.
    pub(super) fn new(
        name: &str,
        tag: &str,
        modified: Option<SystemTime>,
        content: Content,
    ) -> Self {
        // HTTP knows only whole seconds.
        let modified = modified.and_then(|time| {
            let age = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            Some(SystemTime::UNIX_EPOCH + Duration::from_secs(age.as_secs()))
        });
        Self {
            content,
            content_type: content_type(name),
            tag: format!("\"{tag}\""),
            modified,
            gzip: false,
            varies: false,
        }
    }

    /// The same file, which goes out packed if the request allows it.
    pub(super) fn varying(mut self) -> Self {
        self.varies = true;
        self
    }

    /// The same file in another encoding, which has a tag of its own (RFC 9110, section 8.8.3.3).
    pub(super) fn packed(mut self, content: Content) -> Self {
        self.content = content;
        self.packed_already()
    }

    /// The same file, known to be packed by gzip.
    pub(super) fn packed_already(mut self) -> Self {
        self.tag.insert_str(self.tag.len() - 1, "-gz");
        self.gzip = true;
        self.varying()
    }

    /// The same file with other content.
    pub(super) fn with(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    /// It is served as if it had this name.
    pub(super) fn rename(&mut self, name: &str) {
        self.content_type = content_type(name);
    }

    /// Of this version: its tag, with quotes.
    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// Whether it is of a kind that becomes smaller by packing, and of a size that is worth it.
    pub(super) fn is_packable(&self) -> bool {
        let kind = self.content_type.split(';').next().unwrap_or_default();
        let packs = kind.starts_with("text/")
            || [
                "application/javascript",
                "application/json",
                "application/wasm",
                "application/manifest+json",
                "image/svg+xml",
            ]
            .contains(&kind);
        packs && PACKABLE.contains(&self.length())
    }

    /// All that is in it. Blocks.
    pub(super) fn read(&mut self) -> io::Result<Bytes> {
        match &mut self.content {
            Content::Memory(bytes) => Ok(bytes.clone()),
            Content::Disk(file, length) => {
                let mut bytes = Vec::new();
                file.take(*length).read_to_end(&mut bytes)?;
                file.rewind()?;
                Ok(bytes.into())
            }
        }
    }

    fn length(&self) -> u64 {
        match &self.content {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Disk(_, length) => *length,
        }
    }

    /// The answer to a GET or HEAD with these headers.
    pub(super) fn respond(self, request: &HeaderMap) -> Response {
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(header::ETAG, &self.tag);
        set(header::CACHE_CONTROL, "max-age=1800");
        if self.varies {
            set(header::VARY, "accept-encoding");
        }
        if let Some(modified) = self.modified {
            set(header::LAST_MODIFIED, &httpdate::fmt_http_date(modified));
        }
        if let Some(status) = self.precondition(request) {
            return (status, headers).into_response();
        }
        set(header::ACCEPT_RANGES, "bytes");
        let length = self.length();
        let range = match self.range(request) {
            Asked::Whole => 0..length,
            Asked::Part(range) => {
                let last = range.end.saturating_sub(1);
                set(
                    header::CONTENT_RANGE,
                    &format!("bytes {}-{last}/{length}", range.start),
                );
                range
            }
            Asked::Beyond => {
                set(header::CONTENT_RANGE, &format!("bytes */{length}"));
                return (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response();
            }
        };
        set(header::CONTENT_TYPE, &self.content_type);
        if self.gzip {
            set(header::CONTENT_ENCODING, "gzip");
        }
        set(
            header::CONTENT_LENGTH,
            &(range.end - range.start).to_string(),
        );
        let status = if headers.contains_key(header::CONTENT_RANGE) {
            StatusCode::PARTIAL_CONTENT
        } else {
            StatusCode::OK
        };
        (status, headers, self.content.body(range)).into_response()
    }

    /// This file as a page of errors: never cached, whole.
    pub(super) fn respond_with(self, status: StatusCode) -> Response {
        let length = self.length();
        let headers = [
            (header::CONTENT_TYPE, self.content_type.clone()),
            (header::CACHE_CONTROL, "no-cache".to_owned()),
            (header::CONTENT_LENGTH, length.to_string()),
        ];
        (status, headers, self.content.body(0..length)).into_response()
    }

    /// 412 or 304, if a condition says so.
    fn precondition(&self, request: &HeaderMap) -> Option<StatusCode> {
        let text = |name: HeaderName| request.get(name).map(|value| value.to_str().unwrap_or(""));
        let date =
            |name: HeaderName| text(name).and_then(|text| httpdate::parse_http_date(text).ok());
        if let Some(tags) = text(header::IF_MATCH) {
            if !matches_tag(tags, &self.tag, false) {
                return Some(StatusCode::PRECONDITION_FAILED);
            }
        } else if let (Some(date), Some(modified)) =
            (date(header::IF_UNMODIFIED_SINCE), self.modified)
            && modified > date
        {
            return Some(StatusCode::PRECONDITION_FAILED);
        }
        if let Some(tags) = text(header::IF_NONE_MATCH) {
            return matches_tag(tags, &self.tag, true).then_some(StatusCode::NOT_MODIFIED);
        }
        let (date, modified) = (date(header::IF_MODIFIED_SINCE)?, self.modified?);
        (modified <= date).then_some(StatusCode::NOT_MODIFIED)
    }

    /// Which part is asked for. Several parts at once are answered with the whole.
    fn range(&self, request: &HeaderMap) -> Asked {
        let text = |name: HeaderName| request.get(name).and_then(|value| value.to_str().ok());
        let Some(range) = text(header::RANGE) else {
            return Asked::Whole;
        };
        if let Some(condition) = text(header::IF_RANGE) {
            let same_date = || {
                let date = httpdate::parse_http_date(condition).ok();
                date.is_some() && date == self.modified
            };
            if condition != self.tag && !same_date() {
                return Asked::Whole;
            }
        }
        parse_range(range, self.length()).unwrap_or(Asked::Whole)
    }
}

/// By the extension of a name.
fn content_type(name: &str) -> String {
    let mime = mime_guess::from_path(name).first_or_octet_stream();
    let charset = if mime.type_() == mime_guess::mime::TEXT {
        "; charset=utf-8"
    } else {
        ""
    };
    format!("{mime}{charset}")
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    Beyond,
}

/// `None` for what is no single range of bytes: it is ignored.
fn parse_range(text: &str, length: u64) -> Option<Asked> {
    let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| {
        let text = text.trim();
        // `u64::from_str` would take a plus sign.
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse::<u64>().ok()
        } else {
            None
        }
    };
    let range = if first.trim().is_empty() {
        let count = number(last)?;
        length.saturating_sub(count)..length
    } else {
        let first = number(first)?;
        let end = match last.trim() {
            "" => length,
            last => number(last)?.checked_add(1)?.min(length),
        };
        if !last.trim().is_empty() && number(last)? < first {
            return None;
        }
        first..end
    };
    Some(if range.start >= range.end {
        Asked::Beyond
    } else {
        Asked::Part(range)
    })
}

/// Whether a list of entity tags, or `*`, has this one. A weak one is good enough for caches.
fn matches_tag(list: &str, tag: &str, weak: bool) -> bool {
    list.split(',').map(str::trim).any(|candidate| {
        let stripped = if weak {
            candidate.trim_start_matches("W/")
        } else {
            candidate
        };
        candidate == "*" || stripped == tag
    })
}

impl Content {
    fn body(self, range: Range<u64>) -> Body {
        match self {
            Self::Memory(bytes) => {
                // It is all in memory: its length fits.
                let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Body::from(bytes.slice(index(range.start)..index(range.end)))
            }
            Self::Disk(file, _) => {
                let file = tokio::fs::File::from_std(file);
                Body::from_stream(stream::try_unfold((file, range, false), next_chunk))
            }
        }
    }
}

type Reading = (tokio::fs::File, Range<u64>, bool);

/// Reads on. A file that became shorter ends the body early, which the client notices.
async fn next_chunk((mut file, range, begun): Reading) -> io::Result<Option<(Bytes, Reading)>> {
    if range.start >= range.end {
        return Ok(None);
    }
    if !begun {
        file.seek(SeekFrom::Start(range.start)).await?;
    }
    let wanted = usize::try_from(range.end - range.start)
        .unwrap_or(CHUNK)
        .min(CHUNK);
    let mut chunk = vec![0; wanted];
    let read = file.read(&mut chunk).await?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    chunk.truncate(read);
    let next = range.start + read as u64..range.end;
    Ok(Some((chunk.into(), (file, next, true))))
}

#[cfg(test)]
mod tests {
    use super::{Asked, matches_tag, parse_range};

    #[test]
    fn ranges() {
        for (text, expected) in [
            ("bytes=0-", Some(Asked::Part(0..10))),
            ("bytes=0-0", Some(Asked::Part(0..1))),
            ("bytes=3-5", Some(Asked::Part(3..6))),
            ("bytes=3-99", Some(Asked::Part(3..10))),
            ("bytes=-3", Some(Asked::Part(7..10))),
            ("bytes=-99", Some(Asked::Part(0..10))),
            ("bytes=-0", Some(Asked::Beyond)),
            ("bytes=10-", Some(Asked::Beyond)),
            ("bytes=99-100", Some(Asked::Beyond)),
            ("bytes=5-3", None),
            ("bytes=", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
            ("bytes=99999999999999999999-", None),
        ] {
            assert_eq!(parse_range(text, 10), expected, "{text}");
        }
    }

    #[test]
    fn tags() {
        for (list, strong, weak) in [
            ("\"a\"", true, true),
            ("\"x\", \"a\"", true, true),
            ("*", true, true),
            ("W/\"a\"", false, true),
            ("\"ab\"", false, false),
            ("a", false, false),
            ("", false, false),
        ] {
            assert_eq!(matches_tag(list, "\"a\"", false), strong, "{list}");
            assert_eq!(matches_tag(list, "\"a\"", true), weak, "{list}");
        }
    }
}
