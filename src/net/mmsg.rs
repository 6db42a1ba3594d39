//! Many datagrams in one system call: recvmmsg with UDP_GRO, sendmmsg with UDP_SEGMENT.
#![allow(unsafe_code, reason = "the kernel's interface takes pointers")]

use crate::shard::Batch;
use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::RawFd;
use std::ptr;

/// Reads in one call.
const READS: usize = 16;
/// The most bytes that UDP_GRO puts together.
const READ_BYTES: usize = 65_535;
/// Sends in one call.
const SENDS: usize = 64;

/// Room for one control message that carries a number, aligned as the kernel wants it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 32]);

/// Buffers for reading.
pub struct Reader {
    bytes: Box<[u8]>,
    names: Box<[libc::sockaddr_storage; READS]>,
    controls: Box<[Control; READS]>,
    read: usize,
    lengths: [(usize, usize); READS],
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// Makes the buffers: a megabyte of them.
    pub fn new() -> Self {
        // SAFETY: all zeros is a valid sockaddr_storage.
        let names = unsafe { Box::new([zeroed(); READS]) };
        Self {
            bytes: vec![0; READS * READ_BYTES].into(),
            names,
            controls: Box::new([Control([0; 32]); READS]),
            read: 0,
            lengths: [(0, 0); READS],
        }
    }

    /// Reads what is there. Returns how many reads the kernel filled; fewer than it could means
    /// that nothing is left.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there.
    pub fn read(&mut self, socket: RawFd) -> io::Result<bool> {
        self.read = 0;
        // SAFETY: all zeros is a valid iovec and mmsghdr (null pointers, no lengths).
        let mut vectors: [libc::iovec; READS] = unsafe { zeroed() };
        // SAFETY: as above.
        let mut headers: [libc::mmsghdr; READS] = unsafe { zeroed() };
        for at in 0..READS {
            vectors[at].iov_base = self.bytes[at * READ_BYTES..].as_mut_ptr().cast();
            vectors[at].iov_len = READ_BYTES;
            let header = &mut headers[at].msg_hdr;
            header.msg_name = ptr::from_mut(&mut self.names[at]).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = &raw mut vectors[at];
            header.msg_iovlen = 1;
            header.msg_control = ptr::from_mut(&mut self.controls[at]).cast();
            header.msg_controllen = size_of::<Control>() as _;
        }
        // SAFETY: every pointer in `headers` leads to a buffer of the stated length that lives
        // until the call returns, and no two overlap.
        let count = unsafe {
            libc::recvmmsg(
                socket,
                headers.as_mut_ptr(),
                READS as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (at, header) in headers.iter().enumerate().take(count) {
            let len = header.msg_len as usize;
            self.lengths[at] = (len, segment_size(&header.msg_hdr).unwrap_or(len).max(1));
        }
        self.read = count;
        Ok(count == READS)
    }

    /// Hands each datagram that was read to `take`.
    pub fn datagrams(&mut self, mut take: impl FnMut(SocketAddr, &mut [u8])) {
        for at in 0..self.read {
            let (len, segment) = self.lengths[at];
            let Some(from) = address(&self.names[at]) else {
                continue;
            };
            let start = at * READ_BYTES;
            for datagram in self.bytes[start..start + len].chunks_mut(segment) {
                take(from, datagram);
            }
        }
    }
}

/// What UDP_GRO says of a read that holds several datagrams.
fn segment_size(header: &libc::msghdr) -> Option<usize> {
    // SAFETY: the kernel has filled in the control buffer and its length; the macros stay inside
    // of it.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while !message.is_null() {
            if (*message).cmsg_level == libc::SOL_UDP && (*message).cmsg_type == libc::UDP_GRO {
                let size: libc::c_int = ptr::read_unaligned(libc::CMSG_DATA(message).cast());
                return usize::try_from(size).ok().filter(|size| *size > 0);
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    None
}

/// Asks the kernel to put datagrams of one sender together. False where it cannot.
pub fn enable_gro(socket: RawFd) -> bool {
    let on: libc::c_int = 1;
    // SAFETY: the option takes an int, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket,
            libc::SOL_UDP,
            libc::UDP_GRO,
            ptr::from_ref(&on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    result == 0
}

/// What came of sending.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent {
    /// Calls into the kernel.
    pub calls: u64,
    /// Sends that the kernel refused, and were dropped.
    pub refused: u64,
    /// The kernel cannot segment: send each datagram by itself from now on.
    pub no_segmentation: bool,
}

/// Sends of a batch that leave by `socket`, whose address is the `local`-th.
///
/// What the kernel has no room for is waited for a moment, then dropped: media that is late is
/// lost in any case.
pub fn send(socket: RawFd, local: u8, batch: &Batch, segmentation: bool) -> Sent {
    let mut sent = Sent::default();
    let mut round = Round::new();
    for item in batch.sends().iter().filter(|item| item.path.local == local) {
        let bytes = batch.bytes(item);
        if segmentation || item.len <= item.segment {
            round.add(item.path.remote, bytes, item.segment);
            round.send_if_full(socket, &mut sent);
        } else {
            for datagram in bytes.chunks(item.segment) {
                round.add(item.path.remote, datagram, datagram.len());
                round.send_if_full(socket, &mut sent);
            }
        }
    }
    round.send(socket, &mut sent);
    sent
}

/// The sends of one system call. Nothing is cleared between calls: what counts is written anew.
struct Round<'a> {
    names: [MaybeUninit<libc::sockaddr_storage>; SENDS],
    name_lengths: [libc::socklen_t; SENDS],
    data: [(&'a [u8], usize); SENDS],
    count: usize,
}

impl<'a> Round<'a> {
    fn new() -> Self {
        Self {
            names: [const { MaybeUninit::uninit() }; SENDS],
            name_lengths: [0; SENDS],
            data: [(&[], 0); SENDS],
            count: 0,
        }
    }

    fn add(&mut self, remote: SocketAddr, bytes: &'a [u8], segment: usize) {
        self.name_lengths[self.count] = write_address(remote, &mut self.names[self.count]);
        self.data[self.count] = (bytes, segment);
        self.count += 1;
    }

    fn send_if_full(&mut self, socket: RawFd, sent: &mut Sent) {
        if self.count == SENDS {
            self.send(socket, sent);
        }
    }

    fn send(&mut self, socket: RawFd, sent: &mut Sent) {
        let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; SENDS];
        let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; SENDS];
        let mut controls = [const { MaybeUninit::<Control>::uninit() }; SENDS];
        for at in 0..self.count {
            let (bytes, segment) = self.data[at];
            let vector = vectors[at].write(libc::iovec {
                iov_base: bytes.as_ptr().cast_mut().cast(),
                iov_len: bytes.len(),
            });
            // SAFETY: all zeros is a valid mmsghdr (null pointers, no lengths).
            let header = headers[at].write(unsafe { zeroed() });
            let header = &mut header.msg_hdr;
            header.msg_name = self.names[at].as_mut_ptr().cast();
            header.msg_namelen = self.name_lengths[at];
            header.msg_iov = ptr::from_mut(vector);
            header.msg_iovlen = 1;
            if bytes.len() > segment {
                header.msg_control = ptr::from_mut(controls[at].write(Control([0; 32]))).cast();
                write_segment_size(header, segment as u16);
            }
        }
        let mut from = 0;
        let mut waited = false;
        while from < self.count {
            sent.calls += 1;
            // SAFETY: the first `count` headers were written above; every pointer in them leads
            // to memory that lives until the call returns; the kernel only reads it.
            let result = unsafe {
                libc::sendmmsg(
                    socket,
                    headers[from..].as_mut_ptr().cast(),
                    (self.count - from) as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            if let Ok(done) = usize::try_from(result) {
                from += done.max(1);
                continue;
            }
            match io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN | libc::ENOBUFS) if !waited => {
                    waited = true;
                    wait_writable(socket);
                }
                error => {
                    // Devices without checksum offload cannot segment.
                    if error == Some(libc::EIO) && self.data[from].0.len() > self.data[from].1 {
                        sent.no_segmentation = true;
                    }
                    sent.refused += 1;
                    from += 1;
                }
            }
        }
        self.count = 0;
    }
}

fn write_segment_size(header: &mut libc::msghdr, segment: u16) {
    // SAFETY: `msg_control` leads to a `Control`, which is zeroed, aligned, and larger than
    // CMSG_SPACE of two bytes.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(size_of::<u16>() as u32) as _;
        let message = libc::CMSG_FIRSTHDR(header);
        if !message.is_null() {
            (*message).cmsg_level = libc::SOL_UDP;
            (*message).cmsg_type = libc::UDP_SEGMENT;
            (*message).cmsg_len = libc::CMSG_LEN(size_of::<u16>() as u32) as _;
            ptr::write_unaligned(libc::CMSG_DATA(message).cast(), segment);
        }
    }
}

/// A full send buffer empties within a few milliseconds, or not at all.
fn wait_writable(socket: RawFd) {
    let mut poll = libc::pollfd {
        fd: socket,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one pollfd, which outlives the call.
    unsafe {
        libc::poll(&raw mut poll, 1, 3);
    }
}

fn address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which structure the kernel wrote, and a
            // sockaddr_storage is large enough and aligned for it.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddr::V4(SocketAddrV4::new(
                ip,
                u16::from_be(name.sin_port),
            )))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            Some(SocketAddr::V6(SocketAddrV6::new(
                ip,
                u16::from_be(name.sin6_port),
                0,
                0,
            )))
        }
        _ => None,
    }
}

/// Writes an address as the kernel reads it, and returns how long it is.
fn write_address(
    address: SocketAddr,
    name: &mut MaybeUninit<libc::sockaddr_storage>,
) -> libc::socklen_t {
    match address {
        SocketAddr::V4(address) => {
            let value = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from(*address.ip()).to_be(),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: a sockaddr_storage is large enough and aligned for any address.
            unsafe { name.as_mut_ptr().cast::<libc::sockaddr_in>().write(value) };
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(address) => {
            let value = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr {
                    s6_addr: address.ip().octets(),
                },
                sin6_scope_id: address.scope_id(),
            };
            // SAFETY: as above.
            unsafe { name.as_mut_ptr().cast::<libc::sockaddr_in6>().write(value) };
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}
