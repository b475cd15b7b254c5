//! What a UDP service is asked so that it answers (`-zu`).
//!
//! Owns: the bytes. Must not know: sockets, time, what an answer looks like; whatever comes back shows
//! that the port is open. A port that nobody listens on answers to anything, by ICMP, but a service
//! answers only to what it understands. So each of these is a complete request of the service that has
//! the port, the most harmless one that it has, and the same for everybody.

/// What is sent to this port.
#[must_use]
pub fn question(port: u16) -> &'static [u8] {
    match port {
        53 => DNS,
        123 => NTP,
        161 => SNMP,
        5353 => MDNS,
        _ => ANYTHING,
    }
}

/// An empty datagram is an end of file to some listeners, and would not be shown by any.
const ANYTHING: &[u8] = &[0];

/// A query for the name servers of the root: RFC 1035, sections 4.1.1 (header) and 4.1.2 (question).
/// Every resolver has them, and a server that does not recurse refuses, which is an answer.
const DNS: &[u8] = &[
    0x70, 0x63, // ID
    0x01, 0x00, // a standard query, recursion desired
    0, 1, 0, 0, 0, 0, 0, 0, // one question; no answers, authorities, additional records
    0, // the root
    0, 2, // NS
    0, 1, // IN
];

/// A query for the services of the link: RFC 6763, section 9, in a one-shot query of RFC 6762,
/// section 5.1. It comes from a port that is not 5353, so it is answered by unicast (section 6.7). ID
/// and flags are zero (section 18).
const MDNS: &[u8] = b"\0\0\0\0\0\x01\0\0\0\0\0\0\
    \x09_services\x07_dns-sd\x04_udp\x05local\0\
    \0\x0c\
    \0\x01";

/// A client's request: RFC 5905, section 7.3, where a server has to look at nothing but the first
/// octet: no warning of a leap second, version 4, mode 3. Zero is a legal time of transmission.
const NTP: &[u8] = &{
    let mut packet = [0; 48];
    packet[0] = 4 << 3 | 3;
    packet
};

/// A `GetRequest` for sysDescr.0 (RFC 3418, section 2) of the community `public`: RFC 1157, sections 4
/// (message) and 4.1.2 (PDU), in BER. Version 1 is what every agent that has communities understands.
const SNMP: &[u8] = &[
    0x30, 38, // SEQUENCE
    0x02, 1, 0, // version-1
    0x04, 6, b'p', b'u', b'b', b'l', b'i', b'c', // community
    0xa0, 25, // GetRequest-PDU
    0x02, 1, 1, // request-id
    0x02, 1, 0, // error-status: noError
    0x02, 1, 0, // error-index
    0x30, 14, // VarBindList
    0x30, 12, // VarBind
    0x06, 8, 0x2b, 6, 1, 2, 1, 1, 1, 0, // 1.3.6.1.2.1.1.1.0
    0x05, 0, // NULL
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes bytes off the front.
    struct Reader<'a>(&'a [u8]);

    impl<'a> Reader<'a> {
        fn take(&mut self, n: usize) -> &'a [u8] {
            let (taken, rest) = self.0.split_at(n);
            self.0 = rest;
            taken
        }

        fn octet(&mut self) -> u8 {
            self.take(1)[0]
        }

        fn short(&mut self) -> u16 {
            u16::from_be_bytes([self.octet(), self.octet()])
        }

        /// The labels of a name of DNS, RFC 1035, section 3.1.
        fn name(&mut self) -> Vec<&'a str> {
            let mut labels = Vec::new();
            loop {
                match usize::from(self.octet()) {
                    0 => return labels,
                    n @ 1..=63 => labels.push(str::from_utf8(self.take(n)).expect("text")),
                    n => panic!("no length of a label: {n}"),
                }
            }
        }

        /// The contents of a value of BER whose length is of one octet, X.690, section 8.1.
        fn value(&mut self, tag: u8) -> Self {
            assert_eq!(self.octet(), tag, "tag");
            let length = self.octet();
            assert!(length < 0x80, "{length}");
            Reader(self.take(length.into()))
        }

        fn integer(&mut self) -> u8 {
            let mut value = self.value(0x02);
            let integer = value.octet();
            value.ends();
            integer
        }

        fn ends(self) {
            assert_eq!(self.0, b"", "left over");
        }
    }

    /// The only question of a query of DNS, after its ID and flags.
    fn only_question(query: &mut Reader<'static>) -> (Vec<&'static str>, u16, u16) {
        let counts = [query.short(), query.short(), query.short(), query.short()];
        assert_eq!(counts, [1, 0, 0, 0]);
        (query.name(), query.short(), query.short())
    }

    #[test]
    fn name_servers_are_asked_for_those_of_the_root() {
        let mut query = Reader(question(53));
        query.short();
        let flags = query.short();
        assert_eq!(flags >> 15, 0, "QR: a query");
        assert_eq!(flags >> 11 & 0xf, 0, "OPCODE: standard");
        assert_eq!(flags >> 8 & 1, 1, "RD");
        assert_eq!(flags & 0x6ff, 0, "AA, TC, RA, Z, RCODE");
        let (name, kind, class) = only_question(&mut query);
        assert_eq!((name, kind, class), (vec![], 2, 1));
        query.ends();
    }

    #[test]
    fn multicast_responders_are_asked_for_their_services() {
        let mut query = Reader(question(5353));
        assert_eq!((query.short(), query.short()), (0, 0), "ID, flags");
        let (name, kind, class) = only_question(&mut query);
        assert_eq!((name.join("."), kind, class), ("_services._dns-sd._udp.local".into(), 12, 1));
        query.ends();
    }

    #[test]
    fn time_servers_are_asked_for_the_time() {
        let mut packet = Reader(question(123));
        let first = packet.octet();
        assert_eq!((first >> 6, first >> 3 & 7, first & 7), (0, 4, 3), "leap, version, mode");
        let (stratum, poll, precision) = (packet.octet(), packet.octet(), packet.octet());
        assert_eq!((stratum, poll, precision), (0, 0, 0));
        for what in ["root delay", "root dispersion", "reference ID"] {
            assert_eq!(packet.take(4), [0; 4], "{what}");
        }
        for what in ["reference", "origin", "receive", "transmit"] {
            assert_eq!(packet.take(8), [0; 8], "{what} timestamp");
        }
        packet.ends();
    }

    #[test]
    fn agents_are_asked_what_they_are() {
        let mut datagram = Reader(question(161));
        let mut message = datagram.value(0x30);
        datagram.ends();
        assert_eq!(message.integer(), 0, "version-1");
        assert_eq!(message.value(0x04).0, b"public");
        let mut pdu = message.value(0xa0);
        message.ends();
        assert_ne!(pdu.integer(), 0, "request-id");
        assert_eq!((pdu.integer(), pdu.integer()), (0, 0), "error-status, error-index");
        let mut list = pdu.value(0x30);
        pdu.ends();
        let mut binding = list.value(0x30);
        list.ends();
        let mut object = binding.value(0x06);
        // The first octet holds the first two numbers, X.690, section 8.19.
        let first = object.octet();
        assert_eq!((first / 40, first % 40), (1, 3));
        assert_eq!(object.0, [6, 1, 2, 1, 1, 1, 0]);
        binding.value(0x05).ends();
        binding.ends();
    }

    #[test]
    fn any_other_port_gets_one_byte() {
        for port in (0..=u16::MAX).filter(|port| ![53, 123, 161, 5353].contains(port)) {
            assert_eq!(question(port), [0], "{port}");
        }
    }
}
