//! The `perikon` server program.

mod log;
mod service;
#[cfg(feature = "otel")]
mod telemetry;

use log::{Lines, Writing};
use perikon::Server;
use perikon::config::{self, Asked, Config, LogFormat};
use perikon::server::Report;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing::field::display;
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
    perikon::memory::share_heaps();
    let log = match start_log(config.log_format) {
        Ok(log) => log,
        Err(error) => return fail(USAGE, &error),
    };
    allow_many_files();
    let end = match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let end = runtime.block_on(run(config));
            // A lookup or a hash that is still under way need not be waited for.
            runtime.shutdown_background();
            end
        }
        Err(error) => End::Failed(error.to_string()),
    };
    log.end(end)
}

/// How the server ended.
enum End {
    Well,
    /// For this reason.
    Failed(String),
    /// Ctrl-C came twice: nothing is waited for.
    AtOnce,
}

async fn run(config: Config) -> End {
    let (mut terminate, mut interrupt, mut hang_up) = match (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    ) {
        (Ok(terminate), Ok(interrupt), Ok(hang_up)) => (terminate, interrupt, hang_up),
        (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => {
            return End::Failed(error.to_string());
        }
    };
    let mut server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => return End::Failed(error.to_string()),
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
            error = server.failed() => return End::Failed(error.to_string()),
        }
        break;
    }
    service::stopping();
    let end = tokio::select! {
        () = server.shutdown() => End::Well,
        _ = interrupt.recv() => End::AtOnce,
    };
    watchdog.abort();
    end
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

/// The log, and traces where they are wanted.
struct Log {
    lines: Lines,
    writing: Writing,
    #[cfg(feature = "otel")]
    telemetry: telemetry::Telemetry,
}

impl Log {
    /// Tells how it ended, and sends and writes what is left. Blocks: not to be called by an async
    /// thread.
    fn end(mut self, end: End) -> ExitCode {
        let code = match end {
            End::AtOnce => {
                drop(self.writing);
                std::process::exit(INTERRUPTED);
            }
            End::Well => ExitCode::SUCCESS,
            End::Failed(_) => ExitCode::FAILURE,
        };
        #[cfg(feature = "otel")]
        self.telemetry.end();
        if let End::Failed(reason) = end {
            // Behind what was logged before.
            let _ = self.lines.write_all(complaint(&reason).as_bytes());
        }
        drop(self.writing);
        code
    }
}

fn start_log(format: LogFormat) -> Result<Log, String> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(wanted) if !wanted.trim().is_empty() => {
            EnvFilter::try_new(&wanted).map_err(|error| format!("bad RUST_LOG: {error}"))?
        }
        _ => EnvFilter::new(LOG),
    };
    let (lines, writing) =
        Lines::start().map_err(|error| format!("cannot start the log: {error}"))?;
    #[cfg(feature = "otel")]
    let telemetry = telemetry::start(format, filter, lines.clone())?;
    #[cfg(not(feature = "otel"))]
    begin_log(format, filter, lines.clone())?;
    log_panics();
    Ok(Log {
        lines,
        writing,
        #[cfg(feature = "otel")]
        telemetry,
    })
}

#[cfg(not(feature = "otel"))]
fn begin_log(format: LogFormat, filter: EnvFilter, lines: Lines) -> Result<(), String> {
    use std::io::IsTerminal as _;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || lines.clone());
    match format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    }
    .map_err(|error| format!("cannot start the log: {error}"))
}

/// What panics is told in the log, where it is looked for, and waits for no reader of standard error.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let what = panic.payload_as_str().unwrap_or("not by a text");
        let at = panic.location().map(display);
        let thread = std::thread::current();
        // Only with RUST_BACKTRACE=1.
        let backtrace = Backtrace::capture();
        let backtrace = match backtrace.status() {
            BacktraceStatus::Captured => Some(display(backtrace)),
            _ => None,
        };
        tracing::error!(thread = thread.name(), at, backtrace, "panicked: {what}");
    }));
}

/// To standard output. Whoever closed it does not want to read it.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// One line to standard error.
fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    let _ = io::stderr().write_all(complaint(error).as_bytes());
    ExitCode::from(code)
}

fn complaint(error: &dyn std::fmt::Display) -> String {
    format!("perikon: {error}\n")
}
