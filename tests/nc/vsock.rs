//! `--vsock`: between a machine and those it runs.

use std::io::{Read, Write};

use rustix::event::PollFlags;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::support::peer::ready;
use crate::support::strace::{Trace, find};
use crate::support::{DEADLINE, Nc, uninterrupted};

#[test]
#[ignore = "needs strace and /dev/vsock"]
fn a_client_connects_to_a_machine_by_number_or_name() {
    for (machine, cid) in [("host", "VMADDR_CID_HOST"), ("2", "VMADDR_CID_HOST"), ("77", "77")] {
        let args = format!("--vsock -w 0.2 {machine} 4004");
        let (nc, trace) = Trace::of(Nc::new(args), "socket,connect");
        let end = nc.start().ends();
        end.exits(1).said_one_line_with("");
        let calls = trace.calls();
        find(&calls, "socket(AF_VSOCK, SOCK_STREAM");
        let connect = find(&calls, "connect(");
        assert!(connect.contains("sa_family=AF_VSOCK"), "{connect}");
        let number = if cid == "77" { "svm_cid=0x4d".to_owned() } else { format!("svm_cid={cid}") };
        assert!(connect.contains(&number) && connect.contains("svm_port=0xfa4"), "{connect}");
    }
}

#[test]
#[ignore = "needs strace and /dev/vsock"]
fn a_listener_listens_for_any_machine() {
    for operands in ["4005", "any 4005"] {
        let args = format!("--vsock -l -v {operands}");
        let (nc, trace) = Trace::of(Nc::new(args), "socket,bind,listen");
        let nc = nc.start();
        let line = nc.says("Listening on ");
        assert!(line.contains("4005"), "{line}");
        nc.signal(rustix::process::Signal::TERM);
        nc.ends();
        let bind = find(&trace.calls(), "bind(").to_owned();
        let expected = ["sa_family=AF_VSOCK", "svm_cid=VMADDR_CID_ANY", "svm_port=0xfa5"];
        assert!(expected.iter().all(|part| bind.contains(part)), "{bind}");
    }
}

#[test]
#[ignore = "needs /dev/vsock"]
fn a_port_that_is_taken_is_told() {
    let first = Nc::new("--vsock -l -v 4006").start();
    first.says("Listening on ");
    let second = Nc::new("--vsock -l 4006").start();
    second.ends().exits(1).said("nc: Address already in use\n");
}

#[test]
#[ignore = "needs the kernel module vsock_loopback"]
fn both_ways_within_one_machine() {
    let server = Socket::new(Domain::VSOCK, Type::STREAM, None).unwrap();
    server.bind(&SockAddr::vsock(u32::MAX, u32::MAX)).unwrap();
    server.listen(1).unwrap();
    let (_, port) = server.local_addr().unwrap().as_vsock_address().unwrap();
    let mut nc = Nc::new(format!("--vsock -N local {port}")).start();
    assert!(ready(&server, PollFlags::IN, DEADLINE), "nobody connected");
    let (mut peer, _) = server.accept().unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    nc.types(b"question");
    let mut got = [0; 8];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"question");
    peer.write_all(b"answer").unwrap();
    nc.shows(b"answer");
    nc.ends_input();
    assert_eq!(uninterrupted(|| peer.read(&mut got)).unwrap(), 0);
    drop(peer);
    nc.ends().exits(0).said_nothing();

    let mut nc = Nc::new("--vsock -l -v 4007").start();
    nc.says("Listening on ");
    let mut client = Nc::new("--vsock -N local 4007").start();
    client.types(b"question");
    nc.shows(b"question");
    nc.types(b"answer");
    client.shows(b"answer");
    client.ends_input();
    nc.ends().exits(0);
    client.ends().exits(0).said_nothing();
}

#[test]
fn a_machine_that_is_none_is_refused() {
    for machine in ["nosuchmachine", "4294967296", "-5", ""] {
        let nc = Nc::new("--vsock").arg("--").arg(machine).arg("4004").start();
        nc.ends().exits(1).said_one_line_with(machine);
    }
    Nc::new("--vsock 2 x").start().ends().exits(1).said_one_line_with("x");
    Nc::new("--vsock 2").start().ends().exits(1).said_one_line_with("missing port number");
    Nc::new("--vsock -u 2 4004").start().ends().exits(1).said_one_line_with("--vsock");
    Nc::new("--vsock -U 2 4004").start().ends().exits(1).said_one_line_with("--vsock");
}
