//! Files that are read: one with a password, and the hosts file.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use pollcat::app::{Connect, Mode};
use pollcat::error::escape;
use pollcat::proto::{Credentials, Handshake, Host, Socks5, Target};
use pollcat::sys::resolve::name_in_hosts;
use tempfile::NamedTempFile;

use crate::arguments::job;
use crate::seeds::{Seeds, try_all};

#[test]
fn password_file() {
    let seeds = Seeds::of("password_file", PASSWORD_WORDS);
    let file = NamedTempFile::new().expect("a file");
    try_all!(seeds, |input: &[u8]| {
        fs::write(file.path(), input).expect("written");
        let typed = [b"--proxy-auth-file=", file.path().as_os_str().as_bytes()].concat();
        for user in [None, Some(&b"joe"[..])] {
            let user_words: &[&[u8]] = user.map_or(&[], |_| &[b"-P", b"joe"]);
            let words = [user_words, &[b"-x", b"127.0.0.1:1", &typed, b"h", b"1"]].concat();
            let got = job(&words).map(|job| match job.mode {
                Mode::Connect(Connect { route, .. }) => told(route.proxies[0].credentials.as_ref()),
                Mode::Scan(_) | Mode::Listen(_) => panic!("no connection"),
            });
            match (got, login(input, user)) {
                (Ok(got), Some(expected)) => assert_eq!(got, sent(expected)),
                (Err(line), None) => assert!(PASSWORD_REFUSALS.contains(&&*line), "says {line}"),
                (got, expected) => panic!("{}: {got:?}, {expected:?}", input.escape_ascii()),
            }
        }
    });
}

#[test]
fn hosts() {
    let seeds = Seeds::of("hosts", HOSTS_WORDS);
    try_all!(seeds, |input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        for address in ["127.0.0.1", "::1"].map(|text| text.parse().expect("an address")) {
            let got = name_in_hosts(&text, address);
            assert_eq!(got, first_name(&text, address).map(escape), "{}", input.escape_ascii());
            let is_one_word = |name: &String| !name.is_empty() && !name.contains(char::is_control);
            assert!(got.is_none_or(|name| is_one_word(&name)));
        }
    });
}

/// Who says what, as the first line of the file has it. `None`: no use.
fn login<'a>(file: &'a [u8], user: Option<&'a [u8]>) -> Option<(&'a [u8], &'a [u8])> {
    let line = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if line.is_empty() || line.len() > 4096 {
        return None;
    }
    if let Some(user) = user {
        let own = [user, b":"].concat();
        return Some((user, line.strip_prefix(&*own).unwrap_or(line)));
    }
    let colon = line.iter().position(|byte| *byte == b':')?;
    str::from_utf8(&line[..colon]).ok()?;
    Some((&line[..colon], &line[colon + 1..]))
}

/// What a proxy is told of who asks: RFC 1929, section 2. `None`: SOCKS has no form for them.
fn told(credentials: Option<&Rc<Credentials>>) -> Option<Vec<u8>> {
    let host = Host::V4(Ipv4Addr::LOCALHOST);
    let credentials = credentials.cloned().expect("there is a user");
    let mut socks = Socks5::new(&Target { host, port: 1 }, Some(credentials)).ok()?;
    let (mut hello, mut login) = (Vec::new(), Vec::new());
    socks.step(b"", &mut hello).expect("a client speaks first");
    socks.step(b"\x05\x02", &mut login).expect("the method was offered");
    Some(login)
}

fn sent((user, password): (&[u8], &[u8])) -> Option<Vec<u8>> {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).ok();
    let lengths = [length(user).filter(|n| *n > 0)?, length(password)?];
    Some([&[1, lengths[0]], user, &[lengths[1]], password].concat())
}

fn first_name(hosts: &str, address: IpAddr) -> Option<&str> {
    for line in hosts.lines() {
        let line = line.find('#').map_or(line, |at| &line[..at]);
        let words: Vec<_> =
            line.split(|c: char| c.is_ascii_whitespace()).filter(|w| !w.is_empty()).collect();
        if let [number, name, ..] = words[..]
            && number.parse() == Ok(address)
        {
            return Some(name);
        }
    }
    None
}

/// Nothing of what is in the file.
const PASSWORD_REFUSALS: &[&str] = &[
    "proxy credentials are empty",
    "proxy credentials too long: more than 4096 bytes",
    "proxy credentials must be USER:PASS",
    "proxy user is not valid UTF-8",
];

const PASSWORD_WORDS: &[&[u8]] = &[b"joe", b":", b"secret", b"\n", b"\r\n", b"\0", b"\xff", b" "];

const HOSTS_WORDS: &[&[u8]] = &[
    b"127.0.0.1",
    b"::1",
    b" ",
    b"\t",
    b"\n",
    b"\r\n",
    b"#",
    b"localhost",
    b"h.example",
    b"\x1b[31m",
    b"\xff",
    b"\xe2\x80\xae",
    b"\x0b",
];
