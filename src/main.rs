//! The `perikon` server program.

mod service;
#[cfg(feature = "otel")]
mod telemetry;

use perikon::Server;
use perikon::config::{self, Asked, Config, LogFormat};
use perikon::server::Report;
use std::io::{self, Write};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The command line cannot be understood.
const USAGE: u8 = 2;
/// What the shell says of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;
/// The log without `RUST_LOG`: the protocol crates speak of every packet they do not expect.
const LOG: &str = "info,rtc_ice=error,rtc_dtls=error,rtc_stun=error,rtc_mdns=error";

fn main() -> ExitCode {
    let config = match config::parse(std::env::args_os().skip(1)) {
        Ok(Asked::Run(config)) => *config,
        Ok(Asked::Check(config)) => {
            let report = Report::of(&config);
            say(&report.to_string());
            return ExitCode::from(u8::from(report.has_errors()));
        }
        Ok(Asked::Print(text)) => {
            say(&text);
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(USAGE, &error),
    };
    let log = match start_log(config.log_format) {
        Ok(log) => log,
        Err(error) => return fail(USAGE, &error),
    };
    allow_many_files();
    perikon::memory::share_heaps();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &error),
    };
    let code = runtime.block_on(run(config));
    // A lookup or a hash that is still under way need not be waited for.
    runtime.shutdown_background();
    log.end();
    code
}

async fn run(config: Config) -> ExitCode {
    let (mut terminate, mut interrupt, mut hang_up) = match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    ) {
        (Ok(terminate), Ok(interrupt), Ok(hang_up)) => (terminate, interrupt, hang_up),
        (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => return fail(1, &error),
    };
    let mut server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => return fail(1, &error),
    };
    say(server.greeting());
    service::ready();
    let drained = server.drained();
    tokio::pin!(drained);
    let watchdog = tokio::spawn(service::feed_watchdog());
    loop {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: ending"),
            _ = interrupt.recv() => tracing::info!("Ctrl-C: ending; once more ends at once"),
            _ = hang_up.recv() => {
                tracing::info!("SIGHUP: reading configuration, certificate and groups again");
                service::reloading();
                server.reload().await;
                service::ready();
                continue;
            }
            () = &mut drained => tracing::info!("drained: ending"),
            error = server.failed() => return fail(1, &error),
        }
        break;
    }
    service::stopping();
    let code = tokio::select! {
        () = server.shutdown() => ExitCode::SUCCESS,
        _ = interrupt.recv() => std::process::exit(INTERRUPTED),
    };
    watchdog.abort();
    code
}

/// Each client is an open file, and the usual limit of 1024 is there for the sake of programs that
/// use `select`: this one may have as many as the system allows.
fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

#[cfg(feature = "otel")]
use telemetry::Telemetry as Log;

/// The log, which needs no end.
#[cfg(not(feature = "otel"))]
struct Log;

#[cfg(not(feature = "otel"))]
impl Log {
    fn end(self) {}
}

fn start_log(format: LogFormat) -> Result<Log, String> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(wanted) if !wanted.trim().is_empty() => {
            EnvFilter::try_new(&wanted).map_err(|error| format!("bad RUST_LOG: {error}"))?
        }
        _ => EnvFilter::new(LOG),
    };
    begin_log(format, filter)
}

#[cfg(feature = "otel")]
use telemetry::start as begin_log;

#[cfg(not(feature = "otel"))]
fn begin_log(format: LogFormat, filter: EnvFilter) -> Result<Log, String> {
    use std::io::IsTerminal as _;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    }
    .map(|()| Log)
    .map_err(|error| format!("cannot start the log: {error}"))
}

/// To standard output. Whoever closed it does not want to read it.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// One line to standard error.
fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    let _ = writeln!(io::stderr(), "perikon: {error}");
    ExitCode::from(code)
}
