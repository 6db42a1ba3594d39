//! The system's allocator, which counts. A bench that wants it says so:
//! `#[global_allocator] static ALLOCATOR: Counting = Counting;`

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Sizes that are told apart: those of this many bytes or more count as one.
const SIZES: usize = 1 << 16;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);
static PIECES: [AtomicI64; SIZES] = [const { AtomicI64::new(0) }; SIZES];

/// Counts what Rust code allocates; the cryptography library's C code asks the system itself.
pub(crate) struct Counting;

fn add(size: usize, sign: i64) {
    BYTES.fetch_add(sign * size as i64, Ordering::Relaxed);
    PIECES[size.min(SIZES - 1)].fetch_add(sign, Ordering::Relaxed);
}

// SAFETY: everything is handed on to the system's allocator as it is.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        add(layout.size(), 1);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(layout.size(), -1);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Allocations so far.
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// Bytes allocated and not freed.
pub(crate) fn live() -> i64 {
    BYTES.load(Ordering::Relaxed)
}

/// How many allocations of each size live: to be compared with a later look.
pub(crate) fn pieces() -> Vec<i64> {
    PIECES
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .collect()
}
