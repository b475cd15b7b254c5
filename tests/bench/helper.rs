//! The counterparts: this binary, started once more as a producer, a consumer or a peer. They copy as
//! little as the kernel lets them, so that what is measured is the program at the other end.
//!
//! They are plain blocking programs. Whoever starts them kills them when it has waited long enough.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat, sendfile};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, splice};
use rustix::stdio::{stdin, stdout};

use crate::measure::pipe;
use crate::payload::Payload;
use crate::peers::HOST;

/// Plays one role to its end and says on stderr how much there was.
pub(crate) fn run(arguments: &[String]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *arguments {
        ["produce", size, block] => produce(number(size), size_of(block)),
        ["consume", size] => consume(number(size), None),
        ["verify", size] => consume(number(size), Some(Payload::new())),
        ["send", place] => send(place),
        ["receive", place] => receive(place),
        ["echo", port] => echo(port),
        ["flood", port, clients, "bytes", total, file] => {
            flood(port, size_of(clients), Until::Bytes(number(total)), file)
        }
        ["flood", port, clients, "milliseconds", time, file] => {
            let time = Duration::from_millis(number(time));
            flood(port, size_of(clients), Until::Time(time), file)
        }
        ["datagrams", port, count, size, rate] => {
            datagrams(port, number(count), size_of(size), number(rate))
        }
        _ => Err(io::Error::other(format!("no such role: {arguments:?}"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the payload to stdout, in blocks of this size.
fn produce(size: u64, block: usize) -> io::Result<()> {
    let mut payload = Payload::new().take(size);
    let mut buffer = vec![0; block];
    let mut out = File::from(stdout().try_clone_to_owned()?);
    loop {
        // Whole blocks where possible: with datagrams they are what is counted.
        let mut filled = 0;
        while filled < block {
            match payload.read(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        if filled == 0 {
            return Ok(());
        }
        out.write_all(&buffer[..filled])?;
    }
}

/// Reads stdin until its end or until so much has come. With a payload it has to be that.
fn consume(size: u64, mut expected: Option<Payload>) -> io::Result<()> {
    let mut input = File::from(stdin().try_clone_to_owned()?);
    // As large as the largest pipe an unprivileged program gets.
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    while total < size {
        let count = input.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        let right = expected.as_mut().is_none_or(|all| all.continues_with(&buffer[..count]));
        if !right {
            return Err(io::Error::other(format!("wrong bytes after {total}")));
        }
        total += count as u64;
    }
    eprintln!("bytes {total}");
    Ok(())
}

/// Connects and sends stdin without copying: sendfile(2) from a file, splice(2) from a pipe.
fn send(place: &str) -> io::Result<()> {
    let socket = connect(place)?;
    let input = stdin();
    if FileType::from_raw_mode(fstat(input)?.st_mode) == FileType::Fifo {
        enlarge(input);
        while splice(input, None, &socket, None, CHUNK, SpliceFlags::empty())? > 0 {}
    } else {
        while sendfile(&socket, input, None, 1 << 30)? > 0 {}
    }
    rustix::net::shutdown(&socket, rustix::net::Shutdown::Write)?;
    // Its end says that the peer has had everything.
    let ended = recv(&socket, &mut [0; 1][..], RecvFlags::empty());
    match ended {
        Ok(_) | Err(Errno::CONNRESET) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn connect(place: &str) -> io::Result<OwnedFd> {
    Ok(match place.parse() {
        Ok(port) => TcpStream::connect((HOST, port))?.into(),
        Err(_) => UnixStream::connect(place)?.into(),
    })
}

/// Takes one client and writes what it sends to stdout without copying.
fn receive(place: &str) -> io::Result<()> {
    let is_tcp = place.parse::<u16>().is_ok();
    let socket: OwnedFd = match place.parse() {
        Ok(port) => TcpListener::bind((HOST, port))?.accept()?.0.into(),
        Err(_) => UnixListener::bind(place)?.accept()?.0.into(),
    };
    let out = stdout();
    let total = match FileType::from_raw_mode(fstat(out)?.st_mode) {
        FileType::Fifo => {
            enlarge(out);
            splice_all(|| splice(&socket, None, out, None, CHUNK, SpliceFlags::empty()))?
        }
        // TCP can be told to throw away what came.
        FileType::CharacterDevice if is_tcp => {
            let mut never_touched = vec![0; 1 << 20];
            splice_all(|| {
                recv(&socket, &mut *never_touched, RecvFlags::TRUNC).map(|(_, count)| count)
            })?
        }
        _ => through_a_pipe(&socket, out)?,
    };
    eprintln!("bytes {total}");
    Ok(())
}

fn splice_all(mut step: impl FnMut() -> Result<usize, Errno>) -> io::Result<u64> {
    let mut total = 0;
    loop {
        match step()? {
            0 => return Ok(total),
            count => total += count as u64,
        }
    }
}

/// splice(2) needs a pipe on one side.
fn through_a_pipe(from: impl AsFd, to: impl AsFd) -> io::Result<u64> {
    let (read, write) = pipe()?;
    enlarge(&write);
    let mut total = 0;
    loop {
        let mut inside = splice(&from, None, &write, None, CHUNK, SpliceFlags::empty())?;
        if inside == 0 {
            return Ok(total);
        }
        total += inside as u64;
        while inside > 0 {
            inside -= splice(&read, None, &to, None, inside, SpliceFlags::empty())?;
        }
    }
}

/// Takes one client and sends back what it sends.
fn echo(port: &str) -> io::Result<()> {
    let (client, _) = TcpListener::bind((HOST, port_of(port)))?.accept()?;
    let total = through_a_pipe(&client, &client)?;
    client.shutdown(Shutdown::Write)?;
    eprintln!("bytes {total}");
    Ok(())
}

/// When a flood ends.
#[derive(Clone, Copy)]
enum Until {
    /// When so many bytes have been sent by all clients together.
    Bytes(u64),
    Time(Duration),
}

/// Many clients that all send as fast as they can. Reports the least and the most of their shares,
/// as parts of the average.
fn flood(port: &str, clients: usize, until: Until, file: &str) -> io::Result<()> {
    let file = File::open(file)?;
    let size = file.metadata()?.len();
    let address = (HOST, port_of(port));
    let mut sockets = Vec::new();
    for number in 0..clients {
        // Time for a short queue to be emptied. Whom it turns away all the same comes back a second later:
        // `clients.burst` measures that, and here nothing is measured yet.
        if number % 4 == 3 {
            thread::sleep(Duration::from_micros(500));
        }
        let socket = TcpStream::connect(address)?;
        socket.set_nonblocking(true)?;
        sockets.push(socket);
    }
    let (each, end) = match until {
        Until::Bytes(total) => (total / clients as u64, None),
        Until::Time(time) => (u64::MAX, Some(Instant::now() + time)),
    };
    // Whoever started us begins to measure now.
    File::from(stdout().try_clone_to_owned()?).write_all(b".")?;
    let mut sent = vec![0; clients];
    loop {
        let over = end.is_some_and(|end| Instant::now() > end);
        let open: Vec<usize> = (0..clients).filter(|&one| !over && sent[one] < each).collect();
        if open.is_empty() {
            break;
        }
        let mut polled: Vec<_> =
            open.iter().map(|&one| PollFd::new(&sockets[one], PollFlags::OUT)).collect();
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 100_000_000 }))?;
        let writable: Vec<usize> = open
            .iter()
            .zip(&polled)
            .filter(|(_, polled)| !polled.revents().is_empty())
            .map(|(&one, _)| one)
            .collect();
        for one in writable {
            let mut at = sent[one] % size;
            let most = (each - sent[one]).min(size - at);
            let most = usize::try_from(most).map_or(FLOOD_CHUNK, |most| most.min(FLOOD_CHUNK));
            match sendfile(&sockets[one], &file, Some(&mut at), most) {
                Ok(count) => sent[one] += count as u64,
                Err(Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let total: u64 = sent.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a share is wanted, not a count")]
    let share = |bytes: Option<&u64>| {
        bytes.map_or(0.0, |&bytes| bytes as f64 * clients as f64 / total as f64)
    };
    eprintln!("bytes {total}");
    eprintln!("least {}", share(sent.iter().min()));
    eprintln!("most {}", share(sent.iter().max()));
    // Closing would be a reset for what the program has not read yet, where it has sent anything.
    for socket in &sockets {
        socket.shutdown(Shutdown::Write)?;
    }
    Ok(())
}

/// Sends datagrams at an even rate: a sleep between them would be longer than the receive buffer.
fn datagrams(port: &str, count: u64, size: usize, rate: u64) -> io::Result<()> {
    let socket = UdpSocket::bind((HOST, 0))?;
    socket.connect((HOST, port_of(port)))?;
    let mut datagram = vec![0; size];
    let mut refused = 0;
    let begun = Instant::now();
    for number in 0..count {
        while begun.elapsed() < Duration::from_nanos(number * 1_000_000_000 / rate) {
            std::hint::spin_loop();
        }
        datagram[..8].copy_from_slice(&number.to_le_bytes());
        match socket.send(&datagram) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => refused += 1,
            Err(error) => return Err(error),
        }
    }
    eprintln!("refused {refused}");
    eprintln!("seconds {}", begun.elapsed().as_secs_f64());
    Ok(())
}

/// A pipe that is too small is only slower.
fn enlarge(pipe: impl AsFd) {
    let _ = fcntl_setpipe_size(pipe, CHUNK);
}

fn number(text: &str) -> u64 {
    text.parse().expect("the benchmark passes numbers")
}

fn size_of(text: &str) -> usize {
    text.parse().expect("the benchmark passes numbers")
}

fn port_of(text: &str) -> u16 {
    text.parse().expect("the benchmark passes ports")
}

/// The best size of a pipe to splice through.
const CHUNK: usize = 256 * 1024;

/// Small enough for the clients of a flood to take turns.
const FLOOD_CHUNK: usize = 256 * 1024;
