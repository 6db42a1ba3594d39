//! Traces by OpenTelemetry: OTLP over HTTP, as the standard variables of the environment say
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>). Without an endpoint there are
//! none.

use crate::log::Lines;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use perikon::config::LogFormat;
use perikon::trace::TARGET;
use std::io::{self, IsTerminal};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// What the server calls itself if the environment does not say.
const NAME: &str = "perikon";

/// Sends traces for as long as it lives.
pub(crate) struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Sends what is left. Blocks: not to be called by an async thread.
    pub(crate) fn end(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces are lost");
        }
    }
}

/// Begins the log, and traces where they are wanted.
///
/// # Errors
/// With a sentence for the user.
pub(crate) fn start(
    format: LogFormat,
    filter: EnvFilter,
    lines: Lines,
) -> Result<Telemetry, String> {
    let provider = provider()?;
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(NAME))
            .with_location(false)
            .with_threads(false)
            .with_filter(filter_fn(|of| of.is_span() && of.target() == TARGET))
    });
    let log = tracing_subscriber::fmt::layer().with_writer(move || lines.clone());
    let log = match format {
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => log.json().flatten_event(true).boxed(),
    };
    let log = log.with_filter(filter.and(filter_fn(|of| of.target() != TARGET)));
    tracing_subscriber::registry()
        .with(log)
        .with(traces)
        .try_init()
        .map_err(|error| format!("cannot start the log: {error}"))?;
    Ok(Telemetry(provider))
}

fn provider() -> Result<Option<SdkTracerProvider>, String> {
    let variable = |name| std::env::var(name).unwrap_or_default().trim().to_owned();
    let is_set = |name| !variable(name).is_empty();
    let wanted =
        is_set("OTEL_EXPORTER_OTLP_ENDPOINT") || is_set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let disabled = variable("OTEL_SDK_DISABLED").eq_ignore_ascii_case("true")
        || variable("OTEL_TRACES_EXPORTER").eq_ignore_ascii_case("none");
    if !wanted || disabled {
        return Ok(None);
    }
    // The choice was perhaps made already, and is the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cannot = |error: &dyn std::fmt::Display| format!("cannot send traces: {error}");
    let client = reqwest::blocking::Client::builder()
        .build()
        .map_err(|error| cannot(&error))?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .build()
        .map_err(|error| cannot(&error))?;
    let mut resource = Resource::builder();
    if !is_set("OTEL_SERVICE_NAME")
        && !variable("OTEL_RESOURCE_ATTRIBUTES").contains("service.name=")
    {
        resource = resource.with_service_name(NAME);
    }
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.build())
        .build();
    Ok(Some(provider))
}
