//! A terminal that is looked at while a program writes to it, and what is left to be seen at the end.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::termios::{Winsize, tcsetwinsize};

use super::ends::Pty;
use super::wait_until;

/// A terminal, read all the time. Line ends are left as they are written.
pub(crate) struct Screen {
    seen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Screen {
    /// Of so many columns, with the end that is to be given to a program.
    #[track_caller]
    pub(crate) fn open(columns: u16) -> (Self, OwnedFd) {
        let Pty { master, terminal } = Pty::verbatim();
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size).expect("a terminal");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&seen);
        let reader = thread::spawn(move || {
            let (mut master, mut some) = (File::from(master), [0; 4096]);
            // A terminal whose last user has left says EIO.
            while let Ok(n @ 1..) = master.read(&mut some) {
                theirs.lock().unwrap_or_else(PoisonError::into_inner).extend(&some[..n]);
            }
        });
        (Self { seen, reader }, terminal)
    }

    /// All that was written so far.
    pub(crate) fn seen(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&seen).into_owned()
    }

    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        wait_until(&format!("{text:?} on the screen"), || self.seen().contains(text));
    }

    /// All that was written; to be asked when the program has ended.
    #[track_caller]
    pub(crate) fn at_the_end(self) -> String {
        self.reader.join().expect("the reader cannot panic");
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&seen).into_owned()
    }
}

/// The lines a terminal shows after this, without the blanks at their ends.
#[track_caller]
pub(crate) fn left_on_screen(written: &str) -> String {
    let (mut rows, mut column) = (vec![String::new()], 0);
    let mut rest = written.chars();
    while let Some(next) = rest.next() {
        let row = rows.last_mut().unwrap();
        match next {
            '\r' => column = 0,
            '\n' => {
                rows.push(String::new());
                column = 0;
            }
            '\x1b' => match rest.by_ref().take(3).take_while(|&c| c != 'K').collect::<String>() {
                way if way == "[" || way == "[0" => row.truncate(column),
                way if way == "[2" => *row = " ".repeat(column),
                way => panic!("ESC {way:?} in {written:?}"),
            },
            _ => {
                if column < row.len() {
                    row.replace_range(column..=column, &next.to_string());
                } else {
                    row.push(next);
                }
                column += 1;
            }
        }
    }
    let last = rows.pop().unwrap();
    assert_eq!(last.trim_end(), "", "left behind in {written:?}");
    rows.iter().fold(String::new(), |all, row| all + row.trim_end() + "\n")
}
