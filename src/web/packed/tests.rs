use super::{KEPT, Packed, accepts_gzip};
use axum::http::{HeaderMap, header};
use bytes::Bytes;

#[test]
fn who_accepts_gzip() {
    for (text, expected) in [
        ("gzip", true),
        ("gzip, deflate, br, zstd", true),
        ("br;q=1.0, GZIP;q=0.5", true),
        ("*", true),
        ("*, gzip;q=0", false),
        ("gzip;q=0, *", false),
        ("gzip; q=0.000", false),
        ("identity", false),
        ("gzipped", false),
        ("", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, text.parse().unwrap());
        assert_eq!(accepts_gzip(&headers), expected, "{text:?}");
    }
    assert!(!accepts_gzip(&HeaderMap::new()));
}

#[test]
fn what_is_kept_is_bounded_and_of_the_version_asked_for() {
    let packed = Packed::default();
    let bytes = Bytes::from(vec![0; KEPT / 8]);
    for round in 0..4 {
        for name in 0..20 {
            packed.keep(&name.to_string(), &round.to_string(), Some(bytes.clone()));
            assert_eq!(
                packed.kept(&name.to_string(), &round.to_string()),
                Some(Some(bytes.clone()))
            );
            assert_eq!(packed.kept(&name.to_string(), "other"), None);
            let kept = packed.0.lock().unwrap();
            let sum: usize = kept
                .files
                .iter()
                .map(|(name, (_, bytes))| name.len() + bytes.as_ref().map_or(0, Bytes::len))
                .sum();
            assert_eq!(kept.size, sum);
            assert!(sum <= KEPT);
        }
    }
}
