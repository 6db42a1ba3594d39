//! Sealing and opening an RTP packet, by profile and size, next to the bare calls of the
//! cryptography library on the same bytes.
//!
//! `cargo bench --bench srtp`; its last line is JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench may fail"
)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

mod common;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use common::clock::in_turn;
use perikon::transport::srtp::{Keying, Opener, Profile, Sealer};
use std::hint::black_box;

const ROUNDS: usize = 101;
const CALLS: u64 = 1_000;
const HEADER: usize = 12;
const SSRC: u32 = 0x0102_0304;
/// Packets of sound, of a small and of an ordinary piece of a frame: bytes, header included.
const SIZES: [usize; 3] = [100, 500, 1_100];

/// The library's own call for each profile.
enum Bare {
    Gcm(LessSafeKey),
    Cm(Box<(EncryptingKey, hmac::Key)>),
}

impl Bare {
    fn new(profile: Profile) -> Self {
        let gcm = |algorithm, key: &[u8]| {
            Self::Gcm(LessSafeKey::new(UnboundKey::new(algorithm, key).unwrap()))
        };
        match profile {
            Profile::Gcm128 => gcm(&AES_128_GCM, &[7; 16]),
            Profile::Gcm256 => gcm(&AES_256_GCM, &[7; 32]),
            Profile::Cm128Sha1_80 => {
                let key = UnboundCipherKey::new(&AES_128, &[7; 16]).unwrap();
                let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[7; 20]);
                Self::Cm(Box::new((EncryptingKey::ctr(key).unwrap(), auth)))
            }
        }
    }

    fn nonce(call: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&call.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }

    fn counter_mode(key: &EncryptingKey, call: u64, bytes: &mut [u8]) {
        let mut iv = [0; 16];
        iv[..8].copy_from_slice(&call.to_be_bytes());
        let iv = EncryptionContext::Iv128(FixedLength::from(iv));
        key.less_safe_encrypt(bytes, iv).unwrap();
    }

    /// The header stands in `out`.
    fn seal(&self, call: u64, payload: &[u8], out: &mut [u8]) {
        let (header, rest) = out.split_at_mut(HEADER);
        let (body, rest) = rest.split_at_mut(payload.len());
        match self {
            Self::Gcm(key) => {
                let aad = Aad::from(&*header);
                let tag = &mut rest[..16];
                key.seal_out_of_place_scatter(Self::nonce(call), aad, payload, body, &[], tag)
                    .unwrap();
            }
            Self::Cm(keys) => {
                let (key, auth) = &**keys;
                body.copy_from_slice(payload);
                Self::counter_mode(key, call, body);
                let tag = hmac::sign(auth, &out[..HEADER + payload.len()]);
                out[HEADER + payload.len()..][..10].copy_from_slice(&tag.as_ref()[..10]);
            }
        }
    }

    fn open(&self, call: u64, packet: &[u8], out: &mut [u8]) {
        let (header, rest) = packet.split_at(HEADER);
        let (body, tag) = rest.split_at(out.len());
        match self {
            Self::Gcm(key) => {
                key.open_separate_gather(Self::nonce(call), Aad::from(header), body, tag, out)
                    .unwrap();
            }
            Self::Cm(keys) => {
                let (key, auth) = &**keys;
                let expected = hmac::sign(auth, &packet[..HEADER + body.len()]);
                assert_eq!(expected.as_ref()[..10], tag[..10]);
                out.copy_from_slice(body);
                Self::counter_mode(key, call, out);
            }
        }
    }
}

struct Costs {
    seal: f64,
    bare_seal: f64,
    open: f64,
    bare_open: f64,
}

fn measure(profile: Profile, size: usize) -> Costs {
    let material = vec![7; profile.keying_material_len()];
    let keying = Keying::split(profile, &material).unwrap().0;
    let (sealer, opener) = (Sealer::new(&keying).unwrap(), Opener::new(&keying).unwrap());
    let bare = Bare::new(profile);
    let payload = vec![0xa5; size - HEADER];
    let mut out = vec![0; size + 16];
    out[..HEADER].copy_from_slice(&[0x80, 96, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
    let (mut bare_out, mut opened) = (out.clone(), vec![0; payload.len()]);
    let mut bare_opened = opened.clone();

    let [seal, bare_seal] = in_turn(
        ROUNDS,
        CALLS,
        [
            &mut |call| {
                sealer
                    .seal_rtp(SSRC, call, HEADER, black_box(&payload), &mut out)
                    .unwrap();
                black_box(&out);
            },
            &mut |call| {
                bare.seal(call, black_box(&payload), &mut bare_out);
                black_box(&bare_out);
            },
        ],
    );
    // The same packet again and again: who calls checks for replays.
    let len = sealer
        .seal_rtp(SSRC, 5, HEADER, &payload, &mut out)
        .unwrap();
    bare.seal(5, &payload, &mut bare_out);
    let [open, bare_open] = in_turn(
        ROUNDS,
        CALLS,
        [
            &mut |_| {
                let packet = black_box(&out[..len]);
                opener
                    .open_rtp(packet, SSRC, 5, HEADER, &mut opened)
                    .unwrap();
                black_box(&opened);
            },
            &mut |_| {
                bare.open(5, black_box(&bare_out[..len]), &mut bare_opened);
                black_box(&bare_opened);
            },
        ],
    );
    assert_eq!(opened, payload);
    assert_eq!(bare_opened, payload);
    Costs {
        seal,
        bare_seal,
        open,
        bare_open,
    }
}

fn main() {
    println!("CPU ns a packet");
    println!(
        "{:>14} {:>6} {:>7} {:>7} {:>6} {:>7} {:>7} {:>6}",
        "profile", "bytes", "seal", "bare", "ratio", "open", "bare", "ratio"
    );
    let mut figures = Vec::new();
    for profile in [Profile::Gcm128, Profile::Gcm256, Profile::Cm128Sha1_80] {
        for size in SIZES {
            let Costs {
                seal,
                bare_seal,
                open,
                bare_open,
            } = measure(profile, size);
            let name = format!("{profile:?}").to_lowercase();
            println!(
                "{name:>14} {size:>6} {seal:>7.0} {bare_seal:>7.0} {:>6.2} {open:>7.0} \
                 {bare_open:>7.0} {:>6.2}",
                seal / bare_seal,
                open / bare_open,
            );
            if size == SIZES[SIZES.len() - 1] {
                figures.push(format!(
                    "\"{name}\":{{\"seal_ns\":{seal:.0},\"bare_seal_ns\":{bare_seal:.0},\
                     \"open_ns\":{open:.0},\"bare_open_ns\":{bare_open:.0}}}"
                ));
            }
        }
    }
    println!(
        "{{\"bench\":\"srtp\",\"bytes\":{},{}}}",
        SIZES[SIZES.len() - 1],
        figures.join(",")
    );
}
