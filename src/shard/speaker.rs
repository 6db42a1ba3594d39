//! Who speaks: the publishers of a group whose voices are compared.

use super::Shard;
use super::message::{Event, GroupId, PeerId, Speaker, VoiceLimits};
use super::peer::{Place, UpPeer};
use super::withhold::Selection;
use crate::media::voice::Voice;
use ahash::RandomState;
use slab::Slab;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often voices are compared.
const INTERVAL: Duration = Duration::from_millis(200);
/// … and sooner when someone begins to speak who is not heard.
const SOON: Duration = Duration::from_millis(40);
/// So loud is someone who speaks; see [`Voice::loudness`].
const LOUD: f32 = 4.0;
/// Someone else takes over who has spoken this much more …
const LOUDER: f32 = 6.0;
/// … and does not fall back below this, between words …
const STILL_LOUDER: f32 = 2.0;
/// … for so long.
const TAKES_OVER: Duration = Duration::from_millis(600);
/// How many are remembered that spoke before.
const REMEMBERED: usize = 32;

/// The publishers of one group.
struct Circle {
    group: GroupId,
    /// Places of those whose voices count.
    members: Vec<u32>,
    /// Those who have spoken, the latest first. The first is the one to be looked at, even while
    /// everyone is silent.
    order: Vec<PeerId>,
    /// Who is louder than the first, and since when.
    challenger: Option<(PeerId, Instant)>,
    /// What was told last.
    told: Vec<Speaker>,
    compared: Instant,
    next: Instant,
    /// What of it is forwarded.
    selection: Selection,
}

/// All groups with voices.
pub(super) struct Circles {
    circles: Slab<Circle>,
    by_group: HashMap<GroupId, u32, RandomState>,
}

impl Circles {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            circles: Slab::new(),
            by_group: HashMap::with_hasher(hasher),
        }
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.circles.len()
    }

    /// The publisher in a place takes part, or does not any more.
    fn enlist(&mut self, now: Instant, group: GroupId, up: u32) -> u32 {
        let circles = &mut self.circles;
        let index = *self.by_group.entry(group).or_insert_with(|| {
            circles.insert(Circle {
                group,
                members: Vec::new(),
                order: Vec::new(),
                challenger: None,
                told: Vec::new(),
                compared: now,
                next: now,
                selection: Selection::default(),
            }) as u32
        });
        if let Some(circle) = self.circles.get_mut(index as usize)
            && !circle.members.contains(&up)
        {
            circle.members.push(up);
        }
        index
    }

    fn leave(&mut self, index: u32, up: u32, peer: PeerId) -> Option<Event> {
        let circle = self.circles.get_mut(index as usize)?;
        circle.members.retain(|member| *member != up);
        circle.order.retain(|other| *other != peer);
        circle.challenger = circle.challenger.filter(|(other, _)| *other != peer);
        if circle.members.is_empty() {
            self.by_group.remove(&circle.group);
            self.circles.remove(index as usize);
            return None;
        }
        // Its voice is not among those compared: it is told with the others' next change at the
        // latest, but who looks at it should look at someone else at once.
        circle
            .told
            .iter()
            .any(|speaker| speaker.peer == peer)
            .then(|| {
                circle.told.retain(|speaker| speaker.peer != peer);
                circle.event()
            })
    }
}

impl Circle {
    fn event(&self) -> Event {
        Event::Speakers {
            group: self.group,
            speakers: self.told.clone(),
        }
    }

    /// Compares the voices.
    fn compare(&mut self, now: Instant, ups: &mut Slab<UpPeer>) {
        self.compared = now;
        self.next = now + INTERVAL;
        let mut strongest: Option<(PeerId, f32)> = None;
        let mut first: Option<(bool, f32)> = None;
        for member in &self.members {
            let Some(up) = ups.get_mut(*member as usize) else {
                continue;
            };
            let id = up.id;
            let Some(voice) = up.voice_mut() else {
                continue;
            };
            voice.settle(now);
            let (speaks, strength) = (voice.speaks(), voice.strength());
            if self.order.first() == Some(&id) {
                first = Some((speaks, strength));
            } else if speaks && strongest.is_none_or(|(_, other)| strength > other) {
                strongest = Some((id, strength));
            }
        }
        let challenger = match (first, strongest) {
            (_, None) => None,
            // No one to interrupt.
            (None | Some((false, _)), Some((id, _))) => Some((id, true)),
            (Some((true, own)), Some((id, strength))) => {
                let is_challenger = self.challenger.is_some_and(|(other, _)| other == id);
                let louder = if is_challenger { STILL_LOUDER } else { LOUDER };
                (strength > own + louder).then_some((id, false))
            }
        };
        self.challenger = challenger.and_then(|(id, at_once)| {
            let since = match self.challenger {
                Some((other, since)) if other == id => since,
                _ => now,
            };
            if at_once || now.saturating_duration_since(since) >= TAKES_OVER {
                self.order.retain(|other| *other != id);
                self.order.insert(0, id);
                self.order.truncate(REMEMBERED);
                return None;
            }
            Some((id, since))
        });
    }

    /// What is to be told, if that has changed.
    fn tell(&mut self, ups: &Slab<UpPeer>) -> Option<Event> {
        let members = self
            .members
            .iter()
            .filter_map(|member| ups.get(*member as usize));
        let told = |up: &UpPeer| Speaker {
            peer: up.id,
            speaks: up.speaks(),
            withheld: up.withheld.pictures,
        };
        let spoke = self.order.iter().filter_map(|peer| {
            let mut members = members.clone();
            members.find(|up| up.id == *peer).map(told)
        });
        let others = members
            .clone()
            .filter(|up| up.withheld.pictures && !self.order.contains(&up.id));
        let now = spoke.chain(others.map(told));
        if now.clone().eq(self.told.iter().copied()) {
            return None;
        }
        self.told = now.collect();
        Some(self.event())
    }
}

impl UpPeer {
    fn voice_mut(&mut self) -> Option<&mut Voice> {
        self.voice.as_mut().map(|(_, voice)| voice)
    }

    pub(super) fn speaks(&self) -> bool {
        self.voice.as_ref().is_some_and(|(_, voice)| voice.speaks())
    }
}

impl Shard {
    /// A publisher's voice counts in a group from now on.
    pub(super) fn enlist(&mut self, now: Instant, index: u32, group: GroupId, limits: VoiceLimits) {
        let Some(up) = self.ups.get_mut(index as usize) else {
            return;
        };
        let circle = match up.voice {
            Some((circle, _)) => circle,
            None => {
                let circle = self.circles.enlist(now, group, index);
                up.voice = Some((circle, Voice::new(now)));
                circle
            }
        };
        if let Some(circle) = self.circles.circles.get_mut(circle as usize) {
            circle.selection.limits = limits;
            circle.next = now;
        }
        self.compare_voices(now, circle);
    }

    /// A publisher is gone.
    pub(super) fn fall_silent(&mut self, index: u32, up: &UpPeer) {
        if let Some((circle, _)) = up.voice
            && let Some(event) = self.circles.leave(circle, index, up.id)
        {
            self.events.push_back(event);
        }
    }

    /// A publisher was heard: see RFC 6464 for the level.
    pub(super) fn hear(&mut self, now: Instant, index: u32, level: u8) {
        let Some(up) = self.ups.get_mut(index as usize) else {
            return;
        };
        if let Some((circle, voice)) = &mut up.voice {
            let circle = *circle;
            voice.hear(now, level & 0x7f);
            let begins = up.withheld.sound && voice.loudness() > LOUD;
            if begins && let Some(circle) = self.circles.circles.get_mut(circle as usize) {
                circle.next = circle.next.min(circle.compared + SOON);
            }
            self.compare_voices(now, circle);
        }
    }

    /// Those who send nothing while they are silent must be found silent too.
    pub(super) fn settle_voice(&mut self, now: Instant, place: Place) {
        if let Place::Up(index) = place
            && let Some(up) = self.ups.get(index as usize)
            && let Some((circle, _)) = up.voice
        {
            self.compare_voices(now, circle);
        }
    }

    fn compare_voices(&mut self, now: Instant, circle: u32) {
        let Some(compared) = self.circles.circles.get_mut(circle as usize) else {
            return;
        };
        if now < compared.next {
            return;
        }
        compared.compare(now, &mut self.ups);
        compared
            .selection
            .select(&compared.members, &compared.order, &self.ups);
        while let Some(circle) = self.circles.circles.get_mut(circle as usize)
            && let Some((up, withheld)) = circle.selection.take_change()
        {
            self.set_withheld(now, up, withheld);
        }
        if let Some(circle) = self.circles.circles.get_mut(circle as usize) {
            self.events.extend(circle.tell(&self.ups));
        }
    }
}
