use super::{Stop, command, parse};
use clap::ArgMatches;

fn read(line: &str) -> Result<ArgMatches, Stop> {
    parse(line.split(' ').map(|word| word.replace('_', " ").into()))
}

#[test]
fn the_command_line_is_consistent() {
    command().debug_assert();
}

#[test]
fn one_dash_or_two_before_the_command_or_behind_it() {
    for line in [
        "-server https://a create-group -group g -unrestricted-tokens",
        "--server=https://a create-group --group=g --unrestricted-tokens=true",
        "create-group --server https://a -group=g -unrestricted-tokens=1",
        "create-group -unrestricted-tokens g -server=https://a",
    ] {
        let matches = read(line).expect(line);
        let (name, matches) = matches.subcommand().expect("a command");
        assert_eq!(name, "create-group");
        let text = |name| matches.get_one::<String>(name).map(String::as_str);
        assert_eq!(text("server"), Some("https://a"), "{line}");
        assert_eq!(text("group").or(text("name")), Some("g"), "{line}");
        assert_eq!(
            matches.get_one("unrestricted-tokens"),
            Some(&true),
            "{line}"
        );
        assert_eq!(matches.get_one::<bool>("public"), None, "{line}");
    }
}

#[test]
fn values_may_look_like_flags_and_be_empty() {
    let matches = read("set-password -group g -user  -password -x").expect("good flags");
    let (_, matches) = matches.subcommand().expect("a command");
    let text = |name| matches.get_one::<String>(name).map(String::as_str);
    assert_eq!(text("user"), Some(""));
    assert_eq!(text("password"), Some("-x"));
}

#[test]
fn what_is_wrong_is_said_in_one_line() {
    for (line, expected) in [
        (
            "fly",
            "unknown command \"fly\"; `perikonctl -help` lists them",
        ),
        (
            "list-groups -fly",
            "list-groups: unknown flag \"-fly\"; -help lists them",
        ),
        ("create-group -group", "flag \"-group\" needs a value"),
        (
            "-insecure",
            "a command is missing; `perikonctl -help` lists them",
        ),
    ] {
        assert_eq!(read(line).err(), Some(Stop::Wrong(expected.to_owned())));
    }
    for line in [
        "create-group",
        "create-group g -public=maybe",
        "drain now",
        "set-password -cost x g",
    ] {
        let Err(Stop::Wrong(text)) = read(line) else {
            panic!("{line} was understood")
        };
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
