//! Ports as they are typed: numbers, ranges and service names, and lists of them.
//!
//! Owns: the notation and which ports may stand where. Must not know: hosts, options, the services
//! database (looking a name up is passed in, see [`Services`]).
//!
//! Two kinds of port are read. A destination may be a range and is never 0. A local port (`-p`,
//! `-l`) is one port, 0 lets the kernel choose, and a word that is none is refused in the words of
//! getaddrinfo(3), for Debian's netcat passes it on unread. Lists have no limit of length.

use std::ops::RangeInclusive;

use super::{Misfit, integer};
use crate::error::Error;

/// Looks up the port of a service by its name.
pub(super) type Services<'a> = &'a dyn Fn(&str) -> Option<u16>;

/// Every destination port in the order given, each range ascending; a port named twice is there
/// twice.
pub(super) fn destinations(operands: &[&str], services: Services<'_>) -> Result<Vec<u16>, Error> {
    let mut ports = Vec::new();
    for text in operands {
        ports.extend(destination(text, services)?);
    }
    Ok(ports)
}

/// One local port; 0 is the kernel's choice.
pub(super) fn local(text: &str, services: Services<'_>) -> Result<u16, Error> {
    match integer(text, 0..=u16::MAX) {
        Ok(port) => Ok(port),
        Err(Misfit::TooLarge) => Err(Misfit::TooLarge.of(NOUN, text)),
        Err(Misfit::Invalid | Misfit::TooSmall) => {
            service(text, services).ok_or_else(|| Error::message(NO_SUCH_SERVICE))
        }
    }
}

/// The destination port given in the place of a local one: one port, not 0.
pub(super) fn sole_destination(text: &str, services: Services<'_>) -> Result<u16, Error> {
    match local(text, services)? {
        0 => Err(Misfit::TooSmall.of(NOUN, text)),
        port => Ok(port),
    }
}

/// The port of a proxy. It is not repeated in the message: what stands there can be part of a password.
pub(super) fn of_proxy(text: &str, services: Services<'_>) -> Result<u16, Error> {
    if let Some(port) = service(text, services) {
        return Ok(port);
    }
    integer(text, 1..=u16::MAX)
        .map_err(|misfit| Error::message(format!("proxy port {}", misfit.why())))
}

fn destination(text: &str, services: Services<'_>) -> Result<RangeInclusive<u16>, Error> {
    // The whole word first: a hyphen may be part of a service's name.
    if let Some(port) = service(text, services) {
        return Ok(port..=port);
    }
    match text.split_once('-') {
        // Only after a digit is a hyphen a range's: `-5` is a number, `x-y` is neither.
        Some((low, high)) if low.starts_with(|c: char| c.is_ascii_digit()) => {
            // The upper end is read first; of two bad ends it is the one that is named.
            let high = number(high)?;
            let low = number(low)?;
            Ok(low.min(high)..=low.max(high))
        }
        _ => {
            let port = number(text)?;
            Ok(port..=port)
        }
    }
}

fn number(text: &str) -> Result<u16, Error> {
    integer(text, 1..=u16::MAX).map_err(|misfit| misfit.of(NOUN, text))
}

/// A service's name has at least one letter (RFC 6335, section 5.1), so numbers and ranges are not
/// worth a look into the database: a list of them may be long.
fn service(text: &str, services: Services<'_>) -> Option<u16> {
    if !text.contains(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    services(text).filter(|&port| port != 0)
}

const NOUN: &str = "port number";

/// glibc's `gai_strerror(EAI_SERVICE)`.
const NO_SUCH_SERVICE: &str = "getaddrinfo: Servname not supported for ai_socktype";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A services database of three.
    fn services(name: &str) -> Option<u16> {
        match name {
            "http" => Some(80),
            "ftp-data" => Some(20),
            "3com-tsmux" => Some(106),
            _ => None,
        }
    }

    fn read(operands: &[&str]) -> String {
        match destinations(operands, &services) {
            Ok(ports) => format!("{ports:?}"),
            Err(error) => error.to_string(),
        }
    }

    fn read_local(text: &str) -> String {
        match local(text, &services) {
            Ok(port) => port.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn destination_is_a_number_a_service_or_a_range() {
        for (text, ports) in [
            ("1", "[1]"),
            ("65535", "[65535]"),
            ("080", "[80]"),
            ("+80", "[80]"),
            (" 80", "[80]"),
            ("http", "[80]"),
            ("ftp-data", "[20]"),
            ("3com-tsmux", "[106]"),
            ("4004-4006", "[4004, 4005, 4006]"),
            ("4007-4007", "[4007]"),
            ("5- 7", "[5, 6, 7]"),
            ("65535-65534", "[65534, 65535]"),
        ] {
            assert_eq!(read(&[text]), ports, "{text:?}");
        }
    }

    #[test]
    fn range_is_ascending_however_it_is_typed() {
        assert_eq!(read(&["4006-4004"]), "[4004, 4005, 4006]");
    }

    #[test]
    fn list_keeps_the_order_given_and_repetitions() {
        assert_eq!(read(&["22", "http", "80-82", "22"]), "[22, 80, 80, 81, 82, 22]");
    }

    #[test]
    fn list_may_exceed_65535_entries() {
        let ports = destinations(&["1-65535", "1-65535"], &services).expect("two ranges");
        assert_eq!(ports.len(), 2 * 65535);
    }

    #[test]
    fn destination_out_of_range_is_refused_by_its_number() {
        for (text, refusal) in [
            ("0", "too small: 0"),
            ("-5", "too small: -5"),
            ("0-5", "too small: 0"),
            ("5-0", "too small: 0"),
            ("65536", "too large: 65536"),
            ("70000-70001", "too large: 70001"),
            ("5-70000", "too large: 70000"),
            ("99999999999999999999", "too large: 99999999999999999999"),
        ] {
            assert_eq!(read(&[text]), format!("port number {refusal}"));
        }
    }

    #[test]
    fn destination_that_is_no_port_is_invalid() {
        for (text, named) in [
            ("abc", "abc"),
            ("0x50", "0x50"),
            ("80,81", "80,81"),
            ("", ""),
            ("80 ", "80 "),
            ("5-", ""),
            ("1-2-3", "2-3"),
            ("22-http", "http"),
            ("http-https", "http-https"),
            ("http-5", "http-5"),
            ("+5-7", "+5-7"),
            (" 5-7", " 5-7"),
            ("--", "--"),
            ("５", "５"),
        ] {
            assert_eq!(read(&[text]), format!("port number invalid: {named}"));
        }
    }

    #[test]
    fn refusal_cuts_and_escapes_what_it_quotes() {
        assert_eq!(read(&["\x1b[2J"]), "port number invalid: \\u{1b}[2J");
        let long = "é".repeat(100_000);
        assert_eq!(read(&[&long]), format!("port number invalid: {}...", "é".repeat(60)));
    }

    #[test]
    fn local_port_is_a_number_from_0_or_a_service() {
        for (text, port) in
            [("0", "0"), ("4004", "4004"), ("65535", "65535"), ("http", "80"), (" +1", "1")]
        {
            assert_eq!(read_local(text), port);
        }
    }

    #[test]
    fn local_port_that_is_none_is_refused_as_getaddrinfo_does() {
        for text in ["abc", "4000-4001", "-1", "", "80x"] {
            assert_eq!(read_local(text), "getaddrinfo: Servname not supported for ai_socktype");
        }
    }

    #[test]
    fn local_port_above_65535_is_too_large() {
        assert_eq!(read_local("99999"), "port number too large: 99999");
    }

    #[test]
    fn port_of_a_proxy_is_refused_unseen() {
        let read = |text| match of_proxy(text, &services) {
            Ok(port) => port.to_string(),
            Err(error) => error.to_string(),
        };
        for (text, answer) in [
            ("1", "1"),
            ("65535", "65535"),
            ("http", "80"),
            ("0", "proxy port too small"),
            ("-1", "proxy port too small"),
            ("65536", "proxy port too large"),
            ("1-2", "proxy port invalid"),
            ("hunter2", "proxy port invalid"),
            ("", "proxy port invalid"),
        ] {
            assert_eq!(read(text), answer, "{text:?}");
        }
    }

    #[test]
    fn services_are_asked_for_words_only() {
        let unexpected = |name: &str| -> Option<u16> { panic!("asked for {name}") };
        assert!(destinations(&["80", "1-3", " 7", "+9"], &unexpected).is_ok());
        assert!(destinations(&["", "1,2"], &unexpected).is_err());
        assert!(local("80", &unexpected).is_ok());
    }

    #[test]
    fn service_without_a_port_is_none() {
        let error = destinations(&["odd"], &|_| Some(0)).expect_err("port 0");
        assert_eq!(error.to_string(), "port number invalid: odd");
    }

    proptest! {
        #[test]
        fn list_is_the_concatenation_of_its_ranges(
            items in prop::collection::vec((1_u16.., 0_u16..300, any::<bool>()), 0..8)
        ) {
            let mut typed = Vec::new();
            let mut expected = Vec::new();
            for (first, more, backwards) in items {
                let last = first.saturating_add(more);
                typed.push(match (more, backwards) {
                    (0, _) => first.to_string(),
                    (_, false) => format!("{first}-{last}"),
                    (_, true) => format!("{last}-{first}"),
                });
                let mut port = first;
                while port < last {
                    expected.push(port);
                    port += 1;
                }
                expected.push(last);
            }
            let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
            prop_assert_eq!(destinations(&typed, &services).expect("valid"), expected);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*|[-+0-9a-z ]*") {
            let ports = destinations(&[&text], &services).unwrap_or_default();
            prop_assert!(!ports.contains(&0));
            let _ = local(&text, &services);
        }
    }
}
