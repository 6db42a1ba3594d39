//! Which packets of an SSRC have been seen (RFC 3711, sections 3.3.1 and 3.3.2).

const WORDS: usize = 16;
const WINDOW: u64 = 64 * WORDS as u64;

/// The last 1,024 indices: repairs of lost packets come late.
#[derive(Debug, Clone)]
pub struct ReplayWindow {
    highest: u64,
    started: bool,
    seen: [u64; WORDS],
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self {
            highest: 0,
            started: false,
            seen: [0; WORDS],
        }
    }
}

impl ReplayWindow {
    /// Whether this index is new. Does not remember it.
    pub fn is_new(&self, index: u64) -> bool {
        if !self.started || index > self.highest {
            return true;
        }
        self.highest - index < WINDOW && !self.bit(index)
    }

    /// Remembers an index; false if it was seen before or is too old to tell.
    pub fn accept(&mut self, index: u64) -> bool {
        if !self.is_new(index) {
            return false;
        }
        if !self.started || index > self.highest {
            let from = if self.started {
                self.highest + 1
            } else {
                index
            };
            if index - from >= WINDOW {
                self.seen = [0; WORDS];
            } else {
                for skipped in from..=index {
                    self.seen[word(skipped)] &= !mask(skipped);
                }
            }
            self.highest = index;
            self.started = true;
        }
        self.seen[word(index)] |= mask(index);
        true
    }

    fn bit(&self, index: u64) -> bool {
        self.seen[word(index)] & mask(index) != 0
    }
}

/// So many senders' indices are remembered, those heard last.
const MAX_SENDERS: usize = 64;

/// The indices of RTCP that have been seen. Each SSRC of a session counts its own, as each has a
/// cryptographic context of its own (RFC 3711, section 3.2.3): a browser sends the reports of its
/// sound and those of its pictures from two.
#[derive(Debug, Clone, Default)]
pub struct ReplayWindows {
    /// Who was heard last comes first.
    senders: Vec<(u32, ReplayWindow)>,
}

impl ReplayWindows {
    /// Remembers an index of a sender; false if it was seen before or is too old to tell. Only for
    /// what is authentic.
    pub fn accept(&mut self, ssrc: u32, index: u64) -> bool {
        let known = self.senders.iter().position(|(sender, _)| *sender == ssrc);
        let at = known.unwrap_or_else(|| {
            self.senders.truncate(MAX_SENDERS - 1);
            self.senders.push((ssrc, ReplayWindow::default()));
            self.senders.len() - 1
        });
        if let Some(heard) = self.senders.get_mut(..=at) {
            heard.rotate_right(1);
        }
        let first = self.senders.first_mut();
        first.is_some_and(|(_, window)| window.accept(index))
    }
}

fn word(index: u64) -> usize {
    (index / 64) as usize % WORDS
}

fn mask(index: u64) -> u64 {
    1 << (index % 64)
}

/// The sequence numbers of one received SSRC: their extension to the 48-bit index, and what was
/// seen of them.
#[derive(Debug, Clone, Default)]
pub struct Sequence {
    window: ReplayWindow,
}

impl Sequence {
    /// The index that a 16-bit sequence number most likely stands for. The first counts as
    /// roll-over 1, so that a packet reordered before it has an index too; the roll-over counter
    /// of SRTP is [`Self::roc_index`].
    pub fn extend(&self, seqno: u16) -> u64 {
        if !self.window.started {
            return (1 << 16) | u64::from(seqno);
        }
        crate::media::seq::extend(seqno, self.window.highest)
    }

    /// The index as the sender counts it, its roll-over counter beginning at 0.
    pub fn roc_index(extended: u64) -> u64 {
        extended.wrapping_sub(1 << 16)
    }

    /// See [`ReplayWindow::is_new`].
    pub fn is_new(&self, extended: u64) -> bool {
        // Before the sender's first roll-over counter there is nothing.
        extended >= 1 << 16 && self.window.is_new(extended)
    }

    /// So far before all that was accepted that this would make replays of all that is to come.
    pub fn is_far_ahead(&self, extended: u64) -> bool {
        self.window.started && extended > self.window.highest + WINDOW
    }

    /// See [`ReplayWindow::accept`].
    pub fn accept(&mut self, extended: u64) -> bool {
        self.window.accept(extended)
    }
}
