//! The dependency descriptor (RTP Payload Format For AV1, appendix A): which layers a frame
//! belongs to and which receivers need it, for any codec and without a look at its payload.
//!
//! A keyframe carries a [`Structure`] of templates; each frame names one of them. Whoever reads
//! a track keeps the latest structure.

use super::bits::Bits;
use super::{CodecError, Flags};

const MAX_TEMPLATES: usize = 64;
const MAX_TARGETS: usize = 32;
const MAX_SPATIAL: usize = 4;

/// The three bytes with which every descriptor begins (appendix A.8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mandatory {
    /// The packet is the first of its frame.
    pub start_of_frame: bool,
    /// The packet is the last of its frame.
    pub end_of_frame: bool,
    /// Which template: 6 bits.
    pub template_id: u8,
    /// Counts the frames of all layers, and wraps.
    pub frame_number: u16,
}

impl Mandatory {
    /// Reads the beginning of a descriptor.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn parse(descriptor: &[u8]) -> Result<Self, CodecError> {
        let &[first, high, low, ..] = descriptor else {
            return Err(CodecError::Truncated);
        };
        Ok(Self {
            start_of_frame: first & 0x80 != 0,
            end_of_frame: first & 0x40 != 0,
            template_id: first & 0x3F,
            frame_number: u16::from_be_bytes([high, low]),
        })
    }
}

/// Whether a descriptor brings a new template structure.
pub fn has_structure(descriptor: &[u8]) -> bool {
    descriptor.get(3).is_some_and(|flags| flags & 0x80 != 0)
}

/// What a frame is to one decode target (appendix A.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Indication {
    /// Not part of it.
    #[default]
    NotPresent,
    /// Part of it, but nothing refers to it.
    Discardable,
    /// Part of it, and who decodes it can go on with this target.
    Switch,
    /// Part of it and needed.
    Required,
}

impl Indication {
    fn read(bits: &mut Bits<'_>) -> Result<Self, CodecError> {
        Ok(match bits.take(2)? {
            0 => Self::NotPresent,
            1 => Self::Discardable,
            2 => Self::Switch,
            _ => Self::Required,
        })
    }
}

/// What a frame is to every decode target.
pub type Indications = [Indication; MAX_TARGETS];

#[derive(Debug, Clone, Copy, Default)]
struct Template {
    sid: u8,
    tid: u8,
    indications: Indications,
}

/// The templates that a keyframe set, and the decode targets they serve.
#[derive(Debug, Clone)]
pub struct Structure {
    first_id: u8,
    templates: [Template; MAX_TEMPLATES],
    template_count: u8,
    /// The highest spatial and temporal layer of each target.
    targets: [(u8, u8); MAX_TARGETS],
    target_count: u8,
    chain_count: u8,
    sizes: [Option<(u16, u16)>; MAX_SPATIAL],
}

/// One frame, as its descriptor tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Spatial layer.
    pub sid: u8,
    /// Temporal layer.
    pub tid: u8,
    /// For each decode target; those beyond [`Structure::target_count`] are not present.
    pub indications: Indications,
    /// The decode targets that the sender sends from here on, one bit each, when it says so.
    pub active_targets: Option<u32>,
}

impl Structure {
    /// Reads the structure of a descriptor; `None` when it brings none.
    ///
    /// # Errors
    /// `Truncated` and `Malformed`.
    pub fn parse(descriptor: &[u8]) -> Result<Option<Self>, CodecError> {
        if !has_structure(descriptor) {
            return Ok(None);
        }
        let mut bits = Bits::new(descriptor.get(3..).unwrap_or_default());
        bits.take(5)?;
        Self::read(&mut bits).map(Some)
    }

    /// `template_dependency_structure` of appendix A.8.2.
    fn read(bits: &mut Bits<'_>) -> Result<Self, CodecError> {
        let mut structure = Self {
            first_id: bits.take(6)? as u8,
            templates: [Template::default(); MAX_TEMPLATES],
            template_count: 0,
            targets: [(0, 0); MAX_TARGETS],
            target_count: bits.take(5)? as u8 + 1,
            chain_count: 0,
            sizes: [None; MAX_SPATIAL],
        };
        structure.read_layers(bits)?;
        let targets = usize::from(structure.target_count);
        let templates = usize::from(structure.template_count);
        for template in structure.templates.iter_mut().take(templates) {
            for indication in template.indications.iter_mut().take(targets) {
                *indication = Indication::read(bits)?;
            }
        }
        for _ in 0..templates {
            while bits.flag()? {
                bits.take(4)?;
            }
        }
        structure.chain_count = bits.below(u32::from(structure.target_count) + 1)? as u8;
        if structure.chain_count > 0 {
            for _ in 0..targets {
                bits.below(u32::from(structure.chain_count))?;
            }
            for _ in 0..templates * usize::from(structure.chain_count) {
                bits.take(4)?;
            }
        }
        structure.find_targets();
        if bits.flag()? {
            let highest = structure
                .templates()
                .map(|template| template.sid)
                .max()
                .unwrap_or(0);
            for size in structure.sizes.iter_mut().take(usize::from(highest) + 1) {
                let width = bits.take(16)? as u16;
                let height = bits.take(16)? as u16;
                *size = Some((width.saturating_add(1), height.saturating_add(1)));
            }
        }
        Ok(structure)
    }

    /// The layers of the templates: each is told by its step from the one before.
    fn read_layers(&mut self, bits: &mut Bits<'_>) -> Result<(), CodecError> {
        let (mut sid, mut tid) = (0u8, 0u8);
        for template in &mut self.templates {
            *template = Template {
                sid,
                tid,
                ..Template::default()
            };
            self.template_count += 1;
            match bits.take(2)? {
                0 => {}
                1 => tid += 1,
                2 => (sid, tid) = (sid + 1, 0),
                _ => return Ok(()),
            }
            if usize::from(sid) >= MAX_SPATIAL || tid > 7 {
                return Err(CodecError::Malformed);
            }
        }
        Err(CodecError::Malformed)
    }

    /// A target has the highest layers of the frames that are part of it.
    fn find_targets(&mut self) {
        for (index, target) in self.targets.iter_mut().enumerate() {
            let count = usize::from(self.template_count);
            for template in self.templates.iter().take(count) {
                let indication = template.indications.get(index).copied().unwrap_or_default();
                if indication != Indication::NotPresent {
                    target.0 = target.0.max(template.sid);
                    target.1 = target.1.max(template.tid);
                }
            }
        }
    }

    fn templates(&self) -> impl Iterator<Item = &Template> {
        self.templates.iter().take(usize::from(self.template_count))
    }

    /// How many decode targets there are.
    pub fn target_count(&self) -> usize {
        usize::from(self.target_count)
    }

    /// The highest spatial and temporal layer of each decode target.
    pub fn targets(&self) -> impl Iterator<Item = (u8, u8)> + '_ {
        self.targets.iter().copied().take(self.target_count())
    }

    /// Width and height of a spatial layer in pixels, if the sender says it.
    pub fn size(&self, sid: u8) -> Option<(u16, u16)> {
        self.sizes.get(usize::from(sid)).copied().flatten()
    }

    /// Reads the frame of a descriptor that belongs to this structure.
    ///
    /// # Errors
    /// `NoStructure` when the frame's template is not one of this structure; `Truncated` and
    /// `Malformed`.
    pub fn frame(&self, descriptor: &[u8]) -> Result<Frame, CodecError> {
        let mandatory = Mandatory::parse(descriptor)?;
        let index = mandatory.template_id.wrapping_sub(self.first_id) & 0x3F;
        let template = self
            .templates()
            .nth(usize::from(index))
            .ok_or(CodecError::NoStructure)?;
        let mut frame = Frame {
            sid: template.sid,
            tid: template.tid,
            indications: template.indications,
            active_targets: None,
        };
        let Some(rest) = descriptor.get(3..).filter(|rest| !rest.is_empty()) else {
            return Ok(frame);
        };
        let mut bits = Bits::new(rest);
        let brings_structure = bits.flag()?;
        let tells_active = bits.flag()?;
        let own_indications = bits.flag()?;
        // Own references and chains follow, which are not read.
        bits.take(2)?;
        if brings_structure {
            Self::read(&mut bits)?;
            frame.active_targets = Some(u32::MAX >> (32 - self.target_count.clamp(1, 32)));
        }
        if tells_active {
            frame.active_targets = Some(bits.take(u32::from(self.target_count))?);
        }
        if own_indications {
            for indication in frame.indications.iter_mut().take(self.target_count()) {
                *indication = Indication::read(&mut bits)?;
            }
        }
        Ok(frame)
    }
}

impl Frame {
    /// Puts the layers and switching points of the frame into the flags of one of its packets.
    pub fn apply(&self, structure: &Structure, flags: &mut Flags) {
        use Indication::{Discardable, NotPresent, Switch};
        flags.sid = self.sid;
        flags.tid = self.tid;
        flags.discardable = self
            .indications
            .iter()
            .all(|one| matches!(one, NotPresent | Discardable));
        let own = structure
            .targets()
            .position(|target| target == (self.sid, self.tid));
        let switch = own.and_then(|index| self.indications.get(index)) == Some(&Switch);
        flags.tid_upsync = switch || flags.keyframe;
        flags.sid_upsync = switch || flags.keyframe;
        // No target with a higher spatial layer has it.
        flags.sid_non_reference = !structure
            .targets()
            .zip(&self.indications)
            .any(|((sid, _), one)| sid > self.sid && *one != NotPresent);
        if flags.keyframe {
            let mut layers = (0..MAX_SPATIAL as u8).rev();
            let described = layers.find_map(|sid| structure.size(sid));
            flags.size = described.or(flags.size);
        }
    }
}
