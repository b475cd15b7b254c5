//! What is written about the bytes that go over the wire.

use super::*;
use crate::app::{Digest, Dump, DumpFormat, DumpTo, Stamps, Taps};
use crate::sys::dump_file::Existing;

fn taps(line: &str) -> Taps {
    plan(line).job.taps
}

#[test]
fn each_option_is_a_dump_of_its_own() {
    assert_eq!(taps("h 1"), Taps::default());
    let file = |name: &str| DumpTo::File(name.into(), Existing::Overwritten);
    assert_eq!(
        taps("--record r --output u --hex-dump x -o o h 1").dumps,
        [
            Dump { format: DumpFormat::Traditional, to: file("o") },
            Dump { format: DumpFormat::Ncat, to: file("x") },
            Dump { format: DumpFormat::Raw, to: file("u") },
            Dump { format: DumpFormat::Packets, to: file("r") },
        ]
    );
    let kept = DumpTo::File("o".into(), Existing::Kept);
    assert_eq!(taps("-lo o --append-output 1").dumps[0].to, kept);
}

#[test]
fn a_hyphen_is_stderr_for_what_is_text_and_refused_for_what_is_not() {
    for line in ["-o - h 1", "--hex-dump=- h 1"] {
        assert_eq!(taps(line).dumps[0].to, DumpTo::Stderr, "{line}");
    }
    for option in ["--output", "--record", "--trace-json"] {
        let words = format!("{option} needs a file, and - is none (./- is)");
        assert_eq!(refusal(&format!("{option} - h 1")), words);
        assert_eq!(refusal(&format!("-l {option}=- 1")), words);
    }
    let file = DumpTo::File("./-".into(), Existing::Overwritten);
    assert_eq!(taps("--output ./- h 1").dumps[0].to, file);
}

#[test]
fn stamps_and_appending_need_something_to_be_written_to() {
    assert_eq!(taps("--timestamps -o x h 1").stamps, Stamps::Each);
    assert_eq!(taps("--timestamps --hex-dump x h 1").stamps, Stamps::Each);
    assert_eq!(taps("-o x h 1").stamps, Stamps::None);
    for line in ["--timestamps h 1", "--timestamps --output x h 1", "--timestamps --record x h 1"] {
        assert_eq!(refusal(line), "must use -o or --hex-dump with --timestamps", "{line}");
    }
    assert_eq!(
        refusal("--append-output --digest sha256 h 1"),
        "must use -o, --hex-dump, --output or --record with --append-output"
    );
}

#[test]
fn there_is_one_digest() {
    assert_eq!(taps("--digest sha256 h 1").digest, Some(Digest::Sha256));
    assert_eq!(taps("--digest SHA256 h 1").digest, Some(Digest::Sha256));
    assert_eq!(refusal("--digest md5 h 1"), "unknown digest: md5 (sha256 is the one there is)");
    assert_eq!(refusal("--digest= h 1"), "unknown digest:  (sha256 is the one there is)");
}

#[test]
fn where_nothing_is_relayed_nothing_is_seen() {
    for (line, words) in [
        ("-z -o x h 1", "-z and -o"),
        ("-z --hex-dump x h 1", "-z and --hex-dump"),
        ("-F --output x h 1", "-F and --output"),
        ("-F --record x h 1", "-F and --record"),
        ("-zF --digest sha256 h 1", "-z and --digest"),
    ] {
        assert_eq!(refusal(line), format!("cannot use {words}"), "{line}");
    }
}
