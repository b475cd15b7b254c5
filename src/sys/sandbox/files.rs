//! Files and TCP ports, by Landlock: landlock(7).
//!
//! It guards what is opened, bound or connected from now on. A kernel knows the older part of its rights
//! only, by the number of its ABI; what it does not know it does not guard.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, AddRuleError, AddRulesError, BitFlags, CompatLevel,
    Compatible, CreateRulesetError, NetPort, PathBeneath, RestrictSelfError, RestrictionStatus,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use rustix::fs::{Mode, OFlags, open};

use super::{Asked, Promise, Removal, Wish};
use crate::error::reason;
use crate::sys::net::is_scarcity;
use crate::trace::{Event, tell};

/// Has the kernel refuse every file and port that the promises do not need; sets `no_new_privs` first.
///
/// # Errors
/// The kernel cannot; where the wish is strict, also if it cannot do all of [`NEEDED`].
pub(super) fn restrict(promises: &[Promise], asked: &Asked, wish: Wish) -> Result<(), String> {
    let files = opened(&paths(promises, asked))?;
    let status = build(promises, asked, wish, &files).map_err(words)?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced => {
            tell(Event::Noted(&"sandbox: of Landlock, what this kernel knows"));
            Ok(())
        }
        RulesetStatus::NotEnforced => Err(TOO_OLD.to_owned()),
    }
}

fn build(
    promises: &[Promise],
    asked: &Asked,
    wish: Wish,
    files: &[(OwnedFd, BitFlags<AccessFs>)],
) -> Result<RestrictionStatus, RulesetError> {
    let needed = match wish {
        Wish::Strict => CompatLevel::HardRequirement,
        Wish::Auto | Wish::Off => CompatLevel::BestEffort,
    };
    let dials = promises.contains(&Promise::Dial);
    let net = match (dials, &asked.connect) {
        (true, None) => AccessNet::BindTcp.into(),
        (true, Some(_)) | (false, _) => AccessNet::BindTcp | AccessNet::ConnectTcp,
    };
    let ruleset = Ruleset::default()
        .set_compatibility(needed)
        .handle_access(AccessFs::from_all(NEEDED))?
        .handle_access(net)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))?
        .scope(scopes(promises))?;
    let mut ruleset = ruleset.create()?;
    for (port, right) in ports(promises, asked) {
        ruleset = ruleset.add_rule(NetPort::new(port, right))?;
    }
    for (fd, rights) in files {
        ruleset = ruleset.add_rule(PathBeneath::new(fd, *rights))?;
    }
    ruleset.restrict_self()
}

/// What TCP ports are needed for.
fn ports(promises: &[Promise], asked: &Asked) -> Vec<(u16, AccessNet)> {
    let mut ports = Vec::new();
    if promises.contains(&Promise::Dial) {
        if let Some(connect) = &asked.connect {
            let name_server = promises.contains(&Promise::Names).then_some(&NAME_SERVER);
            let connect = connect.iter().chain(name_server);
            ports.extend(connect.map(|&port| (port, AccessNet::ConnectTcp)));
        }
        ports.extend(asked.bind.iter().map(|&port| (port, AccessNet::BindTcp)));
    }
    ports
}

/// What files and folders are needed for.
fn paths<'a>(promises: &[Promise], asked: &'a Asked) -> Vec<(&'a Path, BitFlags<AccessFs>)> {
    let mut paths = Vec::new();
    if promises.contains(&Promise::Names) {
        paths.push((Path::new("/"), AccessFs::ReadFile | AccessFs::ReadDir));
    }
    if promises.contains(&Promise::Hosts) {
        paths.push((Path::new("/etc/hosts"), AccessFs::ReadFile.into()));
    }
    if promises.contains(&Promise::Unlink) {
        paths.extend(asked.removals.iter().map(|removal| match removal {
            Removal::FilesOf(folder) => (folder.as_path(), AccessFs::RemoveFile.into()),
            Removal::FoldersOf(folder) => (folder.as_path(), AccessFs::RemoveDir.into()),
        }));
    }
    paths
}

/// What is not there, or not for us, needs no rule. Where there is no descriptor for one, our own file would be
/// out of our reach.
fn opened(
    paths: &[(&Path, BitFlags<AccessFs>)],
) -> Result<Vec<(OwnedFd, BitFlags<AccessFs>)>, String> {
    let mut files = Vec::new();
    for (path, rights) in paths {
        match open(*path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(io::Error::from) {
            Ok(fd) => files.push((fd, *rights)),
            Err(error) if is_scarcity(&error) => return Err(reason(&error)),
            Err(_) => {}
        }
    }
    Ok(files)
}

/// Processes that are not ours get no signals. Sockets with abstract names that are not ours get no
/// connections and no datagrams, unless that is what the program is for.
fn scopes(promises: &[Promise]) -> BitFlags<Scope> {
    let sends = [Promise::Dial, Promise::Names, Promise::Meet, Promise::Answer];
    if sends.iter().any(|sends| promises.contains(sends)) {
        Scope::Signal.into()
    } else {
        Scope::Signal | Scope::AbstractUnixSocket
    }
}

/// The kernel's own words where it has been asked and refused. The crate's go unused: they weigh more than
/// all that is here.
fn words(error: RulesetError) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the crate's, which may get more")]
    let refusal = match error {
        RulesetError::CreateRuleset(CreateRulesetError::CreateRulesetCall { source, .. })
        | RulesetError::RestrictSelf(
            RestrictSelfError::RestrictSelfCall { source, .. }
            | RestrictSelfError::SetNoNewPrivsCall { source, .. },
        )
        | RulesetError::AddRules(
            AddRulesError::Net(AddRuleError::AddRuleCall { source, .. })
            | AddRulesError::Fs(AddRuleError::AddRuleCall { source, .. }),
        ) => Some(source),
        _ => None,
    };
    refusal.map_or_else(|| TOO_OLD.to_owned(), |why| reason(&why))
}

const TOO_OLD: &str = "this kernel has none, less than Linux 6.7 has, or forbids it";

/// Its longer answers come over TCP.
const NAME_SERVER: u16 = 53;

/// What strict is not content without: files, and TCP ports, since Linux 6.7. Device files (6.10) and what
/// is reached by signals and abstract names (6.12) are guarded too where the kernel can.
const NEEDED: ABI = ABI::V4;
