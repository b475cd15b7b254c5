//! Networks that lose, repeat, reorder and delay packets, and links that go down. They are made by
//! `two_networks.py`, for kernels have no such networks of their own everywhere.

use std::io::{self, Read, Write};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{MODEST, is_calm};
use crate::support::{Nc, Noise, Running, Same, kernel, wait_until, watch};

/// Two networks, and the way between them.
struct Networks {
    /// The process that is in network b and has a descriptor of network a.
    keeper: Running,
    /// That descriptor.
    a: u32,
}

impl Networks {
    #[track_caller]
    fn joined_by(link: &str) -> Self {
        let keeper = Nc::other("python3", format!("{SCRIPT} {link}")).start();
        wait_until("the networks are up", || {
            assert!(keeper.stderr_text().is_empty(), "{}", keeper.stderr_text());
            keeper.shown().ends_with(b"\n")
        });
        let a = String::from_utf8(keeper.shown()).unwrap().trim().parse().unwrap();
        Self { keeper, a }
    }

    fn in_a(&self) -> String {
        format!("--net=/proc/{}/fd/{}", self.keeper.pid().as_raw_nonzero(), self.a)
    }

    fn in_b(&self) -> String {
        format!("--net=/proc/{}/ns/net", self.keeper.pid().as_raw_nonzero())
    }

    /// A listener in network a, and its client in network b.
    #[track_caller]
    fn connected(&self, options: &str) -> (Running, Running) {
        let args = format!("-v -l --half-close {options} 10.99.0.1 4004");
        let listener = Nc::new(args).under("nsenter", &[&self.in_a(), "--"]);
        let listener = listener.stdout_unread().start();
        listener.port();
        let args = format!("--half-close {options} 10.99.0.1 4004");
        let client = Nc::new(args).under("nsenter", &[&self.in_b(), "--"]);
        let client = client.stdout_unread().start();
        listener.says("Connection received");
        (listener, client)
    }

    /// Pulls the cable out, or plugs it in.
    #[track_caller]
    fn set_link(&self, state: &str) {
        let args = [&self.in_a(), "--", "ip", "link", "set", "va", state];
        assert!(Command::new("nsenter").args(args).status().unwrap().success());
    }
}

#[test]
#[ignore = "needs root and python3"]
fn loss_duplicates_reordering_and_delay_change_no_byte() {
    for seed in [1, 2] {
        let networks = Networks::joined_by(&format!("router {seed}"));
        let (listener, client) = networks.connected("-N");
        exchange(listener, client, || {});
    }
}

#[test]
#[ignore = "needs root and python3"]
fn a_link_that_is_down_for_a_while_loses_nothing() {
    let networks = Networks::joined_by("veth");
    let (listener, client) = networks.connected("-N");
    exchange(listener, client, || {
        networks.set_link("down");
        watch(Duration::from_millis(1500));
        networks.set_link("up");
    });
}

/// 1 MiB each way, with something in the middle of it, and the ends behind it.
#[track_caller]
fn exchange(mut listener: Running, mut client: Running, in_the_middle: impl FnOnce()) {
    let ends = [&mut listener, &mut client].map(|nc| (nc.take_stdin(), nc.take_stdout()));
    let [(mut listener_in, listener_out), (mut client_in, client_out)] = ends;
    thread::scope(|scope| {
        let readers = [(listener_out, 751), (client_out, 750)].map(|(mut stdout, seed)| {
            scope.spawn(move || {
                let mut same = Same::new(seed);
                io::copy(&mut stdout, &mut same).expect("stdout");
                same.count()
            })
        });
        // Half of it, what is in the middle, and the other half.
        let (mut to_client, mut to_listener) = (Noise::new(750), Noise::new(751));
        let writes = |stdin: &mut dyn Write, noise: &mut Noise| {
            io::copy(&mut noise.take(SIZE / 2), stdin).expect("it takes stdin");
        };
        writes(&mut listener_in, &mut to_client);
        writes(&mut client_in, &mut to_listener);
        in_the_middle();
        writes(&mut listener_in, &mut to_client);
        writes(&mut client_in, &mut to_listener);
        drop((listener_in, client_in));
        assert_eq!(readers.map(|reader| reader.join().unwrap()), [SIZE, SIZE]);
    });
    for nc in [listener, client] {
        nc.ends().exits(0).complained_of_nothing();
    }
}

#[test]
#[ignore = "needs root and python3"]
fn a_link_that_is_down_for_good_ends_with_w() {
    let networks = Networks::joined_by("veth");
    let (mut listener, mut client) = networks.connected("-w 3");
    client.types(b"before");
    let mut got = [0; 6];
    let mut stdout = listener.take_stdout();
    stdout.read_exact(&mut got).unwrap();
    networks.set_link("down");
    let begun = Instant::now();
    client.types(b"into nowhere");
    is_calm(&client);
    for nc in [&mut listener, &mut client] {
        nc.still_runs();
        assert!(kernel::peak_kib(nc.pid()) < MODEST);
    }
    for nc in [listener, client] {
        let end = nc.ends();
        end.exits(0).complained_of_nothing();
        let took = end.ended - begun;
        let kept = Duration::from_millis(2_500)..Duration::from_secs(8);
        assert!(kept.contains(&took), "-w 3 took {took:?}");
    }
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nc/faults/two_networks.py");

const SIZE: u64 = 1 << 20;
