use super::*;

fn parsed(line: &str) -> Result<Asked, FlagError> {
    // A comma stands for an empty argument.
    parse(
        line.split_whitespace()
            .map(|word| if word == "," { "".into() } else { word.into() }),
    )
}

fn config_of(line: &str) -> Config {
    match parsed(line) {
        Ok(Asked::Run(config)) => *config,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn without_flags_the_defaults_of_galene() {
    let config = config_of("");
    assert_eq!(config.http.to_string(), ":8443");
    assert!(!config.insecure);
    assert_eq!(config.static_folder, None);
    assert_eq!(config.data_folder, PathBuf::from("./data/"));
    assert_eq!(config.groups_folder, PathBuf::from("./groups/"));
    assert_eq!(config.recordings_folder, PathBuf::from("./recordings/"));
    assert_eq!(config.udp_range, PortRange::Any);
    assert!(config.media_addresses.is_empty() && config.unused.is_empty());
}

#[test]
fn both_spellings_mean_the_same() {
    for line in [
        "-http :80",
        "--http :80",
        "-http=:80",
        "--http=:80",
        "-http :1 -http :80",
    ] {
        assert_eq!(config_of(line).http.port, 80, "{line}");
    }
    for (line, expected) in [
        ("-insecure", true),
        ("--insecure", true),
        ("-insecure=true", true),
        ("-insecure=1", true),
        ("-insecure=false", false),
        ("-insecure -insecure=F", false),
        ("--insecure=0 -insecure", true),
    ] {
        assert_eq!(config_of(line).insecure, expected, "{line}");
    }
}

#[test]
fn values() {
    let config = config_of(
        "-static s -data d -groups g -recordings r -udp-range 40000-40100 -redirect example.org \
         --media-address 192.0.2.1 -media-address ::1",
    );
    assert_eq!(config.static_folder, Some("s".into()));
    assert_eq!(config.data_folder, PathBuf::from("d"));
    assert_eq!(config.groups_folder, PathBuf::from("g"));
    assert_eq!(config.recordings_folder, PathBuf::from("r"));
    assert_eq!(config.udp_range, PortRange::Between(40000, 40100));
    assert_eq!(config.redirect.as_deref(), Some("example.org"));
    assert_eq!(config.media_addresses.len(), 2);
    assert_eq!(config_of("-udp-range 9").udp_range, PortRange::One(9));
    assert_eq!(config_of("-udp-range ,").udp_range, PortRange::Any);
    assert_eq!(config_of("-redirect ,").redirect, None);
}

#[test]
fn flags_without_a_function_are_accepted_and_named() {
    let config = config_of(
        "-turn , -realm x -relay-only -mdns=true -cpuprofile a -memprofile b -mutexprofile c",
    );
    let names: Vec<_> = config.unused.iter().map(|(name, _)| *name).collect();
    let expected = [
        "turn",
        "realm",
        "relay-only",
        "mdns",
        "cpuprofile",
        "memprofile",
        "mutexprofile",
    ];
    assert_eq!(names, expected);
}

#[test]
fn listen_addresses() {
    for (text, host, port) in [
        (":8443", None, 8443),
        (":https", None, 443),
        ("127.0.0.1:0", Some("127.0.0.1"), 0),
        ("[::1]:80", Some("::1"), 80),
        ("localhost:80", Some("localhost"), 80),
    ] {
        let address: ListenAddress = text.parse().expect(text);
        assert_eq!(
            (address.host.as_deref(), address.port),
            (host, port),
            "{text}"
        );
    }
    for text in [
        "",
        "8443",
        "localhost",
        ":x",
        ":70000",
        "::1:80",
        "[x]:80",
        "a b:1",
        "http://x:1",
    ] {
        text.parse::<ListenAddress>().expect_err(text);
    }
}

#[test]
fn refusals_are_one_line_and_name_the_flag() {
    for (line, expected) in [
        ("-nonsense", "unknown flag: -nonsense"),
        ("--nonsense=1", "unknown flag: --nonsense=1"),
        ("-", "unknown flag: -"),
        ("serve", "unexpected argument: serve"),
        ("-http", "flag needs a value: -http"),
        ("-http 8443", "an address ends in a colon and a port"),
        ("-insecure=maybe", "neither true nor false"),
        ("-udp-range 5-4", "the range ends before it begins"),
        ("-udp-range x", "a port is a number"),
        ("-udp-range 0", "a port is a number"),
        ("-udp-range 1-2-3", "a port is a number"),
        ("--media-address nowhere", "--media-address"),
        ("-help=1", "help"),
    ] {
        let error = parsed(line).expect_err(line).to_string();
        assert!(error.contains(expected), "{line}: {error}");
        assert!(
            !error.contains('\n') && error.contains("-help"),
            "{line}: {error}"
        );
    }
}

#[test]
fn help_names_every_flag() {
    let Ok(Asked::Print(text)) = parsed("-help") else {
        panic!("help")
    };
    for flag in [
        "--http",
        "--insecure",
        "--static",
        "--udp-range",
        "--media-address",
        "--turn",
    ] {
        assert!(text.contains(flag), "{flag} in {text}");
    }
    assert!(matches!(parsed("-h"), Ok(Asked::Print(_))));
    assert!(matches!(parsed("-version"), Ok(Asked::Print(text)) if text.starts_with("perikon ")));
}
