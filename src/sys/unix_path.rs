//! The files that UNIX sockets leave behind: making way for one, and taking ours away again.
//!
//! Owns: what may be deleted. That is a socket nobody listens on any more, an empty file, and what we
//! made ourselves; everything else stays, and bind(2) then says that the address is in use.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::iter;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Type};

use super::address::{Address, UnixName};
use super::calls;
use super::sandbox::Removal;
use crate::explain::{Connecting, Errand, Step, explain};

/// Removes what stands where a socket is to be bound, if it may go.
///
/// # Errors
/// The file could not be looked at or removed.
pub fn make_way(name: &UnixName) -> io::Result<()> {
    let Some(path) = name.path() else { return Ok(()) };
    // A name that cannot exist is refused by bind(2), in better words.
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    let is_empty_file = found.is_file() && found.len() == 0;
    if is_empty_file || (found.file_type().is_socket() && is_dead(path)?) {
        fs::remove_file(path)?;
        explain(|| Step::Unlink { path: path.to_string_lossy().into_owned(), dead: true });
    }
    Ok(())
}

/// Nobody has the socket open. Asked with a datagram socket, which takes up no place in the queue of a
/// listener: where there is one it says "wrong type", and where there is none, "refused".
fn is_dead(path: &OsStr) -> io::Result<bool> {
    let probe = calls::socket(Domain::UNIX, Type::DGRAM, None, Errand::IsAlive)?;
    let answer = calls::connect(&probe, &SockAddr::unix(path)?, Connecting::Errand);
    Ok(answer.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}

/// A socket's file, removed when this is dropped, if it is still the same file.
#[derive(Debug)]
pub struct BoundPath {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl BoundPath {
    /// Binding to this name makes a file, for which somebody has to take charge.
    #[must_use]
    pub fn is_made_by(name: &UnixName) -> bool {
        name.path().is_some()
    }

    /// Takes charge of the file that binding has just made; `None` for a name without a file.
    #[must_use]
    pub fn of(name: &UnixName) -> Option<Self> {
        let path = PathBuf::from(name.path()?);
        let made = fs::symlink_metadata(&path).ok()?;
        Some(Self { path, device: made.dev(), inode: made.ino() })
    }

    /// The rights that dropping it takes.
    pub fn removals(&self) -> impl Iterator<Item = Removal> {
        folder_of(&self.path).map(Removal::FilesOf).into_iter()
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        let still_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if still_ours {
            // What cannot be removed stays; there is nobody to tell.
            if fs::remove_file(&self.path).is_ok() {
                explain(|| Step::Unlink { path: self.path.display().to_string(), dead: false });
            }
        }
    }
}

fn folder_of(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?;
    Some(if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() })
}

/// A name for a datagram client that has none, so that it can be answered: a socket in a folder that
/// only we may enter. Both go when this is dropped.
#[derive(Debug)]
pub struct TemporaryName {
    folder: PathBuf,
}

impl TemporaryName {
    /// Makes the folder; the socket is made by binding to [`TemporaryName::address`].
    ///
    /// # Errors
    /// There is no place for temporary files, or it is full.
    pub fn new() -> io::Result<Self> {
        let place = env::temp_dir();
        loop {
            let name = iter::repeat_with(fastrand::alphanumeric).take(6).collect::<String>();
            let folder = place.join(format!("nc-{name}"));
            // Made, not found: in a place where all may write, only what is new is ours.
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self { folder }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where to bind.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::Unix(UnixName::typed(self.socket().as_os_str()))
    }

    /// The rights that dropping it takes.
    pub fn removals(&self) -> impl Iterator<Item = Removal> {
        let files = Removal::FilesOf(self.folder.clone());
        iter::once(files).chain(folder_of(&self.folder).map(Removal::FoldersOf))
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("recv.sock")
    }
}

impl Drop for TemporaryName {
    fn drop(&mut self) {
        // What cannot be removed stays; there is nobody to tell.
        let _ = fs::remove_file(self.socket());
        let _ = fs::remove_dir(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixDatagram, UnixListener};

    fn place() -> (tempfile::TempDir, PathBuf, UnixName) {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("s");
        let name = UnixName::typed(path.as_os_str());
        (folder, path, name)
    }

    #[test]
    fn a_dead_socket_and_an_empty_file_make_way() {
        let (_folder, path, name) = place();
        drop(UnixListener::bind(&path).expect("bind"));
        assert!(path.exists());
        make_way(&name).expect("removed");
        assert!(!path.exists());
        fs::write(&path, b"").expect("write");
        make_way(&name).expect("removed");
        assert!(!path.exists());
        make_way(&name).expect("nothing there");
    }

    #[test]
    fn everything_else_stays() {
        let (_folder, path, name) = place();
        fs::write(&path, b"precious").expect("write");
        make_way(&name).expect("left alone");
        assert_eq!(fs::read(&path).expect("still there"), b"precious");
        fs::remove_file(&path).expect("remove");
        fs::create_dir(&path).expect("folder");
        make_way(&name).expect("left alone");
        assert!(path.is_dir());
    }

    #[test]
    fn a_live_socket_stays_and_is_not_disturbed() {
        let (_folder, path, name) = place();
        let listener = UnixListener::bind(&path).expect("bind");
        listener.set_nonblocking(true).expect("nonblocking");
        make_way(&name).expect("left alone");
        assert!(path.exists());
        let nobody = listener.accept().expect_err("nobody connected");
        assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
        fs::remove_file(&path).expect("remove");
        let _datagrams = UnixDatagram::bind(&path).expect("bind");
        make_way(&name).expect("left alone");
        assert!(path.exists());
    }

    #[test]
    fn our_own_file_goes_but_not_its_successor() {
        let (_folder, path, name) = place();
        let _one = UnixListener::bind(&path).expect("bind");
        drop(BoundPath::of(&name).expect("a file"));
        assert!(!path.exists());
        let _two = UnixListener::bind(&path).expect("bind");
        let bound = BoundPath::of(&name).expect("a file");
        fs::remove_file(&path).expect("remove");
        fs::write(&path, b"another's").expect("write");
        drop(bound);
        assert!(path.exists());
    }

    #[test]
    fn a_temporary_name_is_private_and_leaves_nothing() {
        let name = TemporaryName::new().expect("folder");
        let folder = name.folder.clone();
        let mode = fs::metadata(&folder).expect("folder").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(name);
        assert!(!folder.exists());
    }
}
