//! Times and durations as they are typed.

use jiff::{SignedDuration, Timestamp, Unit};

/// What units of a duration are worth, in seconds; those of Go, and days and weeks.
const UNITS: [(char, u64); 5] = [
    ('s', 1),
    ('m', 60),
    ('h', 3_600),
    ('d', 86_400),
    ('w', 604_800),
];

/// Seconds: `90`, `1h30m`, `7d`.
pub(crate) fn duration(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is no duration such as 90s, 1h30m or 7d");
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let mut total: u64 = 0;
    let mut digits = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = UNITS.iter().find(|(unit, _)| *unit == c).ok_or_else(bad)?;
        let count: u64 = digits.parse().map_err(|_| bad())?;
        let part = count.checked_mul(unit.1).ok_or_else(bad)?;
        total = total.checked_add(part).ok_or_else(bad)?;
        digits.clear();
    }
    if text.is_empty() || !digits.is_empty() {
        return Err(bad());
    }
    Ok(total)
}

/// A moment: RFC 3339, or a duration from `now`. Whole seconds.
pub(crate) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let bad = || format!("{text:?} is neither a time as in RFC 3339 nor a duration such as 7d");
    if let Ok(time) = text.trim().parse::<Timestamp>() {
        return Ok(time);
    }
    let seconds = duration(text).map_err(|_| bad())?;
    let seconds = i64::try_from(seconds).map_err(|_| bad())?;
    now.checked_add(SignedDuration::from_secs(seconds))
        .and_then(|time| time.round(Unit::Second))
        .map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::{duration, moment};

    #[test]
    fn durations() {
        for (text, expected) in [
            ("90", Some(90)),
            ("90s", Some(90)),
            ("1h30m", Some(5_400)),
            ("7d", Some(604_800)),
            ("", None),
            ("h", None),
            ("1h30", None),
            ("-1h", None),
            ("99999999999999999999w", None),
        ] {
            assert_eq!(duration(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn moments() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let shown = |text| moment(text, now).map(|time| time.to_string()).ok();
        assert_eq!(shown("1d").as_deref(), Some("2026-01-02T00:00:00Z"));
        assert_eq!(
            shown("2027-01-01T00:00:00+01:00").as_deref(),
            Some("2026-12-31T23:00:00Z")
        );
        assert_eq!(shown("tomorrow"), None);
        assert_eq!(shown("99999999999w"), None);
    }
}
