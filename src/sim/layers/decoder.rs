//! A decoder that goes by what the codec says, and finds out where that misleads it.

use super::descriptor::{self, Template};
use super::format::{self, Told};
use super::{LayersConfig, Truth};
use crate::media::packet::Header;
use crate::transport::description::Extension;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Complaints that are kept: the first ones tell.
const MAX_WRONG: usize = 12;
/// Pictures that are remembered.
const MEMORY: u32 = 64;
/// Timestamps are looked at from this time on: the publisher's sender reports have come by then.
const SETTLED: Duration = Duration::from_secs(3);
/// A packet that is missing is waited for so long before a keyframe is asked for, and begun with.
const PATIENCE: Duration = Duration::from_secs(1);

/// A picture that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// When, since the beginning of the world.
    pub at: Duration,
    /// When it was captured.
    pub captured: Duration,
    /// Of which encoding,
    pub encoding: u8,
    /// … its highest spatial layer,
    pub sid: u8,
    /// … and its temporal layer.
    pub tid: u8,
}

/// What a decoder made of a track.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LayersReport {
    /// All pictures that could be shown.
    pub shown: Vec<Picture>,
    /// What no decoder could have gone on with: the first few.
    pub wrong: Vec<String>,
    /// Times that a keyframe was waited for, as packets never came.
    pub breaks: u64,
    /// Packets of nothing but padding, in the place of such as were left out.
    pub paddings: u64,
    /// Pictures that have no end, as a keyframe came before it.
    pub cut: u64,
    /// The most by which timestamps moved against the time of capture, from one picture to the
    /// next, in µs.
    pub drift: u64,
}

/// What came under a number.
enum Entry {
    Packet(Box<Packet>),
    Padding,
    Lost,
}

struct Packet {
    timestamp: u32,
    marker: bool,
    told: Told,
    descriptor: Option<descriptor::Told>,
    truth: Truth,
}

impl Packet {
    /// Decoding can begin with it.
    fn begins(&self) -> bool {
        self.truth.keyframe && self.truth.sid == 0 && self.truth.part == 0
    }
}

/// The last packet.
struct Last {
    timestamp: u32,
    marker: bool,
    told: Told,
    frame: Option<u16>,
    truth: Truth,
}

/// Decodes one track.
pub(in crate::sim) struct Decoder {
    config: LayersConfig,
    templates: Vec<Template>,
    entries: BTreeMap<u64, Entry>,
    /// The number that is next.
    next: Option<u64>,
    /// No keyframe is waited for.
    in_step: bool,
    /// Since when a packet is waited for that others have overtaken.
    stalled: Option<Duration>,
    /// Whole frames since the last keyframe: picture and spatial layer.
    whole: BTreeSet<(u32, u8)>,
    /// By what the codec calls them: picture ids, or frame numbers.
    names: BTreeMap<u16, (u32, u8)>,
    last: Option<Last>,
    /// Paddings since the last picture began.
    padded: u16,
    report: LayersReport,
}

impl Decoder {
    pub(in crate::sim) fn new(config: LayersConfig) -> Self {
        Self {
            config,
            templates: descriptor::templates(&config),
            entries: BTreeMap::new(),
            next: None,
            in_step: false,
            stalled: None,
            whole: BTreeSet::new(),
            names: BTreeMap::new(),
            last: None,
            padded: 0,
            report: LayersReport::default(),
        }
    }

    pub(in crate::sim) fn report(&self) -> &LayersReport {
        &self.report
    }

    pub(in crate::sim) fn needs_keyframe(&self, at: Duration) -> bool {
        !self.in_step || self.has_stalled(at)
    }

    fn has_stalled(&self, at: Duration) -> bool {
        self.stalled.is_some_and(|since| at >= since + PATIENCE)
    }

    /// A packet arrived, each but once. `payload` is without padding.
    pub(in crate::sim) fn receive(
        &mut self,
        at: Duration,
        seqno: u64,
        header: &Header,
        data: &[u8],
        payload: &[u8],
    ) {
        let own = Extension::DependencyDescriptor.own_id();
        let mut extensions = header.extensions(data);
        let descriptor = extensions.find_map(|(id, value)| (id == own).then_some(value));
        let entry = match format::read(&self.config, payload) {
            _ if payload.is_empty() => Entry::Padding,
            Some((told, truth)) => Entry::Packet(Box::new(Packet {
                timestamp: header.timestamp,
                marker: header.marker,
                told,
                descriptor: descriptor.and_then(descriptor::read),
                truth,
            })),
            None => {
                self.complain(format!("{seqno} cannot be read"));
                Entry::Lost
            }
        };
        self.enter(at, seqno, entry);
    }

    /// A packet will never come.
    pub(in crate::sim) fn give_up(&mut self, at: Duration, seqno: u64) {
        self.enter(at, seqno, Entry::Lost);
    }

    fn complain(&mut self, what: String) {
        if self.report.wrong.len() < MAX_WRONG {
            self.report.wrong.push(what);
        }
    }

    /// Where decoding could begin.
    fn later_keyframe(&self) -> Option<u64> {
        let begins = |entry: &Entry| matches!(entry, Entry::Packet(one) if one.begins());
        let mut entries = self.entries.iter();
        entries.find_map(|(seqno, entry)| begins(entry).then_some(*seqno))
    }

    fn enter(&mut self, at: Duration, seqno: u64, entry: Entry) {
        if self.next.is_some_and(|next| seqno < next) {
            return;
        }
        self.entries.insert(seqno, entry);
        if (self.next.is_none() || self.has_stalled(at))
            && let Some(next) = self.later_keyframe()
        {
            self.report.breaks += u64::from(self.in_step);
            self.in_step = false;
            self.next = Some(next);
            self.entries = self.entries.split_off(&next);
        }
        while let Some(next) = self.next
            && let Some(entry) = self.entries.remove(&next)
        {
            self.next = Some(next + 1);
            match entry {
                Entry::Padding => {
                    self.report.paddings += 1;
                    self.padded += 1;
                }
                Entry::Lost => {
                    self.report.breaks += u64::from(self.in_step);
                    self.in_step = false;
                }
                Entry::Packet(packet) if self.in_step || packet.begins() => {
                    if let Err(what) = self.follow(at, &packet) {
                        self.complain(format!("{next}: {what}; {:?}", packet.truth));
                    }
                    self.in_step = true;
                }
                Entry::Packet(_) => {}
            }
            self.stalled = None;
        }
        if !self.entries.is_empty() {
            self.stalled.get_or_insert(at);
        }
    }

    /// The next packet, of a stream that has no gap.
    fn follow(&mut self, at: Duration, packet: &Packet) -> Result<(), String> {
        let Packet {
            told,
            truth,
            timestamp,
            marker,
            ..
        } = packet;
        let last = self.last.replace(Last {
            timestamp: *timestamp,
            marker: *marker,
            told: *told,
            frame: packet.descriptor.map(|descriptor| descriptor.frame),
            truth: truth.clone(),
        });
        // After a break nothing can be said of what comes first.
        let last = last.filter(|_| self.in_step);
        if packet.begins() {
            self.whole.clear();
            self.names.clear();
        }
        let is_of_last = last.as_ref().is_some_and(|last| {
            (last.truth.encoding, last.truth.picture) == (truth.encoding, truth.picture)
        });
        let result = match &last {
            Some(last) if is_of_last => self.goes_on(last, packet),
            Some(last) => self.begins_picture(last, packet),
            None => Ok(()),
        };
        let result = result.and_then(|()| self.is_as_told(packet));
        if truth.part + 1 == truth.parts {
            let oldest = truth.picture.saturating_sub(MEMORY);
            self.whole.retain(|(picture, _)| *picture >= oldest);
            self.whole.insert((truth.picture, truth.sid));
        }
        if *marker {
            self.report.shown.push(Picture {
                at,
                captured: truth.captured,
                encoding: truth.encoding,
                sid: truth.sid,
                tid: truth.tid,
            });
        }
        result
    }

    /// A packet of the picture that the last was of.
    fn goes_on(&self, last: &Last, packet: &Packet) -> Result<(), String> {
        let (old, new) = (&last.truth, &packet.truth);
        if last.marker {
            return Err("its picture had ended".into());
        }
        if packet.timestamp != last.timestamp {
            return Err("two times in one picture".into());
        }
        if packet.told.picture != last.told.picture || packet.told.tl0 != last.told.tl0 {
            return Err(format!("two names: {:?} and {:?}", last.told, packet.told));
        }
        let next_part = old.sid == new.sid && old.part + 1 == new.part;
        let next_layer = old.sid + 1 == new.sid && old.part + 1 == old.parts && new.part == 0;
        if !next_part && !next_layer {
            return Err(format!("it follows {old:?}"));
        }
        Ok(())
    }

    /// The first packet of a picture.
    fn begins_picture(&mut self, last: &Last, packet: &Packet) -> Result<(), String> {
        let (old, new) = (&last.truth, &packet.truth);
        let padded = std::mem::take(&mut self.padded);
        if !last.marker || old.part + 1 != old.parts {
            // Its last packets did not arrive at the server in time to be given numbers, or the path
            // was found full in its midst. Decoders drop such a picture: a keyframe needs none.
            if !packet.begins() {
                return Err(format!("the picture before has no end: {old:?}"));
            }
            self.report.cut += 1;
        }
        if (new.sid, new.part) != (0, 0) {
            return Err(format!("it does not begin its picture; before: {old:?}"));
        }
        let step = packet.timestamp.wrapping_sub(last.timestamp) as i32;
        if step <= 0 {
            return Err(format!("time goes by {step}"));
        }
        let passed = new.captured.as_micros() as i64 - old.captured.as_micros() as i64;
        let drift = (i64::from(step) * 100 / 9 - passed).unsigned_abs();
        // A keyframe of another encoding may have been captured before: time cannot go back, and a
        // sender report says what it is from then on.
        if old.captured > SETTLED && passed > 0 {
            self.report.drift = self.report.drift.max(drift);
        }
        if old.encoding != new.encoding && !new.keyframe {
            return Err("another encoding, but no keyframe".into());
        }
        if let (Some(before), Some(now)) = (last.told.picture, packet.told.picture) {
            let step = now.wrapping_sub(before) & 0x7fff;
            // Decoders of VP8 wait for those that are missing. A number that was kept free for a
            // picture that came late, and was to be left out then, cannot be closed up.
            let is_next = match self.config.codec {
                crate::media::Codec::Vp8 => (1..=1 + padded).contains(&step),
                _ => (1..1_000).contains(&step),
            };
            if !is_next {
                return Err(format!("picture {now} after {before}"));
            }
        }
        if let (Some(before), Some(now)) = (last.told.tl0, packet.told.tl0) {
            let expected = before.wrapping_add(u8::from(new.tid == 0));
            if now != expected {
                return Err(format!("TL0PICIDX {now} after {before}"));
            }
        }
        if let (Some(before), Some(descriptor)) = (last.frame, packet.descriptor) {
            let step = descriptor.frame.wrapping_sub(before);
            if !(1..3_000).contains(&step) {
                return Err(format!("frame {} after {before}", descriptor.frame));
            }
        }
        Ok(())
    }

    /// What the codec says of the packet is so, and what its frame needs is there.
    fn is_as_told(&mut self, packet: &Packet) -> Result<(), String> {
        let (truth, told) = (&packet.truth, &packet.told);
        if told
            .layer
            .is_some_and(|layer| layer != (truth.tid, truth.sid))
        {
            return Err(format!("it says {told:?}"));
        }
        let frame = (truth.picture, truth.sid);
        for needed in &truth.refs {
            if !self.whole.contains(needed) {
                return Err(format!("it lacks {needed:?}"));
            }
        }
        if let Some(back) = told.back {
            let picture = told.picture.unwrap_or(0).wrapping_sub(u16::from(back)) & 0x7fff;
            let named = self.names.get(&picture).map(|(picture, _)| *picture);
            let meant = truth.refs.first().map(|(picture, _)| *picture);
            if named != meant {
                return Err(format!("picture {picture} is {named:?}"));
            }
        }
        if let Some(picture) = told.picture {
            self.names.insert(picture, (truth.picture, 0));
        }
        if self.config.codec != crate::media::Codec::Av1 {
            return Ok(());
        }
        let Some(descriptor) = packet.descriptor else {
            return Err("it has no descriptor".into());
        };
        if packet.begins() && !descriptor.describes {
            return Err("a keyframe without templates".into());
        }
        let ends = truth.part + 1 == truth.parts;
        if (descriptor.first, descriptor.last) != (truth.part == 0, ends) {
            return Err(format!("{descriptor:?}"));
        }
        let Some(template) = self.templates.get(descriptor.template) else {
            return Err("an unknown template".into());
        };
        if (template.sid, template.tid) != (truth.sid, truth.tid) {
            return Err(format!("{template:?}"));
        }
        let named = template.back.iter().map(|back| {
            let number = descriptor.frame.wrapping_sub(*back);
            self.names.get(&number).copied()
        });
        let meant = truth.refs.iter().map(|one| Some(*one));
        if !named.eq(meant) {
            return Err(format!("frame {} means others", descriptor.frame));
        }
        self.names.insert(descriptor.frame, frame);
        Ok(())
    }
}
