//! How sessions end, and what is done to what they carry.

use super::*;

#[test]
fn peer_eof_ends_listeners_and_terminals_by_default() {
    for (options, client, listener) in [
        ("", PeerEof::AsStdin, PeerEof::EndSession),
        ("--half-close", PeerEof::KeepSending, PeerEof::KeepSending),
        ("--exit-on-close", PeerEof::EndSession, PeerEof::EndSession),
    ] {
        assert_eq!(policy(&format!("{options} h 1")).peer_eof, client, "{options}");
        assert_eq!(policy(&format!("{options} -l 1")).peer_eof, listener, "{options}");
    }
    assert_eq!(
        refusal("--half-close --exit-on-close h 1"),
        "cannot use --exit-on-close and --half-close"
    );
}

#[test]
fn local_eof_is_told_the_peer_only_if_asked_for() {
    for (options, told) in [
        ("", false),
        ("-N", true),
        ("-q 0", true),
        ("-q 5", true),
        ("-q -1", false),
        ("-q -1 -N", true),
        ("--quit-after 5", true),
        ("--send-only", true),
        ("-d", false),
        ("-dN", true),
        ("--recv-only -q 1", true),
        ("--recv-only --no-shutdown", false),
        ("--no-shutdown", false),
        ("--no-shutdown -q 1", false),
        ("--no-shutdown --quit-after 1", false),
        ("--no-shutdown --send-only", false),
    ] {
        let expected = if told { LocalEof::HalfClose } else { LocalEof::KeepOpen };
        assert_eq!(policy(&format!("{options} h 1")).local_eof, expected, "{options}");
        assert_eq!(policy(&format!("{options} -l 1")).local_eof, expected, "{options}");
    }
    assert_eq!(refusal("-N --no-shutdown h 1"), "cannot use -N and --no-shutdown");
}

#[test]
fn q_bounds_listeners_and_quit_after_both() {
    for (options, client, listener) in [
        ("-q 5", None, Some(SECOND * 5)),
        ("-q 0", None, Some(Duration::ZERO)),
        ("-q -1", None, None),
        ("--quit-after 7", Some(SECOND * 7), Some(SECOND * 7)),
        ("--quit-after 7 -q 5", Some(SECOND * 7), Some(SECOND * 7)),
        ("-q -1 --quit-after 7", Some(SECOND * 7), Some(SECOND * 7)),
        ("--no-shutdown --quit-after 7", Some(SECOND * 7), Some(SECOND * 7)),
        ("--no-shutdown -q 5", None, Some(SECOND * 5)),
    ] {
        assert_eq!(policy(&format!("{options} h 1")).quit_after, client, "{options}");
        assert_eq!(policy(&format!("{options} -l 1")).quit_after, listener, "{options}");
    }
}

#[test]
fn quit_times_that_do_not_fit_are_refused() {
    assert_eq!(refusal("-q x h 1"), "quit timer invalid: x");
    assert_eq!(refusal("-q 99999999999 h 1"), "quit timer too large: 99999999999");
    assert_eq!(refusal("--quit-after -1 h 1"), "quit timer too small: -1");
    assert_eq!(refusal("-q x --quit-after 1 h 1"), "quit timer invalid: x");
}

#[test]
fn stdin_that_is_not_read_has_no_end_to_count_from() {
    for line in ["-d -q 5 -l 1", "--recv-only --quit-after 5 h 1"] {
        let policy = policy(line);
        assert_eq!((policy.ways, policy.quit_after), (Ways::ReceiveOnly, None), "{line}");
    }
}

#[test]
fn directions_can_be_left_out() {
    assert_eq!(policy("-d h 1").ways, Ways::ReceiveOnly);
    assert_eq!(policy("--no-stdin -l 1").ways, Ways::ReceiveOnly);
    assert_eq!(policy("-d --recv-only h 1").ways, Ways::ReceiveOnly);
    assert_eq!(policy("--send-only h 1").ways, Ways::SendOnly);
    assert_eq!(refusal("--send-only --recv-only h 1"), "cannot use --send-only and --recv-only");
    assert_eq!(refusal("--send-only -d h 1"), "cannot use --send-only and -d");
}

#[test]
fn w_bounds_idling_and_for_clients_connecting() {
    let plan = plan("-w 500ms h 1");
    let half = Some(Duration::from_millis(500));
    assert_eq!(plan.job.policy.idle, half);
    assert_eq!(connect("-w 500ms h 1").timeout, half);
    assert_eq!(policy("-w 3 -l 1").idle, Some(SECOND * 3));
}

#[test]
fn w_0_bounds_idling_only() {
    assert_eq!(policy("-w 0 h 1").idle, Some(Duration::ZERO));
    assert_eq!(connect("-w 0 h 1").timeout, None);
}

#[test]
fn timeouts_that_do_not_fit_are_refused() {
    assert_eq!(refusal("-w -1 h 1"), "timeout too small: -1");
    assert_eq!(refusal("-w x h 1"), "timeout invalid: x");
    assert_eq!(refusal("-w 99999999 h 1"), "timeout too large: 99999999");
    assert_eq!(refusal("-w -v h 1"), "timeout invalid: -v");
}

#[test]
fn recv_limit_is_a_number_from_1() {
    assert_eq!(policy("-W 1 h 1").recv_limit, NonZeroU64::new(1));
    assert_eq!(policy("--recv-limit=2147483647 -l 1").recv_limit, NonZeroU64::new(2_147_483_647));
    assert_eq!(refusal("-W 0 h 1"), "receive limit too small: 0");
    assert_eq!(refusal("-W x h 1"), "receive limit invalid: x");
    assert_eq!(refusal("-W 2147483648 h 1"), "receive limit too large: 2147483648");
}

#[test]
fn q_bounds_the_wait_for_datagrams_in_either_role() {
    for line in ["-u -q 5 h 1", "-lu -q 5 1", "-uU -q 5 path", "-luU -q 5 path", "-luk -q 5 1"] {
        let policy = policy(line);
        assert_eq!(policy.quit_after, Some(SECOND * 5), "{line}");
        assert_eq!(policy.local_eof, LocalEof::HalfClose, "{line}");
    }
    assert_eq!(policy("-u -q -1 h 1").quit_after, None);
    assert_eq!(policy("-u --quit-after 2 -q 5 h 1").quit_after, Some(SECOND * 2));
    // A connection of records has an end.
    assert_eq!(policy("--seqpacket -q 5 path").quit_after, None);
}

#[test]
fn datagrams_have_no_end_that_could_stop_a_client() {
    assert_eq!(policy("-u h 1").peer_eof, PeerEof::KeepSending);
    assert_eq!(policy("-uU path").peer_eof, PeerEof::KeepSending);
    assert_eq!(policy("-lu 1").peer_eof, PeerEof::EndSession);
    for line in ["-U path", "--seqpacket path", "--vsock 2 1", "--mptcp h 1"] {
        assert_eq!(policy(line).peer_eof, PeerEof::AsStdin, "{line}");
    }
}

#[test]
fn filters_are_chosen_by_letter() {
    let filters = |crlf, telnet| Filters { crlf, telnet, sanitize: false };
    assert_eq!(policy("h 1").filters, filters(false, false));
    assert_eq!(policy("-C h 1").filters, filters(true, false));
    assert_eq!(policy("--telnet -l 1").filters, filters(false, true));
    assert_eq!(policy("-Ct h 1").filters, filters(true, true));
}

#[test]
fn sanitize_is_asked_for_and_waits_for_what_stdout_is() {
    for line in ["--sanitize h 1", "-l --sanitize 1", "-t --sanitize h 1"] {
        let filters = policy(line).filters;
        assert!(filters.sanitize, "{line}");
        assert_eq!(filters.settled(true), filters, "{line}");
        assert_eq!(filters.settled(false), Filters { sanitize: false, ..filters }, "{line}");
    }
    assert!(!policy("h 1").filters.settled(true).sanitize);
}

#[test]
fn a_rate_limits_what_is_relayed() {
    assert_eq!(policy("h 1").rate, None);
    assert_eq!(policy("--limit-rate 5M h 1").rate, NonZeroU64::new(5 << 20));
    assert_eq!(policy("-lk --limit-rate=1500 1").rate, NonZeroU64::new(1500));
    assert_eq!(policy("-u --limit-rate 1k h 1").rate, NonZeroU64::new(1024));
    assert_eq!(refusal("--limit-rate 0 h 1"), "rate limit too small: 0");
    assert_eq!(refusal("--limit-rate x h 1"), "rate limit invalid: x");
    // Where nothing is relayed it would be a promise that nobody keeps.
    assert_eq!(refusal("-z --limit-rate 1k h 1"), "cannot use -z and --limit-rate");
    assert_eq!(refusal("-F --limit-rate 1k h 1"), "cannot use -F and --limit-rate");
    assert_eq!(refusal("-F --stats h 1"), "cannot use -F and --stats");
}

#[test]
fn i_is_time_between_lines_and_between_ports() {
    assert_eq!(policy("-i 1 -l 1").interval, Some(SECOND));
    assert_eq!(policy("-i 500ms h 1").interval, Some(SECOND / 2));
    assert_eq!(connect("--interval 0.5 h 1").interval, Some(SECOND / 2));
}

#[test]
fn i_0_is_none() {
    assert_eq!((policy("-i 0 h 1").interval, connect("-i 0 h 1").interval), (None, None));
}

#[test]
fn intervals_that_do_not_fit_are_refused() {
    assert_eq!(refusal("-i x h 1"), "interval invalid: x");
    assert_eq!(refusal("-i -1 h 1"), "interval too small: -1");
    assert_eq!(refusal("-i 99999999999 h 1"), "interval too large: 99999999999");
}
