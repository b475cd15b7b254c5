//! What can be seen of what goes over the wire: dumps, recordings, digests.

use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::Signal;
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;

use crate::support::pcapng::{Packet, packets};
use crate::support::{
    ClosedPort, Datagrams, Nc, Peer, Running, Server, assert_same, kernel, noise, wait_until, watch,
};

/// One exchange with a peer in an order that is the same for everybody: the request, the answer, the end.
#[track_caller]
fn exchange(mut client: Running, server: &Server, request: &[u8], answer: &[u8]) {
    let mut peer = server.accepts();
    client.types(request);
    peer.receives(request);
    peer.sends(answer);
    client.shows(answer);
    client.ends_input();
    drop(peer);
    client.ends();
}

/// What a digest line has of these bytes.
fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a dump")
}

#[test]
fn each_format_holds_what_went_over_the_wire() {
    let dir = tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let server = Server::start();
    let options =
        format!("-o {} --hex-dump {} --output {}", path("o"), path("hex"), path("output"));
    let client = Nc::new(format!("{options} 127.0.0.1 {}", server.port())).start();
    exchange(client, &server, b"who is there?\n", b"reply from server\n");
    assert_eq!(
        text(&dir.path().join("o")),
        "> 00000000 77 68 6f 20 69 73 20 74 68 65 72 65 3f 0a       # who is there?.\n\
         < 00000000 72 65 70 6c 79 20 66 72 6f 6d 20 73 65 72 76 65 # reply from serve\n\
         < 00000010 72 0a                                           # r.\n"
    );
    assert_eq!(
        text(&dir.path().join("hex")),
        "0000   77 68 6f 20 69 73 20 74  68 65 72 65 3f 0a        who.is.there?.  \n\
         0000   72 65 70 6c 79 20 66 72  6f 6d 20 73 65 72 76 65  reply.from.serve\n\
         0010   72 0a                                             r.              \n"
    );
    assert_eq!(text(&dir.path().join("output")), "who is there?\nreply from server\n");
}

#[test]
#[ignore = "needs ncat"]
fn dumps_are_ncats_to_the_byte() {
    let (request, answer) = (noise(70, 3000), noise(71, 5000));
    let dir = tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let server = Server::start();
    for (program, name) in [(env!("CARGO_BIN_EXE_nc"), "ours"), ("ncat", "theirs")] {
        let (hex, output) = (path(&format!("{name}.hex")), path(&format!("{name}.out")));
        let args = format!("--hex-dump {hex} --output {output} 127.0.0.1 {}", server.port());
        exchange(Nc::other(program, args).start(), &server, &request, &answer);
    }
    assert_same(
        &fs::read(path("ours.hex")).unwrap(),
        &fs::read(path("theirs.hex")).unwrap(),
        "hex",
    );
    assert_same(
        &fs::read(path("ours.out")).unwrap(),
        &fs::read(path("theirs.out")).unwrap(),
        "raw",
    );
}

#[test]
#[ignore = "needs ncat"]
fn a_listeners_dumps_are_ncats_to_the_byte() {
    for udp in ["", "-u"] {
        let dir = tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        for (program, name) in [(env!("CARGO_BIN_EXE_nc"), "ours"), ("ncat", "theirs")] {
            let reserved = ClosedPort::reserve();
            let port = reserved.port();
            let (hex, output) = (path(&format!("{name}.hex")), path(&format!("{name}.out")));
            let args =
                format!("-l {udp} --hex-dump {hex} --output {output} --append-output 127.0.0.1");
            let mut nc = Nc::other(program, format!("{args} {port}")).start();
            if udp.is_empty() {
                wait_until("it listens", || kernel::listening_port(nc.pid()) == Some(port));
                let mut peer = Peer::connect(port);
                peer.sends(b"hello\n");
                nc.shows(b"hello\n");
                nc.types(b"who are you?\n");
                peer.receives(b"who are you?\n");
            } else {
                nc.settles();
                let peer = Datagrams::connect(port);
                peer.sends(b"hello\n");
                nc.shows(b"hello\n");
                nc.types(b"who are you?\n");
                peer.receives(b"who are you?\n");
            }
            wait_until("it is written", || {
                fs::read(&output).is_ok_and(|output| output.len() == 19)
            });
        }
        assert_eq!(text(&dir.path().join("ours.hex")), text(&dir.path().join("theirs.hex")));
        assert_eq!(text(&dir.path().join("ours.out")), text(&dir.path().join("theirs.out")));
    }
}

#[test]
#[ignore = "needs nc.traditional"]
fn o_is_nc_traditionals_to_the_byte() {
    let (request, answer) = (noise(72, 3001), noise(73, 5001));
    let dir = tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let server = Server::start();
    for (program, name) in [(env!("CARGO_BIN_EXE_nc"), "ours"), ("nc.traditional", "theirs")] {
        let args = format!("-o {} 127.0.0.1 {}", path(name), server.port());
        exchange(Nc::other(program, args).start(), &server, &request, &answer);
    }
    assert_eq!(text(&dir.path().join("ours")), text(&dir.path().join("theirs")));
}

#[test]
fn a_file_is_begun_anew_or_appended_to() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("raw");
    let packets_of = dir.path().join("raw.pcapng");
    fs::write(&path, "older\n").unwrap();
    let server = Server::start();
    for (options, holds, sections) in [
        ("--append-output", "older\nhi\n", 1),
        ("--append-output", "older\nhi\nhi\n", 2),
        ("", "hi\n", 1),
    ] {
        let args = format!(
            "{options} --output {} --record {} 127.0.0.1 {}",
            path.display(),
            packets_of.display(),
            server.port()
        );
        exchange(Nc::new(args).start(), &server, b"hi\n", b"");
        assert_eq!(text(&path), holds, "{options}");
        let recorded = packets(&fs::read(&packets_of).unwrap());
        let payload = recorded.iter().filter(|packet| !packet.payload.is_empty()).count();
        assert_eq!(payload, sections, "{options}");
    }
}

#[test]
fn a_stamp_has_the_direction_both_clocks_and_the_peer() {
    let micros = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let dir = tempdir().unwrap();
    let path = dir.path().join("dump");
    let server = Server::start();
    let args =
        format!("--timestamps -o {} --hex-dump=- 127.0.0.1 {}", path.display(), server.port());
    let mut client = Nc::new(args).start();
    let mut peer = server.accepts();
    client.types(b"a");
    peer.receives(b"a");
    peer.sends(b"bc");
    client.shows(b"bc");
    client.ends_input();
    drop(peer);
    let finished = client.ends();
    let said: Vec<&str> = finished.exits(0).stderr.lines().collect();
    let dump = text(&path);
    let lines: Vec<&str> = dump.lines().collect();
    assert_eq!(lines.len(), 4, "{dump}");
    let of_peer = format!("Z 127.0.0.1 port {}", server.port());
    for (line, mark) in [(lines[0], "> +"), (lines[2], "< +")] {
        assert!(line.starts_with(mark) && line.ends_with(&of_peer), "{line}");
    }
    let elapsed = |line: &str| line[3..].split(' ').next().unwrap().parse::<u64>().unwrap();
    assert!(elapsed(lines[0]) <= elapsed(lines[2]) && elapsed(lines[2]) < 600_000_000, "{dump}");
    let day = lines[0].split(' ').nth(3).unwrap();
    assert!(day.len() == "2026-11-26T01:26:53.254361Z".len(), "{day}");
    assert!(micros() > 1_700_000_000_000_000 && day > "2023-11-14T22:13:20", "{day}");
    assert!(lines[1].starts_with("> 00000000 61 ") && lines[3].starts_with("< 00000000 62 63 "));
    // On stderr are the same two stamps, with ncat's lines.
    assert_eq!(said[0], lines[0]);
    assert_eq!(
        said[1],
        "0000   61                                                a               "
    );
    assert_eq!(said[2], lines[2]);
    assert_eq!(
        said[3],
        "0000   62 63                                             bc              "
    );
    assert_eq!(said.len(), 4);
}

#[test]
fn a_recording_is_a_sound_conversation() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("c.pcapng");
    let server = Server::start();
    let (request, answer) = (noise(74, 200_001), noise(75, 100_003));
    let args = format!("-N --record {} 127.0.0.1 {}", path.display(), server.port());
    let mut client = Nc::new(args).start();
    let mut peer = server.accepts();
    client.types_all(request.clone());
    peer.receives(&request);
    peer.receives_eof();
    peer.sends(&answer);
    let here = peer.stream.peer_addr().unwrap();
    drop(peer);
    client.ends().exits(0);
    let recorded = packets(&fs::read(&path).unwrap());
    let there = SocketAddr::from(([127, 0, 0, 1], server.port()));
    assert_conversation(&recorded, here, there, &request, &answer);
    let flags = |at: usize| recorded[at].segment.as_ref().unwrap().flags;
    assert_eq!((flags(0), flags(1), flags(2)), (SYN, SYN | ACK, ACK), "the handshake");
    assert_eq!((recorded[0].from, recorded[0].to), (here, there), "which we have begun");
    let ends = recorded.iter().filter(|it| it.segment.as_ref().unwrap().flags & FIN != 0);
    assert_eq!(ends.map(|it| it.direction).collect::<Vec<_>>(), [OUT, IN]);
}

#[test]
fn an_ipv6_listeners_recording_begins_with_the_client() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("l.pcapng");
    let (mut nc, port) = Nc::new(format!("-6 -l --record {} ::1", path.display())).listens();
    let mut peer = Peer::connect_to(format!("[::1]:{port}").parse().unwrap());
    peer.sends(b"hello\n");
    nc.shows(b"hello\n");
    nc.types(b"odd");
    peer.receives(b"odd");
    let there: SocketAddr = format!("[::1]:{}", peer.port()).parse().unwrap();
    peer.resets();
    nc.ends().exits(1);
    let recorded = packets(&fs::read(&path).unwrap());
    let here: SocketAddr = format!("[::1]:{port}").parse().unwrap();
    assert_eq!((recorded[0].from, recorded[0].to), (there, here));
    assert_conversation(&recorded, here, there, b"odd", b"hello\n");
    let last = recorded.last().unwrap();
    assert_eq!((last.direction, last.segment.as_ref().unwrap().flags), (IN, RST | ACK));
}

#[test]
fn each_datagram_is_a_packet_of_whoever_sent_it() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("u.pcapng");
    let (mut nc, port) =
        Nc::new(format!("-l -u -k --udp-reply all --record {}", path.display())).binds();
    let (one, other) = (Datagrams::connect(port), Datagrams::connect(port));
    one.sends(b"one");
    nc.shows(b"one");
    other.sends(b"");
    other.sends(b"other");
    nc.shows(b"oneother");
    nc.types(b"to both");
    one.receives(b"to both");
    other.receives(b"to both");
    let file = || packets(&fs::read(&path).unwrap());
    wait_until("all is written", || file().len() == 5);
    let seen: Vec<_> = file()
        .into_iter()
        .map(|it| (it.direction, it.from.port(), it.to.port(), it.payload))
        .collect();
    let (a, b) = (one.port(), other.port());
    assert_eq!(
        seen,
        [
            (IN, a, port, b"one".to_vec()),
            (IN, b, port, b"".to_vec()),
            (IN, b, port, b"other".to_vec()),
            (OUT, port, a, b"to both".to_vec()),
            (OUT, port, b, b"to both".to_vec()),
        ]
    );
}

#[test]
fn a_unix_socket_is_recorded_with_addresses_that_nobody_has() {
    let dir = tempdir().unwrap();
    let (path, socket) = (dir.path().join("x.pcapng"), dir.path().join("s"));
    let nc = Nc::new(format!("-vlU --record {} {}", path.display(), socket.display())).start();
    nc.says("Listening on ");
    let mut client = Nc::new(format!("-NU {}", socket.display())).start();
    client.types(b"hi");
    client.ends_input();
    client.ends().exits(0);
    nc.ends().exits(0);
    let recorded = packets(&fs::read(&path).unwrap());
    let (here, there) = ("192.0.2.1:1".parse().unwrap(), "192.0.2.2:1".parse().unwrap());
    assert_conversation(&recorded, here, there, b"", b"hi");
}

#[test]
#[ignore = "needs tshark"]
fn tshark_follows_a_recording() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("c.pcapng");
    let server = Server::start();
    let (request, answer) = (noise(76, 200_001), noise(77, 3));
    let args = format!("--record {} 127.0.0.1 {}", path.display(), server.port());
    exchange(Nc::new(args).start(), &server, &request, &answer);
    let tshark = |args: &str| {
        let checks = "-o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE";
        let data = format!("-d tcp.port=={},data", server.port());
        let nc = Nc::other("tshark", format!("{checks} {data} -r {} {args}", path.display()));
        let finished = nc.start().ends();
        String::from_utf8(finished.exits(0).stdout.clone()).unwrap()
    };
    let payload = tshark("-T fields -e tcp.payload");
    let bytes: String = payload.split_whitespace().collect();
    let expected = hex(&[&request[..], &answer].concat());
    assert!(bytes == expected, "the payload");
    // "-Y" takes one word here, so each complaint is asked for alone.
    for complaint in ["_ws.malformed", "tcp.checksum_bad.expert", "tcp.analysis.flags"] {
        assert_eq!(tshark(&format!("-Y {complaint}")), "", "{complaint}");
    }
}

#[test]
fn a_full_disk_ends_the_dump_and_nothing_else() {
    for option in ["-o", "--hex-dump", "--output", "--record"] {
        let (server, request) = (Server::start(), noise(78, 300_000));
        let args = format!("-N {option} /dev/full 127.0.0.1 {}", server.port());
        let mut client = Nc::new(args).start();
        let mut peer = server.accepts();
        client.types_all(request.clone());
        assert_same(&peer.receives_to_eof(), &request, option);
        drop(peer);
        let line = "nc: /dev/full: No space left on device; the dump ends here\n";
        client.ends().exits(0).said(line);
    }
}

#[test]
fn a_reader_that_takes_nothing_loses_the_dump_and_nothing_else() {
    let dir = tempdir().unwrap();
    let path = fifo(dir.path());
    let server = Server::start();
    let args = format!("-N --output {} 127.0.0.1 {}", path.display(), server.port());
    Nc::new(&args).start().ends().exits(1).said_one_line_with("fifo: nobody reads from it");

    // Less than what is kept: the reader gets all of it, behind the end of the session.
    let mut file = reader(&path);
    let request = noise(79, 300_000);
    let mut client = Nc::new(&args).start();
    let mut peer = server.accepts();
    client.types_all(request.clone());
    assert_same(&peer.receives_to_eof(), &request, "few");
    drop(peer);
    let mut dump = Vec::new();
    wait_until("all is read", || {
        // It says WouldBlock where the writer is still there.
        let _ = file.read_to_end(&mut dump);
        dump.len() == request.len()
    });
    assert_same(&dump, &request, "the dump");
    client.ends().exits(0).said_nothing();

    let _file = reader(&path);
    let request = noise(80, 2_000_000);
    let mut client = Nc::new(&args).start();
    let mut peer = server.accepts();
    client.types_all(request.clone());
    assert_same(&peer.receives_to_eof(), &request, "much");
    drop(peer);
    let line = "fifo: its reader is too slow; the dump ends here";
    client.ends().exits(0).said_one_line_with(line);
}

/// Until the reader begins, the session stands still; then it goes on, and waits for what it reads last, too.
#[test]
fn a_slow_reader_of_a_dump_holds_the_session_back() {
    let dir = tempdir().unwrap();
    let path = fifo(dir.path());
    let server = Server::start();
    let mut file = reader(&path);
    let request = noise(81, 5_000_000);
    let args = format!("-Nw1 --output {} 127.0.0.1 {}", path.display(), server.port());
    let mut client = Nc::new(&args).start();
    let mut peer = server.accepts();
    client.types_all(request.clone());
    peer.stream.set_nonblocking(true).unwrap();
    let (mut received, mut dump) = (Vec::new(), Vec::new());
    // It says WouldBlock where there is no more yet.
    wait_until("as much has come as may wait", || {
        let _ = peer.stream.read_to_end(&mut received);
        received.len() > 512 * 1024
    });
    // A second and a half: more than -w allows, and less than what a reader may take nothing for.
    watch(Duration::from_millis(1500));
    let turns = || (kernel::ticks(client.pid()), kernel::sleeps(client.pid()));
    let before = turns();
    watch(Duration::from_millis(100));
    assert_eq!(turns(), before, "(clock ticks, sleeps) while it waits");
    let _ = peer.stream.read_to_end(&mut received);
    assert!(received.len() < 1024 * 1024, "{} bytes went on", received.len());
    wait_until("all is read", || {
        let _ = file.by_ref().take(100_000).read_to_end(&mut dump);
        let _ = peer.stream.read_to_end(&mut received);
        dump.len() == request.len() && received.len() == request.len()
    });
    drop(peer);
    client.ends().exits(0).said_nothing();
    assert_same(&received, &request, "what the peer has");
    assert_same(&dump, &request, "the dump");
}

#[test]
fn a_dump_to_a_pipe_of_stderr_is_whole() {
    let (server, request) = (Server::start(), noise(82, 1_000_000));
    let mut client = Nc::new(format!("-N -o - 127.0.0.1 {}", server.port())).start();
    let mut peer = server.accepts();
    client.types_all(request.clone());
    assert_same(&peer.receives_to_eof(), &request, "what the peer has");
    drop(peer);
    let finished = client.ends();
    let lines = finished.exits(0).stderr.lines();
    let dump: Vec<u8> = lines
        .flat_map(|line| line[11..59].split_whitespace())
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    assert_same(&dump, &request, "the dump");
}

#[test]
fn a_signal_that_ends_the_program_leaves_the_digests() {
    let server = Server::start();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let args = format!("--digest sha256 127.0.0.1 {}", server.port());
        let mut client = Nc::new(args).start();
        let mut peer = server.accepts();
        client.types(b"hi");
        peer.receives(b"hi");
        peer.sends(b"hello");
        client.shows(b"hello");
        client.signal(signal);
        let name = format!("nc: 127.0.0.1 port {}: ", server.port());
        client.ends().is_killed_by(signal).said(&format!(
            "{name}sent 2 bytes, sha256 {}\n{name}received 5 bytes, sha256 {}\n",
            hash(b"hi"),
            hash(b"hello")
        ));
    }
}

#[test]
fn both_ends_print_the_same_digests() {
    let (mut nc, port) = Nc::new("-lN --digest sha256").listens();
    let mut client = Nc::new(format!("-NC --digest sha256 127.0.0.1 {port}")).start();
    nc.types(b"an answer");
    nc.ends_input();
    client.types(b"one\ntwo\n");
    client.shows(b"an answer");
    client.ends_input();
    let (client, nc) = (client.ends(), nc.ends());
    let ours: Vec<&str> = client.exits(0).stderr.lines().collect();
    let theirs: Vec<&str> = nc.exits(0).stderr.lines().collect();
    let digest = |bytes: &[u8]| format!("{} bytes, sha256 {}", bytes.len(), hash(bytes));
    let (sent, received) = (digest(b"one\r\ntwo\r\n"), digest(b"an answer"));
    let peer = format!("nc: 127.0.0.1 port {port}: ");
    assert_eq!(ours, [format!("{peer}sent {sent}"), format!("{peer}received {received}")]);
    let theirs = &theirs[theirs.len() - 2..];
    assert!(theirs[0].ends_with(&format!(": sent {received}")), "{theirs:?}");
    assert!(theirs[1].ends_with(&format!(": received {sent}")), "{theirs:?}");
}

#[test]
fn every_client_has_a_digest_of_its_own_and_all_share_the_dump() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("dump");
    let (nc, port) = Nc::new(format!("-lk --digest sha256 -o {}", path.display())).listens();
    for _ in 0..2 {
        let mut peer = Peer::connect(port);
        peer.sends(b"hi");
        peer.finishes();
        peer.receives_eof();
        let name = format!("127.0.0.1 port {}: ", peer.port());
        nc.says(&format!("{name}sent 0 bytes, sha256 {}", hash(b"")));
        nc.says(&format!("{name}received 2 bytes, sha256 {}", hash(b"hi")));
    }
    let line = format!("< 00000000 68 69 {:42}# hi\n", "");
    assert_eq!(text(&path), line.repeat(2));
}

#[test]
fn a_file_that_cannot_be_opened_is_told_before_anything_is_connected() {
    let server = Server::start();
    for (options, line) in [
        ("-o /nonexistent/o", "nc: /nonexistent/o: No such file or directory\n"),
        ("--output /proc/self/x", "nc: /proc/self/x: No such file or directory\n"),
        ("--record /tmp", "nc: /tmp: Is a directory\n"),
    ] {
        let args = format!("{options} 127.0.0.1 {}", server.port());
        Nc::new(args).start().ends().exits(1).said(line);
    }
    let dir = tempdir().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let args =
        format!("-o {} --output {} 127.0.0.1 {}", file.display(), link.display(), server.port());
    Nc::new(args).start().ends().exits(1).said_one_line_with("cannot write two dumps to ");
    let args = format!("--trace-json {0} -o {0} 127.0.0.1 {1}", file.display(), server.port());
    let refusal = format!("nc: cannot write a dump and the timeline to {}\n", file.display());
    Nc::new(args).start().ends().exits(1).said(&refusal);
    // The payload's own files are not even emptied.
    fs::write(&file, "payload").unwrap();
    let options = [
        format!("-o {}", link.display()),
        format!("--record {}", file.display()),
        format!("--output {} --append-output", file.display()),
        format!("--trace-json {}", file.display()),
    ];
    for option in options {
        let nc = || Nc::new(format!("{option} 127.0.0.1 {}", server.port()));
        let own = || fs::OpenOptions::new().read(true).append(true).open(&file).unwrap();
        let reads = nc().stdin(own()).start();
        reads.ends().exits(1).said_one_line_with(": it is the file of standard input\n");
        let writes = nc().stdout(own()).start();
        writes.ends().exits(1).said_one_line_with(": it is the file of standard output\n");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "payload");
    server.listener().set_nonblocking(true).unwrap();
    let nobody = server.listener().accept().expect_err("nobody came");
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}

fn fifo(dir: &Path) -> PathBuf {
    let path = dir.join("fifo");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    path
}

/// Reads what there is, and waits for nothing.
fn reader(path: &Path) -> fs::File {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(path).unwrap()
}

/// The packets carry these bytes each way, one behind the other, and each is acknowledged.
#[track_caller]
fn assert_conversation(
    packets: &[Packet],
    here: SocketAddr,
    there: SocketAddr,
    sent: &[u8],
    received: &[u8],
) {
    let (mut numbers, mut streams) = ([0; 2], [Vec::new(), Vec::new()]);
    let mut epoch = 0;
    for packet in packets {
        let (this, other) = match packet.direction {
            OUT => (0, 1),
            IN => (1, 0),
            odd => panic!("direction {odd}"),
        };
        let ends = if packet.direction == OUT { (here, there) } else { (there, here) };
        assert_eq!((packet.from, packet.to), ends);
        let segment = packet.segment.as_ref().expect("a segment of TCP");
        assert_eq!(segment.number, numbers[this], "{packet:?}");
        if segment.flags & ACK != 0 {
            assert_eq!(segment.acknowledged, numbers[other], "{packet:?}");
        }
        let length = packet.payload.len() + usize::from(segment.flags & (SYN | FIN) != 0);
        numbers[this] += u32::try_from(length).unwrap();
        streams[this].extend_from_slice(&packet.payload);
        assert!(packet.epoch >= epoch, "time goes on");
        epoch = packet.epoch;
    }
    assert_same(&streams[0], sent, "what was sent");
    assert_same(&streams[1], received, "what was received");
}

const IN: u32 = 1;
const OUT: u32 = 2;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
