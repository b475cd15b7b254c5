//! Which words the command line knows: names, values and help texts, for clap.
//!
//! Owns: spelling and help. Must not know: what a word means or which words exclude each other;
//! those are rules and live in `plan`. Every value passes through here as it was typed, so that
//! the refusals are worded by us, as Debian words them, and not by clap.
//!
//! Letters mean what they mean in Debian's netcat-openbsd, long names are spelled as in ncat.
//! They are a table, of which clap is told what it needs (`command`), and of which the help is made (`help`).
//! Help texts break their own lines.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

/// What is told to clap: the operands, and the options that `argv` could mean. Each one costs memory and
/// time, and of some seventy a command line has three.
pub(super) fn command(argv: &[OsString]) -> Command {
    define(&options().filter(|option| option.could_be_in(argv)).collect::<Vec<_>>())
}

fn define(options: &[&Word]) -> Command {
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
    for option in options {
        let other = option.overrides.filter(|id| options.iter().any(|option| option.id == *id));
        command = command.arg(option.arg().overrides_with_all(other));
    }
    command
}

/// Whether an option was typed. One that was not may be unknown to clap.
pub(super) fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    matches.try_contains_id(id).is_ok_and(|defined| defined)
        && matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// An option as messages name it: by its letter, if it has one.
pub(super) fn spelled(id: &str) -> String {
    let option = options().find(|option| option.id == id);
    match option.map(|option| (option.letter, option.name)) {
        Some((Some(letter), _)) => format!("-{letter}"),
        Some((None, Some(name))) => format!("--{name}"),
        Some((None, None)) | None => id.to_owned(),
    }
}

/// Whether clap does not know a word because it is the beginning of several options.
pub(super) fn is_ambiguous(option: &str) -> bool {
    let Some(start) = option.strip_prefix("--") else { return false };
    options().filter_map(|option| option.name).filter(|name| name.starts_with(start)).count() > 1
}

fn options() -> impl Iterator<Item = &'static Word> {
    GROUPS.iter().flat_map(|(_, group)| group.iter()).chain(&HIDDEN)
}

/// ncat's time to connect, which is not there. Unknown, it would be taken for the beginning of
/// `--wait-until-open`.
static HIDDEN: [Word; 1] = [value(WAIT, "TIME", "").long("wait")];

/// In the order of the help.
pub(super) static GROUPS: [(&str, &[Word]); 9] = [
    ("Addresses", &addresses()),
    ("Transports", &transports()),
    ("Proxies", &proxies()),
    ("Listening", &listening()),
    ("Scanning", &scanning()),
    ("Relaying", &relaying()),
    ("Datagrams", &datagrams()),
    ("Socket options", &socket_options()),
    ("Messages", &messages()),
];

const fn addresses() -> [Word; 6] {
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
        value(
            SOURCE_PORT,
            "PORT",
            "Connect from this local port (HOST -p PORT: to\nPORT); with -l, listen on it",
        )
        .short('p')
        .long("source-port"),
        flag(RANDOM, "Try the ports in random order").short('r').long("random"),
    ]
}

const fn transports() -> [Word; 6] {
    [
        flag(UDP, "Use UDP; with -U, datagrams").short('u').long("udp"),
        flag(UNIX, "Use UNIX sockets: PATH in the place of HOST\nPORT, or @NAME, which is no file")
            .short('U')
            .long("unixsock"),
        flag(SEQPACKET, "As -U, with records (SOCK_SEQPACKET)").long("seqpacket"),
        flag(
            VSOCK,
            "Use vsock: CID PORT in the place of HOST PORT;\nCID may be host, local or any",
        )
        .long("vsock"),
        flag(MPTCP, "Use Multipath TCP").long("mptcp"),
        flag(DCCP, "Use DCCP, which Linux has no more: an error").short('Z').long("dccp"),
    ]
}

const fn proxies() -> [Word; 8] {
    [
        value(
            PROXY_ADDRESS,
            "ADDR[:PORT]",
            "Connect through this proxy; several are passed\nin this order",
        )
        .short('x')
        .action(ArgAction::Append),
        value(PROXY_PROTOCOL, "PROTO", "What -x speaks: 4, 4a, 5 (the default) or\nconnect")
            .short('X'),
        value(PROXY_USER, "USER", "User at the proxies; asks for the password").short('P'),
        value(PROXY, "LIST", "As -x, or URLs (socks5://USER@HOST:PORT), with\ncommas between them")
            .long("proxy")
            .action(ArgAction::Append),
        value(
            PROXY_TYPE,
            "TYPE",
            "What --proxy speaks: http (the default),\nsocks4, socks4a or socks5",
        )
        .long("proxy-type"),
        value(
            PROXY_AUTH,
            "USER:PASS",
            "User and password at the proxies; they are\nsafer in the variable NCAT_PROXY_AUTH",
        )
        .long("proxy-auth"),
        value(
            PROXY_AUTH_FILE,
            "FILE",
            "As --proxy-auth, in FILE's first line; with -P\nthe password alone",
        )
        .long("proxy-auth-file"),
        value(
            PROXY_DNS,
            "WHERE",
            "Look names up local, remote (at the proxy, the\ndefault), in both, or none",
        )
        .long("proxy-dns"),
    ]
}

const fn listening() -> [Word; 7] {
    [
        flag(LISTEN, "Wait for a connection instead of making one").short('l').long("listen"),
        flag(KEEP_OPEN, "Go on accepting clients, many at a time;\nneeds -l")
            .short('k')
            .long("keep-open")
            // ncat takes it for this option; here it might be `--keepalive` too.
            .alias("keep"),
        value(MAX_CONNS, "N", "Serve at most N clients at a time; needs -k")
            .long("max-conns")
            // ncat takes it for this option; here it might be `--max-parallelism` too.
            .alias("max"),
        flag(EXCLUSIVE, "Let no other program listen on the same port;\nneeds -l")
            .long("exclusive"),
        value(FD, "N", "Listen on the socket that was inherited as\ndescriptor N; implies -l")
            .long("fd"),
        value(PORT_FILE, "FILE", "When clients may come, write the port into\nFILE; needs -l")
            .long("port-file"),
        value(READY_FD, "N", "When clients may come, write the port to\ndescriptor N; needs -l")
            .long("ready-fd"),
    ]
}

const fn scanning() -> [Word; 9] {
    [
        flag(
            ZERO,
            "Find out which ports are open, many at a time;\nonly -u sends something: a question",
        )
        .short('z')
        .long("zero"),
        value(
            MAX_PARALLELISM,
            "N",
            "Try at most N ports at a time; 1: strictly one\nafter another. As all below, needs -z",
        )
        .long("max-parallelism"),
        value(RATE, "N", "Try at most N ports a second").long("rate"),
        value(
            PROBE,
            "DATA",
            "With -u: ask this, bytes in hex (hex:00ff) or\ntext, and not what suits the port",
        )
        .long("probe"),
        value(BANNER, "BYTES", "Print what an open port says first, at most\nBYTES (1024) of it")
            .long("banner")
            .optional(),
        flag(JSON, "Print a JSON object for each port on stdout").long("json"),
        value(WAIT_UNTIL_OPEN, "TIME", "Go on until all ports are open, but not longer\nthan TIME")
            .long("wait-until-open"),
        value(EVERY, "TIME", "Try a port again after TIME (200ms); needs\n--wait-until-open")
            .long("every"),
        value(SCAN_EXIT, "WHICH", "Succeed if any port is open (the default), or\nonly if all are")
            .long("scan-exit"),
    ]
}

const fn relaying() -> [Word; 15] {
    [
        flag(SHUTDOWN, "At the end of stdin, send the peer an end of\nfile")
            .short('N')
            .long("shutdown"),
        value(
            QUIT,
            "SECS",
            "As -N; with -l or -u, also quit SECS later.\nA negative number does nothing",
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
        flag(CRLF, "Send each LF as CR LF").short('C').long("crlf"),
        flag(TELNET, "Answer telnet negotiation, and keep it from\nstdout")
            .short('t')
            .long("telnet"),
        value(INTERVAL, "TIME", "Wait for TIME after each line sent, and between\nports")
            .short('i')
            .long("interval"),
        flag(PASS_FD, "Pass the connected socket over stdout, and quit").short('F').long("pass-fd"),
    ]
}

const fn datagrams() -> [Word; 6] {
    [
        flag(BROADCAST, "Allow to send to a broadcast address").short('b').long("broadcast"),
        value(
            UDP_REPLY,
            "WHOM",
            "With -luk, send stdin to the peer heard last\n(the default), first, or to all",
        )
        .long("udp-reply"),
        value(UDP_SIZE, "N", "Send at most N bytes in one datagram").long("udp-size"),
        flag(UDP_LINE, "Send each line as one datagram, as with -C\nor -i").long("udp-line"),
        value(
            JOIN,
            "GROUP",
            "Join a multicast group, GROUP or GROUP%IFACE;\nneeds -lu; may be repeated",
        )
        .long("join")
        .action(ArgAction::Append),
        flag(NO_LOOP, "Do not let this machine hear its own multicasts").long("no-loop"),
    ]
}

const fn socket_options() -> [Word; 16] {
    [
        flag(DEBUG, "Let the kernel debug the socket").short('D').long("so-debug"),
        value(RECV_BUFFER, "LEN", "Size of the receive buffer in bytes")
            .short('I')
            .long("recv-buffer"),
        value(SEND_BUFFER, "LEN", "Size of the send buffer in bytes")
            .short('O')
            .long("send-buffer"),
        value(TTL, "TTL", "Time to live of packets sent").short('M').long("ttl"),
        value(MIN_TTL, "TTL", "Least time to live of packets received").short('m').long("min-ttl"),
        value(TOS, "TOS", "Type of service: a keyword (ef, af11, cs0,\nlowdelay, ...) or a number")
            .short('T')
            .long("tos"),
        flag(MD5, "Sign with TCP MD5 (RFC 2385); asks for the\npassword")
            .short('S')
            .long("tcp-md5"),
        value(MD5_FILE, "FILE", "As -S; the password is FILE's first line").long("tcp-md5-file"),
        value(RTABLE, "RTABLE", "Routing table, which Linux has none of: an error").short('V'),
        value(KEEPALIVE, "SECS", "Probe a silent peer, after SECS and every SECS")
            .long("keepalive")
            .optional(),
        flag(NODELAY, "Do not hold small writes back (TCP_NODELAY)").long("nodelay"),
        value(INTERFACE, "IF", "Use this network interface only").long("interface"),
        value(MARK, "N", "Mark packets for routing and filters").long("mark"),
        flag(FAST_OPEN, "Use TCP Fast Open").long("tcp-fastopen"),
        value(USER_TIMEOUT, "TIME", "Give the peer up when it acknowledges nothing\nfor TIME")
            .long("user-timeout"),
        value(CONGESTION, "ALGO", "Congestion control algorithm").long("congestion"),
    ]
}

const fn messages() -> [Word; 4] {
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

/// An option: how it is written, and what the help says. Made like an `Arg`, but at compile time.
pub(super) struct Word {
    pub(super) id: &'static str,
    pub(super) help: &'static str,
    pub(super) letter: Option<char>,
    pub(super) name: Option<&'static str>,
    alias: Option<&'static str>,
    /// What the help calls its value, if it takes one.
    pub(super) value: Option<&'static str>,
    /// The value is written behind `=` or left out.
    pub(super) value_is_optional: bool,
    pub(super) action: ArgAction,
    /// The other of two options of which the last counts.
    overrides: Option<&'static str>,
}

const fn flag(id: &'static str, help: &'static str) -> Word {
    Word {
        id,
        help,
        letter: None,
        name: None,
        alias: None,
        value: None,
        value_is_optional: false,
        action: ArgAction::SetTrue,
        overrides: None,
    }
}

/// Takes the next word whatever it looks like, as getopt(3) does: `-w -1` is a time that is too
/// small, not an option `-1`.
const fn value(id: &'static str, name: &'static str, help: &'static str) -> Word {
    Word { value: Some(name), action: ArgAction::Set, ..flag(id, help) }
}

impl Word {
    const fn short(self, letter: char) -> Self {
        Self { letter: Some(letter), ..self }
    }

    const fn long(self, name: &'static str) -> Self {
        Self { name: Some(name), ..self }
    }

    const fn alias(self, name: &'static str) -> Self {
        Self { alias: Some(name), ..self }
    }

    const fn action(self, action: ArgAction) -> Self {
        Self { action, ..self }
    }

    const fn overrides_with(self, id: &'static str) -> Self {
        Self { overrides: Some(id), ..self }
    }

    const fn optional(self) -> Self {
        Self { value_is_optional: true, ..self }
    }

    /// Says yes too often rather than too seldom: a word that looks like an option may be a value.
    fn could_be_in(&self, argv: &[OsString]) -> bool {
        argv.iter().any(|word| {
            let word = word.as_encoded_bytes();
            let Some(letters) = word.strip_prefix(b"-") else { return false };
            let has_letter = |letter: char| letters.contains(&(letter as u8));
            let Some(name) = letters.strip_prefix(b"-") else {
                return self.letter.is_some_and(has_letter);
            };
            // A name may be cut short, and a value may follow it.
            let name = name.split(|byte| *byte == b'=').next().unwrap_or_default();
            let begins = |long: &str| long.as_bytes().starts_with(name);
            self.name.is_some_and(begins) || self.alias.is_some_and(begins)
        })
    }

    fn arg(&self) -> Arg {
        let mut arg = Arg::new(self.id).action(self.action.clone());
        if let Some(letter) = self.letter {
            arg = arg.short(letter);
        }
        if let Some(name) = self.name {
            arg = arg.long(name);
        }
        if let Some(alias) = self.alias {
            arg = arg.alias(alias);
        }
        if let Some(value) = self.value {
            let parser = value_parser!(OsString);
            arg = arg.value_name(value).value_parser(parser).allow_hyphen_values(true);
        }
        if self.value_is_optional {
            arg = arg.num_args(0..=1).require_equals(true);
        }
        arg
    }
}

pub(super) const OPERANDS: &str = "operands";

pub(super) const IPV4: &str = "ipv4";
pub(super) const IPV6: &str = "ipv6";
pub(super) const NODNS: &str = "nodns";
pub(super) const SOURCE: &str = "source";
pub(super) const SOURCE_PORT: &str = "source-port";
pub(super) const RANDOM: &str = "random";

pub(super) const UDP: &str = "udp";
pub(super) const UNIX: &str = "unixsock";
pub(super) const SEQPACKET: &str = "seqpacket";
pub(super) const VSOCK: &str = "vsock";
pub(super) const MPTCP: &str = "mptcp";
pub(super) const DCCP: &str = "dccp";

pub(super) const PROXY_ADDRESS: &str = "proxy-address";
pub(super) const PROXY_PROTOCOL: &str = "proxy-protocol";
pub(super) const PROXY_USER: &str = "proxy-user";
pub(super) const PROXY: &str = "proxy";
pub(super) const PROXY_TYPE: &str = "proxy-type";
pub(super) const PROXY_AUTH: &str = "proxy-auth";
pub(super) const PROXY_AUTH_FILE: &str = "proxy-auth-file";
pub(super) const PROXY_DNS: &str = "proxy-dns";

pub(super) const LISTEN: &str = "listen";
pub(super) const KEEP_OPEN: &str = "keep-open";
pub(super) const MAX_CONNS: &str = "max-conns";
pub(super) const EXCLUSIVE: &str = "exclusive";
pub(super) const FD: &str = "fd";
pub(super) const PORT_FILE: &str = "port-file";
pub(super) const READY_FD: &str = "ready-fd";

pub(super) const ZERO: &str = "zero";
pub(super) const MAX_PARALLELISM: &str = "max-parallelism";
pub(super) const RATE: &str = "rate";
pub(super) const PROBE: &str = "probe";
pub(super) const BANNER: &str = "banner";
pub(super) const JSON: &str = "json";
pub(super) const WAIT_UNTIL_OPEN: &str = "wait-until-open";
pub(super) const EVERY: &str = "every";
pub(super) const SCAN_EXIT: &str = "scan-exit";
pub(super) const WAIT: &str = "wait";

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
pub(super) const CRLF: &str = "crlf";
pub(super) const TELNET: &str = "telnet";
pub(super) const INTERVAL: &str = "interval";
pub(super) const PASS_FD: &str = "pass-fd";

pub(super) const BROADCAST: &str = "broadcast";
pub(super) const UDP_REPLY: &str = "udp-reply";
pub(super) const UDP_SIZE: &str = "udp-size";
pub(super) const UDP_LINE: &str = "udp-line";
pub(super) const JOIN: &str = "join";
pub(super) const NO_LOOP: &str = "no-loop";

pub(super) const DEBUG: &str = "so-debug";
pub(super) const RECV_BUFFER: &str = "recv-buffer";
pub(super) const SEND_BUFFER: &str = "send-buffer";
pub(super) const TTL: &str = "ttl";
pub(super) const MIN_TTL: &str = "min-ttl";
pub(super) const TOS: &str = "tos";
pub(super) const MD5: &str = "tcp-md5";
pub(super) const MD5_FILE: &str = "tcp-md5-file";
pub(super) const RTABLE: &str = "rtable";
pub(super) const KEEPALIVE: &str = "keepalive";
pub(super) const NODELAY: &str = "nodelay";
pub(super) const INTERFACE: &str = "interface";
pub(super) const MARK: &str = "mark";
pub(super) const FAST_OPEN: &str = "tcp-fastopen";
pub(super) const USER_TIMEOUT: &str = "user-timeout";
pub(super) const CONGESTION: &str = "congestion";

pub(super) const VERBOSE: &str = "verbose";
pub(super) const HELP_SHORT: &str = "help-short";
pub(super) const HELP: &str = "help";
pub(super) const VERSION: &str = "version";

pub(super) const HELP_TEMPLATE: &str = "\
Usage: nc [OPTIONS] HOST PORT...
       nc [OPTIONS] -z HOST PORT...
       nc [OPTIONS] -l [HOST] PORT
       nc [OPTIONS] [-l] -U PATH

Connects, over TCP unless told otherwise, or waits for a connection, and relays
stdin to the peer and the peer to stdout. Of several ports each is connected to
in turn, through proxies if there are any.
With -z, finds out which ports are open, all at the same time.
With -l and nothing else, listens on the socket that systemd has opened.

{groups}

TIME is in seconds (2, 0.5) or has a unit (500ms, 2s, 1m, 1h).
PORT is a number, a range (80-82, both ends included) or a service name (http).
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::help;

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
        assert_eq!(told(&["--"]).len(), options().filter(|option| option.name.is_some()).count());
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

    #[test]
    fn help_fits_80_columns_and_two_lines_an_option() {
        let help = help::render(HELP_TEMPLATE);
        for line in help.lines() {
            assert!(line.chars().count() < 80 && line.trim_end() == line, "{line:?}");
        }
        for option in GROUPS.iter().flat_map(|(_, group)| group.iter()) {
            assert!((1..=2).contains(&option.help.lines().count()), "{}", option.id);
        }
        assert!(help.ends_with("(http).\n"));
    }
}
