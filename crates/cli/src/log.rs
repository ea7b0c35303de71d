//! Where logs and traces go: lines to standard error, and spans by OTLP to a collector if the environment names one.

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// Either of them turns traces on, as OpenTelemetry has it everywhere.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// What the names of all crates begin with whose spans are ours.
const OURS: &str = "reinstate_";

/// Sends what is left when it goes.
pub(crate) struct Log(Option<SdkTracerProvider>);

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(provider) = &self.0
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Starts logs and traces. Must be called outside of a tokio runtime.
pub(crate) fn start(directives: &str, json: bool) -> Log {
    let wanted = ENDPOINTS.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let disabled = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    let (provider, trouble) = match (wanted && !disabled).then(provider).transpose() {
        Ok(provider) => (provider, None),
        Err(error) => (None, Some(error)),
    };
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer().with_tracer(provider.tracer("reinstate")).with_filter(filter_fn(is_traced))
    });
    let lines = EnvFilter::try_new(directives).unwrap_or_default();
    let colored = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let to_stderr = fmt::layer().with_ansi(colored).with_writer(std::io::stderr);
    let to_stderr = if json { to_stderr.json().boxed() } else { to_stderr.boxed() };
    // Not `try_init`, which also takes what libraries give to `log`: one that draws graphs tells of its every step there.
    // A second subscriber can only come from a test harness, which then keeps its own.
    let layers = Registry::default().with(traces).with(to_stderr.with_filter(lines));
    let _ = tracing::subscriber::set_global_default(layers);
    if let Some(error) = trouble {
        tracing::warn!(%error, "traces are not sent");
    }
    Log(provider)
}

/// Whether something is sent: spans of ours. Lines within them would go along, with words of systems outside in them.
fn is_traced(told: &Metadata<'_>) -> bool {
    told.is_span() && told.target().starts_with(OURS) && *told.level() <= Level::INFO
}

/// Sends spans in the background, in batches; what cannot be sent is dropped and never waited for.
fn provider() -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter = SpanExporter::builder().with_http().build()?;
    // `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say otherwise.
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("reinstate");
    }
    Ok(SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build())
}
