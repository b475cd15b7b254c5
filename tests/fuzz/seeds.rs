//! The inputs of a target: its corpus first, then what is made of each input that the engine thinks of.
//!
//! Random bytes alone get no further than the first check of a parser. So each input is tried three
//! times: as it is; read as a list of numbers of words, which are joined; and as a change to a file of
//! the corpus. All of it depends on the input only, so that a failure can be repeated and cut down.
//!
//! libFuzzer sees by itself how far an input gets. It takes each as it is, so that one that it finds can
//! become a file of the corpus, and is given the words as a dictionary.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use std::{env, fs};

/// Tries the corpus of `$seeds`, and then whatever the engine thinks of. A macro, so that the engine knows
/// whose test it is.
macro_rules! try_all {
    ($seeds:expr, $check:expr) => {{
        let (seeds, check): (Seeds, _) = ($seeds, $check);
        seeds.of_corpus(&check);
        let trial = ::bolero::check!().with_max_len($crate::seeds::longest_input());
        trial.with_test_time($crate::seeds::TIME).for_each(|input: &[u8]| {
            seeds.of_input(input, &check);
        });
    }};
}
pub(crate) use try_all;

/// What the inputs of one target are made of.
pub(crate) struct Seeds {
    corpus: Vec<Vec<u8>>,
    /// Those of the target, and the whole corpus.
    words: Vec<Vec<u8>>,
}

impl Seeds {
    /// Those of the directory `corpus/target`.
    pub(crate) fn of(target: &str, words: &[&[u8]]) -> Self {
        let directory =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
        let entries = fs::read_dir(&directory).expect("a corpus");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        // Directories come in no order, and the order decides what an input means.
        paths.sort();
        let corpus: Vec<_> = paths.iter().map(|path| fs::read(path).expect("a file")).collect();
        assert!(!corpus.is_empty(), "no files in {}", directory.display());
        if let Some(file) = env::var_os("POLLCAT_FUZZ_DICTIONARY") {
            fs::write(file, dictionary(words)).expect("written");
        }
        let words = words.iter().map(|word| word.to_vec()).chain(corpus.iter().cloned()).collect();
        Self { corpus, words }
    }

    /// Every file of the corpus.
    pub(crate) fn corpus(&self) -> impl Iterator<Item = &[u8]> {
        self.corpus.iter().map(Vec::as_slice)
    }

    /// Tries every file of the corpus.
    pub(crate) fn of_corpus(&self, check: impl Fn(&[u8])) {
        self.corpus().for_each(check);
    }

    /// Everything that is made of an input.
    pub(crate) fn of_input(&self, input: &[u8], check: impl Fn(&[u8])) {
        check(input);
        if !is_guided() {
            check(&self.joined(input));
            check(&self.changed(input));
        }
    }

    /// Each byte of the input is the number of a word. One number says that the next byte stands for
    /// itself.
    fn joined(&self, input: &[u8]) -> Vec<u8> {
        let (mut joined, mut input) = (Vec::new(), input.iter());
        while let Some(&number) = input.next() {
            match self.words.get(usize::from(number) % (self.words.len() + 1)) {
                Some(word) => joined.extend(word),
                None => joined.extend(input.next()),
            }
        }
        joined
    }

    /// The input says which file, where in it, how many bytes are lost there, and what comes instead.
    fn changed(&self, input: &[u8]) -> Vec<u8> {
        let [which, at, lost, new @ ..] = input else { return Vec::new() };
        let file = &self.corpus[usize::from(*which) % self.corpus.len()];
        let (before, after) = file.split_at(usize::from(*at) % (file.len() + 1));
        let lost = usize::from(lost % 4).min(after.len());
        let new = &new[..new.len().min(usize::from(at % 8))];
        [before, new, &after[lost..]].concat()
    }
}

/// The words as libFuzzer reads them: one a line, in quotes.
fn dictionary(words: &[&[u8]]) -> String {
    let mut lines = String::new();
    for word in words {
        lines.push('"');
        word.iter().for_each(|byte| _ = write!(lines, "\\x{byte:02x}"));
        lines += "\"\n";
    }
    lines
}

/// libFuzzer is at work.
fn is_guided() -> bool {
    env::var_os("BOLERO_LIBFUZZER_ARGS").is_some()
}

/// The bytes, and their second half again and again, up to [`LONG`]: a peer that never ends. Only of every
/// eighth length, for it takes as long as everything else, and more seldom when libFuzzer counts on speed.
pub(crate) fn without_end(bytes: &[u8]) -> Option<Vec<u8>> {
    let every = if is_guided() { 64 } else { 8 };
    let again = &bytes[bytes.len() / 2..];
    let times = LONG.checked_div(again.len()).filter(|_| bytes.len().is_multiple_of(every))?;
    let mut long = [bytes, &again.repeat(times)].concat();
    long.truncate(LONG);
    Some(long)
}

/// Much more than any parser here should keep.
pub(crate) const LONG: usize = 64 * 1024;

/// The longest input that the engine thinks of. Words make it longer, where they are joined.
pub(crate) fn longest_input() -> usize {
    if is_guided() { 4096 } else { 128 }
}

/// For each target. All of them take a few seconds, where there are two processors.
pub(crate) const TIME: Duration = Duration::from_millis(700);
