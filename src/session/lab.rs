//! The lab: two sessions joined by a wire in memory, with a clock of its own and a seed for everything
//! that can vary.
//!
//! Each seed chooses policies, amounts, how much the wire holds, when it blocks, when events come late,
//! whether and when it is cut. Readiness is handed out as the reactor does it: an edge per change,
//! remembered until `EAGAIN`. Whatever happens, both sides must come to an end and account for each byte.
//!
//! A failure names its seed; `POLLCAT_LAB_SEED=17 cargo test lab` replays that one alone, with a log.
//! `POLLCAT_LAB_SEEDS=100000` tries so many instead of 256.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU64;
use std::rc::Rc;

use super::*;
use crate::nonblock::{Conduit, PipeEnd, Spliced, Splicing};
use crate::testing::{epoch, put, take};

/// A bounded queue of bytes that one side fills and the other empties: half a wire, a pipe.
#[derive(Debug, Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    capacity: usize,
    /// The writer has said its end of file.
    ended: bool,
    /// Both ends get an error once the bytes are gone.
    cut: bool,
    /// Nothing can be written, as long as this lasts.
    stalled: bool,
}

type Shared<T> = Rc<RefCell<T>>;

#[derive(Debug, Clone)]
struct Joint {
    from: Shared<Pipe>,
    to: Shared<Pipe>,
    dice: Shared<fastrand::Rng>,
    splicing: Splicing,
}

impl ByteSource for Joint {
    fn try_read(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        read_pipe(&mut self.from.borrow_mut(), &mut self.dice.borrow_mut(), into)
    }

    fn begin_splicing(&mut self) -> Splicing {
        self.splicing
    }

    fn conduit(&self) -> Option<Box<dyn Conduit>> {
        crate::testing::conduit()
    }

    fn splice_into(&mut self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        let (mut from, mut dice) = (self.from.borrow_mut(), self.dice.borrow_mut());
        if dice.usize(0..REFUSES) == 0 {
            return Ok(Spliced::Refused);
        }
        if from.bytes.is_empty() {
            return match read_pipe(&mut from, &mut dice, &mut [0])? {
                Attempt::Ended => Ok(Spliced::Ended),
                Attempt::Blocked | Attempt::Moved(_) => Ok(Spliced::Blocked),
            };
        }
        let n = dice.usize(1..=most.min(from.bytes.len()));
        Ok(put(&mut from.bytes, pipe, n))
    }
}

impl ByteSink for Joint {
    fn try_write(&mut self, from: &[u8]) -> io::Result<Attempt> {
        write_pipe(&mut self.to.borrow_mut(), &mut self.dice.borrow_mut(), from)
    }

    fn begin_splicing(&mut self) -> Splicing {
        self.splicing
    }

    fn splice_from(&mut self, pipe: &dyn PipeEnd, most: usize) -> io::Result<Spliced> {
        let (mut to, mut dice) = (self.to.borrow_mut(), self.dice.borrow_mut());
        if dice.usize(0..REFUSES) == 0 {
            return Ok(Spliced::Refused);
        }
        let room = room_to_write(&to)?;
        if room == 0 {
            return Ok(Spliced::Blocked);
        }
        let (spliced, bytes) = take(pipe, dice.usize(1..=room.min(most)));
        to.bytes.extend(bytes);
        Ok(spliced)
    }
}

impl Wire for Joint {
    fn try_peek(&mut self, into: &mut [u8]) -> io::Result<Attempt> {
        let pipe = self.from.borrow();
        let n = into.len().min(pipe.bytes.len());
        into.iter_mut().zip(&pipe.bytes).for_each(|(slot, byte)| *slot = *byte);
        Ok(if n > 0 { Attempt::Moved(n) } else { Attempt::Blocked })
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.to.borrow_mut().ended = true;
        Ok(())
    }

    fn take_error(&mut self) -> Option<io::Error> {
        self.to.borrow().cut.then(|| io::ErrorKind::ConnectionReset.into())
    }
}

fn read_pipe(pipe: &mut Pipe, dice: &mut fastrand::Rng, into: &mut [u8]) -> io::Result<Attempt> {
    if pipe.bytes.is_empty() {
        if pipe.cut {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        return Ok(if pipe.ended { Attempt::Ended } else { Attempt::Blocked });
    }
    let most = into.len().min(pipe.bytes.len());
    // Now and then all there is: a read that fills a whole buffer is the sign of bulk.
    let n = if dice.bool() { most } else { dice.usize(1..=most) };
    into.iter_mut().zip(pipe.bytes.drain(..n)).for_each(|(slot, byte)| *slot = byte);
    Ok(Attempt::Moved(n))
}

fn write_pipe(pipe: &mut Pipe, dice: &mut fastrand::Rng, from: &[u8]) -> io::Result<Attempt> {
    let room = room_to_write(pipe)?;
    if room == 0 {
        return Ok(Attempt::Blocked);
    }
    let n = dice.usize(1..=room.min(from.len()));
    pipe.bytes.extend(&from[..n]);
    Ok(Attempt::Moved(n))
}

fn room_to_write(pipe: &Pipe) -> io::Result<usize> {
    if pipe.cut {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    Ok(if pipe.stalled { 0 } else { pipe.capacity - pipe.bytes.len() })
}

/// One side of the wire: a session, its stdin, its stdout, and what is known to be ready.
struct Side {
    session: Session<Joint>,
    wire: Joint,
    stdin: Joint,
    stdout: Joint,
    known: Gates,
    /// What the kernel has spoken of: not again before it has changed.
    spoken_of: Gates,
    /// The session has more to do, whatever the kernel says.
    again: bool,
    typed: Vec<u8>,
    left_to_type: VecDeque<u8>,
    printed: Vec<u8>,
    deadline: Option<Instant>,
    outcome: Option<Outcome>,
    /// What its policy promises, bytes a second, and how long it had.
    rate: Option<NonZeroU64>,
    lasted: Duration,
}

impl Side {
    fn new(dice: &Shared<fastrand::Rng>, wire: Joint, policy: Policy) -> Self {
        let amount = dice.borrow_mut().usize(0..400_000);
        let typed: Vec<u8> =
            std::iter::repeat_with(|| dice.borrow_mut().u8(..)).take(amount).collect();
        let pipe = || {
            let capacity = dice.borrow_mut().usize(1..300_000);
            Rc::new(RefCell::new(Pipe { capacity, ..Pipe::default() }))
        };
        let (input, output) = (pipe(), pipe());
        let splicing = wire.splicing;
        let end = |pipe: Shared<Pipe>| Joint {
            from: pipe.clone(),
            to: pipe,
            dice: dice.clone(),
            splicing,
        };
        Self {
            rate: policy.rate,
            lasted: Duration::ZERO,
            session: Session::new(wire.clone(), policy.into(), epoch()),
            wire,
            stdin: end(input),
            stdout: end(output),
            known: NOTHING,
            spoken_of: NOTHING,
            again: true,
            left_to_type: typed.iter().copied().collect(),
            typed,
            printed: Vec::new(),
            deadline: None,
            outcome: None,
        }
    }

    /// What the kernel would report now.
    fn level(&self) -> Gates {
        let readable = |pipe: &Pipe| !pipe.bytes.is_empty() || pipe.ended || pipe.cut;
        let writable =
            |pipe: &Pipe| pipe.cut || (!pipe.stalled && pipe.bytes.len() < pipe.capacity);
        let bit = |set: bool, bit: Readiness| if set { bit } else { Readiness::NONE };
        Gates {
            net: bit(readable(&self.wire.from.borrow()), Readiness::READABLE)
                | bit(writable(&self.wire.to.borrow()), Readiness::WRITABLE),
            local_in: bit(readable(&self.stdin.from.borrow()), Readiness::READABLE),
            local_out: bit(writable(&self.stdout.to.borrow()), Readiness::WRITABLE),
        }
    }

    /// Learns what has changed. Like the reactor it does nothing where nothing has.
    fn turn(&mut self, now: Instant, budget: usize) {
        // anchor: edge
        let (level, before) = (self.level(), self.spoken_of);
        let news = Gates {
            net: level.net.without(before.net),
            local_in: level.local_in.without(before.local_in),
            local_out: level.local_out.without(before.local_out),
        };
        let is_due = self.deadline.is_some_and(|at| at <= now);
        if news == NOTHING && !self.again && !is_due {
            return;
        }
        // end: edge
        self.known.net = self.known.net | news.net;
        self.known.local_in = self.known.local_in | news.local_in;
        self.known.local_out = self.known.local_out | news.local_out;
        let turn = Turn { gates: self.known, now, budget };
        let report = self.session.advance(&mut self.stdin, &mut self.stdout, turn, None);
        self.known.net = self.known.net.without(report.net);
        self.known.local_in = self.known.local_in.without(report.local_in);
        self.known.local_out = self.known.local_out.without(report.local_out);
        self.deadline = report.deadline;
        self.again = report.again;
        self.spoken_of = self.level();
        if let Some(outcome) = report.ended {
            self.outcome = Some(outcome);
            self.lasted = now - epoch();
            // The descriptor is closed: the peer reads an end of file.
            self.wire.to.borrow_mut().ended = true;
        }
    }

    /// The user types a little, and reads a little.
    fn user(&mut self, dice: &mut fastrand::Rng, reads: bool) {
        let mut stdin = self.stdin.to.borrow_mut();
        let room = stdin.capacity - stdin.bytes.len();
        let most = room.min(self.left_to_type.len());
        let n = if dice.bool() { most } else { dice.usize(0..=most) };
        stdin.bytes.extend(self.left_to_type.drain(..n));
        stdin.ended = self.left_to_type.is_empty();
        if reads {
            let mut stdout = self.stdout.from.borrow_mut();
            let n = dice.usize(0..=stdout.bytes.len());
            self.printed.extend(stdout.bytes.drain(..n));
        }
    }
}

/// Where all the bytes are, and for how many steps they have been there.
#[derive(Default)]
struct Still {
    places: Vec<usize>,
    steps: usize,
}

impl Still {
    fn lasts(&mut self, sides: &[Side; 2], wires: [&Shared<Pipe>; 2]) -> usize {
        let held = |pipe: &Shared<Pipe>| pipe.borrow().bytes.len();
        let of = |side: &Side| {
            let (typed, read) = (side.left_to_type.len(), side.printed.len());
            [typed, held(&side.stdin.from), held(&side.stdout.to), read]
        };
        let places: Vec<_> = sides.iter().flat_map(of).chain(wires.map(held)).collect();
        self.steps = if places == self.places { self.steps + 1 } else { 0 };
        self.places = places;
        self.steps
    }
}

/// How a seed turned out.
struct Findings {
    sides: [Side; 2],
    cut: bool,
}

fn experiment(seed: u64) -> Findings {
    let dice = Rc::new(RefCell::new(fastrand::Rng::with_seed(seed)));
    let roll = |n: usize| dice.borrow_mut().usize(0..n);
    let half = || {
        let capacity = roll(300_000) + 1;
        Rc::new(RefCell::new(Pipe { capacity, ..Pipe::default() }))
    };
    let (there, back) = (half(), half());
    // Each seed has its kernel: one that moves bulk by itself, or one that does not.
    let splicing = if seed.is_multiple_of(2) { Splicing::ByPipe } else { Splicing::Never };
    let joint = |from: &Shared<Pipe>, to: &Shared<Pipe>| Joint {
        from: from.clone(),
        to: to.clone(),
        dice: dice.clone(),
        splicing,
    };
    let (near, far) = (joint(&back, &there), joint(&there, &back));
    // One in four has a limit. The slowest takes 0.4 s for all there is.
    let rates: [_; 2] = [(); 2].map(|()| {
        (roll(4) == 0).then(|| 1_000_000 + roll(10_000_000) as u64).and_then(NonZeroU64::new)
    });
    let policy = |half_close: bool, peer_eof: PeerEof| Policy {
        local_eof: if half_close { LocalEof::HalfClose } else { LocalEof::KeepOpen },
        peer_eof,
        ..Policy::plain()
    };
    // The first side half-closes, or neither would ever end; the second may end with its peer.
    let second_eof = if roll(2) == 0 { PeerEof::KeepSending } else { PeerEof::EndSession };
    let second_closes = second_eof == PeerEof::EndSession || roll(2) == 0;
    let mut sides = [
        Side::new(&dice, near, Policy { rate: rates[0], ..policy(true, PeerEof::KeepSending) }),
        Side::new(&dice, far, Policy { rate: rates[1], ..policy(second_closes, second_eof) }),
    ];
    let cut_at = if roll(4) == 0 { Some(roll(60)) } else { None };
    let mut now = epoch();
    let mut still = Still::default();
    for step in 0.. {
        if Some(step) == cut_at {
            there.borrow_mut().cut = true;
            back.borrow_mut().cut = true;
        }
        // Stalls come and go, and in the end there are none, so that everything can end.
        let calm = step > STEPS_OF_TROUBLE;
        for pipe in [&there, &back] {
            pipe.borrow_mut().stalled = !calm && roll(5) == 0;
        }
        for side in &mut sides {
            let reads = calm || roll(3) > 0;
            let mut user_dice = dice.borrow_mut().fork();
            side.user(&mut user_dice, reads);
            if side.outcome.is_none() && (calm || roll(3) > 0) {
                let budget = 1 + roll(300_000);
                side.turn(now, budget);
            }
        }
        now += Duration::from_millis(1);
        // As little as a byte at a time may get through, so the bound is not one of steps.
        let stuck = calm && still.lasts(&sides, [&there, &back]) > MOST_STILL;
        if stuck || sides.iter().all(|side| side.outcome.is_some()) {
            break;
        }
    }
    for side in &mut sides {
        let rest: Vec<u8> = side.stdout.from.borrow_mut().bytes.drain(..).collect();
        side.printed.extend(rest);
    }
    Findings { sides, cut: cut_at.is_some() }
}

fn check(seed: u64) {
    let Findings { sides: [near, far], cut } = experiment(seed);
    for (name, side, other) in [("near", &near, &far), ("far", &far, &near)] {
        let outcome =
            side.outcome.as_ref().unwrap_or_else(|| panic!("seed {seed}: {name} never ended"));
        let printed = side.printed.len() as u64;
        assert_eq!(outcome.received, printed, "seed {seed}: {name} miscounted what it printed");
        assert!(
            other.typed.starts_with(&side.printed),
            "seed {seed}: {name} printed something else"
        );
        let read = (side.typed.len()
            - side.left_to_type.len()
            - side.stdin.from.borrow().bytes.len()) as u64;
        assert_eq!(outcome.sent + outcome.unsent, read, "seed {seed}: {name} lost count of stdin");
        if let Some(rate) = side.rate {
            let most = u128::from(rate.get()) * side.lasted.as_nanos() / 1_000_000_000;
            let moved = outcome.sent.max(outcome.received);
            assert!(u128::from(moved) <= most, "seed {seed}: {name} moved {moved}, not {most}");
        }
        if !cut {
            assert!(outcome.is_clean(), "seed {seed}: {name} {outcome:?}");
        }
    }
    if !cut {
        assert_eq!(far.printed, near.typed, "seed {seed}: far did not print what near sent");
        let sent = usize::try_from(far.outcome.as_ref().map_or(0, |o| o.sent)).expect("fits");
        assert_eq!(
            near.printed,
            far.typed[..sent],
            "seed {seed}: near did not print what far sent"
        );
    }
}

#[test]
fn whatever_happens_every_byte_is_accounted_for() {
    match std::env::var("POLLCAT_LAB_SEED") {
        Ok(seed) => {
            let _ = env_logger::builder().filter_level(log::LevelFilter::Trace).try_init();
            check(seed.parse().expect("POLLCAT_LAB_SEED is a number"));
        }
        Err(_) => (0..seeds()).for_each(check),
    }
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..8 {
        let [first, second] = [experiment(seed), experiment(seed)];
        for (one, other) in first.sides.iter().zip(&second.sides) {
            assert_eq!(one.printed, other.printed);
            assert_eq!(format!("{:?}", one.outcome), format!("{:?}", other.outcome));
        }
    }
}

/// How many are tried: few enough for every run of the tests, unless more are asked for.
fn seeds() -> u64 {
    match std::env::var("POLLCAT_LAB_SEEDS") {
        Ok(count) => count.parse().expect("POLLCAT_LAB_SEEDS is a number"),
        Err(_) => 256,
    }
}

const NOTHING: Gates =
    Gates { net: Readiness::NONE, local_in: Readiness::NONE, local_out: Readiness::NONE };

/// One splice in so many is refused.
const REFUSES: usize = 20;

/// So long stalls come and go.
const STEPS_OF_TROUBLE: usize = 2000;

/// Dice may leave everything where it is for a step or two, but not for so many.
const MOST_STILL: usize = 200;
