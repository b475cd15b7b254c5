//! The contract of [`Handshake`], as checks that the tests of each proxy use, and the words all share.

use super::*;

pub(in crate::proto) fn target(host: &str, port: u16) -> Target {
    Target { host: Host::parse(host).expect("host"), port }
}

/// What came of a dialogue.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::proto) struct Told {
    pub(in crate::proto) output: Vec<u8>,
    /// How many bytes are not the peer's.
    pub(in crate::proto) consumed: usize,
    pub(in crate::proto) end: Result<Status, ProtocolError>,
}

/// Lets the proxy say all of it in these pieces, until there is an end, and holds every call against the
/// contract.
#[track_caller]
pub(in crate::proto) fn tell<'a>(
    handshake: &mut dyn Handshake,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Told {
    let mut told = Told { output: Vec::new(), consumed: 0, end: Ok(Status::Waiting) };
    for piece in [&b""[..]].into_iter().chain(pieces) {
        match handshake.step(piece, &mut told.output) {
            Ok(Progress { consumed, status: Status::Waiting }) => {
                assert_eq!(consumed, piece.len(), "left something, and wants more");
                told.consumed += consumed;
            }
            Ok(Progress { consumed, status }) => {
                assert!(consumed <= piece.len());
                told.consumed += consumed;
                told.end = Ok(status);
                let again = handshake.step(b"more", &mut told.output);
                assert_eq!(again, Ok(Progress { consumed: 0, status }), "does not stay so");
                break;
            }
            Err(error) => {
                // How far it got does not matter any more.
                told.consumed = 0;
                let again = handshake.step(b"more", &mut told.output);
                assert_eq!(again, Err(error.clone()), "does not stay so");
                told.end = Err(error);
                break;
            }
        }
    }
    assert!(!told.output.is_empty(), "a client speaks first");
    told
}

/// Whole, with every chunk size, and in the cuts given, the end is the same. Gives it.
#[track_caller]
pub(in crate::proto) fn any_cut_is_the_same<H: Handshake>(
    make: impl Fn() -> H,
    reply: &[u8],
    cuts: &[usize],
) -> Told {
    let whole = tell(&mut make(), [reply]);
    let sizes: Vec<_> = match cuts {
        [] => (1..=reply.len()).map(|size| vec![size]).collect(),
        cuts => vec![vec![1], cuts.to_vec()],
    };
    for sizes in sizes {
        let mut rest = reply;
        let pieces = sizes.iter().cycle().map_while(|&size| {
            let (piece, left) = rest.split_at(size.min(rest.len()));
            rest = left;
            (!piece.is_empty()).then_some(piece)
        });
        assert_eq!(tell(&mut make(), pieces), whole, "{reply:x?} cut after {sizes:?}");
    }
    whole
}

/// With this reply we are connected, having sent that; not a byte earlier, and not a byte more is taken.
#[track_caller]
pub(in crate::proto) fn succeeds<H: Handshake>(make: impl Fn() -> H, reply: &[u8], sent: &[u8]) {
    ends(make, reply, sent, Status::Done);
}

/// As [`succeeds`], with another end.
#[track_caller]
pub(in crate::proto) fn ends<H: Handshake>(
    make: impl Fn() -> H,
    reply: &[u8],
    sent: &[u8],
    end: Status,
) {
    for trailing in [&b""[..], b"x", b"\r\n", b"\x05\x00\x00\x01 and more of the peer's\r\n\r\n"] {
        let told = any_cut_is_the_same(&make, &[reply, trailing].concat(), &[]);
        assert_eq!(told.output.escape_ascii().to_string(), sent.escape_ascii().to_string());
        assert_eq!(told, Told { output: sent.to_vec(), consumed: reply.len(), end: Ok(end) });
    }
    for cut in 0..reply.len() {
        let mut handshake = make();
        let told = tell(&mut handshake, [&reply[..cut]]);
        assert_eq!(told.end, Ok(Status::Waiting), "after {cut} bytes");
        assert!(sent.starts_with(&told.output), "sent something else after {cut} bytes");
        let closed = handshake.at_eof();
        assert!(
            matches!(closed, ProtocolError::Peer(Fault::Closed { .. } | Fault::ClosedInHead)),
            "{closed:?}"
        );
    }
}

/// With the last byte of this reply the handshake fails, and says so.
#[track_caller]
pub(in crate::proto) fn fails<H: Handshake>(
    make: impl Fn() -> H,
    reply: &[u8],
    error: &ProtocolError,
    text: &str,
) {
    for trailing in [&b""[..], b"x", b"\r\n"] {
        let told = any_cut_is_the_same(&make, &[reply, trailing].concat(), &[]);
        assert_eq!(told.end.as_ref(), Err(error));
    }
    let told = tell(&mut make(), [&reply[..reply.len() - 1]]);
    assert_eq!(told.end, Ok(Status::Waiting), "too early");
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_host_is_an_address_or_a_name() {
    assert_eq!(Host::parse("192.0.2.1"), Ok(Host::V4(Ipv4Addr::new(192, 0, 2, 1))));
    assert_eq!(Host::parse("::1"), Ok(Host::V6(Ipv6Addr::LOCALHOST)));
    for name in ["a", "h.example", "h.example.", "192.0.2", "1", "a_b-c", "münchen.example"] {
        assert_eq!(Host::parse(name), Ok(Host::Name(HostName(name.to_owned()))), "{name}");
    }
}

#[test]
fn a_name_cannot_say_anything_else() {
    let controls = (0..=0x20u8).chain(0x7f..=0x9f).map(char::from);
    for odd in controls.chain("[]:/?#@\\\"\u{a0}\u{2028}\u{202e}\u{3000}".chars()) {
        for name in [format!("{odd}"), format!("a{odd}b"), format!("h.example{odd}")] {
            assert_eq!(Host::parse(&name), Err(Limit::BadName.into()), "{name:?}");
        }
    }
    for name in ["", "a\r\nX-Evil: 1", "fe80::1%lo", "[::1]", "a:1"] {
        assert_eq!(Host::parse(name), Err(Limit::BadName.into()), "{name:?}");
    }
}

#[test]
fn a_name_has_255_bytes_at_most() {
    assert!(Host::parse(&"x".repeat(255)).is_ok());
    assert_eq!(Host::parse(&"x".repeat(256)), Err(Limit::LongName.into()));
    assert_eq!(Host::parse(&"ü".repeat(128)), Err(Limit::LongName.into()));
    assert_eq!(Host::parse(&"x".repeat(65536 + 9)), Err(Limit::LongName.into()));
}

#[test]
fn a_target_is_shown_as_an_authority() {
    for (host, shown) in [
        ("h.example", "h.example:80"),
        ("192.0.2.1", "192.0.2.1:80"),
        ("2001:db8:0::1", "[2001:db8::1]:80"),
    ] {
        assert_eq!(target(host, 80).to_string(), shown);
    }
}

#[test]
fn a_password_is_never_shown() {
    let credentials = Credentials::new(b"joe\x1b", b"hidden");
    assert_eq!(format!("{credentials:?}"), "Credentials { user: \"joe\\u{1b}\", .. }");
    assert_eq!(format!("{:?}", credentials.password), "Secret(..)");
}

#[test]
fn messages_are_one_line_without_a_full_stop() {
    for fault in [
        Fault::NoMethod,
        Fault::RefusedCredentials,
        Fault::UnofferedMethod(3),
        Fault::WrongVersion(72),
        Fault::AddressType(2),
        Fault::NotHttp(String::new()),
        Fault::BadHead,
        Fault::Closed { had: 2, wanted: 4 },
        Fault::ClosedInHead,
    ] {
        let text = ProtocolError::from(fault).to_string();
        assert!(!text.is_empty() && !text.contains('\n') && !text.ends_with('.'), "{text}");
    }
}
