//! The command line, with Galène's flags in both spellings: `-http :8443` and `--http=:8443`.

use super::{Config, LogFormat};
use crate::net::PortRange;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// What the command line asks for.
#[derive(Debug)]
pub enum Asked {
    /// Run the server.
    Run(Box<Config>),
    /// Look at the configuration and the groups, and end: `--check`.
    Check(Box<Config>),
    /// Print this text and end well: `-help`, `-version`.
    Print(String),
}

/// The command line cannot be understood. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; `perikon -help` lists the flags")]
pub struct FlagError(String);

/// Where the web server listens: `:8443` is every address of the machine, IPv4 and IPv6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// A name or an address; `None` for all.
    pub host: Option<String>,
    /// TCP; 0 lets the system choose.
    pub port: u16,
}

impl ListenAddress {
    /// The addresses to bind, best first; the others are for when it cannot be bound. Names are
    /// looked up, which may block.
    ///
    /// # Errors
    /// When the name has no address.
    pub fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        use std::net::ToSocketAddrs;
        let Some(host) = &self.host else {
            // Bound to the IPv6 address, a socket takes IPv4 too; a machine may have no IPv6.
            return Ok(vec![
                (Ipv6Addr::UNSPECIFIED, self.port).into(),
                (Ipv4Addr::UNSPECIFIED, self.port).into(),
            ]);
        };
        let mut found: Vec<_> = (host.as_str(), self.port).to_socket_addrs()?.collect();
        found.sort_by_key(SocketAddr::is_ipv6);
        Ok(found)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
            None => write!(f, ":{}", self.port),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text
            .rsplit_once(':')
            .ok_or("an address ends in a colon and a port, as in :8443 or 192.0.2.1:8443")?;
        let port = match port {
            "http" => 80,
            "https" => 443,
            port => port
                .parse()
                .map_err(|_| "the port is no number from 0 to 65535")?,
        };
        let host = match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(address) => {
                address
                    .parse::<Ipv6Addr>()
                    .map_err(|_| "no IPv6 address in the brackets")?;
                address
            }
            None if host.contains(':') => return Err("an IPv6 address is written in brackets"),
            None => host,
        };
        if host.contains(|c: char| c.is_whitespace() || c == '/') {
            return Err("the host is no name or address");
        }
        Ok(Self {
            host: (!host.is_empty()).then(|| host.to_owned()),
            port,
        })
    }
}

/// Galène's `-udp-range`: `40000`, or `40000-40100`, or nothing.
fn parse_udp_range(text: &str) -> Result<PortRange, &'static str> {
    let port = |text: &str| match text.trim().parse() {
        Ok(0) | Err(_) => {
            Err("a port is a number from 1 to 65535, a range is two such: 40000-40100")
        }
        Ok(port) => Ok(port),
    };
    match text.split_once('-') {
        None if text.is_empty() => Ok(PortRange::Any),
        None => Ok(PortRange::One(port(text)?)),
        Some((low, high)) => {
            let (low, high) = (port(low)?, port(high)?);
            if low > high {
                return Err("the range ends before it begins");
            }
            Ok(PortRange::Between(low, high))
        }
    }
}

fn parse_log_format(text: &str) -> Result<LogFormat, &'static str> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("neither text nor json"),
    }
}

/// The booleans that Go's flag package reads.
fn parse_bool(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("neither true nor false"),
    }
}

/// Flags of Galène that change nothing here. Name, placeholder of the value if it has one, help,
/// and what the log says.
const UNUSED: [(&str, Option<&str>, &str, &str); 7] = [
    (
        "turn",
        Some("ADDRESS"),
        "Built-in TURN server; not built in yet",
        "there is no built-in TURN server yet",
    ),
    (
        "realm",
        Some("REALM"),
        "Realm of the built-in TURN server",
        "there is no built-in TURN server yet",
    ),
    (
        "relay-only",
        None,
        "Use TURN relays for all media",
        "media is always sent by the server itself",
    ),
    (
        "mdns",
        None,
        "Gather mDNS addresses",
        "the server announces its own addresses",
    ),
    (
        "cpuprofile",
        Some("FILE"),
        "Go profile",
        "profile this program with perf",
    ),
    (
        "memprofile",
        Some("FILE"),
        "Go profile",
        "profile this program with heaptrack",
    ),
    (
        "mutexprofile",
        Some("FILE"),
        "Go profile",
        "profile this program with perf",
    ),
];

fn command() -> Command {
    let value = |name: &'static str, placeholder: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(placeholder)
            .help(help)
            .action(ArgAction::Set)
            .overrides_with(name)
            .allow_hyphen_values(true)
    };
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .help(help)
            .action(ArgAction::Set)
            .overrides_with(name)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .default_value("false")
            .hide_default_value(true)
            .hide_possible_values(true)
            .value_name("BOOL")
            .value_parser(parse_bool)
    };
    let folder = |name, default, help| {
        value(name, "FOLDER", help)
            .default_value(default)
            .value_parser(clap::value_parser!(PathBuf))
    };
    let mut command = Command::new("perikon")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A videoconference server, compatible with Galène")
        .after_help("Flags may be written with one dash or two: `-http :8443` or `--http=:8443`.\nThe log is configured by the environment variable RUST_LOG, for example RUST_LOG=debug.")
        .disable_version_flag(true)
        .disable_help_flag(true)
        .arg(value("http", "ADDRESS", "Where the web server listens").default_value(":8443").value_parser(ListenAddress::from_str))
        .arg(switch("insecure", "Serve plain HTTP instead of HTTPS"))
        .arg(value("static", "FOLDER", "Serve this folder instead of the web client in the program").value_parser(clap::value_parser!(PathBuf)))
        .arg(folder("data", "./data/", "Folder of config.json, cert.pem and key.pem"))
        .arg(folder("groups", "./groups/", "Folder of the group files"))
        .arg(folder("recordings", "./recordings/", "Folder that recordings are written to"))
        .arg(value("udp-range", "PORT[-PORT]", "UDP port or ports of media; any free one without it").value_parser(parse_udp_range))
        .arg(
            Arg::new("media-address")
                .long("media-address")
                .value_name("ADDRESS")
                .help("Local address on which media is received and announced; repeat it for more; all of the machine without it")
                .action(ArgAction::Append)
                .value_parser(clap::value_parser!(IpAddr)),
        )
        .arg(value("redirect", "HOST", "Redirect browsers that use another host name to this one"))
        .arg(switch("check", "Check the configuration and the groups, and end"))
        .arg(value("log-format", "FORMAT", "How the log is written: text or json").default_value("text").value_parser(parse_log_format))
        .arg(Arg::new("help").long("help").short('h').help("Print this text").action(ArgAction::SetTrue))
        .arg(Arg::new("version").long("version").help("Print the version").action(ArgAction::SetTrue));
    for (name, placeholder, help, _) in UNUSED {
        command = command.arg(match placeholder {
            Some(placeholder) => value(name, placeholder, help),
            None => switch(name, help),
        });
    }
    command
}

/// The text of `-help`.
pub fn help() -> String {
    command().render_help().to_string()
}

/// Reads a command line, without the name of the program.
///
/// # Errors
/// When a flag is unknown or has a bad value.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, FlagError> {
    let arguments = in_one_spelling(arguments)?;
    let matches = command()
        .no_binary_name(true)
        .try_get_matches_from(arguments)
        .map_err(|error| FlagError(one_line(&error)))?;
    if matches.get_flag("help") {
        return Ok(Asked::Print(help()));
    }
    if matches.get_flag("version") {
        return Ok(Asked::Print(format!(
            "perikon {}\n",
            env!("CARGO_PKG_VERSION")
        )));
    }
    let config = Box::new(config(&matches));
    Ok(match matches.get_one("check") {
        Some(true) => Asked::Check(config),
        _ => Asked::Run(config),
    })
}

fn config(matches: &ArgMatches) -> Config {
    let folder = |name: &str| {
        matches
            .get_one::<PathBuf>(name)
            .cloned()
            .unwrap_or_default()
    };
    let given =
        |name: &str| matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine);
    let redirect = matches
        .get_one::<String>("redirect")
        .filter(|host| !host.is_empty());
    Config {
        http: matches.get_one("http").cloned().unwrap_or(ListenAddress {
            host: None,
            port: 8443,
        }),
        insecure: matches.get_one("insecure").copied().unwrap_or_default(),
        static_folder: matches.get_one("static").cloned(),
        data_folder: folder("data"),
        groups_folder: folder("groups"),
        recordings_folder: folder("recordings"),
        udp_range: matches.get_one("udp-range").copied().unwrap_or_default(),
        media_addresses: matches
            .get_many("media-address")
            .map(|addresses| addresses.copied().collect())
            .unwrap_or_default(),
        redirect: redirect.cloned(),
        log_format: matches.get_one("log-format").copied().unwrap_or_default(),
        unused: UNUSED
            .into_iter()
            .filter(|(name, ..)| given(name))
            .map(|(name, _, _, why)| (name, why))
            .collect(),
    }
}

/// What clap says, without its advice on usage.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut line: Vec<&str> = Vec::new();
    for part in text.lines().map(str::trim) {
        if part.is_empty() {
            break;
        }
        line.push(part);
    }
    line.join(" ").trim_start_matches("error: ").to_owned()
}

/// Turns Go's spellings into `--name=value`, which leaves nothing to guess.
fn in_one_spelling(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Vec<OsString>, FlagError> {
    let command = command();
    let mut arguments = arguments.into_iter();
    let mut rewritten = Vec::new();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        let Some(flag) = text
            .strip_prefix('-')
            .map(|rest| rest.strip_prefix('-').unwrap_or(rest))
        else {
            return Err(FlagError(format!("unexpected argument: {text}")));
        };
        let name = flag.split('=').next().unwrap_or_default();
        if name == "h" {
            rewritten.push("--help".into());
            continue;
        }
        let Some(known) = command
            .get_arguments()
            .find(|known| known.get_long() == Some(name))
        else {
            return Err(FlagError(format!("unknown flag: {text}")));
        };
        let takes_next = known
            .get_num_args()
            .is_none_or(|range| range.min_values() > 0)
            && known.get_action().takes_values();
        let spelt = if flag.contains('=') || !takes_next {
            // The value may be a path that is no Unicode text: it is not looked at.
            let dashes = text.len() - flag.len();
            let mut spelt = OsString::from("--");
            spelt.push(without_prefix(&argument, dashes));
            spelt
        } else {
            let mut spelt = OsString::from(format!("--{name}="));
            let value = arguments
                .next()
                .ok_or_else(|| FlagError(format!("flag needs a value: {text}")))?;
            spelt.push(value);
            spelt
        };
        rewritten.push(spelt);
    }
    Ok(rewritten)
}

fn without_prefix(argument: &OsString, bytes: usize) -> &std::ffi::OsStr {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(argument.as_bytes().get(bytes..).unwrap_or_default())
}

#[cfg(test)]
mod tests;
