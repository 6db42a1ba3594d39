//! The load generator: real clients of a Galène-compatible server, as many as one machine can
//! be. `cargo bench --bench load -- --help` lists what it can do.
//!
//! | module | what it is |
//! |---|---|
//! | `options` | the command line |
//! | `scenario` | a run, from the first join to the last leave |
//! | `session`, `client` | one client of the WebSocket protocol, and its connection |
//! | `description` | what clients say of their streams |
//! | `media`, `thread` | the thread that sends and receives: its schedule and its sockets |
//! | `endpoint`, `publisher`, `receiver` | one peer connection, and its two kinds |
//! | `payload` | what packets carry, and whether it arrived |
//! | `socket` | the kernel's interface |
//! | `metrics` | whether the server's figures are those of the generator |
//! | `figures`, `process`, `report` | what is counted, what the system says, what is told |
//! | `server` | a server of this package, while the test lasts |

mod client;
mod description;
mod endpoint;
mod figures;
mod media;
mod metrics;
mod options;
mod payload;
mod process;
mod publisher;
mod receiver;
mod report;
mod scenario;
mod server;
mod session;
mod socket;
mod thread;

use clap::Parser as _;
use client::ClientError;
use options::Options;
use report::Report;
use server::Server;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = if std::env::args().len() == 1 {
        // `cargo test --benches`: does it work at all?
        Options::parse_from([
            "load",
            "--receivers=2",
            "--duration=1",
            "--warmup=0.2",
            "--idle=0",
            "--audio",
            "--check-metrics",
        ])
    } else {
        Options::parse()
    };
    if let Err(text) = options.validate() {
        eprintln!("{text}");
        return ExitCode::from(2);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(&options)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(report) => {
            let text = if options.json {
                format!("{}\n", report.json(&options))
            } else {
                report.table(&options)
            };
            // Whoever does not read it does not want it.
            let _ = std::io::stdout().write_all(text.as_bytes());
            let wrong = report.metrics.map(|metrics| metrics.disagreements());
            let wrong = wrong.unwrap_or_default();
            for line in &wrong {
                eprintln!("/metrics is wrong: {line}");
            }
            if wrong.is_empty() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<Report, ClientError> {
    match &options.server {
        Some(url) => scenario::run(options, url, options.pid).await,
        None => {
            let server = Server::start(&options.group, &options.server_arg).await?;
            scenario::run(options, &server.url, Some(server.pid())).await
        }
    }
}
