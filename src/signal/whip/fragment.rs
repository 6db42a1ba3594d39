//! SDP fragments (RFC 8840): candidates on their way, and new credentials.

use crate::transport::description::IceCredentials;
use std::fmt::Write as _;

/// Lines that are looked at: many times what any client sends.
const MAX_LINES: usize = 1_000;

/// What a fragment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fragment {
    /// `a=ice-ufrag` and `a=ice-pwd`, if it says them.
    pub(super) ice: Option<IceCredentials>,
    /// The values of `a=candidate`, with that word.
    pub(super) candidates: Vec<String>,
}

impl Fragment {
    /// Reads a fragment. The error is for the client.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (mut ufrag, mut pwd) = (None, None);
        let mut candidates = Vec::new();
        let lines = text.lines().map(str::trim_end);
        for (number, line) in lines.filter(|line| !line.is_empty()).enumerate() {
            if number == MAX_LINES {
                return Err("the fragment has too many lines".to_owned());
            }
            let attribute = match line.split_once('=') {
                Some(("a", attribute)) => attribute,
                Some((key, _)) if key.len() == 1 => continue,
                _ => return Err(format!("line {} is none of SDP", number + 1)),
            };
            if let Some(value) = attribute.strip_prefix("ice-ufrag:") {
                ufrag = Some(value.to_owned());
            } else if let Some(value) = attribute.strip_prefix("ice-pwd:") {
                pwd = Some(value.to_owned());
            } else if attribute.starts_with("candidate:") {
                candidates.push(attribute.to_owned());
            }
        }
        let ice = match (ufrag, pwd) {
            (Some(ufrag), Some(pwd)) => {
                let plain = |text: &str, least: usize| {
                    let is_ice = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
                    (least..=256).contains(&text.len()) && text.bytes().all(is_ice)
                };
                // RFC 8839, section 5.4.
                if !plain(&ufrag, 4) || !plain(&pwd, 22) {
                    return Err("bad ice-ufrag or ice-pwd".to_owned());
                }
                Some(IceCredentials { ufrag, pwd })
            }
            (None, None) => None,
            _ => return Err("ice-ufrag and ice-pwd belong together".to_owned()),
        };
        Ok(Self { ice, candidates })
    }

    /// What the server says of itself after a restart.
    pub(super) fn write(ice: &IceCredentials, mid: &str, candidates: &[String]) -> String {
        let mut text = format!(
            "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\n",
            ice.ufrag, ice.pwd
        );
        for candidate in candidates {
            let _ = write!(text, "a={candidate}\r\n");
        }
        text += "a=end-of-candidates\r\n";
        text
    }
}

/// Puts candidates into the section of a description that has this mid, or into the first.
pub(super) fn with_candidates(sdp: &str, mid: &str, candidates: &[String]) -> String {
    let mut lines: Vec<&str> = sdp.lines().collect();
    let wanted = format!("a=mid:{mid}");
    let named = lines.iter().position(|line| *line == wanted);
    let first = lines.iter().position(|line| line.starts_with("m="));
    let Some(inside) = named.or(first) else {
        return sdp.to_owned();
    };
    let rest = lines.iter().skip(inside + 1);
    let end = rest
        .take_while(|line| !line.starts_with("m="))
        .count()
        .saturating_add(inside + 1);
    let attributes: Vec<String> = candidates
        .iter()
        .map(|candidate| format!("a={candidate}"))
        .chain(["a=end-of-candidates".to_owned()])
        .collect();
    lines.splice(end..end, attributes.iter().map(String::as_str));
    lines.join("\r\n") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
        a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n";

    #[test]
    fn fragments_are_read() {
        let fragment = Fragment::parse(GOOD).unwrap();
        assert_eq!(fragment.ice.unwrap().ufrag, "EsAw");
        assert_eq!(
            fragment.candidates,
            ["candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host"]
        );
        let unix = Fragment::parse("m=audio 9 x 0\na=mid:0\na=candidate:1 1 udp 1 ::1 9 typ host");
        assert_eq!(unix.unwrap().candidates.len(), 1);
        assert_eq!(Fragment::parse("").unwrap().candidates.len(), 0);
    }

    #[test]
    fn bad_fragments() {
        for bad in [
            "hello",
            "a=ice-ufrag:EsAw",
            "a=ice-ufrag:Es\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
            "a=ice-ufrag:EsAw\r\na=ice-pwd:short",
            "a=ice-ufrag:Es w\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
            &"a=x\n".repeat(MAX_LINES + 1),
        ] {
            assert!(Fragment::parse(bad).is_err(), "{bad:.60}");
        }
    }

    #[test]
    fn candidates_stand_in_the_section_that_carries_all() {
        let sdp =
            "v=0\r\nm=video 0 x 1\r\na=inactive\r\nm=audio 9 x 2\r\na=mid:b\r\nm=video 9 x 3\r\n";
        let candidates = ["candidate:1 …".to_owned()];
        assert_eq!(
            with_candidates(sdp, "b", &candidates),
            "v=0\r\nm=video 0 x 1\r\na=inactive\r\nm=audio 9 x 2\r\na=mid:b\r\na=candidate:1 …\r\n\
             a=end-of-candidates\r\nm=video 9 x 3\r\n"
        );
        let last = with_candidates("v=0\r\nm=audio 9 x 2\r\n", "", &candidates);
        assert!(last.ends_with("m=audio 9 x 2\r\na=candidate:1 …\r\na=end-of-candidates\r\n"));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let ice = Fragment::parse(GOOD).unwrap().ice.unwrap();
        let candidates = ["candidate:1 1 udp 1 ::1 9 typ host".to_owned()];
        let text = Fragment::write(&ice, "0", &candidates);
        let fragment = Fragment::parse(&text).unwrap();
        assert_eq!(fragment.ice, Some(ice));
        assert_eq!(fragment.candidates, candidates);
    }
}
