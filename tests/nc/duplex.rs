//! The full-duplex matrix: one direction must work, data and end of file alike, whatever state the
//! other is in. 24 cells: {client, listener} x {the other direction quiet, filled, finished} x
//! {in, out} x {data, end of file}.
//!
//! *In* is from the peer to stdout, *out* from stdin to the peer. *Filled* means that nobody reads
//! at the far end and the writer has written until it blocked; *finished* that its end of file has
//! come out at the far end.

use std::fmt::{self, Write as _};
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{ChildStdin, ChildStdout};

use rustix::event::PollFlags;

use crate::support::peer::ready;
use crate::support::{DEADLINE, Nc, Noise, Peer, Role, Running, Same, fill};

#[test]
#[expect(clippy::print_stdout, reason = "`--nocapture` shows the table")]
fn all_24_cells_pass() {
    let mut table = String::from("role      other     way  what\n");
    let mut passed = 0;
    for cell in cells() {
        let result = catch_unwind(AssertUnwindSafe(|| cell.run()));
        passed += usize::from(result.is_ok());
        let verdict = if result.is_ok() { "pass" } else { "FAIL" };
        writeln!(table, "{cell}  {verdict}").expect("a string takes everything");
    }
    println!("{table}{passed}/24");
    assert_eq!(passed, 24, "the reasons stand above this table:\n{table}");
}

fn cells() -> impl Iterator<Item = Cell> {
    let roles = Role::BOTH.into_iter();
    let others = [Other::Quiet, Other::Filled, Other::Finished];
    roles.flat_map(move |role| {
        others.into_iter().flat_map(move |other| {
            [Way::In, Way::Out].into_iter().flat_map(move |way| {
                let whats = [What::Data, What::Eof].into_iter();
                whats.map(move |what| Cell { role, other, way, what })
            })
        })
    })
}

/// The state of the direction that is not tested.
#[derive(Clone, Copy, Debug)]
enum Other {
    Quiet,
    Filled,
    Finished,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    In,
    Out,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Data,
    Eof,
}

#[derive(Clone, Copy)]
struct Cell {
    role: Role,
    other: Other,
    way: Way,
    what: What,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Derived `Debug` of a variant without fields ignores the width.
        let Self { role, other, way, what } = self;
        let [role, other] = [format!("{role:?}"), format!("{other:?}")];
        let [way, what] = [format!("{way:?}"), format!("{what:?}")];
        write!(f, "{role:<8}  {other:<8}  {way:<3}  {what:<4}")
    }
}

impl Cell {
    #[track_caller]
    fn run(self) {
        let mut pair = Pair::start(self.role);
        let other = match self.way {
            Way::In => Way::Out,
            Way::Out => Way::In,
        };
        let mut filled = 0;
        match self.other {
            Other::Quiet => {}
            Other::Filled => filled = pair.fills(other),
            Other::Finished => {
                pair.finishes(other);
                pair.shows_eof(other);
            }
        }
        pair.nc.settles();
        match self.what {
            What::Data => {
                pair.sends(self.way, LINE);
                pair.delivers(self.way, LINE);
                // Once more: the first may have found room that the second does not.
                pair.sends(self.way, LINE);
                pair.delivers(self.way, LINE);
            }
            What::Eof => {
                pair.sends(self.way, LINE);
                pair.finishes(self.way);
                pair.delivers(self.way, LINE);
                pair.shows_eof(self.way);
            }
        }
        if !matches!(self.other, Other::Finished) {
            pair.nc.still_runs();
        }

        // Then everything that is still open ends, and nothing that waited may be missing.
        if !matches!(self.other, Other::Finished) {
            pair.finishes(other);
            pair.delivers_noise(other, filled);
            pair.shows_eof(other);
        }
        if matches!(self.what, What::Data) {
            pair.finishes(self.way);
            pair.shows_eof(self.way);
        }
        pair.nc.ends().exits(0).complained_of_nothing();
    }
}

/// The program with all four far ends in our hands.
struct Pair {
    nc: Running,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    peer: Peer,
}

impl Pair {
    #[track_caller]
    fn start(role: Role) -> Self {
        let (mut nc, peer) = role.start("-N --half-close", Nc::stdout_unread);
        let stdin = Some(nc.take_stdin());
        let stdout = nc.take_stdout();
        Self { nc, stdin, stdout, peer }
    }

    #[track_caller]
    fn fills(&mut self, way: Way) -> u64 {
        let mut noise = Noise::new(SEED);
        match way {
            Way::In => fill(&self.peer.stream, &mut noise),
            Way::Out => fill(self.stdin.as_ref().unwrap(), &mut noise),
        }
    }

    #[track_caller]
    fn sends(&mut self, way: Way, bytes: &[u8]) {
        match way {
            Way::In => self.peer.sends(bytes),
            Way::Out => self.stdin.as_mut().unwrap().write_all(bytes).unwrap(),
        }
    }

    #[track_caller]
    fn finishes(&mut self, way: Way) {
        match way {
            Way::In => self.peer.finishes(),
            Way::Out => drop(self.stdin.take()),
        }
    }

    #[track_caller]
    fn delivers(&mut self, way: Way, expected: &[u8]) {
        match way {
            Way::In => {
                let mut got = vec![0; expected.len()];
                for byte in &mut got {
                    let some = ready(&self.stdout, PollFlags::IN, DEADLINE);
                    assert!(some, "nothing came to stdout");
                    let count = self.stdout.read(std::slice::from_mut(byte)).unwrap();
                    assert_eq!(count, 1, "stdout has ended too early");
                }
                assert_eq!(got, expected);
            }
            Way::Out => self.peer.receives(expected),
        }
    }

    #[track_caller]
    fn delivers_noise(&mut self, way: Way, count: u64) {
        let mut same = Same::new(SEED);
        let copied = match way {
            Way::In => io::copy(&mut self.stdout.by_ref().take(count), &mut same),
            Way::Out => io::copy(&mut (&self.peer.stream).take(count), &mut same),
        };
        assert_eq!(copied.unwrap(), count, "what had filled the other direction");
    }

    #[track_caller]
    fn shows_eof(&mut self, way: Way) {
        match way {
            Way::In => {
                assert!(ready(&self.stdout, PollFlags::IN, DEADLINE), "stdout is never closed");
                assert_eq!(self.stdout.read(&mut [0]).unwrap(), 0, "a byte instead of the end");
            }
            Way::Out => self.peer.receives_eof(),
        }
    }
}

const LINE: &[u8] = b"one line\n";

const SEED: u64 = 24;
