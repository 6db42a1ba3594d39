//! The command line: `galenectl`'s commands and flags, with one dash or two, the common ones before
//! the command or behind it.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use clap_complete::Shell;
use std::ffi::{OsStr, OsString};

/// The parser does not let a command run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// This was asked for: help, the version.
    Print(String),
    /// This is wrong. One line.
    Wrong(String),
}

/// The heading of the flags that every command has.
const COMMON: &str = "Flags of all commands";

/// What a flag that describes a group takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string; empty takes the field away.
    Text,
    /// True or false.
    Bool,
    /// A number.
    Number,
    /// A duration, which is stored in seconds.
    Duration,
    /// RFC 3339, or a duration from now.
    Time,
    /// Names, with commas in between.
    List,
}

/// One field of a group description.
#[derive(Debug)]
pub(crate) struct Field {
    /// The flag.
    pub(crate) flag: &'static str,
    /// The field in the file; as a flag it does as well.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    help: &'static str,
}

const fn field(flag: &'static str, name: &'static str, kind: Kind, help: &'static str) -> Field {
    Field {
        flag,
        name,
        kind,
        help,
    }
}

/// The fields of a group description that have flags (`galene.md`, "Group description reference").
pub(crate) const FIELDS: [Field; 22] = [
    field(
        "display-name",
        "displayName",
        Kind::Text,
        "Name shown to people",
    ),
    field(
        "description",
        "description",
        Kind::Text,
        "Text on the landing page",
    ),
    field(
        "contact",
        "contact",
        Kind::Text,
        "Whom to ask about the group",
    ),
    field("comment", "comment", Kind::Text, "Anything"),
    field(
        "public",
        "public",
        Kind::Bool,
        "Show the group on the landing page",
    ),
    field(
        "redirect",
        "redirect",
        Kind::Text,
        "URL that those who come are sent to",
    ),
    field(
        "max-clients",
        "max-clients",
        Kind::Number,
        "How many may be inside",
    ),
    field(
        "last-n",
        "last-n",
        Kind::Number,
        "Pictures of how many who spoke last are shown",
    ),
    field(
        "loudest",
        "loudest",
        Kind::Number,
        "How many voices are heard at a time",
    ),
    field(
        "max-history-age",
        "max-history-age",
        Kind::Duration,
        "How long the chat is kept: 4h",
    ),
    field(
        "not-before",
        "not-before",
        Kind::Time,
        "From when on one may join",
    ),
    field("expires", "expires", Kind::Time, "Until when one may join"),
    field(
        "allow-recording",
        "allow-recording",
        Kind::Bool,
        "Operators may record",
    ),
    field(
        "unrestricted-tokens",
        "unrestricted-tokens",
        Kind::Bool,
        "Everyone may invite",
    ),
    field(
        "allow-anonymous",
        "allow-anonymous",
        Kind::Bool,
        "Names may be empty",
    ),
    field(
        "auto-subgroups",
        "auto-subgroups",
        Kind::Bool,
        "Subgroups come to be when used",
    ),
    field(
        "autolock",
        "autolock",
        Kind::Bool,
        "Locked while there is no operator",
    ),
    field(
        "lobby",
        "lobby",
        Kind::Bool,
        "Who comes waits for an operator (not Galène)",
    ),
    field(
        "autokick",
        "autokick",
        Kind::Bool,
        "All must go when the last operator goes",
    ),
    field(
        "codecs",
        "codecs",
        Kind::List,
        "Codecs, the best first: vp8,opus",
    ),
    field(
        "auth-server",
        "authServer",
        Kind::Text,
        "URL of the authorisation server",
    ),
    field(
        "auth-portal",
        "authPortal",
        Kind::Text,
        "URL of the authorisation portal",
    ),
];

fn value(name: &'static str, placeholder: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(placeholder)
        .help(help)
        .action(ArgAction::Set)
        .overrides_with(name)
        .allow_hyphen_values(true)
}

fn number(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    value(name, "NUMBER", help)
        .default_value(default)
        .value_parser(clap::value_parser!(u32))
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::Set)
        .overrides_with(name)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .hide_possible_values(true)
        .value_name("BOOL")
        .value_parser(ValueParser::from(parse_bool))
}

/// The booleans that Go's flag package reads.
fn parse_bool(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("neither true nor false"),
    }
}

fn with_group(command: Command) -> Command {
    command
        .arg(value("group", "NAME", "The group").required_unless_present("name"))
        .arg(
            Arg::new("name")
                .value_name("GROUP")
                .help("The group, without -group")
                .conflicts_with("group"),
        )
}

fn with_user(command: Command) -> Command {
    with_group(command)
        .arg(value(
            "user",
            "NAME",
            "The user; '' is the one without a name",
        ))
        .arg(switch("wildcard", "The user who stands for all others"))
}

fn with_fields(mut command: Command) -> Command {
    for field in &FIELDS {
        let mut arg = match field.kind {
            Kind::Bool => switch(field.flag, field.help),
            Kind::Text => value(field.flag, "TEXT", field.help),
            Kind::Number => value(field.flag, "NUMBER", field.help),
            Kind::Duration => value(field.flag, "DURATION", field.help),
            Kind::Time => value(field.flag, "TIME", field.help),
            Kind::List => value(field.flag, "NAMES", field.help),
        };
        if field.name != field.flag {
            arg = arg.alias(field.name);
        }
        command = command.arg(arg);
    }
    command.arg(switch(
        "json",
        "Read a group description from standard input",
    ))
}

fn with_hash(command: Command) -> Command {
    command
        .arg(value(
            "password",
            "PASSWORD",
            "The password; without it, it is asked for",
        ))
        .arg(
            value(
                "type",
                "TYPE",
                "How it is stored: bcrypt, pbkdf2, wildcard; argon2id, which Galène does not know",
            )
            .default_value("bcrypt"),
        )
        .arg(number("iterations", "600000", "Rounds of pbkdf2"))
        .arg(number("cost", "10", "Cost of bcrypt, from 4 to 31"))
        .arg(number("key", "32", "Bytes of the key of pbkdf2"))
        .arg(number("salt", "16", "Bytes of the salt of pbkdf2"))
}

fn with_token(command: Command) -> Command {
    command
        .arg(value("user", "NAME", "The name its bearer goes by"))
        .arg(switch(
            "include-subgroups",
            "It is good for all groups below, too",
        ))
        .arg(value(
            "not-before",
            "TIME",
            "From when on it is good: RFC 3339, or 2h",
        ))
}

/// The whole command line.
fn command() -> Command {
    let sub = |name: &'static str, about: &'static str| Command::new(name).about(about);
    let lists = |command: Command| command.arg(switch("json", "Write JSON"));
    let long = |help: &'static str| {
        let arg = Arg::new("long").long("long").short('l').help(help);
        arg.action(ArgAction::SetTrue).overrides_with("long")
    };
    let permissions = |default: Option<&'static str>| {
        let arg = value(
            "permissions",
            "ROLE",
            "op, present, message, observe, caption, admin, or a JSON array",
        );
        match default {
            Some(default) => arg.default_value(default),
            None => arg,
        }
    };
    let token = || value("token", "TOKEN", "The token").required(true);
    let expires = |help| value("expires", "TIME", help);
    Command::new("perikonctl")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Administers a Perikon, or a Galène")
        .after_help("Flags may be written with one dash or two: `-group test` or `--group=test`.\n`perikonctl COMMAND -help` lists the flags of a command.")
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .arg(value("server", "URL", "The server; https://localhost:8443 if nothing else is said").global(true).help_heading(COMMON))
        .arg(switch("insecure", "Do not check the server's certificate").global(true).help_heading(COMMON))
        .arg(value("config", "FILE", "Configuration file; galene/galenectl.json in the user's configuration without it").global(true).help_heading(COMMON))
        .arg(value("admin-username", "NAME", "Who asks").global(true).help_heading(COMMON))
        .arg(value("admin-password", "PASSWORD", "With which password").global(true).help_heading(COMMON))
        .arg(value("admin-token", "TOKEN", "Or with which token").global(true).help_heading(COMMON))
        .subcommand(
            sub("initial-setup", "Make galenectl.json, and a config.json for the server")
                .arg(value("output", "FILE", "Where config.json goes").default_value("config.json")),
        )
        .subcommand(with_hash(sub("hash-password", "Write a hashed password, as it stands in files")))
        .subcommand(lists(sub("list-groups", "List groups")))
        .subcommand(with_group(sub("get-group", "Write the description of a group as JSON")))
        .subcommand(with_fields(with_group(sub("create-group", "Create a group"))))
        .subcommand(with_fields(with_group(sub("update-group", "Change a group"))))
        .subcommand(with_group(sub("delete-group", "Delete a group")))
        .subcommand(with_group(sub("set-keys", "Set the keys that tokens are signed with")).arg(
            value("file", "FILE", "A JSON Web Key Set; standard input without it"),
        ))
        .subcommand(with_group(sub("delete-keys", "Delete the keys that tokens are signed with")))
        .subcommand(lists(with_group(sub("list-users", "List users")).arg(long("With permissions"))))
        .subcommand(with_user(sub("create-user", "Create a user")).arg(permissions(Some("present"))))
        .subcommand(with_user(sub("update-user", "Change what a user may do")).arg(permissions(None).required(true)))
        .subcommand(with_user(sub("delete-user", "Delete a user")))
        .subcommand(with_hash(with_user(sub("set-password", "Set a user's password"))))
        .subcommand(with_user(sub("delete-password", "Delete a user's password")))
        .subcommand(lists(with_group(sub("list-tokens", "List tokens")).arg(long("With what they are good for"))))
        .subcommand(lists(
            with_token(with_group(sub("create-token", "Create a token")))
                .arg(permissions(Some("present")))
                .arg(expires("Until when it is good: RFC 3339, or 7d").default_value("24h")),
        ))
        .subcommand(
            with_token(with_group(sub("update-token", "Change a token")))
                .arg(token())
                .arg(permissions(None))
                .arg(expires("Until when it is good: RFC 3339, or 7d")),
        )
        .subcommand(with_group(sub("revoke-token", "Let a token expire")).arg(token()))
        .subcommand(with_group(sub("delete-token", "Delete a token")).arg(token()))
        .subcommand(sub("stats", "Write the server's statistics as JSON"))
        .subcommand(
            sub("drain", "Let no one in any more, and end the server when it is empty (not Galène)")
                .arg(value("message", "TEXT", "What those inside are told"))
                .arg(value("timeout", "DURATION", "When those who are still inside must go").default_value("1h"))
                .arg(switch("cancel", "Let people in again"))
                .arg(switch("status", "Only tell how far it is")),
        )
        .subcommand(sub("completions", "Write completions for a shell").arg(
            Arg::new("shell").required(true).value_name("SHELL").value_parser(clap::value_parser!(Shell)),
        ))
}

/// The text that a shell reads to complete this program's command lines.
pub(crate) fn completions(arguments: &ArgMatches) -> String {
    let mut text = Vec::new();
    if let Some(shell) = arguments.get_one::<Shell>("shell") {
        clap_complete::generate(*shell, &mut command(), "perikonctl", &mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Reads a command line, without the name of the program.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<ArgMatches, Stop> {
    let arguments = in_one_spelling(arguments)?;
    let parsed = command().no_binary_name(true).bin_name("perikonctl");
    parsed.try_get_matches_from(arguments).map_err(|error| {
        use clap::error::ErrorKind;
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Print(error.to_string()),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
                Stop::Wrong("a command is missing; `perikonctl -help` lists them".to_owned())
            }
            _ => Stop::Wrong(one_line(&error)),
        }
    })
}

/// What clap says, without its advice on usage.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim);
    let line: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    line.join(" ").trim_start_matches("error: ").to_owned()
}

/// Turns Go's spellings into `--name=value`, which leaves nothing to guess.
fn in_one_spelling(arguments: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, Stop> {
    let root = command();
    let mut sub: Option<&Command> = None;
    let mut rewritten = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        let flag = text
            .strip_prefix('-')
            .map(|rest| rest.strip_prefix('-').unwrap_or(rest));
        let Some(flag) = flag.filter(|flag| !flag.is_empty()) else {
            if sub.is_none() {
                sub = root.find_subcommand(&*argument);
                if sub.is_none() {
                    let why = format!("unknown command {text:?}; `perikonctl -help` lists them");
                    return Err(Stop::Wrong(why));
                }
            }
            rewritten.push(argument);
            continue;
        };
        let name = flag.split('=').next().unwrap_or_default();
        if matches!(name, "h" | "help") {
            rewritten.push("--help".into());
            continue;
        }
        if name == "version" && sub.is_none() {
            rewritten.push("--version".into());
            continue;
        }
        let known = sub
            .into_iter()
            .chain([&root])
            .find_map(|command| find(command, name));
        let Some(known) = known else {
            let of = sub.map_or(String::new(), |sub| format!("{}: ", sub.get_name()));
            let why = format!("{of}unknown flag {text:?}; -help lists them");
            return Err(Stop::Wrong(why));
        };
        let takes_next = known.get_action().takes_values()
            && known
                .get_num_args()
                .is_none_or(|range| range.min_values() > 0);
        let mut spelt = OsString::from(format!("--{}", known.get_long().unwrap_or(name)));
        let equals = argument
            .as_encoded_bytes()
            .iter()
            .position(|byte| *byte == b'=');
        if let Some(at) = equals {
            // A value may be a path that is no Unicode text: it is taken as it came.
            spelt.push(rest(&argument, at));
        } else if takes_next {
            let value = arguments
                .next()
                .ok_or_else(|| Stop::Wrong(format!("flag {text:?} needs a value")))?;
            spelt.push("=");
            spelt.push(value);
        }
        rewritten.push(spelt);
    }
    Ok(rewritten)
}

fn find<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| {
        arg.get_long() == Some(name)
            || arg
                .get_all_aliases()
                .is_some_and(|aliases| aliases.contains(&name))
            || arg
                .get_short()
                .is_some_and(|short| name.chars().eq([short]))
    })
}

fn rest(argument: &OsStr, skipped: usize) -> &OsStr {
    use std::os::unix::ffi::OsStrExt as _;
    OsStr::from_bytes(argument.as_bytes().get(skipped..).unwrap_or_default())
}

#[cfg(test)]
mod tests;
