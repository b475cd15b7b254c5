//! Least privilege: once everything is set up, the program gives up what it will not need any more.
//!
//! Owns: what each stage of a run may still do ([`TABLE`], like OpenBSD's pledges), and how the kernel is
//! told: `no_new_privs`, then Landlock for files and TCP ports (`files`), then a seccomp filter for system
//! calls (`calls`, `filter`). Must not know: when a stage begins; that is `app`'s to say.
//!
//! There is no way back, and a second step can only give up more. What is open already stays usable: rights
//! are asked for when something is opened, connected or run.

use std::path::PathBuf;

use rustix::thread::{SecureComputingMode, secure_computing_mode};

use super::inherit::is_set;
use crate::trace::{Event, tell};

#[cfg(feature = "sandbox")]
mod files;

#[cfg(all(
    feature = "sandbox",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
mod calls;
#[cfg(all(
    feature = "sandbox",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
mod filter;

/// Whether this build can do any of it.
pub const BUILT_IN: bool = cfg!(feature = "sandbox");

/// What the user wants (`--sandbox`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// As much as this kernel can do.
    #[default]
    Auto,
    /// Nothing.
    Off,
    /// All of it, or no session at all.
    Strict,
}

/// What a run is at. From one on it can do what its row of the [`TABLE`] promises, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A scan, from its first probe on.
    Scanning,
    /// A client with connections still to be made: more ports, or a proxy that may want to be asked again.
    Dialing,
    /// A client whose last connection stands, and is about to be handed on.
    Handing,
    /// A listener for connections, and its sessions.
    Listening,
    /// A datagram listener for one peer, which nobody has sent to yet.
    Meeting,
    /// A datagram listener for many peers.
    Answering,
    /// A session, and nothing after it.
    Relaying,
}

/// Something that a stage may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Move bytes between what is open, wait, keep time, end.
    Stdio,
    /// Take connections.
    Accept,
    /// Connect a datagram socket to whoever has sent to it.
    Meet,
    /// Send datagrams to whoever has sent some.
    Answer,
    /// Make sockets, bind and connect them.
    Dial,
    /// Read files, ask name servers.
    Names,
    /// Read `/etc/hosts`.
    Hosts,
    /// Remove the socket's file.
    Unlink,
    /// Send a descriptor.
    Sendfd,
    /// Give up more.
    Narrow,
}

/// One row of the [`TABLE`].
#[derive(Debug)]
pub struct Row {
    /// What the run is at.
    pub stage: Stage,
    /// What it may do in any case.
    pub always: &'static [Promise],
    /// What it may do where the command line makes it necessary.
    pub asked: &'static [Promise],
}

/// What each stage may do.
pub const TABLE: [Row; 7] = {
    use Promise::{Accept, Answer, Dial, Hosts, Meet, Names, Narrow, Sendfd, Stdio, Unlink};
    [
        Row { stage: Stage::Scanning, always: &[Stdio, Dial], asked: &[Names] },
        Row { stage: Stage::Dialing, always: &[Stdio, Dial, Narrow], asked: &[Names, Sendfd] },
        Row { stage: Stage::Handing, always: &[Stdio, Sendfd], asked: &[] },
        Row { stage: Stage::Listening, always: &[Stdio, Accept], asked: &[Hosts, Unlink] },
        Row { stage: Stage::Meeting, always: &[Stdio, Meet, Narrow], asked: &[Hosts, Unlink] },
        Row { stage: Stage::Answering, always: &[Stdio, Answer], asked: &[Unlink] },
        Row { stage: Stage::Relaying, always: &[Stdio], asked: &[Unlink] },
    ]
};

/// What a run asks for beyond what its stage may do always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// See [`Row::asked`]; others have no effect.
    pub promises: Vec<Promise>,
    /// What will be removed.
    pub removals: Vec<Removal>,
    /// The TCP ports that may be connected to; `None`: every port.
    pub connect: Option<Vec<u16>>,
    /// The local TCP ports that may be bound to.
    pub bind: Vec<u16>,
}

/// A right to remove. Landlock has no smaller unit than a folder with all that is below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Files of this folder.
    FilesOf(PathBuf),
    /// Empty folders of this folder.
    FoldersOf(PathBuf),
}

/// How far the program is confined.
#[derive(Debug)]
pub struct Sandbox {
    wish: Wish,
    stage: Option<Stage>,
}

impl Sandbox {
    /// Not yet.
    #[must_use]
    pub fn new(wish: Wish) -> Self {
        Self { wish, stage: None }
    }

    /// Whether entering this stage would change anything.
    #[must_use]
    pub fn is_wanted(&self, stage: Stage) -> bool {
        BUILT_IN && self.wish != Wish::Off && self.stage != Some(stage)
    }

    /// Gives up everything that the stage does not need. The first stage tells Landlock; those after it
    /// leave that as it is, for a filter that forbids to open anything leaves nothing to forbid.
    ///
    /// # Errors
    /// Only where it was to be [`Wish::Strict`]: the layer that is missing, and why.
    pub fn enter(&mut self, stage: Stage, asked: &Asked) -> Result<(), String> {
        if !self.is_wanted(stage) {
            return Ok(());
        }
        let is_first = self.stage.is_none();
        if is_first
            && self.wish == Wish::Auto
            && let Some(why) = obstacle()
        {
            tell(Event::Noted(&format_args!("sandbox: none: {why}")));
            self.wish = Wish::Off;
            return Ok(());
        }
        self.stage = Some(stage);
        let promises: Vec<Promise> = promises(stage, asked).collect();
        if is_first {
            self.note("Landlock", stage, restrict_files(&promises, asked, self.wish))?;
        }
        self.note("seccomp", stage, restrict_calls(&promises))
    }

    fn note(&self, layer: &str, stage: Stage, result: Result<(), String>) -> Result<(), String> {
        match result {
            Ok(()) => tell(Event::Noted(&format_args!("sandbox: {layer} for {stage:?}"))),
            Err(why) if self.wish == Wish::Strict => return Err(format!("{layer}: {why}")),
            Err(why) => tell(Event::Noted(&format_args!("sandbox: no {layer}: {why}"))),
        }
        Ok(())
    }
}

/// Why [`Wish::Auto`] leaves this run alone, which would end badly with it.
fn obstacle() -> Option<&'static str> {
    // It makes system calls of its own, that no table of ours knows: proxychains(1) connects to its proxy
    // wherever we connect to, fakeroot(1) asks a server whenever a file is removed.
    if is_set("LD_PRELOAD") {
        return Some("a library is preloaded");
    }
    // A service's own filter may end a process for a call that is not on its list, and the calls that give up
    // rights are not in @system-service: SystemCallFilter= of systemd.exec(5). There is no asking first.
    if is_set("INVOCATION_ID") && matches!(secure_computing_mode(), Ok(SecureComputingMode::Filter))
    {
        return Some("this service has a filter already");
    }
    None
}

fn promises(stage: Stage, asked: &Asked) -> impl Iterator<Item = Promise> {
    let row = TABLE.iter().find(|row| row.stage == stage);
    row.into_iter().flat_map(|row| {
        let more = row.asked.iter().filter(|promise| asked.promises.contains(promise));
        row.always.iter().chain(more).copied()
    })
}

#[cfg(feature = "sandbox")]
fn restrict_files(promises: &[Promise], asked: &Asked, wish: Wish) -> Result<(), String> {
    files::restrict(promises, asked, wish)
}

#[cfg(not(feature = "sandbox"))]
fn restrict_files(_: &[Promise], _: &Asked, _: Wish) -> Result<(), String> {
    Err(NOT_BUILT_IN.to_owned())
}

#[cfg(all(
    feature = "sandbox",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
fn restrict_calls(promises: &[Promise]) -> Result<(), String> {
    filter::restrict(&calls::rules(promises))
}

#[cfg(not(all(
    feature = "sandbox",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
)))]
fn restrict_calls(_: &[Promise]) -> Result<(), String> {
    Err(NOT_BUILT_IN.to_owned())
}

#[cfg(not(all(
    feature = "sandbox",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
)))]
const NOT_BUILT_IN: &str = "not for this processor";

#[cfg(all(test, feature = "sandbox", target_arch = "x86_64"))]
mod tests;
