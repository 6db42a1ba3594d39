//! The words of the JSON; its figures are those of shards, which `tests/sim_figures.rs` looks at.

use super::*;
use serde_json::{Value, json};

#[test]
fn tracks_say_what_is_paused_and_how_redundant_sound_is() {
    for paused in [true, false] {
        let encoding = TrackStats {
            rid: Some("h".to_owned()),
            paused,
            ..TrackStats::default()
        };
        let up: Value = serde_json::to_value(up_track(&encoding)).unwrap();
        assert_eq!((&up["rid"], &up["paused"]), (&json!("h"), &json!(paused)));
        let track = TrackStats {
            rid: None,
            ..encoding
        };
        let stream = StreamStats {
            peer: PeerId(1),
            up: false,
            rtt: None,
            remb: None,
            estimate: None,
            sent: None,
            remote: None,
            tracks: Vec::new(),
        };
        let down: Value = serde_json::to_value(down_track(&track, &stream)).unwrap();
        assert_eq!(down["paused"], paused, "{down}");
        assert_eq!(down.get("redundant"), None, "{down}");
        let sound = TrackStats {
            copies: Some(2),
            ..track.clone()
        };
        let down: Value = serde_json::to_value(down_track(&sound, &stream)).unwrap();
        assert_eq!(down["redundant"], 2, "{down}");
        let plain: Value = serde_json::to_value(up_track(&track)).unwrap();
        assert_eq!(plain.get("rid"), None, "{plain}");
    }
}
