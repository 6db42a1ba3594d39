//! Prometheus' text format, version 0.0.4: families of samples, each with a help text and a type.

use crate::figures::Histogram;
use std::fmt::{Display, Write as _};

/// What a scraper is told that this is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Names and values of labels.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// The text, as it grows.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

/// One family of samples: those of one name.
#[derive(Debug)]
pub(super) struct Family<'a> {
    name: &'static str,
    text: &'a mut String,
}

impl Exposition {
    /// A number that only grows. Its name ends in `_total`.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// A number that comes and goes.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// How often something took how long, in seconds.
    pub(super) fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "histogram", help)
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        let text = &mut self.0;
        let _ = write!(text, "# HELP {name} ");
        escape(text, help, false);
        let _ = writeln!(text, "\n# TYPE {name} {kind}");
        Family { name, text }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// A sample.
    pub(super) fn value(&mut self, labels: Labels<'_>, value: impl Display) -> &mut Self {
        self.sample("", labels, None, value);
        self
    }

    /// A sample without labels, if its value is known.
    pub(super) fn value_if<T, D: Display>(&mut self, known: Option<T>, value: impl Fn(T) -> D) {
        if let Some(known) = known {
            self.value(&[], value(known));
        }
    }

    /// All samples of a histogram.
    pub(super) fn observed(&mut self, labels: Labels<'_>, histogram: &Histogram) -> &mut Self {
        for (bound, below) in histogram.cumulative() {
            self.sample("_bucket", labels, Some(bound), below);
        }
        self.sample("_bucket", labels, Some(f64::INFINITY), histogram.count());
        self.sample("_sum", labels, None, histogram.sum().as_secs_f64());
        self.sample("_count", labels, None, histogram.count());
        self
    }

    fn sample(&mut self, suffix: &str, labels: Labels<'_>, le: Option<f64>, value: impl Display) {
        let text = &mut *self.text;
        let _ = write!(text, "{}{suffix}", self.name);
        let mut before = '{';
        for (name, value) in labels {
            let _ = write!(text, "{before}{name}=\"");
            escape(text, value, true);
            text.push('"');
            before = ',';
        }
        match le {
            Some(f64::INFINITY) => {
                let _ = write!(text, "{before}le=\"+Inf\"}}");
            }
            Some(bound) => {
                let _ = write!(text, "{before}le=\"{bound}\"}}");
            }
            None if !labels.is_empty() => text.push('}'),
            None => {}
        }
        let _ = writeln!(text, " {value}");
    }
}

fn escape(text: &mut String, raw: &str, in_quotes: bool) {
    for c in raw.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if in_quotes => text.push_str("\\\""),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::FAST;
    use std::time::Duration;

    #[test]
    fn labels_and_texts_are_escaped() {
        let mut exposition = Exposition::default();
        exposition
            .gauge("a", "one\\two\nthree \"four\"")
            .value(&[], 1)
            .value(&[("x", "a\\b\"c\nd"), ("y", "é")], 0.5);
        assert_eq!(
            exposition.into_text(),
            "# HELP a one\\\\two\\nthree \"four\"\n# TYPE a gauge\na 1\n\
             a{x=\"a\\\\b\\\"c\\nd\",y=\"é\"} 0.5\n"
        );
    }

    #[test]
    fn a_histogram_ends_with_all_of_it() {
        let mut histogram = Histogram::new(&FAST);
        histogram.observe(Duration::from_micros(30));
        histogram.observe(Duration::from_secs(1));
        let mut exposition = Exposition::default();
        exposition
            .histogram("h_seconds", "h")
            .observed(&[("shard", "0")], &histogram);
        let text = exposition.into_text();
        for line in [
            "h_seconds_bucket{shard=\"0\",le=\"0.000025\"} 0",
            "h_seconds_bucket{shard=\"0\",le=\"0.00005\"} 1",
            "h_seconds_bucket{shard=\"0\",le=\"0.1\"} 1",
            "h_seconds_bucket{shard=\"0\",le=\"+Inf\"} 2",
            "h_seconds_sum{shard=\"0\"} 1.00003",
            "h_seconds_count{shard=\"0\"} 2",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        }
    }
}
