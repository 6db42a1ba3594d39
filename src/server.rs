//! A whole server in this process: started from a [`Config`], stopped cleanly.

mod check;
mod refresh;

pub use check::Report;

use crate::config::{Config, IceServers, ListenAddress, SettingsError, SettingsFile};
use crate::group::{BaseUrl, Gate, Registry, TokenStore};
use crate::net::{Engine, EngineConfig, EngineError};
use crate::signal;
use crate::web::{self, Certificate, Files, TlsError};
use crate::webhook;
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::RustlsAcceptor;
use hyper_util::rt::TokioTimer;
use jiff::Timestamp;
use refresh::Refreshed;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long a client may take to send the headers of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests may go on after the end was asked for.
const GRACE: Duration = Duration::from_secs(3);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `config.json` is broken.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// `-static` names no folder.
    #[error("the folder of static files {0} does not exist")]
    NoStaticFolder(String),
    /// There is no HTTPS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address of the web server is taken, or not of this machine.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As configured.
        address: ListenAddress,
        /// Why.
        source: io::Error,
    },
    /// Media cannot be served.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Anything else.
    #[error("cannot start: {0}")]
    Internal(#[from] io::Error),
}

/// A server that runs. Dropped without [`Self::shutdown`], it ends without a word to clients.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    serving: JoinHandle<io::Result<()>>,
    refreshing: JoinHandle<()>,
    refreshed: Refreshed,
    signal: Arc<signal::State>,
    greeting: String,
}

/// What is made before anything is served. Making it blocks.
struct Parts {
    settings: Arc<SettingsFile>,
    files: Files,
    certificate: Option<Arc<Certificate>>,
    listener: TcpListener,
    registry: Arc<Registry>,
    ice_servers: Arc<IceServers>,
}

impl Server {
    /// Starts a server; from then on clients can connect.
    ///
    /// # Errors
    /// When something of the configuration cannot be used.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        for (flag, why) in &config.unused {
            tracing::warn!("the flag -{flag} has no effect: {why}");
        }
        let config = Arc::new(config);
        let parts = {
            let config = Arc::clone(&config);
            tokio::task::spawn_blocking(move || prepare(&config))
        };
        let Parts {
            settings,
            files,
            certificate,
            listener,
            registry,
            ice_servers,
        } = parts.await.map_err(io::Error::other)??;
        let address = listener.local_addr()?;

        let (engine, events) = Engine::start(&EngineConfig {
            ports: config.udp_range,
            addresses: config.media_addresses.clone(),
        })?;
        let engine = Arc::new(engine);
        if let Some(events) = registry.follow(webhook::CAPACITY) {
            tokio::spawn(webhook::run(events, Arc::clone(&settings)));
        }
        let signal = signal::State::new(Arc::clone(&registry), Arc::clone(&engine), events);
        let source = Arc::clone(&ice_servers);
        signal.set_rtc_configuration(move || source.configuration(Timestamp::now()));
        let web = web::State::new(
            Arc::clone(&registry),
            Arc::clone(&signal),
            Arc::clone(&settings),
            files,
            config.redirect.clone(),
            certificate.is_some(),
        );
        let audit = config.data_folder.join("var/audit.jsonl");
        let router = web::router(web.with_audit(audit));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let handle = Handle::new();
        let mut server = axum_server::from_tcp(listener)?.handle(handle.clone());
        let http = server.http_builder();
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(HEADER_TIMEOUT));
        let serving = match &certificate {
            Some(certificate) => {
                let acceptor =
                    RustlsAcceptor::new(certificate.config()).acceptor(NoDelayAcceptor::new());
                tokio::spawn(server.acceptor(acceptor).serve(service))
            }
            None => tokio::spawn(server.acceptor(NoDelayAcceptor::new()).serve(service)),
        };
        let greeting = greeting(
            &config,
            address,
            &settings,
            certificate.as_deref(),
            &registry,
        )
        .await;
        let refreshed = Refreshed {
            settings,
            certificate,
            ice_servers,
            registry,
            engine,
            canonical_host: config.redirect.clone(),
        };
        let refreshing = tokio::spawn(refreshed.clone().follow());
        Ok(Self {
            address,
            handle,
            serving,
            refreshing,
            refreshed,
            signal,
            greeting,
        })
    }

    /// Where the web server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to tell the one who started it: which URLs to open. Several lines.
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// Reads the configuration, the certificate and the groups again, changed or not. What is
    /// broken is logged, and the last good version stays.
    pub async fn reload(&self) {
        let refreshed = self.refreshed.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || refreshed.reread()).await {
            tracing::error!(%error, "cannot read the configuration again");
        }
    }

    /// Waits until a drain has come to its end: everyone has gone, or must go.
    pub fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        let signal = Arc::clone(&self.signal);
        async move { signal.drained().await }
    }

    /// Waits until the web server ends by itself, which it does only by an error.
    pub async fn failed(&mut self) -> io::Error {
        match (&mut self.serving).await {
            Ok(Ok(())) => io::Error::other("the web server ended"),
            Ok(Err(error)) => error,
            Err(error) => io::Error::other(error),
        }
    }

    /// Tells the clients, lets requests that are under way come to their end, for a few seconds
    /// at most, and ends.
    pub async fn shutdown(mut self) {
        self.refreshing.abort();
        // No new ones, while the old ones are told.
        self.handle.graceful_shutdown(Some(GRACE));
        if tokio::time::timeout(GRACE, self.signal.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("some clients could not be told that the server ends");
        }
        if tokio::time::timeout(2 * GRACE, &mut self.serving)
            .await
            .is_err()
        {
            self.serving.abort();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.refreshing.abort();
        self.handle.shutdown();
    }
}

fn prepare(config: &Config) -> Result<Parts, StartError> {
    let settings = Arc::new(SettingsFile::open(config.data_folder.join("config.json"))?);
    let files = match &config.static_folder {
        None => Files::embedded(),
        Some(folder) if folder.is_dir() => Files::folder(folder.clone()),
        Some(folder) => return Err(StartError::NoStaticFolder(folder.display().to_string())),
    };
    let listener = listen(&config.http).map_err(|source| StartError::Listen {
        address: config.http.clone(),
        source,
    })?;
    let certificate = if config.insecure {
        None
    } else {
        Some(Arc::new(Certificate::open(
            &config.data_folder,
            &own_names(&config.http),
        )?))
    };
    if !config.groups_folder.is_dir() {
        tracing::warn!(
            "the folder of groups {} does not exist: there are no groups",
            config.groups_folder.display()
        );
    }
    let writable = settings.current().writable_groups;
    let tokens = TokenStore::new(config.data_folder.join("var/tokens.jsonl"));
    let gate = Arc::new(Gate::new(tokens));
    let host = config.redirect.as_ref();
    let current = settings.current();
    gate.set_place(host.unwrap_or(&current.canonical_host), &current.proxy_url);
    let registry = Registry::with_gate(config.groups_folder.clone(), writable, gate);
    registry.keep_bans_in(config.data_folder.join("var/bans.jsonl"));
    let ice_servers = IceServers::open(config.data_folder.join("ice-servers.json"));
    Ok(Parts {
        settings,
        files,
        certificate,
        listener,
        registry,
        ice_servers: Arc::new(ice_servers),
    })
}

fn listen(address: &ListenAddress) -> io::Result<TcpListener> {
    let mut failure = None;
    for candidate in address.resolve()? {
        match bind(candidate) {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                let error = failure.get_or_insert(error);
                // A taken port is taken; only a missing kind of address is worth another try.
                if address.host.is_none() && error.kind() == io::ErrorKind::AddrInUse {
                    break;
                }
            }
        }
    }
    Err(failure.unwrap_or_else(|| io::Error::other("the name has no address")))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// The addresses of the machine that others can reach it by, IPv4 first.
fn interface_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list the network interfaces");
        Vec::new()
    });
    let mut addresses: Vec<IpAddr> = interfaces
        .iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(if_addrs::Interface::ip)
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// The names that a certificate made here is for.
fn own_names(http: &ListenAddress) -> Vec<String> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    names.extend(http.host.clone());
    names.extend(interface_addresses().iter().map(IpAddr::to_string));
    names.sort();
    names.dedup();
    // The first is the certificate's common name.
    names.sort_by_key(|name| name != "localhost");
    names
}

/// The URLs of the landing page, the most plausible first.
fn urls(config: &Config, address: SocketAddr, proxy: &str, canonical: &str) -> Vec<String> {
    if let Ok(base) = BaseUrl::parse(proxy) {
        return vec![base.location("").trim_end_matches("/group//").to_owned() + "/"];
    }
    if !canonical.is_empty() {
        return vec![format!("https://{canonical}/")];
    }
    let (scheme, usual_port) = if config.insecure {
        ("http", 80)
    } else {
        ("https", 443)
    };
    let port = if address.port() == usual_port {
        String::new()
    } else {
        format!(":{}", address.port())
    };
    let url = |host: &str| format!("{scheme}://{host}{port}/");
    let shown = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    if !address.ip().is_unspecified() {
        let name = config
            .http
            .host
            .as_deref()
            .filter(|host| host.parse::<IpAddr>().is_err());
        return vec![url(
            &name.map_or_else(|| shown(&address.ip()), str::to_owned)
        )];
    }
    let reachable = interface_addresses();
    std::iter::once(url("localhost"))
        .chain(
            reachable
                .iter()
                .filter(|ip| ip.is_ipv4() || address.is_ipv6())
                .map(|ip| url(&shown(ip))),
        )
        .collect()
}

async fn greeting(
    config: &Config,
    address: SocketAddr,
    settings: &SettingsFile,
    certificate: Option<&Certificate>,
    registry: &Arc<Registry>,
) -> String {
    let settings = settings.current();
    let canonical = config.redirect.as_ref().unwrap_or(&settings.canonical_host);
    let urls = urls(config, address, &settings.proxy_url, canonical);
    let mut text = format!(
        "Perikon {} runs. Open in a browser:\n",
        env!("CARGO_PKG_VERSION")
    );
    for url in &urls {
        let _ = writeln!(text, "    {url}");
    }
    let groups = registry
        .public_groups(&BaseUrl::new(!config.insecure, "localhost"))
        .await;
    match (
        groups.iter().find(|group| group.redirect.is_none()),
        urls.first(),
    ) {
        (Some(group), Some(url)) => {
            let location = BaseUrl::parse(url).map(|base| base.location(&group.name));
            let _ = writeln!(text, "A group to try: {}", location.unwrap_or_default());
        }
        _ => {
            let _ = writeln!(
                text,
                "There is no public group in {}.",
                config.groups_folder.display()
            );
        }
    }
    if certificate.is_some_and(Certificate::is_self_made) {
        text += "The certificate is self-signed: browsers warn of it, once.\n";
    }
    if config.insecure && settings.proxy_url.is_empty() {
        text += "Without HTTPS, browsers give camera and microphone to localhost only.\n";
    }
    text
}
