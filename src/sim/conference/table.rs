//! The table.

use super::measure::Outcome;
use std::fmt::Write as _;

/// Tenths, with a point.
fn tenths(value: i64) -> String {
    format!("{}.{}", value / 10, value % 10)
}

/// ms as seconds.
fn seconds(millis: Option<i64>) -> String {
    match millis {
        None => String::new(),
        Some(..0) => "never".to_owned(),
        Some(millis) => tenths((millis + 50) / 100),
    }
}

/// Where the docs come from.
const SOURCE: &str = "\
Printed by `cargo bench --bench sim_conference`. In docs/conference.txt, with the plots beside it,\n\
by `PERIKON_WRITE=1 cargo test --test sim_conference`. The same on every machine.\n\n";

/// The outcomes as text, with a key. `seed` is named in it.
pub fn table(seed: u64, outcomes: &[Outcome]) -> String {
    let mut text = format!("Meetings in virtual time, seed {seed}.\n\n{SOURCE}");
    let header = [
        "link", "sends", "who", "fps", "frz", "frozen", "longest", "kbit/s", "of", "used", "down",
        "up", "sound", "delay", "95 %", "ear", "720", "360", "180", "lips", "keys", "broken",
    ];
    let rows: Vec<[String; 22]> = outcomes.iter().map(row).collect();
    let widths: Vec<usize> = header
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let longest = rows.iter().map(|row| row[at].chars().count()).max();
            longest.unwrap_or(0).max(name.len())
        })
        .collect();
    let mut line = |cells: &[&str]| {
        let mut line = String::new();
        for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            // Writing to a string cannot fail.
            let _ = if at < 3 {
                write!(line, "{cell:<width$}  ")
            } else {
                write!(line, "{cell:>width$}  ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(&header);
    for row in &rows {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        line(&cells);
    }
    text.push_str(KEY);
    text
}

fn row(outcome: &Outcome) -> [String; 22] {
    [
        outcome.scenario.to_owned(),
        outcome.variant.to_owned(),
        outcome.watcher.to_owned(),
        tenths(outcome.frames as i64),
        outcome.freezes.to_string(),
        seconds(Some(outcome.frozen)),
        seconds(Some(outcome.longest)),
        outcome.carried.to_string(),
        outcome.capacity.to_string(),
        format!("{} %", outcome.used),
        seconds(outcome.down),
        seconds(outcome.up),
        format!(
            "{}.{:02} %",
            outcome.sound_lost / 100,
            outcome.sound_lost % 100
        ),
        outcome.delay.to_string(),
        outcome.delay_95.to_string(),
        outcome.sound_delay.to_string(),
        outcome.sizes[0].to_string(),
        outcome.sizes[1].to_string(),
        outcome.sizes[2].to_string(),
        outcome.lip_sync.to_string(),
        outcome.keyframes.to_string(),
        outcome.broken.to_string(),
    ]
}

const KEY: &str = "
fps      decodable frames a second; of several streams the worst, here and below
frz      freezes as the W3C counts them; frozen, longest: for how long in all, and at the longest, s
kbit/s   what the narrow link carried on average; of: what it could have
used     in steady state: the share of what the link carries or the best encoding needs
down     from the fall of the capacity until the queue before it is short (150 ms) for good, s
up       from its return until bit rate and size of the pictures are what they were, s
sound    that had to be made up, after repair
delay    of pictures from capture to the screen, ms: median, and what one in twenty exceeds
ear      of sound from capture to the ear, ms: median
720 ...  the share of the time at so many lines, percent
lips     by how much sound and pictures are apart at the worst, ms
keys     keyframes that the publishers made
broken   frames that showed garbage or ran back: the server misled the decoder
";
