//! Makes the packets of one encoding.

use super::descriptor::{self, Template};
use super::{LayersConfig, Truth, format};
use crate::sim::random::Random;
use std::time::Duration;

/// Bytes of a frame of the lowest layer, on average; those of the next are three times as large.
const FRAME: u64 = 300;
/// A keyframe is so many times as large.
const KEYFRAME: u64 = 4;
/// The most payload bytes of one packet.
const MAX_PAYLOAD: u64 = 1_000;

/// One packet: what goes into its header, and its payload.
#[derive(Debug, Clone)]
pub(in crate::sim) struct Written {
    pub(in crate::sim) marker: bool,
    /// The dependency descriptor; empty for codecs that say it in the payload.
    pub(in crate::sim) descriptor: Vec<u8>,
    pub(in crate::sim) payload: Vec<u8>,
}

/// One encoding under way.
pub(in crate::sim) struct Source {
    config: LayersConfig,
    templates: Vec<Template>,
    encoding: u8,
    picture: u32,
    /// Added to `picture`: as it is on the wire.
    first_id: u16,
    first_frame: u16,
    tl0: u8,
    /// Pictures since the last keyframe.
    since: usize,
}

impl Source {
    pub(in crate::sim) fn new(config: LayersConfig, encoding: u8, random: &mut Random) -> Self {
        Self {
            config,
            templates: descriptor::templates(&config),
            encoding,
            picture: 0,
            // Near their ends, so that they go round.
            first_id: 0x7fff - random.below(600) as u16,
            first_frame: u16::MAX - random.below(600) as u16,
            tl0: random.next() as u8,
            since: 0,
        }
    }

    /// The packets of the next picture, in order.
    pub(in crate::sim) fn picture(
        &mut self,
        captured: Duration,
        keyframe: bool,
        random: &mut Random,
    ) -> Vec<Written> {
        let config = self.config;
        if keyframe {
            self.since = 0;
        }
        let position = self.since % config.pattern().len();
        let tid = config.pattern().get(position).copied().unwrap_or(0);
        if tid == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        let mut packets = Vec::new();
        for sid in 0..config.spatial {
            let level = u32::from(self.encoding + sid);
            let bytes = FRAME * 3_u64.pow(level) * if keyframe { KEYFRAME } else { 1 };
            let bytes = bytes * (75 + random.below(51)) / 100;
            let parts = bytes.div_ceil(MAX_PAYLOAD);
            let mut refs = Vec::new();
            if !keyframe {
                refs.push((self.picture - config.distance(position), sid));
            }
            if sid > 0 && (keyframe || !config.key_only) {
                refs.push((self.picture, sid - 1));
            }
            for part in 0..parts {
                let truth = Truth {
                    encoding: self.encoding,
                    picture: self.picture,
                    sid,
                    tid,
                    part: part as u8,
                    parts: parts as u8,
                    keyframe,
                    captured,
                    refs: refs.clone(),
                };
                packets.push(self.packet(&truth, position, bytes / parts));
            }
        }
        self.picture += 1;
        self.since += 1;
        packets
    }

    fn packet(&self, truth: &Truth, position: usize, bytes: u64) -> Written {
        let config = &self.config;
        let id = self.first_id.wrapping_add(truth.picture as u16) & 0x7fff;
        let switches = config.is_switching_point(position);
        let (first, last) = (truth.part == 0, truth.part + 1 == truth.parts);
        let mut descriptor = Vec::new();
        if config.codec == crate::media::Codec::Av1 {
            let kind = descriptor::find(&self.templates, truth.sid, truth.keyframe, position);
            let frames = truth.picture * u32::from(config.spatial) + u32::from(truth.sid);
            let frame = self.first_frame.wrapping_add(frames as u16);
            let describes = truth.keyframe && truth.sid == 0 && first;
            descriptor = descriptor::write(
                config,
                &self.templates,
                (kind, frame),
                (first, last),
                describes,
            );
        }
        Written {
            marker: last && truth.sid + 1 == config.spatial,
            descriptor,
            payload: format::write(config, truth, (id, self.tl0, switches), bytes as usize),
        }
    }
}
