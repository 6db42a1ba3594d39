//! A timeline as a picture (SVG), for light and dark pages.

use super::measure::{Outcome, Timeline};
use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 46.0;
/// Of the plot of bit rates; the strip of picture sizes stands below it.
const BOTTOM: f64 = 64.0;
/// Bins that one point of a line stands for.
const SMOOTH: usize = 5;

const STYLE: &str = "
:root{--ink:#1f2328;--dim:#59636e;--rule:#d1d9e0;--room:#dbe9fb;--edge:#7aa7dd;--line:#0b57d0;\
--sent:#8250df;--freeze:#e5484d;--a:#1a7f4b;--b:#d29922;--c:#c4603c;--page:#ffffff}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--rule:#30363d;\
--room:#16263c;--edge:#3d6aa5;--line:#74a9ff;--sent:#b896ff;--freeze:#ff6369;--a:#3fb96f;\
--b:#e0b341;--c:#e58a66;--page:#0d1117}}
text{font:12px system-ui,sans-serif;fill:var(--dim)}
.title{font-size:14px;font-weight:600;fill:var(--ink)}
.page{fill:var(--page)}.rule{stroke:var(--rule);stroke-width:1}
.room{fill:var(--room);stroke:var(--edge);stroke-width:1}
.line{fill:none;stroke:var(--line);stroke-width:2;stroke-linejoin:round}
.sent{fill:none;stroke:var(--sent);stroke-width:1.2;stroke-dasharray:4 3}
.freeze{fill:var(--freeze);opacity:.35}
.h720{fill:var(--a)}.h360{fill:var(--b)}.h180{fill:var(--c)}
";

/// The averages of groups of bins.
fn smooth(values: &[u64]) -> Vec<u64> {
    let groups = values.chunks(SMOOTH);
    groups
        .map(|group| {
            group
                .iter()
                .fold(0_u64, |sum, one| sum.saturating_add(*one))
        })
        .zip(values.chunks(SMOOTH))
        .map(|(sum, group)| sum / group.len() as u64)
        .collect()
}

/// A round number of which a few make `max`.
fn tick(max: f64) -> f64 {
    let candidates = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
    let found = candidates.into_iter().find(|tick| max / tick <= 6.0);
    found.unwrap_or(20.0)
}

/// The picture of one watcher's meeting.
pub fn plot(outcome: &Outcome, timeline: &Timeline) -> String {
    let carried = smooth(&timeline.carried);
    let sent = smooth(&timeline.sent);
    let duration = timeline.bin.as_secs_f64() * timeline.carried.len() as f64;
    let highest = carried.iter().chain(&sent).max().copied().unwrap_or(0) as f64 / 1e6;
    let most = timeline.capacity.iter().max().copied().unwrap_or(0) as f64 / 1e6;
    // A link much wider than what is sent is not drawn to its top.
    let max = (highest * 1.15)
        .max(most.min(highest * 2.0) * 1.05)
        .max(0.1);
    let x = |seconds: f64| LEFT + (WIDTH - LEFT - RIGHT) * seconds / duration;
    let y = |megabits: f64| {
        let height = HEIGHT - TOP - BOTTOM;
        HEIGHT - BOTTOM - height * (megabits / max).clamp(0.0, 1.0)
    };

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\n",
        title(outcome)
    );
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        svg,
        "<text class=\"title\" x=\"{LEFT}\" y=\"22\">{}</text>",
        title(outcome)
    );
    room(&mut svg, timeline, &x, &y);
    for freeze in &timeline.freezes {
        let (from, until) = (x(freeze.from as f64 / 1e6), x(freeze.until as f64 / 1e6));
        let _ = writeln!(
            svg,
            "<rect class=\"freeze\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\"/>",
            until - from,
            HEIGHT - TOP - BOTTOM
        );
    }
    axes(&mut svg, (max, duration), &x, &y);
    for (class, values) in [("sent", &sent), ("line", &carried)] {
        let points = values.iter().enumerate().map(|(at, value)| {
            let middle = (at as f64 + 0.5) * SMOOTH as f64 * timeline.bin.as_secs_f64();
            format!(
                "{:.1},{:.1}",
                x(middle.min(duration)),
                y(*value as f64 / 1e6)
            )
        });
        let points = points.collect::<Vec<_>>().join(" ");
        let _ = writeln!(svg, "<polyline class=\"{class}\" points=\"{points}\"/>");
    }
    sizes(&mut svg, timeline, duration, &x);
    legend(&mut svg);
    svg.push_str("</svg>\n");
    svg
}

fn title(outcome: &Outcome) -> String {
    let mut title = format!("{}: {}", outcome.scenario, outcome.variant);
    if !outcome.watcher.is_empty() {
        title.push_str(", the ");
        title.push_str(outcome.watcher);
        title.push_str(" one");
    }
    title
}

/// What the link could carry, as an area.
fn room(svg: &mut String, timeline: &Timeline, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) {
    let bin = timeline.bin.as_secs_f64();
    let mut path = format!("M{:.1} {:.1}", x(0.0), y(0.0));
    let mut last = None;
    for (at, capacity) in timeline.capacity.iter().enumerate() {
        if last != Some(*capacity) {
            let left = x(at as f64 * bin);
            let _ = write!(path, "H{left:.1}V{:.1}", y(*capacity as f64 / 1e6));
            last = Some(*capacity);
        }
    }
    let end = x(timeline.capacity.len() as f64 * bin);
    let _ = writeln!(
        svg,
        "<path class=\"room\" d=\"{path}H{end:.1}V{:.1}Z\"/>",
        y(0.0)
    );
}

fn axes(
    svg: &mut String,
    (max, duration): (f64, f64),
    x: &dyn Fn(f64) -> f64,
    y: &dyn Fn(f64) -> f64,
) {
    let step = tick(max);
    for at in 0.. {
        let value = step * f64::from(at);
        if value > max {
            break;
        }
        let level = y(value);
        let _ = writeln!(
            svg,
            "<line class=\"rule\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{level:.1}\" y2=\"{level:.1}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 6.0,
            level + 4.0,
            (value * 100.0).round() / 100.0,
        );
    }
    for at in (0..=duration as u32).step_by(5) {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{at} s</text>",
            x(f64::from(at)),
            HEIGHT - BOTTOM + 16.0
        );
    }
}

/// A strip that shows which size the picture had.
fn sizes(svg: &mut String, timeline: &Timeline, duration: f64, x: &dyn Fn(f64) -> f64) {
    let top = HEIGHT - BOTTOM + 24.0;
    for (at, (from, height)) in timeline.heights.iter().enumerate() {
        let until = timeline.heights.get(at + 1);
        let until = until.map_or(duration, |(until, _)| *until as f64 / 1e6);
        let from = *from as f64 / 1e6;
        let class = match height {
            720.. => "h720",
            360..720 => "h360",
            _ => "h180",
        };
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"6\"/>",
            x(from),
            x(until) - x(from)
        );
    }
}

fn legend(svg: &mut String) {
    let row = HEIGHT - 10.0;
    let mark = row - 9.0;
    let mut at = LEFT;
    let mut entry = |shape: &dyn Fn(f64) -> String, text: &str, width: f64| {
        let _ = writeln!(
            svg,
            "{}<text x=\"{:.1}\" y=\"{row}\">{text}</text>",
            shape(at),
            at + 20.0
        );
        at += width;
    };
    let square = |class: &'static str| {
        move |at: f64| {
            format!(
                "<rect class=\"{class}\" x=\"{at:.1}\" y=\"{mark}\" width=\"14\" height=\"9\"/>"
            )
        }
    };
    let stroke = |class: &'static str| {
        move |at: f64| {
            let middle = mark + 5.0;
            let end = at + 14.0;
            format!("<path class=\"{class}\" d=\"M{at:.1} {middle}H{end:.1}\"/>")
        }
    };
    entry(&square("room"), "capacity", 84.0);
    entry(&stroke("line"), "carried, Mbit/s", 122.0);
    entry(&stroke("sent"), "published, all encodings", 176.0);
    entry(&square("freeze"), "frozen", 74.0);
    entry(&square("h720"), "720", 58.0);
    entry(&square("h360"), "360", 58.0);
    entry(&square("h180"), "180 lines", 80.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_plot_is_well_formed() {
        let timeline = Timeline {
            bin: Duration::from_millis(100),
            capacity: vec![4_000_000; 100],
            carried: vec![1_000_000; 100],
            sent: vec![1_500_000; 100],
            waits: vec![0; 100],
            freezes: Vec::new(),
            heights: vec![(0, 180), (2_000_000, 720)],
        };
        let svg = plot(&Outcome::default(), &timeline);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        for tag in ["svg", "text", "title", "style"] {
            let opened = svg.matches(&format!("<{tag}")).count();
            assert_eq!(opened, svg.matches(&format!("</{tag}>")).count(), "{tag}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
