//! Passwords: asked for on the terminal, or read from a file.
//!
//! Owns: the dialogue, the little of line editing it needs, and that no copy of the password stays in
//! memory ([`Secret`]). Must not know: what a password is for; what is asked comes in as words.
//!
//! While the question stands, the terminal is switched to single bytes without echo *and without
//! signals*: Ctrl-C arrives as a byte, so the terminal is put back in order before the program dies of
//! it. Signals of others are held back for the same reason. The controlling terminal is asked and not stdin,
//! which belongs to the peer.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, SpecialCodes, Termios, tcgetattr, tcsetattr,
};

use super::quoted;
use crate::error::Error;
use crate::secret::Secret;
use crate::sys::signal::Signals;

/// What is asked at the terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// The question, harmless to a terminal.
    pub(super) text: &'a str,
    /// What cannot be read if nobody answers.
    pub(super) wanted: &'a str,
}

/// Asks at the terminal.
///
/// # Errors
/// There is no terminal; or the signal whose key was hit.
pub(super) fn typed(question: Question<'_>) -> Result<Secret, Error> {
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    let answer = terminal.and_then(|mut terminal| ask(&mut terminal, question.text));
    match answer {
        Ok(Answer::Line(secret)) => Ok(secret),
        Ok(Answer::Signal(number)) => Err(Error::Signal(number)),
        Err(_) => Err(Error::message(format!("Unable to read {}", question.wanted))),
    }
}

/// The first line of a file, without its line break. Of a line that has more than `longest` bytes one
/// more than that comes back.
///
/// # Errors
/// The file cannot be read.
pub(super) fn in_file(path: &OsStr, longest: usize) -> Result<Secret, Error> {
    // The byte more is a line break, or tells that the line goes on.
    let mut secret = Secret::with_room_for(longest + 1);
    let read = File::open(path).and_then(|file| fill(&mut secret, file));
    read.map_err(Error::doing(quoted(&path.to_string_lossy())))?;
    if secret.bytes().ends_with(b"\n") {
        secret.pop();
    }
    Ok(secret)
}

enum Answer {
    Line(Secret),
    Signal(i32),
}

fn ask(terminal: &mut File, question: &str) -> io::Result<Answer> {
    let mut signals = Signals::none();
    signals.hear_questions()?;
    signals.hold_endings_back()?;
    signals.open()?;
    let typing = Typing::begin(&*terminal)?;
    let asked = terminal.write_all(format!("{question}: ").as_bytes());
    let answer = asked.and_then(|()| typing.read(terminal, &mut signals));
    typing.end(&*terminal)?;
    // The line break that was not echoed.
    terminal.write_all(b"\n")?;
    signals.release()?;
    answer
}

/// A terminal that gives single bytes.
struct Typing {
    before: Termios,
}

impl Typing {
    /// What was typed before the question is no answer to it, and thrown away.
    fn begin(terminal: impl AsFd) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut during = before.clone();
        during.local_modes -=
            LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        during.special_codes[SpecialCodeIndex::VMIN] = 1;
        during.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&terminal, OptionalActions::Flush, &during)?;
        Ok(Self { before })
    }

    fn end(&self, terminal: impl AsFd) -> io::Result<()> {
        Ok(tcsetattr(terminal, OptionalActions::Drain, &self.before)?)
    }

    fn read(&self, terminal: &mut File, signals: &mut Signals) -> io::Result<Answer> {
        let mut secret = Secret::with_room_for(LONGEST_LINE);
        loop {
            if let Some(number) = signals.wait_beside(&*terminal)? {
                return Ok(Answer::Signal(number));
            }
            let mut byte = [0];
            // At the end of the file the terminal is gone.
            terminal.read_exact(&mut byte)?;
            match Key::of(byte[0], &self.before.special_codes) {
                Key::Enter => return Ok(Answer::Line(secret)),
                Key::Signal(number) => return Ok(Answer::Signal(number)),
                Key::Erase => erase_character(&mut secret),
                Key::Kill => secret.wipe(),
                Key::Byte(byte) => secret.push(byte),
            }
        }
    }
}

/// What a byte from the terminal means.
#[derive(Debug, PartialEq, Eq)]
enum Key {
    Enter,
    Signal(i32),
    Erase,
    Kill,
    Byte(u8),
}

impl Key {
    /// By the keys that the user has set, stty(1).
    fn of(byte: u8, keys: &SpecialCodes) -> Self {
        // 0 stands for no key.
        let is = |which| byte != 0 && byte == keys[which];
        if byte == b'\n' || byte == b'\r' || is(SpecialCodeIndex::VEOF) {
            Self::Enter
        } else if is(SpecialCodeIndex::VINTR) {
            Self::Signal(libc::SIGINT)
        } else if is(SpecialCodeIndex::VQUIT) {
            Self::Signal(libc::SIGQUIT)
        } else if is(SpecialCodeIndex::VERASE) {
            Self::Erase
        } else if is(SpecialCodeIndex::VKILL) {
            Self::Kill
        } else {
            Self::Byte(byte)
        }
    }
}

/// Up to a line break, or as much as there is room for.
fn fill(secret: &mut Secret, mut file: impl Read) -> io::Result<()> {
    while secret.has_room() && !secret.bytes().ends_with(b"\n") {
        let mut byte = [0];
        match file.read_exact(&mut byte) {
            Ok(()) => secret.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A character of UTF-8 is a byte and those behind it that continue it.
fn erase_character(secret: &mut Secret) {
    while secret.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

/// `MAX_CANON`: no terminal gives a longer line.
pub(super) const LONGEST_LINE: usize = 4096;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::thread;

    use rustix::fs::{Mode, OFlags, open};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    /// A user who types as soon as there is a question. Gives the answer, what the screen shows, and
    /// whether the terminal is as it was.
    fn dialogue(keys: &[u8]) -> (Answer, String, bool) {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("pseudo-terminal");
        grantpt(&keyboard).expect("grant");
        unlockpt(&keyboard).expect("unlock");
        let name = ptsname(&keyboard, Vec::new()).expect("name");
        let terminal = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("terminal");
        let (mut keyboard, mut terminal) = (File::from(keyboard), File::from(terminal));
        let before = tcgetattr(&terminal).expect("modes");

        let (answer, screen) = thread::scope(|scope| {
            let user = scope.spawn(|| {
                let mut screen = Vec::new();
                let mut byte = [0];
                while !screen.ends_with(b"\r\n") {
                    keyboard.read_exact(&mut byte).expect("screen");
                    screen.push(byte[0]);
                    if screen.ends_with(b": ") {
                        keyboard.write_all(keys).expect("typed");
                    }
                }
                screen
            });
            let answer = ask(&mut terminal, "Pass word").expect("answered");
            (answer, user.join().expect("user"))
        });
        let after = tcgetattr(&terminal).expect("modes");
        let restored = after.local_modes == before.local_modes
            && format!("{:?}", after.special_codes) == format!("{:?}", before.special_codes);
        (answer, String::from_utf8_lossy(&screen).into_owned(), restored)
    }

    #[track_caller]
    fn line(keys: &[u8]) -> Vec<u8> {
        let (answer, screen, restored) = dialogue(keys);
        assert_eq!(screen, "Pass word: \r\n");
        assert!(restored, "the terminal is not what it was");
        match answer {
            Answer::Line(secret) => secret.bytes().to_vec(),
            Answer::Signal(number) => panic!("signal {number}"),
        }
    }

    #[test]
    fn a_password_is_asked_for_without_echo() {
        assert_eq!(line(b"secret word\r"), b"secret word");
        assert_eq!(line(b"\n"), b"");
        assert_eq!(line(b"end of file\x04"), b"end of file");
    }

    #[test]
    fn a_password_can_be_corrected() {
        assert_eq!(line("ab\u{7f}c\u{20ac}\u{7f}d\n".as_bytes()), b"acd");
        assert_eq!(line(b"\x7f\x7fa\n"), b"a");
        assert_eq!(line(b"wrong\x15right\n"), b"right");
    }

    #[test]
    fn the_keys_of_signals_leave_the_terminal_in_order() {
        for (keys, signal) in [(b"x\x03", libc::SIGINT), (b"x\x1c", libc::SIGQUIT)] {
            let (answer, _, restored) = dialogue(keys);
            assert!(matches!(answer, Answer::Signal(number) if number == signal));
            assert!(restored);
        }
    }

    #[test]
    fn a_line_of_any_length_is_read_and_cut() {
        let mut secret = Secret::with_room_for(LONGEST_LINE);
        for _ in 0..10_000 {
            secret.push(b'x');
        }
        assert_eq!(secret.bytes(), [b'x'; LONGEST_LINE]);
    }

    fn file(content: &[u8]) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().expect("file");
        fs::write(file.path(), content).expect("written");
        in_file(file.path().as_os_str(), 80).expect("read").bytes().to_vec()
    }

    #[test]
    fn the_password_of_a_file_is_its_first_line() {
        assert_eq!(file(b"secret"), b"secret");
        assert_eq!(file(b"secret\n"), b"secret");
        assert_eq!(file(b"se\xffcret \r\nnot this\n"), b"se\xffcret \r");
        assert_eq!(file(&[b'x'; 80]), [b'x'; 80]);
        assert_eq!(file(&[&[b'x'; 80][..], b"\n"].concat()), [b'x'; 80]);
        for content in [&b""[..], b"\n", b"\nsecret\n"] {
            assert_eq!(file(content), b"");
        }
    }

    #[test]
    fn of_a_line_that_is_too_long_comes_a_byte_too_many() {
        assert_eq!(file(&[b'x'; 81]), [b'x'; 81]);
        assert_eq!(file(&vec![b'x'; 100_000]), [b'x'; 81]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let missing = in_file(Path::new("/no/such\nfile").as_os_str(), 80).expect_err("missing");
        assert_eq!(missing.to_string(), "/no/such\\u{a}file: No such file or directory");
    }
}
