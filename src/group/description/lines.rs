//! Where in a JSON text something stands.

/// The line, counted from 1, of the key that `path` leads to; parts of it that are numbers are
/// places in arrays. `text` must be JSON.
pub(crate) fn line_of(text: &str, path: &[&str]) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut levels: Vec<Level> = Vec::new();
    let (mut line, mut at) = (1, 0);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\n' => line += 1,
            b'{' => levels.push(Level::default()),
            b'[' => levels.push(Level {
                key: "0".to_owned(),
                index: Some(0),
                has_key: true,
            }),
            b'}' | b']' => {
                levels.pop();
            }
            b',' => levels.last_mut()?.advance(),
            b'"' => {
                let end = end_of_string(bytes, at);
                if let Some(level) = levels.last_mut().filter(|level| !level.has_key) {
                    level.key = serde_json::from_str(text.get(at - 1..end)?).ok()?;
                    level.has_key = true;
                    if levels
                        .iter()
                        .map(|level| level.key.as_str())
                        .eq(path.iter().copied())
                    {
                        return Some(line);
                    }
                }
                at = end;
            }
            _ => {}
        }
    }
    None
}

/// An object or array that is open.
#[derive(Default)]
struct Level {
    key: String,
    /// In an array, the place.
    index: Option<usize>,
    /// In an object, whether the key was read.
    has_key: bool,
}

impl Level {
    fn advance(&mut self) {
        if let Some(index) = &mut self.index {
            *index += 1;
            self.key = index.to_string();
        } else {
            self.has_key = false;
        }
    }
}

/// The place behind the closing quote of the string that begins at `at`.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        at += match byte {
            b'\\' => 2,
            b'"' => return at + 1,
            _ => 1,
        };
    }
    bytes.len()
}
