//! What it costs to forward one packet to one receiver, without sockets and over loopback, next
//! to the floor: the same sealing and the same sending, and nothing else.
//!
//! `cargo bench --bench fanout`; its last line is JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench may fail"
)]
#![allow(clippy::print_stdout, reason = "a bench prints")]

mod common;

use common::Fanout;
use common::allocator::{Counting, allocations};
use common::clock::{median, thread_cpu};
use perikon::net::mmsg;
use perikon::shard::Batch;
use perikon::transport::Path;
use perikon::transport::srtp::{Keying, Profile, Sealer};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Bytes of the RTP packets that are forwarded.
const PACKET: usize = 1_100;
/// Packets that the publisher sends in one measurement.
const PACKETS: u64 = 600;
/// Measurements of each kind, in turn; the median counts.
const ROUNDS: usize = 9;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Sockets to send from and to.
struct Sockets {
    sender: UdpSocket,
    receivers: Vec<UdpSocket>,
}

impl Sockets {
    fn new(receivers: usize) -> Self {
        let bind = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            // As browsers do.
            mmsg::enable_gro(socket.as_raw_fd());
            socket
        };
        Self {
            sender: bind(),
            receivers: (0..receivers).map(|_| bind()).collect(),
        }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.receivers
            .iter()
            .map(|socket| socket.local_addr().unwrap())
            .collect()
    }

    fn drain(&self, buffer: &mut [u8]) -> usize {
        let mut bytes = 0;
        for socket in &self.receivers {
            while let Ok(read) = socket.recv(buffer) {
                bytes += read;
            }
        }
        bytes
    }
}

#[derive(Clone, Copy)]
struct Measured {
    ns: f64,
    allocations: f64,
}

/// One bench: a shard and a floor that do the same for the same receivers.
struct Bench {
    fanout: Fanout,
    sockets: Option<Sockets>,
    sealers: Vec<Sealer>,
    paths: Vec<Path>,
    next: u64,
    batch: Batch,
    buffer: Vec<u8>,
}

impl Bench {
    fn new(receivers: usize, real: bool) -> Self {
        let sockets = real.then(|| Sockets::new(receivers));
        let addresses = match &sockets {
            Some(sockets) => sockets.addresses(),
            None => (0..receivers)
                .map(|at| SocketAddr::from(([127, 1, (at / 250) as u8, 1], 10_000 + at as u16)))
                .collect(),
        };
        let local = match &sockets {
            Some(sockets) => sockets.sender.local_addr().unwrap(),
            None => "127.0.0.1:4".parse().unwrap(),
        };
        let fanout = Fanout::connect(local, &addresses);
        let material = |at: usize| {
            (0..Profile::Gcm128.keying_material_len())
                .map(|n| (n * 3 + at) as u8)
                .collect::<Vec<_>>()
        };
        let sealers = (0..receivers)
            .map(|at| {
                let keying = Keying::split(Profile::Gcm128, &material(at)).unwrap().0;
                Sealer::new(&keying).unwrap()
            })
            .collect();
        let paths = addresses
            .iter()
            .map(|remote| Path {
                local: 0,
                remote: *remote,
            })
            .collect();
        let mut bench = Self {
            fanout,
            sockets,
            sealers,
            paths,
            next: 0,
            batch: Batch::new(),
            buffer: vec![0; 65_536],
        };
        // The first packet is the keyframe that everyone begins with.
        let mut first = bench.fanout.packet(0, PACKET, true, true);
        bench.next = 1;
        bench.forward(std::slice::from_mut(&mut first));
        bench
    }

    fn send(&mut self) {
        if let Some(sockets) = &self.sockets {
            let sent = mmsg::send(sockets.sender.as_raw_fd(), 0, &self.batch, true);
            assert_eq!(sent.refused, 0);
        }
        self.batch.clear();
    }

    fn forward(&mut self, packets: &mut [Vec<u8>]) {
        let now = self.fanout.now;
        let path = Path {
            local: 0,
            remote: self.fanout.publisher.address,
        };
        for packet in packets {
            self.fanout.shard.handle_datagram(now, path, packet);
        }
        loop {
            let more = self.fanout.shard.poll_transmit(now, &mut self.batch);
            self.send();
            if !more {
                return;
            }
        }
    }

    fn drain(&mut self) -> usize {
        match &self.sockets {
            Some(sockets) => sockets.drain(&mut self.buffer),
            None => 0,
        }
    }

    /// The shard: `burst` packets at a time.
    fn measure(&mut self, burst: u64) -> Measured {
        let mut cpu = Duration::ZERO;
        let mut allocated = 0;
        for _ in 0..PACKETS / burst {
            let mut packets: Vec<_> = (0..burst)
                .map(|at| {
                    self.fanout
                        .packet(self.next + at, PACKET, false, at + 1 == burst)
                })
                .collect();
            self.next += burst;
            self.fanout.now += Duration::from_micros(3_333 * burst);
            let before = allocations();
            let begin = thread_cpu();
            self.forward(&mut packets);
            cpu += thread_cpu() - begin;
            allocated += allocations() - before;
            self.drain();
        }
        let forwarded = (PACKETS / burst * burst) as f64 * self.paths.len() as f64;
        Measured {
            ns: cpu.as_nanos() as f64 / forwarded,
            allocations: allocated as f64 / forwarded,
        }
    }

    /// The floor: the same packets sealed with the same crypto into the same batch, and sent.
    fn measure_floor(&mut self, burst: u64) -> Measured {
        let payload = vec![0xa5; PACKET - 12];
        let mut cpu = Duration::ZERO;
        for _ in 0..PACKETS / burst {
            self.next += burst;
            let begin = thread_cpu();
            let mut receiver = 0;
            let mut packet = 0;
            while receiver < self.sealers.len() {
                let Some(space) = self.batch.space() else {
                    self.send();
                    continue;
                };
                space[..12].copy_from_slice(&[0x80, 96, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
                let len = self.sealers[receiver]
                    .seal_rtp(0x0102_0304, self.next + packet, 12, &payload, space)
                    .unwrap();
                self.batch.commit(self.paths[receiver], len);
                packet += 1;
                if packet == burst {
                    packet = 0;
                    receiver += 1;
                }
            }
            self.send();
            cpu += thread_cpu() - begin;
            self.drain();
        }
        let sent = (PACKETS / burst * burst) as f64 * self.paths.len() as f64;
        Measured {
            ns: cpu.as_nanos() as f64 / sent,
            allocations: 0.0,
        }
    }
}

fn main() {
    println!(
        "{:>9} {:>8} {:>6} {:>10} {:>10} {:>6} {:>12}",
        "receivers", "sockets", "burst", "ns/packet", "floor ns", "ratio", "allocations"
    );
    let mut last = String::new();
    for receivers in [10, 100, 500] {
        for real in [false, true] {
            let mut bench = Bench::new(receivers, real);
            for burst in [1, 10] {
                bench.measure(burst);
                bench.measure_floor(burst);
                let (mut own, mut floor, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
                let mut allocations = 0.0;
                for _ in 0..ROUNDS {
                    let measured = bench.measure(burst);
                    let lowest = bench.measure_floor(burst);
                    own.push(measured.ns);
                    floor.push(lowest.ns);
                    ratio.push(measured.ns / lowest.ns);
                    allocations += measured.allocations / ROUNDS as f64;
                }
                let (own, floor, ratio) = (median(own), median(floor), median(ratio));
                println!(
                    "{receivers:>9} {:>8} {burst:>6} {own:>10.0} {floor:>10.0} {ratio:>6.2} {allocations:>12.4}",
                    if real { "loopback" } else { "none" },
                );
                if receivers == 100 && real && burst == 1 {
                    last = format!(
                        "{{\"bench\":\"fanout\",\"receivers\":{receivers},\"ns_per_packet\":{own:.0},\
                         \"floor_ns_per_packet\":{floor:.0},\"ratio\":{ratio:.3},\
                         \"allocations_per_packet\":{allocations:.6}}}"
                    );
                }
                assert!(allocations == 0.0, "the packet path allocated");
            }
        }
    }
    println!("{last}");
}
