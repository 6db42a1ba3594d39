//! Whose voices count in a group, and how much of it is forwarded (`last-n`, `loudest`).

use super::super::session::Session;
use crate::group::Description;
use crate::net::ShardId;
use crate::shard::{Command, PeerId, VoiceLimits};

/// What is watched or listened to, rather than somebody who speaks: it is forwarded to all.
const NO_SPEAKER: [&str; 2] = ["screenshare", "video"];

impl VoiceLimits {
    /// As a group file says.
    fn of(description: &Description) -> Self {
        // More than there can be is no limit; less than none is one as well.
        let limit = |limit: i64| u16::try_from(limit.max(0)).unwrap_or(0);
        Self {
            pictures: limit(description.last_n),
            sounds: limit(description.loudest),
        }
    }
}

impl Session {
    /// The voice of a stream that this client publishes counts.
    pub(super) fn enlist(&self, peer: PeerId, shard: ShardId, label: &str) {
        let Some(group) = &self.group else { return };
        if NO_SPEAKER.contains(&label) {
            return;
        }
        let command = Command::Enlist {
            peer,
            group: group.id(),
            limits: VoiceLimits::of(&group.description()),
        };
        self.state.engine().send(shard, command);
    }

    /// The group file may have changed.
    pub(in super::super) fn update_limits(&self) {
        for up in self.streams.up.values() {
            self.enlist(up.peer, up.shard, &up.label);
        }
    }
}
