//! Addresses of vsock(7) as they are typed: a machine, which is a number or one of three names, and a
//! port of 32 bits.
//!
//! Owns: the notation. Must not know: options. `-1` stands for the largest number, which is how vsock
//! writes "any".

use super::integer;
use crate::error::Error;

/// A machine, by its context identifier.
pub(super) fn machine(text: &str) -> Result<u32, Error> {
    match text {
        "host" => Ok(libc::VMADDR_CID_HOST),
        "local" => Ok(libc::VMADDR_CID_LOCAL),
        "any" | "-1" => Ok(ANY_MACHINE),
        number => integer(number, 0..=u32::MAX).map_err(|misfit| misfit.of("CID", text)),
    }
}

/// A port to connect to.
pub(super) fn destination(text: &str) -> Result<u32, Error> {
    integer(text, 1..=u32::MAX).map_err(|misfit| misfit.of(PORT, text))
}

/// A port of ours. 0 lets the kernel choose, as with every other kind of port here; vsock's own number
/// for that is -1, and its port 0 is none that anybody uses.
pub(super) fn local_port(text: &str) -> Result<u32, Error> {
    if text == "-1" {
        return Ok(ANY_PORT);
    }
    match integer(text, 0..=u32::MAX) {
        Ok(0) => Ok(ANY_PORT),
        Ok(port) => Ok(port),
        Err(misfit) => Err(misfit.of(PORT, text)),
    }
}

/// Every machine; to bind to.
pub(super) const ANY_MACHINE: u32 = libc::VMADDR_CID_ANY;

/// The kernel chooses.
pub(super) const ANY_PORT: u32 = libc::VMADDR_PORT_ANY;

const PORT: &str = "port number";

#[cfg(test)]
mod tests {
    use super::*;

    fn word(answer: Result<u32, Error>) -> String {
        answer.map_or_else(|error| error.to_string(), |number| number.to_string())
    }

    #[test]
    fn a_machine_is_a_number_or_a_name() {
        for (text, cid) in [
            ("host", "2"),
            ("local", "1"),
            ("any", "4294967295"),
            ("-1", "4294967295"),
            ("4294967295", "4294967295"),
            ("3", "3"),
            ("0", "0"),
            ("4294967296", "CID too large: 4294967296"),
            ("-2", "CID too small: -2"),
            ("localhost", "CID invalid: localhost"),
            ("", "CID invalid: "),
        ] {
            assert_eq!(word(machine(text)), cid);
        }
    }

    #[test]
    fn a_port_has_32_bits() {
        for (text, to, at) in [
            ("1", "1", "1"),
            ("70000", "70000", "70000"),
            ("4294967295", "4294967295", "4294967295"),
            ("0", "port number too small: 0", "4294967295"),
            ("-1", "port number too small: -1", "4294967295"),
            ("-2", "port number too small: -2", "port number too small: -2"),
            (
                "4294967296",
                "port number too large: 4294967296",
                "port number too large: 4294967296",
            ),
            ("http", "port number invalid: http", "port number invalid: http"),
        ] {
            assert_eq!(word(destination(text)), to);
            assert_eq!(word(local_port(text)), at);
        }
    }
}
