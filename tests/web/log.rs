//! The log, and who reads it, or does not.

use crate::cli::{Running, perikon};
use crate::support::{PATIENCE, Site, get};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::sync::mpsc;
use tokio::time::timeout;

/// More than a pipe holds and the server keeps, with paths as long as these.
const REQUESTS: usize = 400;

/// A server that logs every request, to a pipe that nobody reads, and has logged too many.
async fn stalled(site: &Site) -> Running {
    let flags = site.flags().into_iter().chain(["-insecure".to_owned()]);
    let mut command = perikon(&flags.collect::<Vec<_>>());
    command.env("RUST_LOG", "info,perikon=debug");
    let running = Running::spawn(command);
    let address = running.url.trim_start_matches("http://");
    let address: SocketAddr = address.trim_end_matches('/').parse().expect("an address");
    let path = format!("/{}", "x".repeat(4_000));
    for number in 0..REQUESTS {
        let answer = timeout(PATIENCE, get(address, &path)).await;
        let answer = answer.unwrap_or_else(|_| panic!("request {number} is not answered"));
        assert_eq!(answer.status, 404);
    }
    running
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_nobody_and_says_what_is_lost() {
    let mut running = stalled(&Site::new(&[])).await;
    // Now someone reads it.
    let (sender, lines) = mpsc::channel();
    let log = BufReader::new(running.take_log());
    std::thread::spawn(move || {
        for line in log.lines() {
            let _ = sender.send(line.expect("text"));
        }
    });
    let mut written = 0;
    let lost: usize = loop {
        let line = lines.recv_timeout(PATIENCE).expect("a line");
        written += usize::from(line.contains("xxxxxxxx"));
        if line.contains("lost of the log") {
            let (_, lost) = line.rsplit_once("lines=").expect("how many");
            break lost.parse().expect("a number");
        }
    };
    // A pipe holds 64 KiB, the server 1 MiB.
    assert!((200..300).contains(&written), "{written}");
    assert_eq!(written + lost, REQUESTS);

    running.signal("TERM");
    let rest: Vec<String> = lines.iter().collect();
    assert!(
        rest.iter().any(|line| line.contains("SIGTERM: ending")),
        "{rest:?}"
    );
    assert_eq!(running.end().0, Some(0));
}

#[tokio::test]
async fn a_log_that_nobody_reads_does_not_keep_the_server_from_ending() {
    let running = stalled(&Site::new(&[])).await;
    running.signal("TERM");
    let (code, log) = running.end();
    assert_eq!(code, Some(0));
    assert!(log.len() >= 60_000, "{}", log.len());
}
