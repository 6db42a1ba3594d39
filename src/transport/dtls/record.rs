//! The records of a DTLS datagram (RFC 6347, section 4.1), and which of them are repetitions.

/// Type, version, epoch, sequence number, length.
const HEADER: usize = 13;
/// Type, length, message number, fragment offset, fragment length.
const HANDSHAKE_HEADER: usize = 12;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// More pieces than a handshake has; beyond them nothing is taken for a repetition.
const MAX_PIECES: usize = 256;

/// A record, header included.
#[derive(Debug, Clone, Copy)]
struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    /// Takes the first record off; `None` when what stands there is none.
    fn split(data: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let header: &[u8; HEADER] = data.first_chunk()?;
        // From ChangeCipherSpec to application data; 1.0 is how a ClientHello may be labelled.
        if !(20..=23).contains(&header[0]) || !matches!(header[1..3], [0xfe, 0xfd | 0xff]) {
            return None;
        }
        let len = HEADER + usize::from(u16::from_be_bytes([header[11], header[12]]));
        let (record, rest) = data.split_at_checked(len)?;
        Some((Self(record), rest))
    }

    /// What a plaintext handshake record carries, if it carries one piece of one message: the
    /// usual thing, and the only one that is looked at.
    fn piece(self) -> Option<Piece> {
        let (header, body) = self.0.split_at_checked(HEADER)?;
        if header[0] != HANDSHAKE || header[3..5] != [0, 0] {
            return None;
        }
        let piece = *body.first_chunk::<HANDSHAKE_HEADER>()?;
        let fragment = u32::from_be_bytes([0, piece[9], piece[10], piece[11]]);
        (body.len() == HANDSHAKE_HEADER + fragment as usize).then_some(Piece(piece))
    }
}

/// The header of a handshake message's fragment: says which bytes of which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece([u8; HANDSHAKE_HEADER]);

/// What is left of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sifted {
    /// Records that say something new.
    pub(super) fresh: Vec<u8>,
    /// There was something that is no record.
    pub(super) malformed: bool,
}

/// Keeps repetitions of a handshake's messages from the library.
///
/// On each handshake record it stops its retransmission timer and, if the record brings nothing
/// new, does not start it again. When a flight is lost while the other end repeats its own, both
/// ends then wait for ever. Without the repetitions, the timer runs until something new comes.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    seen: Vec<Piece>,
    answered: bool,
}

impl Sieve {
    /// Notes what was sent: a server that has answered the second ClientHello need not see it
    /// again, but before that each deserves a HelloVerifyRequest.
    pub(super) fn sent(&mut self, datagram: &[u8]) {
        let first = Record::split(datagram).and_then(|(record, _)| record.piece());
        self.answered |= first.is_some_and(|piece| piece.0[0] == SERVER_HELLO);
    }

    /// Takes the records of a datagram apart. `finished`: repetitions have a meaning again, they
    /// ask for our last flight.
    pub(super) fn sift(&mut self, datagram: &[u8], finished: bool) -> Sifted {
        let mut sifted = Sifted {
            fresh: Vec::with_capacity(datagram.len()),
            malformed: datagram.is_empty(),
        };
        let mut rest = datagram;
        while !rest.is_empty() {
            let Some((record, others)) = Record::split(rest) else {
                sifted.malformed = true;
                break;
            };
            rest = others;
            if finished || self.is_fresh(record) {
                sifted.fresh.extend_from_slice(record.0);
            }
        }
        sifted
    }

    fn is_fresh(&mut self, record: Record<'_>) -> bool {
        let Some(piece) = record.piece() else {
            return true;
        };
        if self.seen.contains(&piece) {
            return piece.0[0] == CLIENT_HELLO && !self.answered;
        }
        if self.seen.len() < MAX_PIECES {
            self.seen.push(piece);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, number: u8, sequence: u8) -> Vec<u8> {
        let mut record = vec![HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, sequence, 0, 15];
        record.extend_from_slice(&[kind, 0, 0, 3, 0, number, 0, 0, 0, 0, 0, 3, 7, 8, 9]);
        record
    }

    #[test]
    fn a_message_is_let_through_once_whatever_its_record_number() {
        let mut sieve = Sieve::default();
        let both = [record(11, 2, 5), record(14, 3, 6)].concat();
        assert_eq!(sieve.sift(&both, false).fresh, both);
        assert_eq!(sieve.sift(&record(11, 2, 9), false).fresh, b"");
        let mixed = [record(14, 3, 10), record(12, 4, 11)].concat();
        assert_eq!(sieve.sift(&mixed, false).fresh, record(12, 4, 11));
        assert_eq!(sieve.sift(&mixed, true).fresh, mixed);
    }

    #[test]
    fn a_client_hello_is_a_repetition_once_it_was_answered() {
        let mut sieve = Sieve::default();
        let hello = record(CLIENT_HELLO, 0, 0);
        assert_eq!(sieve.sift(&hello, false).fresh, hello);
        assert_eq!(sieve.sift(&hello, false).fresh, hello);
        sieve.sent(&record(3, 0, 0));
        let second = record(CLIENT_HELLO, 1, 1);
        assert_eq!(sieve.sift(&second, false).fresh, second);
        sieve.sent(&record(SERVER_HELLO, 1, 1));
        assert_eq!(sieve.sift(&second, false).fresh, b"");
    }

    #[test]
    fn a_cut_datagram_keeps_its_whole_records_and_is_malformed() {
        let both = [record(11, 2, 5), record(14, 3, 6)].concat();
        let len = both.len() / 2;
        for cut in 0..both.len() {
            let sifted = Sieve::default().sift(&both[..cut], false);
            assert_eq!(sifted.malformed, cut != len, "cut at {cut}");
            let whole = if cut < len { 0 } else { len };
            assert_eq!(sifted.fresh, both[..whole], "cut at {cut}");
        }
    }
}
