//! Telling others that clients may come: a file, a descriptor, systemd.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use socket2::{Domain, Type};

use super::address::UnixName;
use super::{calls, inherit};
use crate::explain::Errand;

/// Writes a line into a file that whoever waits for it finds complete or not at all. A FIFO or a
/// device in its place is written to.
///
/// # Errors
/// The file cannot be written.
pub fn to_file(path: &Path, line: &str) -> io::Result<()> {
    let is_special = fs::metadata(path).is_ok_and(|found| !found.is_file());
    if is_special {
        return fs::write(path, line);
    }
    // Made, not found: whoever may write here could have put a link where we are about to write.
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{:016x}", fastrand::u64(..)));
    let made = fs::OpenOptions::new().write(true).create_new(true).open(&beside);
    let written = made
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // There may be none; the caller hears why in any case.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Writes a line to an inherited descriptor and closes it, so that its reader has the end of file
/// behind the line. The standard three stay open.
///
/// # Errors
/// It is not open, or cannot be written.
pub fn to_descriptor(number: i32, line: &str) -> io::Result<()> {
    let fd = inherit::duplicate(number)?;
    fs::File::from(fd).write_all(line.as_bytes())?;
    if number > 2 {
        nix::unistd::close(number)?;
    }
    Ok(())
}

/// Sends `READY=1` to the service manager, if there is one that wants to know: `sd_notify(3)`.
///
/// # Errors
/// Its socket is not there.
pub fn to_service_manager() -> io::Result<()> {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = UnixName::typed(&name).to_sock_addr()?;
    // A manager that does not listen to anybody is not waited for.
    #[expect(clippy::disallowed_methods, reason = "no byte of a session")]
    calls::socket(Domain::UNIX, Type::DGRAM.nonblocking(), None, Errand::Ready)?
        .send_to(b"READY=1", &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("port");
        fs::write(&path, "older and longer").expect("write");
        to_file(&path, "4004\n").expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read"), "4004\n");
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1, "nothing else is left");
    }

    #[test]
    fn a_device_is_written_to_and_stays() {
        to_file(Path::new("/dev/null"), "4004\n").expect("written");
        assert!(!fs::metadata("/dev/null").expect("still there").is_file());
    }

    #[test]
    fn a_descriptor_that_is_not_open_is_an_error() {
        assert!(to_descriptor(1_000_000, "x").is_err());
    }
}
