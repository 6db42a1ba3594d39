//! The generator's sockets: many datagrams in one system call, with the kernel's receive times.
#![allow(unsafe_code, reason = "the kernel's interface takes pointers")]

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Reads in one call.
const READS: usize = 8;
/// The most bytes that UDP_GRO puts together.
const READ_BYTES: usize = 65_535;
/// Asked of the kernel for each socket. The sockets are read every few milliseconds only.
const SOCKET_BUFFER: libc::c_int = 4 * 1024 * 1024;

/// Nanoseconds of the wall clock, which the kernel stamps what it receives with.
pub(crate) fn wall_clock() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}

/// A socket of one peer connection.
///
/// # Errors
/// When the address is not of this machine, or there are too many descriptors.
pub(crate) fn open(ip: IpAddr) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(ip, 0);
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    let fd = socket.as_raw_fd();
    // Beyond the system's limit only with privileges.
    if set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, SOCKET_BUFFER).is_err() {
        socket.set_recv_buffer_size(SOCKET_BUFFER as usize)?;
    }
    set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
    // A kernel without it hands over each datagram by itself.
    let _ = set_option(fd, libc::SOL_UDP, libc::UDP_GRO, 1);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn set_option(
    fd: RawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the option takes an int, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            fd,
            level,
            name,
            ptr::from_ref(&value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Room for the control messages of a read, aligned as the kernel wants it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 64]);

/// Buffers for reading, and the structures that lead the kernel to them.
pub(crate) struct Reader {
    bytes: Box<[u8]>,
    names: Box<[libc::sockaddr_storage; READS]>,
    controls: Box<[Control; READS]>,
    read: usize,
}

/// What a read brought: several datagrams of one sender, perhaps.
#[derive(Debug, Clone, Copy, Default)]
struct Message {
    len: usize,
    segment: usize,
    arrival: u64,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; READS * READ_BYTES].into(),
            // SAFETY: all zeros is a valid sockaddr_storage.
            names: Box::new(unsafe { [zeroed(); READS] }),
            controls: Box::new([Control([0; 64]); READS]),
            read: 0,
        }
    }

    /// Reads what is there, and hands each datagram to `take`: its sender, the time the kernel
    /// received it, itself. True when there may be more.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there.
    pub(crate) fn read(
        &mut self,
        socket: RawFd,
        mut take: impl FnMut(Sender<'_>, u64, &mut [u8]),
    ) -> io::Result<bool> {
        let messages = self.receive(socket)?;
        for (at, message) in messages.iter().enumerate().take(self.read) {
            let start = at * READ_BYTES;
            for datagram in self.bytes[start..start + message.len].chunks_mut(message.segment) {
                take(Sender(&self.names[at]), message.arrival, datagram);
            }
        }
        Ok(self.read == READS)
    }

    fn receive(&mut self, socket: RawFd) -> io::Result<[Message; READS]> {
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
        self.read = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        let mut messages = [Message::default(); READS];
        for (message, header) in messages.iter_mut().zip(&headers).take(self.read) {
            *message = describe(&header.msg_hdr, header.msg_len as usize);
        }
        Ok(messages)
    }
}

/// Length, segments and time of a read.
fn describe(header: &libc::msghdr, len: usize) -> Message {
    let mut message = Message {
        len,
        segment: len.max(1),
        arrival: 0,
    };
    // SAFETY: the kernel has filled in the control buffer and its length; the macros stay inside
    // of it, and each kind of message has the contents that are read of it.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while !control.is_null() {
            match ((*control).cmsg_level, (*control).cmsg_type) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let size: libc::c_int = ptr::read_unaligned(libc::CMSG_DATA(control).cast());
                    message.segment = usize::try_from(size).unwrap_or(len).max(1);
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time: libc::timespec = ptr::read_unaligned(libc::CMSG_DATA(control).cast());
                    message.arrival = Duration::new(
                        u64::try_from(time.tv_sec).unwrap_or(0),
                        u32::try_from(time.tv_nsec).unwrap_or(0),
                    )
                    .as_nanos() as u64;
                }
                _ => {}
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    if message.arrival == 0 {
        message.arrival = wall_clock();
    }
    message
}

/// Who sent a datagram. Read only where it is needed: media needs it not.
#[derive(Clone, Copy)]
pub(crate) struct Sender<'a>(&'a libc::sockaddr_storage);

impl Sender<'_> {
    pub(crate) fn address(self) -> Option<SocketAddr> {
        let len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        // SAFETY: the kernel wrote an address of the family that it says.
        let address = unsafe {
            SockAddr::new(
                ptr::from_ref(self.0)
                    .cast::<socket2::SockAddrStorage>()
                    .read(),
                len,
            )
        };
        address.as_socket()
    }
}

/// Packets of one burst to one destination.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Burst {
    /// Room for a packet of at most `len` bytes; `write` says how long it became.
    pub(crate) fn push(&mut self, len: usize, write: impl FnOnce(&mut [u8]) -> Option<usize>) {
        let start = self.bytes.len();
        self.bytes.resize(start + len, 0);
        let written = write(&mut self.bytes[start..]).unwrap_or(0).min(len);
        self.bytes.truncate(start + written);
        if written > 0 {
            self.ends.push(start + written);
        }
    }

    /// The packet pushed last.
    pub(crate) fn last(&self) -> &[u8] {
        let before = self.ends.iter().rev().nth(1).copied().unwrap_or(0);
        match self.ends.last() {
            Some(end) => &self.bytes[before..*end],
            None => &[],
        }
    }

    /// Sends all, and is empty then. Returns how many the kernel did not take.
    pub(crate) fn send(&mut self, socket: RawFd, to: SocketAddr) -> u64 {
        const SENDS: usize = 64;
        let name = SockAddr::from(to);
        let mut refused = 0;
        let mut start = 0;
        for ends in self.ends.chunks(SENDS) {
            // SAFETY: all zeros is valid for these structures.
            let mut vectors: [libc::iovec; SENDS] = unsafe { zeroed() };
            // SAFETY: as above.
            let mut headers: [libc::mmsghdr; SENDS] = unsafe { zeroed() };
            for (at, end) in ends.iter().enumerate() {
                let packet = &self.bytes[start..*end];
                vectors[at].iov_base = packet.as_ptr().cast_mut().cast();
                vectors[at].iov_len = packet.len();
                headers[at].msg_hdr.msg_name = name.as_ptr().cast_mut().cast();
                headers[at].msg_hdr.msg_namelen = name.len();
                headers[at].msg_hdr.msg_iov = &raw mut vectors[at];
                headers[at].msg_hdr.msg_iovlen = 1;
                start = *end;
            }
            // SAFETY: every pointer in `headers` leads to memory that lives until the call
            // returns; the kernel only reads it.
            let sent = unsafe {
                libc::sendmmsg(
                    socket,
                    headers.as_mut_ptr(),
                    ends.len() as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            refused += ends.len() as u64 - u64::try_from(sent).unwrap_or(0);
        }
        self.bytes.clear();
        self.ends.clear();
        refused
    }
}

/// Wakes a media thread that waits.
#[derive(Debug)]
pub(crate) struct Wake(OwnedFd);

impl Wake {
    /// # Errors
    /// When there are too many descriptors.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, and no one else's.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub(crate) fn wake(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight bytes, which outlive the call. It fails only when the counter is full:
        // then the thread wakes in any case.
        unsafe {
            libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len());
        }
    }

    /// Waits until it is woken, or the time is over. Sockets do not wake it: what they hold is
    /// read at the next turn, and no sender pays for waking a thread.
    pub(crate) fn wait(&self, timeout: Duration) {
        let mut poll = libc::pollfd {
            fd: self.0.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let time = libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let mut count = [0_u8; 8];
        // SAFETY: one pollfd, one timespec and eight bytes, which outlive the calls.
        unsafe {
            libc::ppoll(&raw mut poll, 1, &raw const time, ptr::null());
            if poll.revents != 0 {
                libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len());
            }
        }
    }
}

/// Lets this thread wake when it wants, not up to 50 µs later. Returns the thread's id.
pub(crate) fn prepare_thread() -> u32 {
    // SAFETY: no pointers.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64);
        libc::gettid().cast_unsigned()
    }
}
