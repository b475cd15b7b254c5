use proptest::prelude::*;

use super::*;
use crate::proto::handshake::tests::{any_cut_is_the_same, fails, succeeds, target, tell};

fn asked(host: &str) -> Socks5 {
    Socks5::new(&target(host, 80), None).expect("valid")
}

fn asked_as(user: &[u8], password: &[u8]) -> Result<Socks5, ProtocolError> {
    Socks5::new(&target("h.example", 80), Some(Rc::new(Credentials::new(user, password))))
}

fn asked_as_joe() -> Socks5 {
    asked_as(b"joe", b"secret").expect("valid")
}

/// What is sent for h.example, port 80.
const REQUEST: &[u8] = b"\x05\x01\x00\x03\x09h.example\x00\x50";
/// A reply with an IPv4 address.
const GRANT: &[u8] = b"\x05\x00\x00\x01\xc0\x00\x02\x01\x1f\x90";

#[test]
fn each_kind_of_host_is_asked_for() {
    let name = "x".repeat(255);
    for (host, request) in [
        ("192.0.2.1", b"\x01\xc0\x00\x02\x01".to_vec()),
        ("2001:db8::1", b"\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\x00\x01".to_vec()),
        ("h.example", b"\x03\x09h.example".to_vec()),
        ("x", b"\x03\x01x".to_vec()),
        (&name, [b"\x03\xff", name.as_bytes()].concat()),
    ] {
        let sent = [&b"\x05\x01\x00\x05\x01\x00"[..], &request, b"\x00\x50"].concat();
        succeeds(|| asked(host), &[b"\x05\x00", GRANT].concat(), &sent);
    }
}

#[test]
fn a_reply_has_any_kind_of_address() {
    for address in [
        b"\x01\xc0\x00\x02\x01".to_vec(),
        b"\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\x00\x01".to_vec(),
        b"\x03\x00".to_vec(),
        b"\x03\x01x".to_vec(),
        [&b"\x03\xff"[..], &[0xff; 255]].concat(),
    ] {
        let reply = [&b"\x05\x00\x05\x00\x00"[..], &address, b"\x1f\x90"].concat();
        succeeds(|| asked("h.example"), &reply, &[b"\x05\x01\x00", REQUEST].concat());
    }
}

#[test]
fn a_password_is_told_only_if_it_is_asked_for() {
    let hello = b"\x05\x02\x00\x02";
    succeeds(asked_as_joe, &[b"\x05\x00", GRANT].concat(), &[hello, REQUEST].concat());
    succeeds(
        asked_as_joe,
        &[b"\x05\x02\x01\x00", GRANT].concat(),
        &[hello, &b"\x01\x03joe\x06secret"[..], REQUEST].concat(),
    );
}

#[test]
fn user_and_password_have_255_bytes_at_most() {
    let (long, longest) = ([b'x'; 256], [b'x'; 255]);
    for (user, password) in [(&long[..], &b""[..]), (b"joe", &long)] {
        assert_eq!(asked_as(user, password).err(), Some(Limit::LongCredentials.into()));
    }
    assert_eq!(asked_as(b"", b"secret").err(), Some(Limit::BadCredentials.into()));
    let told = tell(&mut asked_as(&longest, &longest).expect("valid"), [&b"\x05\x02"[..]]);
    let password = [b"\x01\xff", &longest[..], b"\xff", &longest].concat();
    assert_eq!(told.output, [b"\x05\x02\x00\x02", &password[..]].concat());
    let told = tell(&mut asked_as(b"joe", b"").expect("valid"), [&b"\x05\x02"[..]]);
    assert_eq!(told.output, b"\x05\x02\x00\x02\x01\x03joe\x00");
}

#[test]
fn a_method_has_to_be_among_those_offered() {
    let no_method = "authentication method negotiation failed";
    for make in [|| asked("h.example"), asked_as_joe] {
        fails(make, b"\x05\xff", &Fault::NoMethod.into(), no_method);
        for method in [1, 3, 0x80, 0xfe] {
            let text = format!("proxy chose authentication method {method}, which was not offered");
            fails(make, &[5, method], &Fault::UnofferedMethod(method).into(), &text);
        }
    }
    let text = "proxy chose authentication method 2, which was not offered";
    fails(|| asked("h.example"), b"\x05\x02", &Fault::UnofferedMethod(2).into(), text);
}

#[test]
fn a_wrong_password_is_an_error() {
    for code in 1..=255 {
        let reply = [5, 2, 1, code];
        fails(
            asked_as_joe,
            &reply,
            &Fault::RefusedCredentials.into(),
            "Proxy authentication failed",
        );
    }
}

#[test]
fn every_code_but_0_is_an_error() {
    for code in 1..=255 {
        let text = match code {
            1 => "General SOCKS server failure",
            2 => "Connection not allowed by ruleset",
            3 => "Network unreachable",
            4 => "Host unreachable",
            5 => "Connection refused",
            6 => "TTL expired",
            7 => "Command not supported",
            8 => "Address type not supported",
            _ => "Unknown error",
        };
        let text = format!("connection failed, SOCKSv5 error: {text}");
        for kind in [0, 1, 3, 4] {
            let reply = [5, 0, 5, code, 0, kind];
            fails(|| asked("h.example"), &reply, &Refusal::Socks5(code).into(), &text);
        }
    }
}

#[test]
fn every_other_type_of_address_is_an_error() {
    for kind in (0..=255).filter(|kind| ![1, 3, 4].contains(kind)) {
        let reply = [5, 0, 5, 0, 0, kind];
        let text = "connection failed, unsupported address type";
        fails(|| asked("h.example"), &reply, &Fault::AddressType(kind).into(), text);
    }
}

#[test]
fn a_reply_of_something_else_is_an_error_at_once() {
    for (reply, version) in [(&b"H"[..], b'H'), (b"\x05\x00\x04", 4), (b"\x05\x02\x05", 5)] {
        let text = format!("connection failed, unexpected SOCKS reply version {version}");
        fails(asked_as_joe, reply, &Fault::WrongVersion(version).into(), &text);
    }
}

#[test]
fn an_early_end_says_how_much_has_come() {
    for (reply, text) in [
        (&b""[..], "0/3"),
        (b"\x05", "1/3"),
        (b"\x05\x02", "0/2"),
        (b"\x05\x02\x01", "1/2"),
        (b"\x05\x00", "0/4"),
        (b"\x05\x00\x05\x00", "2/4"),
        (b"\x05\x00\x05\x00\x00\x01", "0/6"),
        (b"\x05\x00\x05\x00\x00\x01\x7f", "1/6"),
        (b"\x05\x00\x05\x00\x00\x04", "0/18"),
        (b"\x05\x00\x05\x00\x00\x03", "0/1"),
        (b"\x05\x00\x05\x00\x00\x03\x09", "0/11"),
    ] {
        let mut handshake = asked_as_joe();
        tell(&mut handshake, [reply]);
        assert_eq!(handshake.at_eof().to_string(), format!("read failed ({text}): Broken pipe"));
    }
}

#[test]
fn it_can_be_done_again() {
    let mut handshake = asked("h.example");
    for reply in
        [&b""[..], b"\x05", b"\x05\x00\x05\x00\x00\x03\x09", &[b"\x05\x00", GRANT].concat()]
    {
        handshake.restart();
        let told = tell(&mut handshake, [reply]);
        assert!(told.output.starts_with(b"\x05\x01\x00"));
        assert!(told.end.is_ok());
    }
}

const STARTS: [&[u8]; 8] = [
    b"",
    b"\x05",
    b"\x05\x00\x05",
    b"\x05\x00\x05\x00\x00",
    b"\x05\x02\x01",
    b"\x05\x02\x01\x00\x05\x00\x00",
    b"\x05\x02\x01\x00\x05\x00\x00\x03",
    b"\x05\x00\x05\x00\x00\x04",
];

proptest! {
    #[test]
    fn any_reply_in_any_cut_is_the_same(
        start in prop::sample::select(&STARTS),
        rest in prop::collection::vec(prop_oneof![0u8..8, any::<u8>()], 0..300),
        cuts in prop::collection::vec(1usize..10, 1..10),
    ) {
        any_cut_is_the_same(asked_as_joe, &[start, &rest].concat(), &cuts);
    }
}
