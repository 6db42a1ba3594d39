//! What of a publisher its mirrors are sent: a packet that crosses for nobody costs both shards.
//!
//! A mirror says which tracks it does without, once its receivers have had no use for them for a
//! while, and when that changes. To it they are like those that the publisher pauses: they keep their
//! place on the ladder with the rate they had, begin with a keyframe when they are wanted, and are
//! given up if nothing comes then. So nothing else need be known of them there. Only of publishers
//! that pause what nobody watches: of others nobody asks what is watched.

use super::Shard;
use super::bound::{MAX_TRACKS, Uses};
use super::message::{RelayMessage, ShardId};
use super::peer::UpPeer;
use crate::media::down::choice::bit;
use std::time::Instant;

/// A shard that mirrors a publisher of this one.
#[derive(Debug)]
pub(crate) struct Mirror {
    pub(crate) shard: ShardId,
    /// The best estimate of its receivers, bit/s.
    pub(crate) remb: Option<u64>,
    /// The tracks that it does without, a bit for each.
    pub(super) without: u64,
    /// Those that its receivers watch.
    pub(super) watched: u64,
    /// … and how much of each they can make use of.
    pub(super) uses: Uses,
    /// It was told that others receive the publisher, too.
    is_shared: bool,
}

impl Mirror {
    /// It is sent everything.
    pub(crate) fn new(shard: ShardId) -> Self {
        Self {
            shard,
            remb: None,
            without: 0,
            watched: 0,
            uses: [0; MAX_TRACKS],
            is_shared: false,
        }
    }

    /// Whether it is sent this track.
    #[inline]
    pub(crate) fn takes(&self, track: u16) -> bool {
        self.without & bit(usize::from(track)) == 0
    }
}

impl Shard {
    /// A mirror here does without these tracks from now on, and is sent all others.
    pub(super) fn do_without(&mut self, now: Instant, index: u32, without: u64) {
        let from = self.id;
        let Some(up) = self.ups.get_mut(index as usize) else {
            return;
        };
        let (peer, Some(home)) = (up.id, up.home) else {
            return;
        };
        up.set_without(now, without);
        let tracks = without;
        self.tell(home, peer, RelayMessage::Without { from, tracks });
    }

    /// Tells the mirrors of a publisher whether there are others who receive it.
    pub(super) fn tell_shared(&mut self, index: u32) {
        let count = self
            .ups
            .get(index as usize)
            .map_or(0, |up| up.mirrors.len());
        for at in 0..count {
            let Some(up) = self.ups.get_mut(index as usize) else {
                return;
            };
            let is_shared = !up.downs.is_empty() || count > 1;
            let (peer, mirror) = (up.id, &mut up.mirrors[at]);
            if std::mem::replace(&mut mirror.is_shared, is_shared) != is_shared {
                let to = mirror.shard;
                self.tell(to, peer, RelayMessage::Shared(is_shared));
            }
        }
    }

    /// The mirror of a publisher in another shard.
    pub(super) fn mirror_mut(&mut self, index: u32, shard: ShardId) -> Option<&mut Mirror> {
        let mut mirrors = self.ups.get_mut(index as usize)?.mirrors.iter_mut();
        mirrors.find(|mirror| mirror.shard == shard)
    }
}

impl UpPeer {
    /// What comes of a track again has a gap before it.
    fn set_without(&mut self, now: Instant, without: u64) {
        let Some(watch) = &mut self.watch else {
            return;
        };
        let begins = watch.without & !without;
        watch.without = without;
        let paused = watch.paused_there | without;
        self.set_paused(now, paused);
        for (at, track) in self.tracks.iter_mut().enumerate() {
            if begins & bit(at) != 0 {
                track.forget_keyframe();
            }
        }
    }
}
