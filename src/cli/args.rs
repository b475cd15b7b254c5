//! Which words the command line knows, for clap, and what the program calls them.
//!
//! Owns: spelling. Must not know: what a word means or which words exclude each other; those are rules
//! and live in `plan`. Every value passes through here as it was typed, so that the refusals are worded
//! by us, as Debian words them, and not by clap.
//!
//! Letters mean what they mean in Debian's netcat-openbsd, long names are spelled as in ncat. How an
//! option is written stands in the help, from which it is read (`help`); what the help does not say, here.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::help::{self, Kind, Word};

/// What is told to clap: the operands, and the options that `argv` could mean. Each one costs memory and
/// time, and of some seventy a command line has three.
pub(super) fn command(argv: &[OsString]) -> Command {
    let typed: Vec<_> =
        argv.iter().filter_map(|word| word.as_encoded_bytes().strip_prefix(b"-")).collect();
    define(&options().filter(|option| could_be_in(option, &typed)).collect::<Vec<_>>())
}

/// All that the help has.
pub(super) fn whole_command() -> Command {
    define(&help::options(help::TEXT).collect::<Vec<_>>())
}

fn define(options: &[Word]) -> Command {
    let operands = Arg::new(OPERANDS)
        .num_args(0..)
        .action(ArgAction::Append)
        .value_parser(value_parser!(OsString));
    let mut command = Command::new("nc")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .infer_long_args(true)
        .arg(operands);
    let is_defined = |id: &&str| options.iter().any(|option| option.id == *id);
    for option in options {
        let mut arg = arg(option);
        if RIVALS.contains(&option.id) {
            arg = arg.overrides_with_all(RIVALS.into_iter().filter(is_defined));
        }
        command = command.arg(arg);
    }
    command
}

fn arg(option: &Word) -> Arg {
    let arg = Arg::new(option.id).short(option.letter).long(option.name()).alias(alias(option));
    match option.kind() {
        Kind::Flag => arg.action(ArgAction::SetTrue),
        Kind::Counted => arg.action(ArgAction::Count),
        Kind::Value(name) if REPEATED.contains(&option.id) => {
            valued(arg, name).action(ArgAction::Append)
        }
        Kind::Value(name) => valued(arg, name),
        Kind::OptionalValue(name) => valued(arg, name).num_args(0..=1).require_equals(true),
    }
}

/// Takes the next word whatever it looks like, as getopt(3) does: `-w -1` is a time that is too
/// small, not an option `-1`.
fn valued(arg: Arg, name: &'static str) -> Arg {
    arg.value_name(name).value_parser(value_parser!(OsString)).allow_hyphen_values(true)
}

/// Says yes too often rather than too seldom: a word that looks like an option may be a value. Of the
/// words, `typed` has what follows the first hyphen.
fn could_be_in(option: &Word, typed: &[&[u8]]) -> bool {
    typed.iter().any(|word| {
        let Some(name) = word.strip_prefix(b"-") else {
            return option.letter.is_some_and(|letter| word.contains(&(letter as u8)));
        };
        // A name may be cut short, and a value may follow it.
        let name = name.split(|byte| *byte == b'=').next().unwrap_or_default();
        let begins = |long: &str| long.as_bytes().starts_with(name);
        option.name().is_some_and(begins) || alias(option).is_some_and(begins)
    })
}

fn alias(option: &Word) -> Option<&'static str> {
    ALIASES.into_iter().find(|(id, _)| *id == option.id).map(|(_, alias)| alias)
}

/// Whether an option was typed. One that was not may be unknown to clap.
pub(super) fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    matches.try_contains_id(id).is_ok_and(|defined| defined)
        && matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// An option as messages name it: by its letter, if it has one.
pub(super) fn spelled(id: &str) -> String {
    let option = options().find(|option| option.id == id);
    match option.and_then(|option| option.letter) {
        Some(letter) => format!("-{letter}"),
        None => format!("--{id}"),
    }
}

/// Whether clap does not know a word because it is the beginning of several options.
pub(super) fn is_ambiguous(option: &str) -> bool {
    let Some(start) = option.strip_prefix("--") else { return false };
    options()
        .filter_map(|option| option.name())
        .filter(|name| name.starts_with(start))
        .nth(1)
        .is_some()
}

/// Every option there is.
pub(super) fn options() -> impl Iterator<Item = Word> {
    help::options(help::TEXT).chain(help::options(HIDDEN))
}

/// ncat's time to connect, which is not there. Unknown, it would be taken for the beginning of
/// `--wait-until-open`.
const HIDDEN: &str = "      --wait <TIME>";

/// ncat takes them for these options; here they might be `--keepalive` and `--max-parallelism` too.
const ALIASES: [(&str, &str); 2] = [(KEEP_OPEN, "keep"), (MAX_CONNS, "max")];

/// All their values count; of other options the last one does.
const REPEATED: [&str; 3] = [PROXY_ADDRESS, PROXY, JOIN];

/// Of both the last one counts, whichever it is.
const RIVALS: [&str; 2] = [IPV4, IPV6];

pub(super) const OPERANDS: &str = "operands";
pub(super) const WAIT: &str = "wait";

/// The ids of the options, which are also their long names, or their letters where they have none.
macro_rules! ids {
    ($($name:ident = $id:literal,)*) => {
        $(pub(super) const $name: &str = $id;)*

        #[cfg(test)]
        const ALL: &[&str] = &[$($id),*];
    };
}

// In the order of the help.
ids! {
    IPV4 = "ipv4",
    IPV6 = "ipv6",
    NODNS = "nodns",
    SOURCE = "source",
    SOURCE_PORT = "source-port",
    RANDOM = "random",

    UDP = "udp",
    UNIX = "unixsock",
    SEQPACKET = "seqpacket",
    VSOCK = "vsock",
    MPTCP = "mptcp",
    DCCP = "dccp",

    PROXY_ADDRESS = "x",
    PROXY_PROTOCOL = "X",
    PROXY_USER = "P",
    PROXY = "proxy",
    PROXY_TYPE = "proxy-type",
    PROXY_AUTH = "proxy-auth",
    PROXY_AUTH_FILE = "proxy-auth-file",
    PROXY_DNS = "proxy-dns",

    LISTEN = "listen",
    KEEP_OPEN = "keep-open",
    MAX_CONNS = "max-conns",
    EXCLUSIVE = "exclusive",
    FD = "fd",
    PORT_FILE = "port-file",
    READY_FD = "ready-fd",

    ZERO = "zero",
    MAX_PARALLELISM = "max-parallelism",
    RATE = "rate",
    PROBE = "probe",
    BANNER = "banner",
    JSON = "json",
    WAIT_UNTIL_OPEN = "wait-until-open",
    EVERY = "every",
    SCAN_EXIT = "scan-exit",

    SHUTDOWN = "shutdown",
    QUIT = "q",
    QUIT_AFTER = "quit-after",
    NO_SHUTDOWN = "no-shutdown",
    NO_STDIN = "no-stdin",
    TIMEOUT = "w",
    RECV_LIMIT = "recv-limit",
    EXIT_ON_CLOSE = "exit-on-close",
    HALF_CLOSE = "half-close",
    SEND_ONLY = "send-only",
    RECV_ONLY = "recv-only",
    CRLF = "crlf",
    TELNET = "telnet",
    INTERVAL = "interval",
    PASS_FD = "pass-fd",
    LIMIT_RATE = "limit-rate",
    SANITIZE = "sanitize",

    BROADCAST = "broadcast",
    UDP_REPLY = "udp-reply",
    UDP_SIZE = "udp-size",
    UDP_LINE = "udp-line",
    JOIN = "join",
    NO_LOOP = "no-loop",

    DEBUG = "so-debug",
    RECV_BUFFER = "recv-buffer",
    SEND_BUFFER = "send-buffer",
    TTL = "ttl",
    MIN_TTL = "min-ttl",
    TOS = "tos",
    MD5 = "tcp-md5",
    MD5_FILE = "tcp-md5-file",
    RTABLE = "V",
    KEEPALIVE = "keepalive",
    NODELAY = "nodelay",
    INTERFACE = "interface",
    MARK = "mark",
    FAST_OPEN = "tcp-fastopen",
    USER_TIMEOUT = "user-timeout",
    CONGESTION = "congestion",

    PROGRESS = "progress",
    NO_PROGRESS = "no-progress",
    STATS = "stats",
    DIGEST = "digest",
    DUMP = "o",
    HEX_DUMP = "hex-dump",
    OUTPUT = "output",
    APPEND_OUTPUT = "append-output",
    TIMESTAMPS = "timestamps",
    RECORD = "record",
    TRACE = "trace",
    TRACE_JSON = "trace-json",
    EXPLAIN = "explain",

    SANDBOX = "sandbox",

    VERBOSE = "verbose",
    HELP_SHORT = "h",
    HELP = "help",
    VERSION = "version",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_agree_with_each_other() {
        define(&options().collect::<Vec<_>>()).debug_assert();
    }

    #[test]
    fn clap_is_told_every_option_that_a_word_could_be() {
        let told = |words: &[&str]| {
            let argv: Vec<OsString> = words.iter().map(OsString::from).collect();
            let command = command(&argv);
            let ids = command.get_arguments().map(|arg| arg.get_id().as_str().to_owned());
            ids.filter(|id| id != OPERANDS).collect::<Vec<_>>()
        };
        assert_eq!(told(&["localhost", "80", "l"]), [""; 0]);
        assert_eq!(told(&["-lk", "-"]), [LISTEN, KEEP_OPEN]);
        assert_eq!(told(&["--tt"]), [TTL]);
        assert_eq!(told(&["--ttls"]), [""; 0]);
        assert_eq!(told(&["--ttl=1"]), [TTL]);
        assert_eq!(told(&["--ke"]), [KEEP_OPEN, KEEPALIVE]);
        assert_eq!(told(&["--"]).len(), options().filter(|option| option.name().is_some()).count());
    }

    #[test]
    fn an_option_is_named_by_its_letter_if_it_has_one() {
        assert_eq!(spelled(KEEP_OPEN), "-k");
        assert_eq!(spelled(MAX_CONNS), "--max-conns");
    }

    #[test]
    fn the_beginning_of_several_options_is_ambiguous() {
        for (option, ambiguous) in [
            ("--no", true),
            ("--wai", true),
            ("--max-", true),
            ("--max-c", false),
            ("--ke", true),
            ("--", true),
            ("--nodn", false),
            ("--x", false),
            ("-n", false),
        ] {
            assert_eq!(is_ambiguous(option), ambiguous, "{option}");
        }
    }

    /// An option that is new in the help has no meaning yet, and an id that is not there is never typed.
    #[test]
    fn every_option_has_an_id_and_every_id_is_an_option() {
        let options: Vec<_> = help::options(help::TEXT).map(|option| option.id).collect();
        let whole = cfg!(all(feature = "see", feature = "sandbox"));
        let is_built_in = |id: &&&str| whole || options.contains(id);
        assert_eq!(options, ALL.iter().filter(is_built_in).copied().collect::<Vec<_>>());
        assert!(ALL.len() - options.len() <= 14, "only what features leave out");
    }

    #[test]
    fn what_the_help_does_not_say_is_about_options() {
        let kind = |id| options().find(|option| option.id == id).map(|option| option.kind());
        assert_eq!(kind(WAIT), Some(Kind::Value("TIME")));
        assert!(ALIASES.iter().all(|(id, _)| kind(id).is_some()));
        assert!(REPEATED.iter().all(|id| matches!(kind(id), Some(Kind::Value(_)))));
        assert!(RIVALS.iter().all(|id| kind(id) == Some(Kind::Flag)));
    }
}
