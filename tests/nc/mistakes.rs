//! The tests bite: each classic mistake that `--features mistakes` can make is noticed by one of the
//! scenarios of this suite, in the way one would expect, and the same scenario passes without it.
//!
//! Each test runs this very program again, for one scenario alone, twice: as it is, and with `NC_MISTAKE`
//! in its environment, where the `nc` that the scenario starts finds it. To watch one fail:
//!
//! ```text
//! NC_MISTAKE=no-drain cargo test --features mistakes --test nc stdio::a_file_as_stdin
//! ```

use std::env;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::tempfile;

use crate::support::watch;

#[test]
fn a_source_that_is_not_drained_is_stuck() {
    let scenario = "stdio::a_file_as_stdin_is_read_from_where_it_stands";
    is_noticed("no-drain", scenario, "an end of file: ");
}

#[test]
fn a_bit_cleared_early_is_an_event_that_never_comes() {
    let scenario = "keep_open::a_quiet_client_waits_for_a_share_of_a_noisy_one";
    is_noticed("clear-early", scenario, "in vain until all has come");
}

#[test]
fn an_end_behind_a_short_read_is_not_seen() {
    let scenario = "eof::an_end_that_comes_with_the_last_bytes_is_seen";
    is_noticed("short-read", scenario, "runs on after");
}

#[test]
fn what_a_short_write_left_is_lost() {
    let scenario = "keep_open::large_stdin_reaches_every_client_whole";
    is_noticed("short-write", scenario, "bytes instead of 3145728");
}

#[test]
fn a_read_of_nothing_taken_for_data_never_ends() {
    let scenario = "commands::two_consoles_talk_to_each_other";
    is_noticed("zero-is-data", scenario, "runs on after");
}

#[test]
fn a_hang_up_that_is_ignored_is_an_end_that_is_missed() {
    let scenario = "eof::a_client_with_q_reads_on_without_bound";
    is_noticed("ignore-hup", scenario, "an end of file: ");
}

#[test]
fn a_signal_taken_for_a_failure_ends_the_program() {
    let scenario = "signals::w_is_right_among_signals";
    is_noticed("fail-on-eintr", scenario, "Interrupted system call");
}

#[test]
fn without_a_budget_a_noisy_client_comes_first() {
    let scenario = "keep_open::a_quiet_client_waits_for_a_share_of_a_noisy_one";
    is_noticed("no-budget", scenario, "150000 bytes of a noisy client came first");
}

#[test]
fn a_write_that_waits_for_stdout_stops_the_clock() {
    let scenario = "loss::an_idle_timeout_says_what_it_leaves_behind";
    is_noticed("block-stdout", scenario, "runs on after");
}

#[test]
fn nonblock_on_stdin_is_nonblock_for_everybody() {
    let scenario = "stdio::nonblock_is_never_set_on_what_is_shared";
    is_noticed("nonblock-stdin", scenario, "as stdin: after the start");
}

#[test]
fn one_client_per_event_leaves_the_others_waiting() {
    let scenario = "keep_open::a_crowd_that_came_while_it_was_stopped_is_served";
    is_noticed("accept-once", scenario, "bytes instead of 32,");
}

#[test]
fn no_descriptor_and_no_patience_is_a_busy_processor() {
    let scenario = "keep_open::running_out_of_descriptors_is_survived_without_spinning";
    is_noticed("spin-on-emfile", scenario, "clock ticks of processor time");
}

#[test]
fn a_refused_connection_is_writable_too() {
    let scenario = "commands::a_refused_connection_is_one_line_and_status_1";
    is_noticed("writable-is-connected", scenario, "succeeded!");
}

#[test]
fn an_end_of_file_taken_for_both_directions_cuts_one_off() {
    let scenario = "eof::peer_eof_leaves_a_client_sending_until_stdin_ends";
    is_noticed("eof-both-ways", scenario, "in vain until it has settled");
}

#[test]
fn what_came_before_a_reset_is_lost() {
    let scenario = "loss::what_arrived_before_a_reset_is_delivered";
    is_noticed("drop-on-reset", scenario, "0 bytes instead of 32768");
}

#[test]
fn a_socket_closed_at_once_does_not_see_its_last_bytes_off() {
    let scenario = "eof::send_only_waits_for_a_peer_that_talks_before_it_reads";
    is_noticed("close-unread", scenario, "in vain until it has settled");
}

#[test]
fn an_error_believed_too_early_takes_back_an_answer() {
    let scenario = "udp_end::a_refusal_behind_an_answer_takes_nothing_back";
    is_noticed("udp-error-first", scenario, "0 bytes instead of 6");
}

#[test]
fn a_blocked_pipe_charged_to_the_socket_is_an_event_that_never_comes() {
    let scenario = "loss::a_clean_end_in_both_directions_is_status_0";
    is_noticed("splice-wrong-side", scenario, "of 2097152 bytes");
}

/// The scenario passes as it is. With the mistake it fails, and says so.
#[track_caller]
fn is_noticed(mistake: &str, scenario: &str, complaint: &str) {
    let (passes, said) = run(scenario, None);
    assert!(passes && said.contains("1 passed"), "{scenario} without a mistake:\n{said}");
    let (passes, said) = run(scenario, Some(mistake));
    assert!(!passes, "{scenario} passes in spite of {mistake}:\n{said}");
    assert!(
        said.contains(complaint),
        "{scenario} does not say {complaint:?} of {mistake}:\n{said}"
    );
}

/// Whether the scenario passes, and all it says. One that has not ended in time has failed.
#[track_caller]
fn run(scenario: &str, mistake: Option<&str>) -> (bool, String) {
    let mut output = tempfile().expect("a file");
    let copy = || Stdio::from(output.try_clone().expect("a descriptor"));
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["--exact", scenario]).env_remove("NC_MISTAKE").env_remove("RUST_BACKTRACE");
    if let Some(mistake) = mistake {
        command.env("NC_MISTAKE", mistake);
    }
    // A group of its own, so that whatever hangs can be ended with all it has started.
    let command = command.stdin(Stdio::null()).stdout(copy()).stderr(copy()).process_group(0);
    let passes = Group(command.spawn().expect("this program runs")).ends_well();
    (passes, read(&mut output))
}

fn read(output: &mut File) -> String {
    let mut bytes = Vec::new();
    output.rewind().expect("a file");
    output.read_to_end(&mut bytes).expect("a file");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A process and all it has started. Dropping it ends them.
struct Group(Child);

impl Group {
    fn ends_well(mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            if let Some(status) = self.0.try_wait().expect("a child of ours") {
                return status.success();
            }
            watch(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It fails where all have ended.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// Far beyond what a scenario needs that passes. Those that hang mostly give up earlier, by deadlines of
/// their own.
const LIMIT: Duration = Duration::from_secs(20);
