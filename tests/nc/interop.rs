//! Peers of other makes, in both roles: a mebibyte each way at the same time, then the end.

use std::io::Write;
use std::process::ChildStdin;
use std::thread::{self, JoinHandle};

use crate::support::{ClosedPort, Nc, Running, kernel, noise, wait_until};

#[test]
#[ignore = "needs nc.openbsd"]
fn nc_openbsd() {
    we_connect("nc.openbsd", "-l 127.0.0.1 PORT");
    we_listen("nc.openbsd", "-N 127.0.0.1 PORT");
}

#[test]
#[ignore = "needs ncat"]
fn ncat() {
    we_connect("ncat", "-l 127.0.0.1 PORT");
    we_listen("ncat", "127.0.0.1 PORT");
}

#[test]
#[ignore = "needs socat"]
fn socat() {
    // -t: how long the other direction may go on after the first has ended.
    we_connect("socat", "-t 20 - TCP4-LISTEN:PORT,bind=127.0.0.1,reuseaddr");
    we_listen("socat", "-t 20 - TCP4:127.0.0.1:PORT");
}

#[test]
#[ignore = "needs busybox"]
fn busybox_nc() {
    we_connect("busybox", "nc -l -p PORT");
    we_listen("busybox", "nc 127.0.0.1 PORT");
}

#[test]
fn ourselves() {
    let (listener, port) = Nc::new("-l").listens();
    let client = Nc::new(format!("-N 127.0.0.1 {port}")).start();
    assert_interoperate(client, listener);
}

/// Our client, their listener.
#[track_caller]
fn we_connect(program: &str, args: &str) {
    // None of them says the port the kernel chose in the same words, or can be asked to choose.
    let reserved = ClosedPort::reserve();
    let port = reserved.port();
    let theirs = Nc::other(program, args.replace("PORT", &port.to_string())).start();
    wait_until("it listens", || kernel::listening_port(theirs.pid()) == Some(port));
    let ours = Nc::new(format!("-N 127.0.0.1 {port}")).start();
    assert_interoperate(ours, theirs);
}

/// Our listener, their client.
#[track_caller]
fn we_listen(program: &str, args: &str) {
    let (ours, port) = Nc::new("-l").listens();
    let theirs = Nc::other(program, args.replace("PORT", &port.to_string())).start();
    assert_interoperate(theirs, ours);
}

/// Both sides see an end of file once they have everything, and with it both end.
#[track_caller]
fn assert_interoperate(mut client: Running, mut listener: Running) {
    let (request, answer) = (noise(70, MEBIBYTE), noise(71, MEBIBYTE));
    let typing = types_and_keeps_open(&mut client, request.clone());
    let answering = types_and_keeps_open(&mut listener, answer.clone());
    listener.shows(&request);
    client.shows(&answer);
    drop(typing.join().unwrap());
    drop(answering.join().unwrap());
    listener.ends().exits(0).showed(&request).complained_of_nothing();
    client.ends().exits(0).showed(&answer).complained_of_nothing();
}

fn types_and_keeps_open(program: &mut Running, bytes: Vec<u8>) -> JoinHandle<ChildStdin> {
    let mut stdin = program.take_stdin();
    thread::spawn(move || {
        stdin.write_all(&bytes).unwrap();
        stdin
    })
}

const MEBIBYTE: usize = 1 << 20;
