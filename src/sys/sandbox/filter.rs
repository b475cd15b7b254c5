//! From verdicts to a program that the kernel runs at every system call.
//!
//! Classic BPF has one register, jumps forward only, and returns what is to be done. The crate that hands it
//! to the kernel could make one, too: a list that is gone through from its top. The kernel runs a new filter
//! once for each number there is, to remember what is allowed whatever the arguments are, so a list of 60
//! calls costs some 30,000 steps at each start. This one halves the numbers until one span is left.

use seccompiler::sock_filter;

use super::calls::{Check, Verdict};
use crate::error::reason;

/// Has the kernel run every system call past these rules from now on; sets `no_new_privs` first.
///
/// # Errors
/// The kernel cannot, or may not.
pub(super) fn restrict(rules: &[(u32, Verdict)]) -> Result<(), String> {
    let program = program(rules).ok_or(TOO_LONG)?;
    seccompiler::apply_filter(&program).map_err(|error| match &error {
        seccompiler::Error::Prctl(why) | seccompiler::Error::Seccomp(why) => reason(why),
        seccompiler::Error::Backend(_)
        | seccompiler::Error::EmptyFilter
        | seccompiler::Error::ThreadSync(_) => TOO_LONG.to_owned(),
    })
}

/// No rules of ours come to that, see the tests.
const TOO_LONG: &str = "the filter is too long";

/// `None` where a jump would have to be longer than it can be. `rules` are in the order of their numbers.
fn program(rules: &[(u32, Verdict)]) -> Option<Vec<sock_filter>> {
    let mut spans = vec![(0, Verdict::Refuse)];
    for &(number, verdict) in rules {
        spans.pop_if(|next| next.0 == number);
        spans.push((number, verdict));
        spans.push((number + 1, Verdict::Refuse));
    }
    spans.dedup_by_key(|span| span.1);
    let mut program = vec![
        // Numbers mean other calls in the other ways to call this kernel.
        load(ARCH),
        jump(JEQ, AUDIT_ARCH, 1, 0),
        statement(RET, RET_KILL),
        load(NUMBER),
    ];
    search(&spans, &mut program)?;
    Some(program)
}

/// Of spans, each from its number to the next one's, finds the one that a number is in.
fn search(spans: &[(u32, Verdict)], program: &mut Vec<sock_filter>) -> Option<()> {
    if let &[(_, verdict)] = spans {
        conclude(verdict, program);
        return Some(());
    }
    let (lower, upper) = spans.split_at(spans.len() / 2);
    let at = program.len();
    program.push(jump(JGE, upper.first()?.0, 0, 0));
    search(lower, program)?;
    program[at].jt = u8::try_from(program.len() - at - 1).ok()?;
    search(upper, program)
}

fn conclude(verdict: Verdict, program: &mut Vec<sock_filter>) {
    match verdict {
        Verdict::Allow => program.push(statement(RET, RET_ALLOW)),
        Verdict::Refuse => program.push(statement(RET, RET_EPERM)),
        Verdict::Kill => program.push(statement(RET, RET_KILL)),
        Verdict::AllowIf(check) => {
            // Each ends where the next instruction allows, and the one after that refuses.
            match check {
                Check::Clear(argument, bits) => {
                    program.extend([load(lower_half(argument)), jump(JSET, bits, 1, 0)]);
                }
                Check::Is(argument, value) => {
                    program.extend([load(lower_half(argument)), jump(JEQ, value, 0, 1)]);
                }
                Check::Null(argument) => program.extend([
                    load(lower_half(argument)),
                    jump(JEQ, 0, 0, 3),
                    load(lower_half(argument) + 4),
                    jump(JEQ, 0, 0, 1),
                ]),
                Check::Neither(argument, [one, other]) => program.extend([
                    load(lower_half(argument)),
                    jump(JEQ, one, 2, 0),
                    jump(JEQ, other, 1, 0),
                ]),
            }
            program.extend([statement(RET, RET_ALLOW), statement(RET, RET_EPERM)]);
        }
    }
}

fn load(offset: u32) -> sock_filter {
    statement(LD, offset)
}

fn statement(code: u16, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

// `struct seccomp_data` of <linux/seccomp.h>; all three machines are little-endian.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

const fn lower_half(argument: u8) -> u32 {
    16 + 8 * argument as u32
}

// <linux/bpf_common.h>: a 32-bit word of the data into the register; jumps that compare it with a constant.
const LD: u16 = 0x20;
const JEQ: u16 = 0x15;
const JGE: u16 = 0x35;
const JSET: u16 = 0x45;
const RET: u16 = 0x06;

const RET_ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const RET_KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const RET_EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();

/// `AUDIT_ARCH_*` of <linux/audit.h>.
const AUDIT_ARCH: u32 = if cfg!(target_arch = "x86_64") {
    0xc000_003e
} else if cfg!(target_arch = "aarch64") {
    0xc000_00b7
} else {
    0xc000_00f3
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::sandbox::calls::{Group, groups, rules};
    use crate::sys::sandbox::{Promise, TABLE};

    /// Runs a filter as the kernel does, for the length of one call.
    fn run(program: &[sock_filter], arch: u32, number: u32, arguments: [u64; 6]) -> (u32, usize) {
        let (mut at, mut register) = (0, 0);
        for steps in 1.. {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let jumps = |taken: bool| usize::from(if taken { jt } else { jf });
            match code {
                LD if k == NUMBER => register = number,
                LD if k == ARCH => register = arch,
                LD => {
                    let argument = arguments[(k as usize - 16) / 8];
                    let half = if k % 8 == 0 { argument } else { argument >> 32 };
                    register = u32::try_from(half & 0xffff_ffff).expect("a half");
                }
                JEQ => at += jumps(register == k),
                JGE => at += jumps(register >= k),
                JSET => at += jumps(register & k != 0),
                RET => return (k, steps),
                other => panic!("instruction {other:#x}"),
            }
        }
        unreachable!("a filter ends")
    }

    fn is_met(check: Check, arguments: [u64; 6]) -> bool {
        let lower = |argument: u8| arguments[usize::from(argument)] & 0xffff_ffff;
        match check {
            Check::Clear(argument, bits) => lower(argument) & u64::from(bits) == 0,
            Check::Null(argument) => arguments[usize::from(argument)] == 0,
            Check::Is(argument, value) => lower(argument) == u64::from(value),
            Check::Neither(argument, values) => {
                values.iter().all(|value| lower(argument) != u64::from(*value))
            }
        }
    }

    #[test]
    fn a_filter_says_what_its_rules_say() {
        let arguments = [
            [0; 6],
            [1; 6],
            [2; 6],
            [u64::from(libc::PR_SET_NO_NEW_PRIVS.cast_unsigned()); 6],
            [1 << 32; 6],
            [0x5412; 6],
            [0x541c; 6],
            [0xffff_0000_0000_5412; 6],
        ];
        let mut longest = 0;
        for row in &TABLE {
            let promises: Vec<Promise> = row.always.iter().chain(row.asked).copied().collect();
            let rules = rules(&promises);
            let program = program(&rules).expect("jumps are long enough");
            for number in (0..1024).chain([0x4000_0000, 0x4000_0001, u32::MAX]) {
                let verdict = rules.iter().find(|rule| rule.0 == number).map(|rule| rule.1);
                for arguments in arguments {
                    let expected = match verdict {
                        Some(Verdict::Allow) => RET_ALLOW,
                        Some(Verdict::AllowIf(check)) if is_met(check, arguments) => RET_ALLOW,
                        Some(Verdict::Kill) => RET_KILL,
                        Some(Verdict::AllowIf(_) | Verdict::Refuse) | None => RET_EPERM,
                    };
                    let (answer, steps) = run(&program, AUDIT_ARCH, number, arguments);
                    assert_eq!(answer, expected, "{:?}: {number} {arguments:x?}", row.stage);
                    longest = longest.max(steps);
                }
            }
            assert_eq!(run(&program, 0x4000_0003, 0, [0; 6]).0, RET_KILL, "i386 has other numbers");
        }
        assert!(longest <= 18, "{longest} instructions for one call");
    }

    #[test]
    fn promises_agree_about_what_they_ask_of_a_call() {
        for row in &TABLE {
            let all = row.always.iter().chain(row.asked).flat_map(|promise| groups(*promise));
            let all: Vec<_> = all
                .flat_map(|Group(verdict, calls)| calls.iter().map(move |call| (call, *verdict)))
                .collect();
            for (call, verdict) in &all {
                for (other, others) in all.iter().filter(|(other, _)| other.number == call.number) {
                    let agree = verdict == others || [verdict, others].contains(&&Verdict::Allow);
                    assert!(agree, "{:?}: {} and {}", row.stage, call.name, other.name);
                }
            }
        }
    }
}
