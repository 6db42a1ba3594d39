//! Groups, clients, and how long it takes to come in.

use super::exposition::Exposition;
use crate::signal;

/// Takes the lock of each group for a moment: blocks.
pub(super) fn write(exposition: &mut Exposition, signal: &signal::State) {
    let census = signal.registry().census();
    exposition
        .gauge("perikon_groups", "Groups in memory.")
        .value(&[], census.groups);
    exposition
        .gauge("perikon_populated_groups", "Groups in which someone is.")
        .value(&[], census.populated);
    exposition
        .gauge("perikon_clients", "Clients in groups.")
        .value(&[], census.clients);
    exposition
        .gauge(
            "perikon_waiting_clients",
            "Clients that wait for an operator to let them in.",
        )
        .value(&[], census.waiting);
    exposition
        .gauge("perikon_streams", "Streams that are published.")
        .value(&[], census.streams);
    let [sockets, whip, whep] = signal.connected();
    exposition
        .gauge(
            "perikon_connections",
            "Open connections of clients, in a group or not.",
        )
        .value(&[("protocol", "websocket")], sockets)
        .value(&[("protocol", "whip")], whip)
        .value(&[("protocol", "whep")], whep);
    let counted = signal.counted();
    exposition
        .counter("perikon_joins_total", "Attempts to join, by their result.")
        .value(&[("result", "joined")], counted.joins.joined)
        .value(&[("result", "waiting")], counted.joins.waiting)
        .value(&[("result", "redirected")], counted.joins.redirected)
        .value(&[("result", "refused")], counted.joins.refused);
    exposition
        .histogram(
            "perikon_join_duration_seconds",
            "From a client's wish to join until it is in the group.",
        )
        .observed(&[], &counted.joining);
    exposition
        .histogram(
            "perikon_connect_duration_seconds",
            "From the offer of a stream until ICE and DTLS are done.",
        )
        .observed(&[("direction", "in")], &counted.connecting_up)
        .observed(&[("direction", "out")], &counted.connecting_down);
    exposition
        .counter(
            "perikon_connection_failures_total",
            "How often a peer connection failed.",
        )
        .value(&[], counted.failures);
}
