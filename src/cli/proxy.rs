//! Proxies as they are typed: `host`, `host:port`, `[::1]:port`, `socks5://user:password@host:port`.
//!
//! Owns: the notation, the names of what proxies speak, and their usual ports. Must not know: options,
//! whose credentials count.
//!
//! No message repeats what was typed: with one character misplaced, what looks like a port is half of
//! a password.

use std::net::Ipv6Addr;
use std::str;

use super::ports::{self, Services};
use crate::app::ProxyKind;
use crate::error::Error;
use crate::proto::HostName;
use crate::secret::Secret;

/// One proxy, as it was typed.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) kind: ProxyKind,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: Option<String>,
    /// Never without a user.
    pub(super) password: Option<Secret>,
}

/// Reads one proxy, which speaks `kind` unless it is a URL. User and password may stand before it in
/// either notation, with `%` and two digits for what would mean something else.
pub(super) fn parse(text: &str, kind: ProxyKind, services: Services<'_>) -> Result<Typed, Error> {
    let (kind, rest) = match text.split_once("://") {
        Some((name, rest)) => (scheme(name)?, rest.strip_suffix('/').unwrap_or(rest)),
        None => (kind, text),
    };
    // The last one: a password may have others, a host has none.
    let (login, place) = match rest.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, rest),
    };
    let (user, password) = match login.map(|login| login.split_once(':').ok_or(login)) {
        Some(Ok((user, password))) => (Some(user), Some(password)),
        Some(Err(user)) => (Some(user), None),
        None => (None, None),
    };
    let (host, port) = host_and_port(place)?;
    Ok(Typed {
        kind,
        host: checked(host)?.to_owned(),
        port: port.map_or(Ok(usual_port(kind)), |port| ports::of_proxy(port, services))?,
        user: user.map(|user| user_name(decoded(user)?.bytes())).transpose()?,
        password: password.map(decoded).transpose()?,
    })
}

/// What `-X` calls them, in Debian's words and in ours.
pub(super) fn protocol(name: &str) -> Result<ProxyKind, Error> {
    let short = [
        ("4", ProxyKind::Socks4),
        ("4a", ProxyKind::Socks4a),
        ("5", ProxyKind::Socks5),
        ("connect", ProxyKind::Http),
    ];
    named(name, &short)
}

/// What `--proxy-type` calls them.
pub(super) fn kind(name: &str) -> Result<ProxyKind, Error> {
    named(name, &[])
}

/// A user has to be text, for it is shown when a password is asked for.
pub(super) fn user_name(bytes: &[u8]) -> Result<String, Error> {
    let not_utf8 = |_| Error::message(format!("{USER} is not valid UTF-8"));
    str::from_utf8(bytes).map(str::to_owned).map_err(not_utf8)
}

/// Elsewhere `socks5h` says that the proxy is to look names up, which here it does anyway.
fn scheme(name: &str) -> Result<ProxyKind, Error> {
    named(name, &[("socks5h", ProxyKind::Socks5)])
}

fn named(name: &str, more: &[(&str, ProxyKind)]) -> Result<ProxyKind, Error> {
    let mut all = KINDS.iter().chain(more);
    let found = all.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|&(_, kind)| kind).ok_or_else(|| Error::message("unsupported proxy protocol"))
}

fn usual_port(kind: ProxyKind) -> u16 {
    match kind {
        ProxyKind::Socks4 | ProxyKind::Socks4a | ProxyKind::Socks5 => 1080,
        ProxyKind::Http => 3128,
    }
}

/// `-x ::1`, which Debian's netcat splits at the last colon, is an address here. With a port behind it
/// an address needs its brackets only where all of it would be one.
fn host_and_port(text: &str) -> Result<(&str, Option<&str>), Error> {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((host, after)) = rest.split_once(']') else {
            return Err(Error::message("missing closing bracket in proxy"));
        };
        return match (after, after.strip_prefix(':')) {
            ("", _) => Ok((host, None)),
            (_, Some(port)) => Ok((host, Some(port))),
            (_, None) => Err(Error::message("garbage proxy port delimiter")),
        };
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !is_ipv6(text) => Ok((host, Some(port))),
        Some(_) | None => Ok((text, None)),
    }
}

fn checked(host: &str) -> Result<&str, Error> {
    if host.is_empty() {
        Err(Error::message("missing proxy host"))
    } else if is_ipv6(host) || HostName::new(host).is_ok() {
        Ok(host)
    } else {
        Err(Error::message("proxy host invalid"))
    }
}

/// It may have a scope: `fe80::1%eth0`.
fn is_ipv6(text: &str) -> bool {
    let (address, scope) = match text.split_once('%') {
        Some((address, scope)) => (address, Some(scope)),
        None => (text, None),
    };
    address.parse::<Ipv6Addr>().is_ok() && scope.is_none_or(|scope| HostName::new(scope).is_ok())
}

/// Takes the `%XX` of RFC 3986 away. A `%` that begins none is refused and not guessed at.
fn decoded(text: &str) -> Result<Secret, Error> {
    let mut plain = Secret::with_room_for(text.len());
    let mut pieces = text.split('%');
    let first = pieces.next().unwrap_or_default();
    first.bytes().for_each(|byte| plain.push(byte));
    for piece in pieces {
        let code = piece.get(..2).filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) else {
            return Err(Error::message("proxy user or password has a % that is not %25"));
        };
        plain.push(byte);
        piece[2..].bytes().for_each(|byte| plain.push(byte));
    }
    Ok(plain)
}

/// The names that all notations know.
const KINDS: [(&str, ProxyKind); 4] = [
    ("socks4", ProxyKind::Socks4),
    ("socks4a", ProxyKind::Socks4a),
    ("socks5", ProxyKind::Socks5),
    ("http", ProxyKind::Http),
];

pub(super) const USER: &str = "proxy user";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn socks(name: &str) -> Option<u16> {
        (name == "socks").then_some(1080)
    }

    /// The whole answer as one line: the kind, the place, and who asks.
    fn read(text: &str) -> String {
        let typed = match parse(text, ProxyKind::Socks4, &socks) {
            Ok(typed) => typed,
            Err(error) => return error.to_string(),
        };
        let Typed { kind, host, port, user, password } = typed;
        let password = password.map(|secret| String::from_utf8_lossy(secret.bytes()).into_owned());
        let who = match (user, password) {
            (None, _) => String::new(),
            (Some(user), None) => format!(" {user}"),
            (Some(user), Some(password)) => format!(" {user} {password}"),
        };
        format!("{kind:?} {host} {port}{who}")
    }

    #[test]
    fn place_is_a_host_with_or_without_a_port() {
        for (text, answer) in [
            ("h", "h 1080"),
            ("h:1", "h 1"),
            ("h:socks", "h 1080"),
            ("127.0.0.1:65535", "127.0.0.1 65535"),
            ("[::1]", "::1 1080"),
            ("[::1]:8080", "::1 8080"),
            ("[h]:8080", "h 8080"),
            ("[fe80::1%eth0]:8080", "fe80::1%eth0 8080"),
        ] {
            assert_eq!(read(text), format!("Socks4 {answer}"), "{text}");
        }
    }

    #[test]
    fn address_without_brackets_is_an_address_if_all_of_it_is_one() {
        for (text, answer) in [
            ("::1", "Socks4 ::1 1080"),
            ("fe80::1%eth0", "Socks4 fe80::1%eth0 1080"),
            ("::1:8080", "Socks4 ::1:8080 1080"),
            ("1:2:3:4:5:6:7:8:9", "Socks4 1:2:3:4:5:6:7:8 9"),
            ("::1:65536", "proxy port too large"),
        ] {
            assert_eq!(read(text), answer);
        }
    }

    #[test]
    fn place_that_is_none_is_refused() {
        for (text, refusal) in [
            ("", "missing proxy host"),
            (":1", "missing proxy host"),
            ("[]:1", "missing proxy host"),
            ("u@", "missing proxy host"),
            ("http://", "missing proxy host"),
            ("[::1", "missing closing bracket in proxy"),
            ("[::1]a", "garbage proxy port delimiter"),
            ("[::1]1080", "garbage proxy port delimiter"),
            ("h:", "proxy port invalid"),
            ("h:0", "proxy port too small"),
            ("h:99999", "proxy port too large"),
            ("http://h:1/path", "proxy port invalid"),
            ("http://h/path", "proxy host invalid"),
            ("a b", "proxy host invalid"),
            ("a\nb:1", "proxy host invalid"),
            ("a:b:1", "proxy host invalid"),
            ("fe80::1%\n", "proxy host invalid"),
        ] {
            assert_eq!(read(text), refusal, "{text:?}");
        }
        assert_eq!(read(&"h".repeat(256)), "proxy host invalid");
    }

    #[test]
    fn scheme_says_what_is_spoken_and_so_the_usual_port() {
        for (scheme, answer) in [
            ("socks4", "Socks4 h 1080"),
            ("socks4a", "Socks4a h 1080"),
            ("socks5", "Socks5 h 1080"),
            ("socks5h", "Socks5 h 1080"),
            ("http", "Http h 3128"),
            ("HTTP", "Http h 3128"),
            ("https", "unsupported proxy protocol"),
            ("connect", "unsupported proxy protocol"),
            ("5", "unsupported proxy protocol"),
            ("", "unsupported proxy protocol"),
        ] {
            assert_eq!(read(&format!("{scheme}://h")), answer);
            assert_eq!(read(&format!("{scheme}://h/")), answer);
        }
    }

    #[test]
    fn user_and_password_may_come_first() {
        for (text, answer) in [
            ("http://joe@h", "Http h 3128 joe"),
            ("socks5://joe:secret@h:1", "Socks5 h 1 joe secret"),
            ("socks5://joe:@[::1]:1", "Socks5 ::1 1 joe "),
            ("joe:s3@c:r://e/t@h:1", "unsupported proxy protocol"),
            ("joe:s3@c:r/t@h:1", "Socks4 h 1 joe s3@c:r/t"),
            ("http://j%6fe%3a%40:%2C%25%2f%C3%A9@h", "Http h 3128 joe:@ ,%/é"),
            ("http://joe:100%@h", "proxy user or password has a % that is not %25"),
            ("http://joe:%+1@h", "proxy user or password has a % that is not %25"),
            ("http://joe:%é@h", "proxy user or password has a % that is not %25"),
            ("http://%ff@h", "proxy user is not valid UTF-8"),
        ] {
            assert_eq!(read(text), answer, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_password_is_ever_shown(
            before in "(socks5://|[a-z]{1,5}://|)[a-z]{0,3}:",
            after in "[@:/%,]{0,2}[a-z\\[\\]:@/%0-9]{0,8}",
        ) {
            let text = format!("{before}hunter2{after}");
            match parse(&text, ProxyKind::Http, &socks) {
                Ok(typed) => {
                    // Where no password was meant, it is a host or a user.
                    let shown = format!("{typed:?}");
                    prop_assert!(typed.password.is_none() || !shown.contains("hunter2"));
                }
                Err(error) => prop_assert!(!error.to_string().contains("hunter2"), "{}", error),
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*|[a-z]*://[]\\[:@%a-f0-9./]*") {
            if let Ok(typed) = parse(&text, ProxyKind::Http, &socks) {
                prop_assert!(!typed.host.is_empty() && typed.port != 0);
            }
        }
    }
}
