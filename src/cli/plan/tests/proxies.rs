//! Proxies: which, in which order, and who we are to them.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;

use super::*;
use crate::app::{NameLookup, Proxy};
use crate::proto::{Handshake, Host, Socks5, Target};

#[track_caller]
fn proxies(options: &str) -> Vec<Proxy> {
    connect(&format!("{options} h 1")).route.proxies
}

#[track_caller]
fn shown(options: &str) -> Vec<String> {
    let proxies = proxies(options).into_iter();
    proxies.map(|proxy| format!("{:?} {} {}", proxy.kind, proxy.host, proxy.port)).collect()
}

/// Whom a proxy is told and with which password, as a SOCKS5 proxy would read it.
fn identity(proxy: &Proxy) -> Option<String> {
    let credentials = proxy.credentials.clone()?;
    let target = Target { host: Host::parse("h").expect("host"), port: 1 };
    let mut socks = Socks5::new(&target, Some(credentials)).expect("credentials");
    let mut sent = Vec::new();
    socks.step(&[], &mut sent).expect("methods");
    sent.clear();
    socks.step(&[5, 2], &mut sent).expect("chosen");
    let (user, password) = sent[2..].split_at(usize::from(sent[1]));
    Some(String::from_utf8([user, b" ", &password[1..]].concat()).expect("text"))
}

/// With these words in the environment, and a terminal that answers with the question.
fn identities_with(options: &str, environment: Option<&str>) -> Result<Vec<String>, String> {
    let outside = Outside {
        password: &|question| Ok(Secret::copied(format!("<{}>", question.text).as_bytes())),
        proxy_auth: environment.map(OsStr::new),
        ..OUTSIDE
    };
    match read_with(&format!("{options} h 1"), outside) {
        Ok(Request::Run(plan)) => match plan.job.mode {
            Mode::Connect(connect) => {
                let who = |proxy| identity(proxy).unwrap_or_else(|| "-".to_owned());
                Ok(connect.route.proxies.iter().map(who).collect())
            }
            other @ (Mode::Scan(_) | Mode::Listen(_)) => panic!("{other:?}"),
        },
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

#[track_caller]
fn identities(options: &str) -> Vec<String> {
    identities_with(options, None).expect(options)
}

#[test]
fn without_proxies_the_way_is_straight() {
    assert_eq!(connect("h 1").route, Route::default());
}

#[test]
fn x_is_a_proxy_that_speaks_socks5() {
    assert_eq!(shown("-x p"), ["Socks5 p 1080"]);
    assert_eq!(shown("-xp:1"), ["Socks5 p 1"]);
    assert_eq!(shown("-x p:socks"), ["Socks5 p 1080"]);
    assert_eq!(shown("-x [::1]:1"), ["Socks5 ::1 1"]);
    assert_eq!(shown("-x ::1"), ["Socks5 ::1 1080"]);
    assert_eq!(shown("-x http://p"), ["Http p 3128"]);
    assert_eq!(shown("--mptcp -x p:socks"), ["Socks5 p 1080"]);
}

#[test]
fn big_x_says_what_every_x_speaks() {
    for (names, answer) in [
        (&["4", "socks4", "SOCKS4"][..], "Socks4 p 1080"),
        (&["4a", "4A", "socks4a", "Socks4A"], "Socks4a p 1080"),
        (&["5", "socks5", "SOCKS5"], "Socks5 p 1080"),
        (&["connect", "CONNECT", "http", "Http"], "Http p 3128"),
    ] {
        for name in names {
            assert_eq!(shown(&format!("-x p -X {name} -x p")), [answer, answer], "{name}");
        }
    }
    for name in ["6", "socks", "socks5h", "45", "http:"] {
        assert_eq!(refusal(&format!("-X {name} -x p h 1")), "unsupported proxy protocol");
    }
}

#[test]
fn proxy_is_a_list_that_speaks_http() {
    assert_eq!(shown("--proxy p"), ["Http p 3128"]);
    assert_eq!(
        shown("--proxy=a,socks5://b:1,socks4a://[::1],c:2"),
        ["Http a 3128", "Socks5 b 1", "Socks4a ::1 1080", "Http c 2"]
    );
}

#[test]
fn proxy_type_is_for_what_is_no_url() {
    for (name, answer) in [
        ("http", "Http p 3128"),
        ("socks4", "Socks4 p 1080"),
        ("socks4a", "Socks4a p 1080"),
        ("SOCKS5", "Socks5 p 1080"),
    ] {
        let options = format!("--proxy-type {name} --proxy p,http://q");
        assert_eq!(shown(&options), [answer, "Http q 3128"]);
    }
    for name in ["5", "connect", "socks5h", "x"] {
        let line = format!("--proxy-type {name} --proxy p h 1");
        assert_eq!(refusal(&line), "unsupported proxy protocol");
    }
}

#[test]
fn proxies_are_passed_in_the_order_of_typing() {
    let options = "--proxy a,b -x c --proxy d -x e -X 4 --proxy-type socks4a";
    let order =
        ["Socks4a a 1080", "Socks4a b 1080", "Socks4 c 1080", "Socks4a d 1080", "Socks4 e 1080"];
    assert_eq!(shown(options), order);
}

#[test]
fn proxies_that_are_none_are_refused() {
    for (options, expected) in [
        ("-x [::1", "missing closing bracket in proxy"),
        ("-x [::1]a", "garbage proxy port delimiter"),
        ("-x p:99999", "proxy port too large"),
        ("-x :1", "missing proxy host"),
        ("--proxy a,,b", "missing proxy host"),
        ("--proxy=", "missing proxy host"),
        ("--proxy ftp://p", "unsupported proxy protocol"),
    ] {
        assert_eq!(refusal(&format!("{options} h 1")), expected);
    }
}

#[test]
fn names_go_to_the_proxy_unless_told_otherwise() {
    for (options, lookup) in [
        ("", NameLookup::Proxy),
        ("--proxy-dns remote", NameLookup::Proxy),
        ("--proxy-dns local", NameLookup::Here),
        ("--proxy-dns both", NameLookup::HereThenProxy),
        ("--proxy-dns=none", NameLookup::Nowhere),
    ] {
        assert_eq!(connect(&format!("-x p {options} h 1")).route.lookup, lookup, "{options}");
    }
    assert_eq!(
        refusal("-x p --proxy-dns x h 1"),
        "proxy DNS must be local, remote, both or none: x"
    );
}

#[test]
fn no_proxy_leads_to_what_is_no_tcp() {
    for proxy in ["-x p", "--proxy p"] {
        for (line, what) in [
            ("-u h 1", "UDP mode"),
            ("-Z h 1", "DCCP mode"),
            ("-l 1", "listen"),
            ("-lk", "listen"),
            ("--fd 3", "listen"),
            ("-U path", "unix sockets"),
            ("-uU path", "UDP mode"),
            ("--seqpacket path", "unix sockets"),
            ("-U -p 5 path", "unix sockets"),
            ("--vsock 2 1", "vsock"),
            ("-s 127.0.0.1 h 1", "local source address"),
        ] {
            let line = format!("{proxy} {line}");
            assert_eq!(refusal(&line), format!("no proxy support for {what}"), "{line}");
        }
    }
}

#[test]
fn proxies_leave_p_r_and_f_as_they_are() {
    assert_eq!(ports("-x p h -p 5"), [5]);
    assert_eq!(source("-x p -p 5 h 1"), (None, Some(5)));
    assert_eq!(connect("-F -x p h 1").purpose, Purpose::PassDescriptor);
}

#[test]
fn options_about_proxies_need_one() {
    for (options, needed, by) in [
        ("-X 5", "-x", "-X"),
        ("-P u", "-x", "-P"),
        ("--proxy-auth u:p", "-x", "--proxy-auth"),
        ("--proxy-auth-file f", "-x", "--proxy-auth-file"),
        ("--proxy-dns none", "-x", "--proxy-dns"),
        ("--proxy-type http", "--proxy", "--proxy-type"),
        // What -X says is not for --proxy, and the other way round.
        ("-X 5 --proxy p", "-x", "-X"),
        ("--proxy-type http -x p", "--proxy", "--proxy-type"),
    ] {
        let line = format!("{options} h 1");
        assert_eq!(refusal(&line), format!("must use {needed} with {by}"), "{line}");
    }
    for options in ["-P u", "--proxy-auth u:p", "--proxy-dns none"] {
        proxies(&format!("{options} --proxy p"));
    }
}

#[test]
fn credentials_are_given_once() {
    assert_eq!(refusal("-x p -P u --proxy-auth u:p h 1"), "cannot use -P and --proxy-auth");
    assert_eq!(
        refusal("-x p --proxy-auth u:p --proxy-auth-file f h 1"),
        "cannot use --proxy-auth and --proxy-auth-file"
    );
}

#[test]
fn proxy_auth_is_for_every_proxy_that_names_nobody() {
    assert_eq!(
        identities("--proxy-auth u:p:w -x a -x http://joe:secret@b"),
        ["u p:w", "joe secret"]
    );
    assert_eq!(identities("--proxy-auth u: -x a"), ["u "]);
    assert_eq!(identities("-x a"), ["-"]);
    for value in ["secret", ""] {
        let line = format!("-x a --proxy-auth={value} h 1");
        assert_eq!(refusal(&line), "proxy credentials must be USER:PASS");
    }
}

#[test]
fn environment_stands_for_proxy_auth() {
    let with = |options, environment| identities_with(options, Some(environment));
    let one = |who: &str| Ok(vec![who.to_owned()]);
    assert_eq!(with("-x a", "u:p"), one("u p"));
    assert_eq!(with("-x a --proxy-auth own:pw", "u:p"), one("own pw"));
    assert_eq!(with("-x a", ""), one("-"));
    assert_eq!(with("-x a", "secret"), Err("NCAT_PROXY_AUTH must be USER:PASS".to_owned()));
    // Where it means nothing it is not looked at.
    assert_eq!(with("", "secret"), Ok(Vec::new()));
    assert_eq!(with("-x a --proxy-auth own:pw", "secret"), one("own pw"));
}

#[test]
fn password_of_a_named_user_is_asked_for_at_each_proxy() {
    let expected = ["joe <Proxy password for joe@a>", "joe <Proxy password for joe@::1>"];
    assert_eq!(identities("-P joe -x a:1 -X connect -x [::1]:2"), expected);
    assert_eq!(identities("--proxy joe@a,socks5://joe@[::1]"), expected);
    assert_eq!(
        identities("-P joe --proxy a,ann@b,cat:pw@c"),
        ["joe <Proxy password for joe@a>", "ann <Proxy password for ann@b>", "cat pw"]
    );
}

#[test]
fn question_is_harmless_to_the_terminal() {
    let asked = RefCell::new(String::new());
    let outside = Outside {
        password: &|question| {
            asked.replace(question.text.to_owned());
            assert_eq!(question.wanted, "proxy passphrase");
            Err(Error::message("Unable to read proxy passphrase"))
        },
        ..OUTSIDE
    };
    let refused = read_with("-x j%1b[2J@a h 1", outside).expect_err("nobody is there");
    assert_eq!(refused.to_string(), "Unable to read proxy passphrase");
    assert_eq!(asked.take(), "Proxy password for j\\u{1b}[2J@a");
}

#[test]
fn password_of_the_environment_is_its_users() {
    let with = |options| identities_with(options, Some("joe:secret")).expect(options);
    assert_eq!(with("-P joe -x a"), ["joe secret"]);
    assert_eq!(with("-x joe@a"), ["joe secret"]);
    assert_eq!(with("-P ann -x a"), ["ann <Proxy password for ann@a>"]);
    assert_eq!(with("-x ann@a -x b"), ["ann <Proxy password for ann@a>", "joe secret"]);
}

#[test]
fn file_has_user_and_password_or_the_password_of_whoever_is_named() {
    let file = tempfile::NamedTempFile::new().expect("file");
    let with = |options: &str, content: &str| {
        fs::write(file.path(), content).expect("written");
        let options = format!("--proxy-auth-file {} {options}", file.path().display());
        match identities_with(&options, Some("not:looked at")) {
            Ok(who) => who.join(", "),
            Err(refusal) => refusal,
        }
    };
    assert_eq!(with("-x a", "u:p w\nmore\n"), "u p w");
    assert_eq!(with("-P joe -x a", "secret\n"), "joe secret");
    assert_eq!(with("-P joe -x a", "se:cret\n"), "joe se:cret");
    assert_eq!(with("-P joe -x a", "joe:se:cret\n"), "joe se:cret");
    assert_eq!(with("-P joe -x ann@a", "secret\n"), "ann <Proxy password for ann@a>");
    assert_eq!(with("-x joe@a -x ann@b", "secret\n"), "joe secret, ann secret");
    assert_eq!(
        with("-x joe@a -x ann@b", "joe:secret\n"),
        "joe secret, ann <Proxy password for ann@b>"
    );
    assert_eq!(with("-x joe@a -x b", "secret\n"), "proxy credentials must be USER:PASS");
    assert_eq!(with("-x a", "secret\n"), "proxy credentials must be USER:PASS");
    assert_eq!(with("-P joe -x a", "\nsecret\n"), "proxy credentials are empty");
    assert_eq!(
        with("-P joe -x a", &"x".repeat(5000)),
        "proxy credentials too long: more than 4096 bytes"
    );
    assert_eq!(
        refusal("-x a --proxy-auth-file /no/such/file h 1"),
        "/no/such/file: No such file or directory"
    );
}

#[test]
fn socks4_is_told_a_user_and_nobody_is_asked() {
    let outside = Outside { password: &|_| panic!("asked in vain"), ..OUTSIDE };
    for (options, expected) in [
        ("-X 4 -x a", None),
        ("-X 4 -P joe -x a", Some("joe")),
        ("-X 4a -x joe@a", Some("joe")),
        ("--proxy socks4://joe:secret@a", Some("joe")),
        ("--proxy socks4a://a --proxy-auth joe:secret", Some("joe")),
    ] {
        let Ok(Request::Run(plan)) = read_with(&format!("{options} h 1"), outside) else {
            panic!("{options}: refused")
        };
        let Mode::Connect(connect) = plan.job.mode else { panic!("no client") };
        let [proxy] = connect.route.proxies.as_slice() else { panic!("one proxy") };
        assert_eq!((proxy.user.as_deref(), identity(proxy)), (expected, None), "{options}");
    }
    // The others have credentials and no user.
    assert_eq!(proxies("-x joe:secret@a")[0].user, None);
}

#[test]
fn passwords_for_proxies_are_asked_for_last() {
    let outside = Outside { password: &|_| panic!("asked in vain"), ..OUTSIDE };
    for line in [
        "h 0",
        "h",
        "",
        "-u h 1",
        "-s a h 1",
        "-w x h 1",
        "-N --no-shutdown h 1",
        "--proxy-auth-file /no/such/file h 1",
        "--tcp-md5-file /no/such/file h 1",
        "-x : h 1",
    ] {
        read_with(&format!("-P joe -x p {line}"), outside).expect_err(line);
    }
}

#[test]
fn credentials_are_never_shown() {
    for options in ["-x joe:hunter2@p", "-x p --proxy-auth joe:hunter2", "--proxy p,q:hunter2@p"] {
        let shown = format!("{:?}", plan(&format!("{options} h 1")));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    for line in [
        "-x joe:hunter2@p:x h 1",
        "-x p:hunter2 h 1",
        "--proxy socks5://joe:hun,ter2@p h 1",
        "--proxy ftp://joe:hunter2@p h 1",
        "-x joe:hunter2@[p h 1",
        "-x p --proxy-auth hunter2 h 1",
        "-x joe:hunter2@p --proxy-auth=hunter2 -u h 1",
        "--proxy-auth joe:hunter2 h 1",
        "--proxy-auht=joe:hunter2 -x p h 1",
        "--proxy-a=joe:hunter2 -x p h 1",
    ] {
        let refused = refusal(line);
        assert!(!refused.contains("hun") && !refused.contains("ter2"), "{line}: {refused}");
    }
}
