//! The completions for shells in `docs/completions` are what clap makes of the program's own options.
//!
//! ```sh
//! COMPLETIONS=update cargo test --test docs completions     # rewrites them
//! ```

use std::env;
use std::fs;
use std::process::Command;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ValueHint};
use clap_complete::{Shell, generate};

use super::markdown::root;

#[test]
fn the_completions_are_those_of_the_program() {
    let updates = env::var_os("COMPLETIONS").is_some_and(|value| value == "update");
    for (shell, file) in FILES {
        let mut script = Vec::new();
        generate(shell, &mut command(), "nc", &mut script);
        let script = String::from_utf8(script).expect("text");
        let path = root().join("docs/completions").join(file);
        if updates {
            fs::write(&path, script).expect("written");
        } else {
            let is_the_same = fs::read_to_string(&path).is_ok_and(|there| there == script);
            assert!(
                is_the_same,
                "docs/completions/{file} is stale: COMPLETIONS=update rewrites it"
            );
        }
    }
}

/// As a user's bash does it: the function that the script registers fills `COMPREPLY`.
#[test]
fn bash_completes_with_them() {
    let completed = |words: &[&str]| {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", COMPLETE, "bash"]).args(words).current_dir(root());
        let output = bash.output().expect("bash");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let words = String::from_utf8(output.stdout).expect("text");
        words.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(completed(&["nc", "--keep-o"]), ["--keep-open"]);
    assert_eq!(completed(&["nc", "-l", "--excl"]), ["--exclusive"]);
    assert_eq!(completed(&["nc", "--proxy-dns", "lo"]), ["local"]);
    assert_eq!(completed(&["nc", "--port-file", "Cargo.t"]), ["Cargo.toml"]);
    assert!(completed(&["nc", "-"]).len() > 50);
}

#[test]
#[ignore = "needs zsh and fish"]
fn zsh_and_fish_can_read_them() {
    for (shell, file) in [("zsh", "_nc"), ("fish", "nc.fish")] {
        let path = root().join("docs/completions").join(file);
        let output = Command::new(shell).arg("-n").arg(path).output().expect(shell);
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The program's own command, with what only a completion can use: explanations, and kinds of values.
fn command() -> clap::Command {
    let help = Command::new(env!("CARGO_BIN_EXE_nc")).arg("--help").output().expect("nc");
    let help = String::from_utf8(help.stdout).expect("text");
    let mut command = pollcat::cli::command();
    let ids: Vec<_> = command.get_arguments().map(|arg| arg.get_id().clone()).collect();
    for id in ids {
        command = command.mut_arg(id, |arg| explained(arg, &help));
    }
    command
}

fn explained(arg: Arg, help: &str) -> Arg {
    let written = match (arg.get_short(), arg.get_long()) {
        (Some(letter), Some(name)) => format!("  -{letter}, --{name}"),
        (Some(letter), None) => format!("  -{letter}"),
        (None, Some(name)) => format!("      --{name}"),
        (None, None) => return arg.value_name("HOST_OR_PORT").value_hint(ValueHint::Hostname),
    };
    let explanation = explanation(help, &written);
    let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let arg = arg.help(explanation);
    match (written.trim_start(), value.as_deref()) {
        ("-X", _) => arg.value_parser(PossibleValuesParser::new(["4", "4a", "5", "connect"])),
        ("--proxy-type", _) => {
            arg.value_parser(PossibleValuesParser::new(["http", "socks4", "socks4a", "socks5"]))
        }
        ("--proxy-dns", _) => {
            arg.value_parser(PossibleValuesParser::new(["local", "remote", "both", "none"]))
        }
        ("--udp-reply", _) => arg.value_parser(PossibleValuesParser::new(["last", "first", "all"])),
        ("--scan-exit", _) => arg.value_parser(PossibleValuesParser::new(["any", "all"])),
        ("--sandbox", _) => arg.value_parser(PossibleValuesParser::new(["auto", "strict", "off"])),
        // In zsh's file the colons of `ADDR[:PORT]` and `USER:PASS` would end them.
        ("-x", _) => arg.value_name("ADDR").value_hint(ValueHint::Hostname),
        ("--proxy-auth", _) => arg.value_name("CREDENTIALS").value_hint(ValueHint::Other),
        (_, Some("FILE")) => arg.value_hint(ValueHint::FilePath),
        (_, Some("ADDR")) => arg.value_hint(ValueHint::Hostname),
        (_, Some(_)) => arg.value_hint(ValueHint::Other),
        (_, None) => arg,
    }
}

/// The lines of the right column that belong to an option.
fn explanation(help: &str, written: &str) -> String {
    let mut lines = help.lines().skip_while(|line| {
        !line.strip_prefix(written).is_some_and(|rest| rest.starts_with([' ', '[', '.']))
    });
    let first = lines.next().unwrap_or_else(|| panic!("the help has no {written:?}"));
    let first = first.trim_start().split_once("  ").expect("two columns").1.trim();
    // Further lines are indented as far as the explanation.
    let more = lines.take_while(|line| line.starts_with("         "));
    more.fold(first.to_owned(), |text, line| text + " " + line.trim())
}

const FILES: [(Shell, &str); 3] =
    [(Shell::Bash, "nc.bash"), (Shell::Zsh, "_nc"), (Shell::Fish, "nc.fish")];

/// `$@` are the words of the command line, of which the last one is to be completed. `compopt` is a builtin
/// for those whom bash itself has called.
const COMPLETE: &str = r#"
set -e
compopt() { :; }
source docs/completions/nc.bash
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
registered=$(complete -p nc)
[[ $registered =~ -F\ ([^ ]+) ]]
"${BASH_REMATCH[1]}" nc "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;
