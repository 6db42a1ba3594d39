//! What the process keeps of memory that it no longer needs.
#![allow(
    unsafe_code,
    reason = "the allocator's settings are functions of the C library"
)]

/// Keeps the allocator from making a heap for each thread: a peer is made by one thread and
/// taken down by another, and many heaps that are half empty take twice the memory. To be called
/// before there are threads.
pub fn share_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: no pointers; called while there is one thread.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// Gives memory that is free back to the system. Takes some milliseconds, during which others
/// that allocate may wait.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: no pointers; may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
