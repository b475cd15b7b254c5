//! Datagrams: how stdin is cut into them, and who hears them.

use super::*;
use crate::datagram::LARGEST;
use crate::flow::Framing;
use crate::sys::net::Group;

#[test]
fn one_read_is_one_datagram_by_default() {
    for (line, framing) in [
        ("-u h 1", Framing::Read(65507)),
        ("-lu 1", Framing::Read(65507)),
        ("-luk 1", Framing::Read(65507)),
        ("-uU path", Framing::Read(LARGEST)),
        ("--seqpacket path", Framing::Read(LARGEST)),
        ("-u --fd 3", Framing::Read(65507)),
    ] {
        assert_eq!(policy(line).framing, Some(framing), "{line}");
    }
}

#[test]
fn streams_are_not_cut() {
    for line in ["h 1", "-l 1", "-U path", "--vsock 2 1", "--mptcp h 1", "-C -i 1 h 1"] {
        assert_eq!(policy(line).framing, None, "{line}");
    }
}

#[test]
fn one_line_is_one_datagram_where_lines_matter() {
    for options in ["--udp-line", "-C", "-i 1"] {
        let line = format!("-u {options} h 1");
        assert_eq!(policy(&line).framing, Some(Framing::Line(65507)), "{line}");
    }
    assert_eq!(policy("--seqpacket --udp-line path").framing, Some(Framing::Line(LARGEST)));
    assert_eq!(policy("-u -i 0 h 1").framing, Some(Framing::Read(65507)));
    assert_eq!(policy("-ut h 1").framing, Some(Framing::Read(65507)));
}

#[test]
fn udp_size_is_the_most_a_datagram_takes() {
    assert_eq!(policy("-u --udp-size 512 h 1").framing, Some(Framing::Read(512)));
    assert_eq!(policy("-uC --udp-size 1 h 1").framing, Some(Framing::Line(1)));
    assert_eq!(policy("-uU --udp-size=65507 path").framing, Some(Framing::Read(65507)));
    for (value, why) in
        [("0", "too small"), ("-1", "too small"), ("65508", "too large"), ("x", "invalid")]
    {
        let line = format!("-u --udp-size {value} h 1");
        assert_eq!(refusal(&line), format!("datagram size {why}: {value}"));
    }
}

#[test]
fn framing_needs_datagrams() {
    for operands in ["h 1", "-U path", "--vsock 2 1", "--fd 3"] {
        let size = format!("--udp-size 5 {operands}");
        assert_eq!(refusal(&size), "must use -u with --udp-size", "{size}");
        let line = format!("--udp-line {operands}");
        assert_eq!(refusal(&line), "must use -u with --udp-line", "{line}");
    }
}

#[test]
fn udp_reply_says_who_of_many_is_answered() {
    for (value, reply) in [("last", Reply::Last), ("first", Reply::First), ("all", Reply::All)] {
        assert_eq!(listen(&format!("-luk --udp-reply {value} 1")).reply, reply);
        assert_eq!(listen(&format!("-lukU --udp-reply={value} path")).reply, reply);
    }
    assert_eq!(listen("-luk 1").reply, Reply::Last);
    assert_eq!(
        refusal("-luk --udp-reply nobody 1"),
        "UDP reply must be last, first or all: nobody"
    );
}

#[test]
fn udp_reply_needs_many_peers() {
    assert_eq!(refusal("-lu --udp-reply all 1"), "must use -k with --udp-reply");
    assert_eq!(refusal("-lk --udp-reply all 1"), "must use -u with --udp-reply");
    assert_eq!(refusal("-u --udp-reply all h 1"), "must use -k with --udp-reply");
}

#[test]
fn w_of_a_listener_with_many_peers_is_how_long_each_is_remembered() {
    for line in ["-luk -w 5 1", "-lukU -w 5 path", "-uk --fd 3 -w 5"] {
        assert_eq!(listen(line).memory, Some(SECOND * 5), "{line}");
        assert_eq!(policy(line).idle, None, "{line}");
    }
    for line in ["-lu -w 5 1", "-lk -w 5 1", "-lk --seqpacket -w 5 path"] {
        assert_eq!(listen(line).memory, None, "{line}");
        assert_eq!(policy(line).idle, Some(SECOND * 5), "{line}");
    }
    assert_eq!((listen("-luk -w 0 1").memory, policy("-luk -w 0 1").idle), (None, None));
}

#[test]
fn join_takes_groups() {
    let group = |address: &str, interface: Option<&str>| Group {
        address: address.parse().expect("address"),
        interface: interface.map(str::to_owned),
    };
    let line = "-lu --join 224.0.0.251 --join=ff02::fb%eth0 --join 239.1.1.1%lo 5353";
    assert_eq!(
        listen(line).groups,
        [
            group("224.0.0.251", None),
            group("ff02::fb", Some("eth0")),
            group("239.1.1.1", Some("lo"))
        ]
    );
}

#[test]
fn join_refuses_what_is_no_group() {
    for typed in ["10.0.0.1", "::1", "x", "224.0.0.1%", "%lo", "224.0.0.1:5", "224.0.0.256"] {
        let line = format!("-lu --join {typed} 1");
        assert_eq!(refusal(&line), format!("multicast group invalid: {typed}"));
    }
}

#[test]
fn join_needs_a_listener_for_datagrams_of_the_internet() {
    assert_eq!(refusal("-u --join 224.0.0.1 h 1"), "must use -l with --join");
    assert_eq!(refusal("-l --join 224.0.0.1 1"), "must use -u with --join");
    assert_eq!(refusal("-luU --join 224.0.0.1 path"), "cannot use -U and --join");
}

#[test]
fn join_of_an_ipv6_group_listens_on_ipv6() {
    for (line, family) in [
        ("-lu --join ff02::1 1", Family::V6),
        ("-lu --join 224.0.0.1 --join ff02::1 1", Family::V6),
        ("-lu --join 224.0.0.1 1", Family::Any),
        ("-lu --join ff02::1 localhost 1", Family::Any),
        ("-lu -4 --join ff02::1 1", Family::V4),
    ] {
        assert_eq!(plan(line).job.lookup.family, family, "{line}");
    }
}
