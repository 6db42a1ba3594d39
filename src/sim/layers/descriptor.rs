//! The dependency descriptor (RTP Payload Format For AV1, appendix A), written and read by itself.

use super::LayersConfig;

/// Bits, the highest first.
#[derive(Default)]
pub(super) struct Bits {
    pub(super) bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    pub(super) fn put(&mut self, value: u32, bits: usize) {
        for bit in (0..bits).rev() {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << (7 - self.count % 8);
            }
            self.count += 1;
        }
    }
}

/// A kind of frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) sid: u8,
    pub(super) tid: u8,
    keyframe: bool,
    position: usize,
    /// How many frames back those are that it refers to.
    pub(super) back: Vec<u16>,
}

/// All kinds, by layer.
pub(super) fn templates(config: &LayersConfig) -> Vec<Template> {
    let mut templates = Vec::new();
    for sid in 0..config.spatial {
        let mut of_layer = vec![(true, 0)];
        of_layer.extend((0..config.pattern().len()).map(|position| (false, position)));
        for (keyframe, position) in of_layer {
            let mut back = Vec::new();
            if !keyframe {
                back.push(config.distance(position) as u16 * u16::from(config.spatial));
            }
            if sid > 0 && (keyframe || !config.key_only) {
                back.push(1);
            }
            templates.push(Template {
                sid,
                tid: config.pattern().get(position).copied().unwrap_or(0),
                keyframe,
                position,
                back,
            });
        }
    }
    templates.sort_by_key(|template| (template.sid, template.tid));
    templates
}

/// The template of a frame.
pub(super) fn find(templates: &[Template], sid: u8, keyframe: bool, position: usize) -> usize {
    let is_it = |one: &Template| {
        one.sid == sid && one.keyframe == keyframe && (keyframe || one.position == position)
    };
    templates.iter().position(is_it).unwrap_or(0)
}

/// What stands in front of each frame's packets: three bytes, or all templates too.
pub(super) fn write(
    config: &LayersConfig,
    templates: &[Template],
    (template, frame): (usize, u16),
    (first, last): (bool, bool),
    describes: bool,
) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(u32::from(first), 1);
    bits.put(u32::from(last), 1);
    bits.put(template as u32, 6);
    bits.put(u32::from(frame), 16);
    if describes {
        // A structure follows, and nothing else that is optional.
        bits.put(0b10000, 5);
        structure(config, templates, &mut bits);
    }
    bits.bytes
}

fn structure(config: &LayersConfig, templates: &[Template], bits: &mut Bits) {
    let targets =
        || (0..config.spatial).flat_map(|sid| (0..config.temporal).map(move |tid| (sid, tid)));
    let count = u32::from(config.spatial) * u32::from(config.temporal);
    bits.put(0, 6);
    bits.put(count - 1, 5);
    for (at, template) in templates.iter().enumerate() {
        bits.put(
            match templates.get(at + 1) {
                None => 3,
                Some(next) if next.sid != template.sid => 2,
                Some(next) => u32::from(next.tid - template.tid),
            },
            2,
        );
    }
    for template in templates {
        for (sid, tid) in targets() {
            let is_lower = template.sid == sid
                || (template.sid < sid && (template.keyframe || !config.key_only));
            let switches = config.is_switching_point(template.position);
            let indication = match is_lower && template.tid <= tid {
                false => 0,
                true if template.keyframe => 2,
                true if switches && (template.sid, template.tid) == (sid, tid) => 2,
                true => 3,
            };
            bits.put(indication, 2);
        }
    }
    for template in templates {
        for back in &template.back {
            bits.put(1, 1);
            bits.put(u32::from(back - 1), 4);
        }
        bits.put(0, 1);
    }
    // No chains: nothing in as many bits as a number up to the count of targets needs.
    bits.put(0, (u32::BITS - (count + 1).leading_zeros()) as usize - 1);
    bits.put(1, 1);
    for sid in 0..config.spatial {
        let (width, height) = config.size(0, sid);
        bits.put(u32::from(width) - 1, 16);
        bits.put(u32::from(height) - 1, 16);
    }
}

/// What a descriptor says of its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) template: usize,
    pub(super) frame: u16,
    /// It brings the templates.
    pub(super) describes: bool,
}

pub(super) fn read(descriptor: &[u8]) -> Option<Told> {
    let (&[head, high, low], rest) = descriptor.split_first_chunk()?;
    Some(Told {
        first: head & 0x80 != 0,
        last: head & 0x40 != 0,
        template: usize::from(head & 0x3f),
        frame: u16::from_be_bytes([high, low]),
        describes: rest.first().is_some_and(|flags| flags & 0x80 != 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Codec;
    use crate::media::codec::dependency::Structure;

    #[test]
    fn the_server_reads_what_is_written() {
        for (spatial, temporal, key_only) in [(1, 3, false), (3, 3, true), (2, 2, false)] {
            let config = LayersConfig {
                spatial,
                temporal,
                key_only,
                ..LayersConfig::of(Codec::Av1)
            };
            let templates = templates(&config);
            let first = write(&config, &templates, (0, 7), (true, false), true);
            let structure = Structure::parse(&first).unwrap().unwrap();
            let count = usize::from(spatial * temporal);
            assert_eq!(structure.target_count(), count);
            assert_eq!(
                structure.targets().last(),
                Some((spatial - 1, temporal - 1))
            );
            assert_eq!(
                structure.size(spatial - 1),
                Some(config.size(0, spatial - 1))
            );
            for (at, template) in templates.iter().enumerate() {
                let bytes = write(&config, &templates, (at, 8), (false, true), false);
                let frame = structure.frame(&bytes).unwrap();
                assert_eq!((frame.sid, frame.tid), (template.sid, template.tid));
                let told = read(&bytes).unwrap();
                assert_eq!((told.template, told.frame, told.last), (at, 8, true));
            }
        }
    }
}
