//! Files that the program writes beside its work, opened when it starts.
//!
//! Must not know: what is written there.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, ftruncate, open};
use rustix::stdio::{stdin, stdout};

use super::stdio::Output;

/// What becomes of what a file holds already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is lost.
    Overwritten,
    /// It stays, and more is written behind it.
    Kept,
}

/// A file among all files: device and inode.
pub type Identity = (u64, u64);

/// Opens a file to write to while there are others to be served. Of a regular file it also says which one it
/// is.
///
/// # Errors
/// Those of [`open_to_write`].
pub fn create(path: &Path, existing: Existing) -> io::Result<(Output, Option<Identity>)> {
    let (fd, identity) = open_to_write(path, existing)?;
    Ok((Output::own(fd)?, identity))
}

/// Opens a file for writing, as a shell's `>` or `>>` does: it is made where there is none, with the mode
/// that the umask leaves of 0666, and a symbolic link leads to what it names. A FIFO, a terminal or a
/// device is never waited for. The payload's own files are left alone. Of a regular file it also says which one
/// it is.
///
/// # Errors
/// open(2), fstat(2), ftruncate(2); of a FIFO that nobody reads, `ENXIO`. It is the file of stdin or of stdout.
pub fn open_to_write(path: &Path, existing: Existing) -> io::Result<(OwnedFd, Option<Identity>)> {
    let flags =
        OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let flags = match existing {
        Existing::Overwritten => flags,
        Existing::Kept => flags | OFlags::APPEND,
    };
    let fd = open(path, flags, Mode::from_raw_mode(0o666))?;
    let ours = identity(fd.as_fd())?;
    for (standard, name) in [(stdin(), "standard input"), (stdout(), "standard output")] {
        // One that is closed is no file.
        if ours.is_some() && identity(standard).is_ok_and(|other| other == ours) {
            return Err(io::Error::other(format!("it is the file of {name}")));
        }
    }
    if ours.is_some() && existing == Existing::Overwritten {
        // Not before it is known whose it is.
        ftruncate(&fd, 0)?;
    }
    Ok((fd, ours))
}

/// Of a regular file, which one it is.
fn identity(fd: BorrowedFd<'_>) -> io::Result<Option<Identity>> {
    let stat = fstat(fd)?;
    let is_regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    #[allow(
        clippy::unnecessary_cast,
        reason = "both are narrower on some machines, so not expected"
    )]
    Ok(is_regular.then_some((stat.st_dev as u64, stat.st_ino as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nonblock::{Attempt, ByteSink};
    use rustix::fs::{CWD, mknodat};
    use std::fs;

    #[test]
    fn what_a_file_holds_is_lost_or_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("dump");
        for (existing, holds) in
            [(Existing::Kept, "x"), (Existing::Kept, "xx"), (Existing::Overwritten, "x")]
        {
            let (mut file, identity) = create(&path, existing).expect("opened");
            assert!(identity.is_some());
            assert_eq!(file.try_write(b"x").expect("written"), Attempt::Moved(1));
            assert_eq!(fs::read_to_string(&path).expect("read"), holds);
        }
    }

    #[test]
    fn a_link_leads_to_its_file_and_a_fifo_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("folder");
        let (path, link) = (folder.path().join("dump"), folder.path().join("link"));
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        let (_, through) = create(&link, Existing::Overwritten).expect("opened");
        let (_, itself) = create(&path, Existing::Kept).expect("opened");
        assert_eq!(through, itself);

        let fifo = folder.path().join("fifo");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).expect("made");
        let error = create(&fifo, Existing::Overwritten).expect_err("nobody reads");
        assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
        let reader = open(&fifo, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).expect("read");
        let (mut file, identity) = create(&fifo, Existing::Overwritten).expect("opened");
        assert_eq!(identity, None);
        let much = vec![0; 1 << 20];
        while let Attempt::Moved(_) = file.try_write(&much).expect("written") {}
        drop(reader);
        let error = file.try_write(&much).expect_err("the reader has left");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
