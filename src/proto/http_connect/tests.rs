use proptest::prelude::*;

use super::*;
use crate::proto::handshake::tests::{any_cut_is_the_same, ends, fails, succeeds, target, tell};

fn asked(host: &str) -> HttpConnect {
    HttpConnect::new(&target(host, 80), None, [0; 16]).expect("valid")
}

fn asked_as(user: &str, password: &str) -> Result<HttpConnect, ProtocolError> {
    let credentials = Rc::new(Credentials::new(user.as_bytes(), password.as_bytes()));
    HttpConnect::new(&target("h.example", 80), Some(credentials), [0x0a; 16])
}

fn asked_as_joe() -> HttpConnect {
    asked_as("joe", "secret").expect("valid")
}

const REQUEST: &[u8] = b"CONNECT h.example:80 HTTP/1.0\r\n\r\n";
const GRANT: &[u8] = b"HTTP/1.0 200 OK\r\n\r\n";
const BASIC: &str = "Proxy-Authenticate: Basic realm=\"r\"\r\n";
const DIGEST: &str = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";

fn challenge(headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 407 Authenticate\r\nContent-Length: 1000\r\n{headers}\r\n").into_bytes()
}

fn head(headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 Connection established\r\n{headers}\r\n").into_bytes()
}

#[test]
fn each_kind_of_host_is_asked_for() {
    for (host, authority) in
        [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "[2001:db8::1]"), ("h.example", "h.example")]
    {
        let sent = format!("CONNECT {authority}:80 HTTP/1.0\r\n\r\n");
        succeeds(|| asked(host), GRANT, sent.as_bytes());
        // Credentials that nobody has asked for are not sent.
        let credentials = || Some(Rc::new(Credentials::new(b"joe", b"secret")));
        let make = || HttpConnect::new(&target(host, 80), credentials(), [0; 16]).expect("valid");
        succeeds(make, GRANT, sent.as_bytes());
    }
}

#[test]
fn a_good_reply_may_look_like_this() {
    for reply in [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200 \r\n\r\n",
        "HTTP/1.0 200\r\n\r\n",
        "HTTP/1.0 200\n\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 299 \u{e9}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nVia: 1.1 proxy\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\nVia: 1.1 proxy\n\r\n",
        "HTTP/1.1 200 OK\r\nno header\r\n: none\r\nA : b\r\nVia: 1.1 proxy\r\n folded\r\nA: \u{1}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nProxy-Authenticate: Basic\r\n\r\n",
    ] {
        succeeds(|| asked("h.example"), reply.as_bytes(), REQUEST);
    }
}

/// Nobody who speaks another protocol has to send an empty line before that is noticed.
#[test]
fn what_is_not_http_is_an_error_with_its_first_line() {
    for line in [
        "HTTP/1.0 200poo",
        "HTTP/1.0 2000 OK",
        "HTTP/1.0 20 OK",
        "HTTP/1.0 -20 OK",
        "HTTP/1.0  200 OK",
        "HTTP/1.0",
        "HTTP/1.0 ",
        "HTTP/2 200 OK",
        "HTTP/2.0 200 OK",
        "http/1.0 200 OK",
        "ICY 200 OK",
        "HTTP/1.01 200 OK",
        " HTTP/1.0 200 OK",
        "\u{5}",
        "\0",
        "SSH-2.0-x",
        "",
        "x",
        "200",
        "HTTP/1.0 0x8 OK",
        "HTTP/1.0 200 \u{1}",
    ] {
        let shown = shown(line.as_bytes());
        for end in ["\r\n", "\n"] {
            let fault = Fault::NotHttp(shown.trim_ascii_end().to_owned());
            let text = format!("Proxy error: \"{}\"", shown.trim_ascii_end());
            fails(|| asked("h.example"), format!("{line}{end}").as_bytes(), &fault.into(), &text);
        }
    }
}

#[test]
fn a_refusal_is_shown_as_it_was_said() {
    for line in
        ["HTTP/1.1 403 Forbidden", "HTTP/1.0 500", "HTTP/1.1 100 Continue", "HTTP/1.1 302 x"]
    {
        let refusal = Refusal::Http(line.to_owned()).into();
        let text = format!("Proxy error: \"{line}\"");
        fails(|| asked("h.example"), format!("{line}\r\n").as_bytes(), &refusal, &text);
        fails(asked_as_joe, format!("{line}\n").as_bytes(), &refusal, &text);
    }
    let told = tell(&mut asked("h.example"), [&b"HTTP/1.1 403 \xe2\x80\xae\xff\xff\n"[..]]);
    let text = told.end.expect_err("refused").to_string();
    assert_eq!(text, "Proxy error: \"HTTP/1.1 403 \\u{202e}\u{fffd}\u{fffd}\"");
    let long = ["HTTP/1.1 403 ", &"x".repeat(5000), "\r\n"].concat();
    let text =
        tell(&mut asked("h.example"), [long.as_bytes()]).end.expect_err("refused").to_string();
    assert_eq!(text, format!("Proxy error: \"HTTP/1.1 403 {}...\"", "x".repeat(187)));
}

#[test]
fn what_a_proxy_says_is_shown_cut_and_escaped() {
    assert_eq!(shown(b"403 Forbidden"), "403 Forbidden");
    assert_eq!(shown(b"\x1b]0;x\x07\x9b\xff"), "\\u{1b}]0;x\\u{7}\u{fffd}\u{fffd}");
    assert_eq!(shown("\u{9b}\u{202e}".as_bytes()), "\\u{9b}\\u{202e}");
    assert_eq!(shown(&[b'x'; 200]), "x".repeat(200));
    assert_eq!(shown(&[b'x'; 201]), "x".repeat(200) + "...");
    let escapes = shown(&[0x1b; 1000]);
    assert!(escapes.len() <= LONGEST_SHOWN + 3 && escapes.ends_with("\\u{1b}..."), "{escapes}");
}

#[test]
fn a_head_that_is_no_head_is_an_error() {
    for odd in ["A\0: b\r\n", "A: b\0\r\n", "A: b\rc: d\r\n", "\r\r\n"] {
        let told = any_cut_is_the_same(|| asked("h.example"), &head(odd), &[]);
        assert_ne!(told.end, Ok(Status::Waiting), "{odd:?}");
        if told.end.is_ok() {
            assert_eq!(told.consumed, head(odd).len(), "{odd:?}");
        }
    }
    let text = "Proxy error: malformed headers";
    fails(|| asked("h.example"), &head("A: b\0\r\n"), &Fault::BadHead.into(), text);
}

#[test]
fn a_head_has_64_headers_at_most() {
    succeeds(|| asked("h.example"), &head(&"A: b\r\n".repeat(64)), REQUEST);
    let many = ["HTTP/1.1 200 OK\r\n", &"A: b\r\n".repeat(65)].concat();
    let text = "Too many proxy headers received";
    fails(|| asked("h.example"), many.as_bytes(), &Limit::ManyHeaders.into(), text);
    let many = ["HTTP/1.1 407 \r\n", &"no header\r\n".repeat(65)].concat();
    fails(asked_as_joe, many.as_bytes(), &Limit::ManyHeaders.into(), text);
}

#[test]
fn a_head_has_16_kib_at_most() {
    let start = "HTTP/1.1 200 OK\r\nA: ";
    let longest = [start, &"x".repeat(LONGEST_HEAD - start.len() - 4), "\r\n\r\n"].concat();
    for (length, end) in [
        (LONGEST_HEAD - 1, Ok(Status::Waiting)),
        (LONGEST_HEAD, Ok(Status::Done)),
        (LONGEST_HEAD + 9, Ok(Status::Done)),
    ] {
        let reply = [longest.as_bytes(), &[b'x'; 9]].concat();
        assert_eq!(any_cut_is_the_same(|| asked("h.example"), &reply[..length], &[7]).end, end);
    }
    for endless in [&b"x"[..], b"HTTP/1.1 200 ", start.as_bytes(), &[0]] {
        let mut reply = endless.to_vec();
        reply.resize(LONGEST_HEAD + 1, b'x');
        let told = any_cut_is_the_same(|| asked("h.example"), &reply, &[1000]);
        assert_eq!(told.end, Err(Limit::LongHead.into()));
        assert_eq!(told.end.expect_err("too long").to_string(), "proxy read too long");
        let told = any_cut_is_the_same(|| asked("h.example"), &reply[..LONGEST_HEAD], &[1000]);
        assert_eq!(told.end, Ok(Status::Waiting));
    }
}

#[test]
fn an_early_end_has_debians_text() {
    let mut handshake = asked("h.example");
    tell(&mut handshake, [&GRANT[..GRANT.len() - 1]]);
    assert_eq!(handshake.at_eof().to_string(), "proxy read: Broken pipe");
}

#[test]
fn without_credentials_a_challenge_is_an_error() {
    let line = "HTTP/1.1 407 Proxy Authentication Required";
    let text = format!("Proxy error: \"{line}\"");
    let fault = Fault::NeedsCredentials(line.to_owned()).into();
    fails(|| asked("h.example"), format!("{line}\r\n").as_bytes(), &fault, &text);
}

/// The body, however long, is not waited for, and not read.
#[test]
fn with_credentials_a_challenge_leads_to_a_new_connection() {
    for headers in [BASIC, &format!("{BASIC}{DIGEST}\r\n"), &format!("a\r\n{BASIC}")] {
        ends(asked_as_joe, &challenge(headers), REQUEST, Status::Reconnect);
    }
}

/// Tells these replies, each on its own connection. Gives what was sent on the last, and the end.
fn on_connections(replies: &[&[u8]]) -> (String, Result<Status, ProtocolError>) {
    let mut handshake = asked_as_joe();
    let (last, challenges) = replies.split_last().expect("a reply");
    for challenge in challenges {
        let told = tell(&mut handshake, [*challenge]);
        assert_eq!(told.end, Ok(Status::Reconnect));
        handshake.restart();
    }
    let told = tell(&mut handshake, [*last]);
    (String::from_utf8(told.output).expect("text"), told.end)
}

#[test]
fn basic_credentials_are_sent_on_the_new_connection() {
    let sent = "CONNECT h.example:80 HTTP/1.0\r\n\
                Proxy-Authorization: Basic am9lOnNlY3JldA==\r\n\r\n";
    let challenge = challenge(&BASIC.to_ascii_lowercase());
    assert_eq!(on_connections(&[&challenge, GRANT]), (sent.to_owned(), Ok(Status::Done)));
}

/// Over `CONNECT` and the authority; the response is Python's `hashlib`.
#[test]
fn digest_is_preferred_and_its_answers_are_counted() {
    let challenge = challenge(&format!("{BASIC}{DIGEST}\r\n"));
    let (sent, end) = on_connections(&[&challenge, GRANT]);
    assert_eq!(end, Ok(Status::Done));
    let start = "CONNECT h.example:80 HTTP/1.0\r\nProxy-Authorization: Digest username=\"joe\", \
                 realm=\"r\", nonce=\"n\", uri=\"h.example:80\", qop=auth, nc=00000001, \
                 cnonce=\"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a\", response=\"698a41e2d66181954d7ffed33af54756\"\r\n\r\n";
    assert_eq!(sent, start);

    // A proxy behind this one made us connect again.
    let mut handshake = asked_as_joe();
    for count in ["", "nc=00000001", "nc=00000002", "nc=00000003"] {
        let told = tell(&mut handshake, [if count.is_empty() { &challenge[..] } else { GRANT }]);
        assert!(told.output.escape_ascii().to_string().contains(count), "{count}");
        handshake.restart();
    }
}

#[test]
fn a_refused_answer_is_an_error() {
    let refused = ProtocolError::from(Fault::RefusedCredentials);
    for headers in [BASIC, &format!("{DIGEST}\r\n")] {
        let challenge = challenge(headers);
        assert_eq!(on_connections(&[&challenge, &challenge]).1, Err(refused.clone()));
    }
    let unauthorized = b"HTTP/1.0 401 Unauthorized\r\n";
    assert_eq!(on_connections(&[&challenge(BASIC), unauthorized]).1, Err(refused.clone()));
    let unasked = tell(&mut asked_as_joe(), [&unauthorized[..]]).end;
    assert_eq!(unasked, Err(Refusal::Http("HTTP/1.0 401 Unauthorized".to_owned()).into()));
    // Nor is the password sent in the clear to a proxy that did not like its proof.
    let challenges = [challenge(&format!("{DIGEST}\r\n")), challenge(BASIC)];
    assert_eq!(on_connections(&[&challenges[0], &challenges[1]]).1, Err(refused.clone()));
    assert_eq!(refused.to_string(), "Proxy authentication failed");
}

#[test]
fn a_nonce_that_is_too_old_is_replaced_but_not_for_ever() {
    let (first, stale) = (challenge(&format!("{DIGEST}\r\n")), |nonce: &str| {
        challenge(&format!("{DIGEST}, stale=true\r\n").replace("\"n\"", nonce))
    });
    let (sent, end) = on_connections(&[&first, &stale("\"m\""), &stale("\"o\""), GRANT]);
    assert_eq!(end, Ok(Status::Done));
    assert!(sent.contains("nonce=\"o\"") && sent.contains("nc=00000001"), "{sent}");
    let (_, end) = on_connections(&[&first, &stale("\"m\""), &stale("\"o\""), &stale("\"p\"")]);
    assert_eq!(end, Err(Fault::RefusedCredentials.into()));
}

/// Where a proxy behind this one made us connect again, and this one takes no nonce twice.
#[test]
fn an_answer_that_was_good_once_may_be_asked_for_again() {
    let (first, next) = (challenge(&format!("{DIGEST}\r\n")), challenge(BASIC));
    let mut handshake = asked_as_joe();
    for (reply, end) in [
        (&first[..], Status::Reconnect),
        (GRANT, Status::Done),
        (&next, Status::Reconnect),
        (GRANT, Status::Done),
    ] {
        assert_eq!(tell(&mut handshake, [reply]).end, Ok(end));
        handshake.restart();
    }
}

#[test]
fn a_challenge_without_a_known_scheme_is_an_error() {
    for headers in ["", "Proxy-Authenticate: Negotiate\r\nWWW-Authenticate: Basic\r\n"] {
        let text = "authentication method negotiation failed";
        fails(asked_as_joe, &challenge(headers), &Fault::NoMethod.into(), text);
    }
}

#[test]
fn credentials_cannot_say_anything_else() {
    for (user, password) in [
        ("joe:", "x"),
        ("j\r\nX-Evil: 1", "x"),
        ("joe", "x\r\nX-Evil: 1"),
        ("joe", "\0"),
        ("\u{7f}", ""),
    ] {
        let error = asked_as(user, password).expect_err("invalid");
        assert_eq!(error, Limit::BadCredentials.into());
        assert_eq!(error.to_string(), "Invalid proxy username/password");
    }
    assert!(asked_as("joe", &"x".repeat(4093)).is_ok());
    let error = asked_as("joe", &"x".repeat(4094)).expect_err("invalid");
    assert_eq!(error.to_string(), "Proxy username/password too long");
    assert!(asked_as("j\"o e", ":").is_ok());
}

#[test]
fn no_password_is_shown() {
    let mut handshake = asked_as_joe();
    for headers in [BASIC, DIGEST] {
        assert!(!format!("{handshake:?}").contains("secret"));
        tell(&mut handshake, [&challenge(headers)[..]]);
        handshake.restart();
    }
}

proptest! {
    #[test]
    fn any_reply_in_any_cut_is_the_same(
        start in prop::sample::select(&["", "HTTP/1.0 200", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 407 \r\n", DIGEST]),
        words in prop::collection::vec(
            prop_oneof![
                "[ :,=\"\\\\a\r\n\t\0é]{0,3}",
                "\r\n",
                "HTTP/1.[012] [2-4]0[0-9] ",
                "Proxy-Authenticate: ",
                "(Basic|Digest) ",
                "(realm|nonce|qop)=\"?[a-z]\"?,?",
            ],
            0..40,
        ),
        end in prop::sample::select(&["", "\r\n\r\n", "\n\nmore"]),
        cuts in prop::collection::vec(1usize..30, 1..10),
    ) {
        let reply = [start, &words.concat(), end].concat();
        any_cut_is_the_same(asked_as_joe, reply.as_bytes(), &cuts);
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 1usize..20) {
        let told = any_cut_is_the_same(|| asked("h.example"), &[&bytes[..], b"\n\n"].concat(), &[cut]);
        prop_assert!(told.end.is_err());
    }
}
