//! Which words the command line knows: names, values and help texts, as clap definitions.
//!
//! Owns: spelling and help. Must not know: what a word means or which words exclude each other;
//! those are rules and live in `plan`. Every value passes through here as it was typed, so that
//! the refusals are worded by us, as Debian words them, and not by clap.
//!
//! Letters mean what they mean in Debian's netcat-openbsd, long names are spelled as in ncat.
//! clap is built without its text wrapping: help texts break their own lines.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, value_parser};

/// The whole command line.
pub(super) fn command() -> Command {
    let operands = Arg::new(OPERANDS)
        .num_args(0..)
        .action(ArgAction::Append)
        .value_parser(value_parser!(OsString))
        .hide(true);
    Command::new("nc")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .infer_long_args(true)
        .help_template(HELP_TEMPLATE)
        .arg(operands)
        .next_help_heading("Addresses")
        .args(addresses())
        .next_help_heading("Listening")
        .args(listening())
        .next_help_heading("Relaying")
        .args(relaying())
        .next_help_heading("Messages")
        .args(messages())
}

fn addresses() -> [Arg; 6] {
    [
        // The last of the two counts, whichever it is.
        flag(IPV4, "Use IPv4 only").short('4').long("ipv4").overrides_with(IPV6),
        flag(IPV6, "Use IPv6 only").short('6').long("ipv6").overrides_with(IPV4),
        flag(NODNS, "Hosts are given as numbers: look no name up,\nprint none")
            .short('n')
            .long("nodns"),
        value(SOURCE, "ADDR", "Connect from this local address; with -l,\nlisten on it")
            .short('s')
            .long("source"),
        value(SOURCE_PORT, "PORT", "Connect from this local port; with -l, listen\non it")
            .short('p')
            .long("source-port"),
        flag(RANDOM, "Try the ports in random order").short('r').long("random"),
    ]
}

fn listening() -> [Arg; 4] {
    [
        flag(LISTEN, "Wait for a connection instead of making one").short('l').long("listen"),
        flag(KEEP_OPEN, "Go on accepting clients, many at a time;\nneeds -l")
            .short('k')
            .long("keep-open"),
        value(MAX_CONNS, "N", "Serve at most N clients at a time; needs -k").long("max-conns"),
        flag(EXCLUSIVE, "Let no other program listen on the same port;\nneeds -l")
            .long("exclusive"),
    ]
}

fn relaying() -> [Arg; 11] {
    [
        flag(SHUTDOWN, "At the end of stdin, send the peer an end of\nfile")
            .short('N')
            .long("shutdown"),
        value(
            QUIT,
            "SECS",
            "As -N; a listener also quits SECS later.\nA negative number does nothing",
        )
        .short('q'),
        value(
            QUIT_AFTER,
            "TIME",
            "At the end of stdin, send the peer an end of\nfile, and quit TIME later",
        )
        .long("quit-after"),
        flag(NO_SHUTDOWN, "Never send the peer an end of file").long("no-shutdown"),
        flag(NO_STDIN, "Do not read stdin").short('d').long("no-stdin"),
        value(
            TIMEOUT,
            "TIME",
            "Give up connecting after TIME, and quit when\nnothing was relayed for TIME",
        )
        .short('w'),
        value(RECV_LIMIT, "N", "Quit after N reads from the peer").short('W').long("recv-limit"),
        flag(
            EXIT_ON_CLOSE,
            "Quit at the peer's end of file, whatever stdin\ndoes (always so with -l)",
        )
        .long("exit-on-close"),
        flag(HALF_CLOSE, "Go on sending after the peer's end of file").long("half-close"),
        flag(SEND_ONLY, "Discard what the peer sends, quit at the end\nof stdin").long("send-only"),
        flag(RECV_ONLY, "Do not read stdin, as -d").long("recv-only"),
    ]
}

fn messages() -> [Arg; 4] {
    [
        flag(VERBOSE, "Say what happens, on stderr; twice: say more")
            .short('v')
            .long("verbose")
            .action(ArgAction::Count),
        flag(HELP_SHORT, "Print this help on stderr").short('h'),
        flag(HELP, "Print this help on stdout").long("help"),
        flag(VERSION, "Print the version on stdout").long("version"),
    ]
}

fn flag(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).help(help).action(ArgAction::SetTrue)
}

/// Takes the next word whatever it looks like, as getopt(3) does: `-w -1` is a time that is too
/// small, not an option `-1`.
fn value(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(id)
        .help(help)
        .value_name(name)
        .value_parser(value_parser!(OsString))
        .allow_hyphen_values(true)
}

pub(super) const OPERANDS: &str = "operands";

pub(super) const IPV4: &str = "ipv4";
pub(super) const IPV6: &str = "ipv6";
pub(super) const NODNS: &str = "nodns";
pub(super) const SOURCE: &str = "source";
pub(super) const SOURCE_PORT: &str = "source-port";
pub(super) const RANDOM: &str = "random";

pub(super) const LISTEN: &str = "listen";
pub(super) const KEEP_OPEN: &str = "keep-open";
pub(super) const MAX_CONNS: &str = "max-conns";
pub(super) const EXCLUSIVE: &str = "exclusive";

pub(super) const SHUTDOWN: &str = "shutdown";
pub(super) const QUIT: &str = "quit";
pub(super) const QUIT_AFTER: &str = "quit-after";
pub(super) const NO_SHUTDOWN: &str = "no-shutdown";
pub(super) const NO_STDIN: &str = "no-stdin";
pub(super) const TIMEOUT: &str = "timeout";
pub(super) const RECV_LIMIT: &str = "recv-limit";
pub(super) const EXIT_ON_CLOSE: &str = "exit-on-close";
pub(super) const HALF_CLOSE: &str = "half-close";
pub(super) const SEND_ONLY: &str = "send-only";
pub(super) const RECV_ONLY: &str = "recv-only";

pub(super) const VERBOSE: &str = "verbose";
pub(super) const HELP_SHORT: &str = "help-short";
pub(super) const HELP: &str = "help";
pub(super) const VERSION: &str = "version";

const HELP_TEMPLATE: &str = "\
Usage: nc [OPTIONS] HOST PORT...
       nc [OPTIONS] -l [HOST] PORT

Connects to a TCP port, or waits for a connection to one, and relays stdin to
the peer and the peer to stdout. Of several ports each is connected to in turn.

{all-args}

TIME is in seconds (2, 0.5) or has a unit (500ms, 2s, 1m, 1h).
PORT is a number, a range (80-82, both ends included) or a service name (http).
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_agree_with_each_other() {
        command().debug_assert();
    }

    #[test]
    fn every_option_is_in_the_help_of_a_group() {
        for arg in command().get_arguments().filter(|arg| arg.get_id() != OPERANDS) {
            assert!(arg.get_help().is_some(), "{arg} has no help");
            assert!(arg.get_help_heading().is_some(), "{arg} is in no group");
        }
    }

    #[test]
    fn help_fits_80_columns_and_two_lines_an_option() {
        let help = command().render_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() < 80 && line.trim_end() == line, "{line:?}");
        }
        for arg in command().get_arguments() {
            let lines = arg.get_help().map_or(0, |help| help.to_string().lines().count());
            assert!(lines <= 2, "{arg}");
        }
        assert!(help.ends_with("(http).\n"));
    }
}
