use proptest::prelude::*;

use super::*;

/// What is answered to these values of `Proxy-Authenticate`.
fn answered(values: &[&str], user: &str, password: &str, request: Request<'_>) -> Option<String> {
    let challenge = Challenge::strongest(values.iter().map(|value| value.as_bytes()))?;
    let credentials = Credentials::new(user.as_bytes(), password.as_bytes());
    let mut output = Vec::new();
    challenge.answer(&credentials, request, CLIENT_NONCE, 1, &mut output);
    Some(String::from_utf8(output).expect("text"))
}

const CLIENT_NONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
const GET: Request<'_> = Request { method: "GET", uri: "/dir/index.html" };

/// RFC 7616, section 3.9.1, without `auth-int`.
#[track_caller]
fn mufasa(algorithm: &str, response: &str) {
    let challenge = format!(
        "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", {algorithm}\
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
         opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUo5tdS\""
    );
    let answer = format!(
        "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\"{}, \
         qop=auth, nc=00000001, cnonce=\"{CLIENT_NONCE}\", response=\"{response}\", \
         opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUo5tdS\"",
        if algorithm.is_empty() { String::new() } else { format!(", {algorithm}") }
            .trim_end_matches(", ")
    );
    assert_eq!(answered(&[&challenge], "Mufasa", "Circle of Life", GET), Some(answer));
}

#[test]
fn the_examples_of_rfc_7616() {
    let md5 = "8ca523f5e9506fed4657c9700eebdbec";
    mufasa("algorithm=MD5, ", md5);
    mufasa("", md5);
    let sha = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
    mufasa("algorithm=SHA-256, ", sha);
}

/// The same with a session key. The RFC has no example; these are Python's `hashlib`, on its formulas.
#[test]
fn session_keys() {
    mufasa("algorithm=MD5-sess, ", "e783283f46242139c486a698fec7211d");
    let sha = "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7";
    mufasa("algorithm=SHA-256-sess, ", sha);
}

/// RFC 2617, section 3.5, and RFC 2069, section 2.4, as its erratum 749 has it.
#[test]
fn the_examples_of_older_rfcs() {
    let start = "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
    let credentials = Credentials::new(b"Mufasa", b"Circle Of Life");
    let challenge = format!("{start}, qop=\"auth,auth-int\"");
    let challenge = Challenge::strongest([challenge.as_bytes()].into_iter()).expect("known");
    let mut output = Vec::new();
    challenge.answer(&credentials, GET, "0a4f113b", 1, &mut output);
    let answer = String::from_utf8(output).expect("text");
    assert!(answer.contains(", response=\"6629fae49393a05397450978507c4ef1\""), "{answer}");

    let answer = answered(&[start], "Mufasa", "CircleOfLife", GET).expect("known");
    assert!(answer.ends_with(", response=\"1949323746fe6a43ef61f9606e7febea\""), "{answer}");
    assert!(!answer.contains("cnonce") && !answer.contains("qop") && !answer.contains("algorithm"));
}

/// RFC 7617, section 2 and 2.1.
#[test]
fn basic() {
    let basic = |user, password| answered(&["Basic realm=\"WallyWorld\""], user, password, GET);
    let answer = |text: &str| Some(text.to_owned());
    assert_eq!(basic("Aladdin", "open sesame"), answer("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_eq!(basic("test", "123£"), answer("Basic dGVzdDoxMjPCow=="));
    assert_eq!(basic("", ""), answer("Basic Og=="));
}

#[test]
fn quotes_do_not_end_what_is_quoted() {
    let challenge = r#"Digest realm="r\"1", qop=auth, nonce="n", algorithm="sha-256""#;
    let request = Request { method: "CONNECT", uri: "h.example:80" };
    let answer = answered(&[challenge], r#"j"o\e"#, r#"se\c"ret"#, request).expect("known");
    assert!(answer.contains(r#"username="j\"o\\e", realm="r\"1", nonce="n""#), "{answer}");
    assert!(answer.contains(", algorithm=SHA-256, "), "{answer}");
}

#[test]
fn the_count_is_eight_digits() {
    let challenge = b"Digest realm=\"\", nonce=\"\", qop=auth";
    let challenge = Challenge::strongest([&challenge[..]].into_iter()).expect("known");
    let mut output = Vec::new();
    challenge.answer(&Credentials::new(b"", b""), GET, "c", 0xabc, &mut output);
    let answer = String::from_utf8(output).expect("text");
    assert!(answer.contains(", qop=auth, nc=00000abc, cnonce=\"c\", "), "{answer}");
}

const SHA: &str = "Digest realm=\"a, b\", nonce=\"s\", algorithm=SHA-256, qop=\"auth\"";
const MD5: &str = "Digest realm=\"r\", nonce=\"m\", qop=\"auth\"";
const BASIC: &str = "Basic realm=\"r\", charset=\"UTF-8\"";

#[track_caller]
fn chosen(values: &[&str]) -> &'static str {
    let Some(answer) = answered(values, "joe", "secret", GET) else { return "none" };
    match (answer.starts_with("Basic "), answer.contains("nonce=\"s\"")) {
        (true, _) => "basic",
        (false, true) => "sha",
        (false, false) if answer.contains("nonce=\"m\"") => "md5",
        _ => panic!("{answer}"),
    }
}

#[test]
fn the_strongest_is_answered_wherever_it_stands() {
    for values in [[SHA, MD5, BASIC], [BASIC, SHA, MD5], [MD5, BASIC, SHA]] {
        assert_eq!(chosen(&values), "sha");
        assert_eq!(chosen(&[&values.join(", ")]), "sha");
        assert_eq!(chosen(&[&values.join(" ,,\t, ")]), "sha");
        assert_eq!(chosen(&[&format!("Negotiate, NTLM abc+/==, {}", values.join(","))]), "sha");
    }
    assert_eq!(chosen(&[BASIC, MD5]), "md5");
    // Of equals the first.
    assert_eq!(chosen(&[MD5, &MD5.replace("\"m\"", "\"s\"")]), "md5");
    assert_eq!(chosen(&[BASIC, "Negotiate"]), "basic");
    assert_eq!(chosen(&["basic"]), "basic");
    assert_eq!(chosen(&["Bearer realm=\"Basic\"", "Negotiate"]), "none");
    assert_eq!(chosen(&[""]), "none");
    assert_eq!(chosen(&[]), "none");
}

#[test]
fn what_cannot_be_answered_is_passed_over() {
    for odd in [
        "Digest realm=\"r\", nonce=\"x\", algorithm=SHA-512-256, qop=\"auth\"",
        "Digest realm=\"r\", nonce=\"x\", qop=\"auth-int\"",
        "Digest realm=\"r\", nonce=\"x\", qop=\"\"",
        "Digest realm=\"r\", nonce=\"x\", algorithm=MD5-sess",
        "Digest realm=\"r\", qop=\"auth\"",
        "Digest nonce=\"x\", qop=\"auth\"",
        "Digest realm=\"r\" nonce=\"x\", qop=\"auth\"",
        "Digest realm=\"r\u{1}\", nonce=\"x\", qop=\"auth\"",
        "Digest",
        "Digest \"",
    ] {
        assert_eq!(chosen(&[odd]), "none", "{odd}");
        assert_eq!(chosen(&[odd, BASIC]), "basic", "{odd}");
    }
    for odd in ["realm=\"r\"", "=", ";;", "\"Digest \\\" x\"", "Basic;", "@"] {
        assert_eq!(chosen(&[&format!("{odd}, {MD5}")]), "md5", "{odd}");
        assert_eq!(chosen(&[&format!("{MD5}, {odd}")]), "md5", "{odd}");
    }
    // What is in quotes is no challenge, and nor is what follows a quote that never ends.
    assert_eq!(chosen(&["Bearer x=\", Basic realm=y, \""]), "none");
    assert_eq!(chosen(&["Bearer x=\", Basic realm=y"]), "none");
}

#[test]
fn parameters_may_have_spaces_and_any_case() {
    assert_eq!(chosen(&["DIGEST   Realm = r ,\tNONCE=\"m\" , QOP = AUTH"]), "md5");
}

#[test]
fn stale_is_a_matter_of_digest() {
    for (value, stale) in [
        ("Digest realm=\"r\", nonce=\"m\", qop=auth, stale=TRUE", true),
        ("Digest realm=\"r\", nonce=\"m\", qop=auth, stale=\"true\"", true),
        ("Digest realm=\"r\", nonce=\"m\", qop=auth, stale=false", false),
        (MD5, false),
        ("Basic realm=\"r\", stale=true", false),
    ] {
        let challenge = Challenge::strongest([value.as_bytes()].into_iter()).expect("known");
        assert_eq!(challenge.is_stale(), stale, "{value}");
    }
}

proptest! {
    #[test]
    fn no_challenge_panics_or_breaks_a_line(
        start in prop::sample::select(&["", "Basic ", "Digest realm=\"r\", nonce=\"m\", ", SHA]),
        words in prop::collection::vec(
            prop_oneof![
                "[ ,=\"\\\\a\t\r\n\u{7f}é]{0,3}",
                "(Basic|Digest|Negotiate) ",
                "(realm|nonce|opaque|algorithm|qop)=",
                "(auth|MD5|SHA-256-sess)",
            ],
            0..30,
        ),
    ) {
        let value = start.to_owned() + &words.concat();
        if let Some(answer) = answered(&[&value], "joe", "secret", GET) {
            prop_assert!(!answer.contains(['\r', '\n', '\u{7f}']), "{answer}");
        }
    }
}
