//! What goes to standard output.

use serde::Serialize;
use std::io::{self, Write as _};

/// To standard output. Whoever closed it does not want to read it.
pub(crate) fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// JSON for people to read, and for programs.
pub(crate) fn say_json(value: &impl Serialize) {
    // Only maps with keys that are no strings cannot be written, and there are none.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    say(&(text + "\n"));
}

/// Lines of cells, in columns; the last is not padded.
pub(crate) fn say_table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line += cell;
            let gap = width - cell.chars().count() + 2;
            line.extend(std::iter::repeat_n(' ', gap));
        }
        text += line.trim_end();
        text.push('\n');
    }
    say(&text);
}
