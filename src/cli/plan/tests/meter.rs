//! What is shown of the bytes that go through.

use super::*;

#[track_caller]
fn metering(line: &str) -> Metering {
    plan(line).job.meter
}

#[test]
fn progress_is_automatic_unless_asked_for_or_forbidden() {
    for (line, progress) in [
        ("h 1", Progress::Automatic),
        ("-l 1", Progress::Automatic),
        ("-v h 1", Progress::Automatic),
        ("--no-progress h 1", Progress::Never),
        ("--progress h 1", Progress::Asked),
        ("-z h 1", Progress::Automatic),
        // Lines of the log and one that is drawn over do not go together.
        ("-vv h 1", Progress::Never),
        ("-vv --progress h 1", Progress::Asked),
        // A scan's lines do: they are its own.
        ("-zvv h 1", Progress::Automatic),
        ("-z --no-progress h 1", Progress::Never),
    ] {
        assert_eq!(metering(line).progress, progress, "{line}");
    }
    assert_eq!(refusal("--progress --no-progress h 1"), "cannot use --progress and --no-progress");
}

#[test]
fn statistics_come_on_request_and_with_the_second_v() {
    for (line, stats) in [
        ("h 1", Stats::None),
        ("-v h 1", Stats::None),
        ("-vv -l 1", Stats::Text),
        ("--stats h 1", Stats::Text),
        ("--stats=text h 1", Stats::Text),
        ("--stats=json h 1", Stats::Json),
        ("-vv --stats=json h 1", Stats::Json),
    ] {
        assert_eq!(metering(line).stats, stats, "{line}");
    }
    assert_eq!(refusal("--stats=xml h 1"), "format of --stats must be text or json: xml");
    assert_eq!(refusal("-z --stats h 1"), "cannot use -z and --stats");
}
