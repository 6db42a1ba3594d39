//! Which addresses and ports media uses, and the sockets on them.

use super::engine::{EngineError, PortRange};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Asked of the kernel for each socket; it may give less. A large meeting's keyframes come
/// together.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;
/// More addresses than any server has interfaces.
const MAX_ADDRESSES: usize = 32;
/// Times a port that the system chose for one address may be taken on another.
const MAX_ATTEMPTS: usize = 16;

/// The addresses of the machine's interfaces; loopback only where there is no other.
pub(super) fn interface_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list the network interfaces");
        Vec::new()
    });
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_unspecified(),
    };
    let (loopback, mut others): (Vec<_>, Vec<_>) = interfaces
        .into_iter()
        .map(|interface| interface.ip())
        .filter(usable)
        .partition(IpAddr::is_loopback);
    if others.is_empty() {
        others = loopback;
    }
    if others.is_empty() {
        others.push(IpAddr::from([127, 0, 0, 1]));
    }
    others.sort();
    others.dedup();
    others.truncate(MAX_ADDRESSES);
    others
}

/// How many shards there may be.
pub(super) fn shard_count(ports: PortRange, cores: usize) -> usize {
    match ports {
        PortRange::Any => cores,
        PortRange::One(_) => 1,
        PortRange::Between(low, high) => cores.min(usize::from(high.saturating_sub(low)) + 1),
    }
    .max(1)
}

/// The sockets of one shard: one an address, all on one port.
pub(super) fn bind(addresses: &[IpAddr], ports: PortRange) -> Result<Vec<UdpSocket>, EngineError> {
    match ports {
        PortRange::One(port) => bind_all(addresses, port),
        PortRange::Between(low, high) => {
            // A port of the range that another program has is passed over.
            let mut port = low;
            loop {
                match bind_all(addresses, port) {
                    Err(EngineError::Bind { source, .. })
                        if source.kind() == io::ErrorKind::AddrInUse && port < high =>
                    {
                        port += 1;
                    }
                    result => return result,
                }
            }
        }
        PortRange::Any => {
            let mut attempts = 0;
            loop {
                attempts += 1;
                match bind_all(addresses, 0) {
                    Err(EngineError::Bind { source, .. })
                        if source.kind() == io::ErrorKind::AddrInUse && attempts < MAX_ATTEMPTS => {
                    }
                    result => return result,
                }
            }
        }
    }
}

fn bind_all(addresses: &[IpAddr], mut port: u16) -> Result<Vec<UdpSocket>, EngineError> {
    let mut sockets = Vec::with_capacity(addresses.len());
    for ip in addresses {
        let address = SocketAddr::new(*ip, port);
        let socket = bind_one(address).map_err(|source| EngineError::Bind { address, source })?;
        if port == 0 {
            port = socket
                .local_addr()
                .map_err(|source| EngineError::Bind { address, source })?
                .port();
        }
        sockets.push(socket);
    }
    Ok(sockets)
}

fn bind_one(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    for result in [
        socket.set_recv_buffer_size(SOCKET_BUFFER),
        socket.set_send_buffer_size(SOCKET_BUFFER),
    ] {
        if let Err(error) = result {
            tracing::debug!(%error, "socket buffer");
        }
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}
