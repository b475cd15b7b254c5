//! What users type: any argv is either understood or refused in one harmless line.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;

use pollcat::app::Job;
use pollcat::cli::{self, Request};
use pollcat::error::escape;
use rustix::process::setsid;

use crate::seeds::{LONG, Seeds, try_all};

#[test]
fn argv() {
    leave_the_terminal();
    let options = options();
    let words: Vec<&[u8]> =
        options.iter().map(String::as_bytes).chain(WORDS.iter().copied()).collect();
    let seeds = Seeds::of("argv", &words);
    seeds.corpus().for_each(|input| {
        // The last word, without end.
        is_refused_in_one_line_if_at_all(&[input, &vec![b'1'; LONG]].concat());
        is_refused_in_one_line_if_at_all(&[input, &vec![0xff; LONG]].concat());
    });
    // Few words are more often right than many.
    try_all!(seeds, |input: &[u8]| {
        is_refused_in_one_line_if_at_all(input);
        is_refused_in_one_line_if_at_all(&input[..input.len().min(24)]);
    });
}

/// The input is all words after the program's name, each up to the next NUL.
fn is_refused_in_one_line_if_at_all(input: &[u8]) {
    // A file with passwords may be named, and reading one of these might never end.
    if [&b"/dev"[..], b"/proc"].iter().any(|name| input.windows(name.len()).any(|it| it == *name)) {
        return;
    }
    let words: Vec<_> = input.split(|byte| *byte == 0).collect();
    _ = request(&words);
}

/// The job that these words stand for, or the line that refuses them.
pub(crate) fn job(words: &[&[u8]]) -> Result<Job, String> {
    match request(words)? {
        Request::Run(plan) => Ok(plan.job),
        other => panic!("{words:?} ask for {other:?}"),
    }
}

/// What these words after the program's name stand for. A line that refuses them is harmless.
fn request(words: &[&[u8]]) -> Result<Request, String> {
    let words = words.iter().map(|word| OsString::from_vec(word.to_vec()));
    let request = cli::parse([OsString::from("nc")].into_iter().chain(words));
    if let Ok(Request::ShowHelp(_, text) | Request::ShowVersion(text)) = &request {
        assert!(text.ends_with('\n'));
    }
    request.map_err(|error| {
        let line = error.to_string();
        assert!(!line.is_empty() && escape(&line) == line, "{line:?}");
        assert!(line.len() <= LONGEST_LINE, "{} bytes: {line}", line.len());
        line
    })
}

/// Some options ask for a password at the terminal, where nobody may answer.
pub(crate) fn leave_the_terminal() {
    // Started by hand from a shell, this is the leader of a job and cannot.
    let has_left = File::open("/dev/tty").is_err() || setsid().is_ok();
    assert!(has_left, "start this with `setsid -w`");
}

/// Every option that the help names, as a word of its own and with something to follow.
fn options() -> Vec<String> {
    let help = cli::parse(["nc", "--help"].map(OsString::from));
    let Ok(Request::ShowHelp(_, text)) = help else { panic!("{help:?}") };
    let names = text.lines().filter(|line| line.trim_start().starts_with('-')).flat_map(|line| {
        line.split([' ', ',']).filter(|word| word.starts_with('-') && word.len() > 1)
    });
    let options: Vec<_> = names
        .flat_map(|name| {
            let open = if name.starts_with("--") { format!("{name}=") } else { name.to_owned() };
            [format!("{name}\0"), open]
        })
        .collect();
    assert!(options.len() > 100, "only {} options were found", options.len());
    options
}

/// Two words of the user's are quoted at most, of 60 characters each.
const LONGEST_LINE: usize = 2048;

/// Values, good and bad.
const WORDS: &[&[u8]] = &[
    b"\0",
    b"\0",
    b"-",
    b"--\0",
    b"=",
    b",",
    b":",
    b"@",
    b"%",
    b"127.0.0.1\0",
    b"localhost\0",
    b"::1\0",
    b"fe80::1%lo\0",
    b"[::1]:80\0",
    b"h.example\0",
    b"h:1080\0",
    b"80\0",
    b"0\0",
    b"1\0",
    b"65535\0",
    b"65536\0",
    b"1-3\0",
    b"3-1\0",
    b"1-65535\0",
    b"-1\0",
    b"+7\0",
    b"18446744073709551616\0",
    b"http\0",
    b"4a\0",
    b"5\0",
    b"connect\0",
    b"socks5://joe:secret@h:1\0",
    b"http://joe@h\0",
    b"socks4://",
    b"://",
    b"joe:secret\0",
    b"%41",
    b"%zz\0",
    b"1.5\0",
    b"500ms\0",
    b"2s\0",
    b"1h\0",
    b"1e9\0",
    b"0.0001\0",
    b"both\0",
    b"none\0",
    b"any\0",
    b"all\0",
    b"hex:00ff\0",
    b"hex:",
    b"host\0",
    b"lowdelay\0",
    b"0x10\0",
    b"ef\0",
    b"224.0.0.1%lo\0",
    b"/nowhere/file\0",
    b"@abstract\0",
    b"\xff",
    b"\xc3",
    b"\x1b[31m",
    b"\n",
    b"\xe2\x80\xae",
    b" ",
];
