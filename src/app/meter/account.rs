//! What is said of one session: by lines for people, by an object for programs.
//!
//! Must not know: when, and to whom.

use std::fmt::Write as _;
use std::time::Duration;

use crate::json::Object;
use crate::session::{Datagrams, Moved, Outcome};
use crate::sys::address::Address;
use crate::sys::link::Link;
use crate::sys::resolve::in_numbers;
use crate::sys::signal::name as signal_name;
use crate::sys::tcp_info::TcpInfo;
use crate::units::{counted, micros, milliseconds, per_second, rate, seconds, size};

/// What there is to know of a session, besides its peer and its outcome. It is taken while the socket is open.
#[derive(Debug)]
pub(in crate::app) struct Account {
    local: Option<Address>,
    tcp: Option<TcpInfo>,
    moved: Moved,
    took: Duration,
}

/// What an account is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Occasion<'a> {
    /// Somebody wants to know, and the session goes on.
    Question,
    /// It has ended.
    End(&'a Outcome),
    /// The program ends by this signal.
    Signal(i32),
}

impl Account {
    /// `took` is how long bytes could go through so far.
    pub(in crate::app) fn of(link: &Link, moved: Moved, took: Duration) -> Self {
        Self { local: link.local_address(), tcp: link.tcp_info(), moved, took }
    }

    /// One line, and one more for TCP.
    pub(super) fn lines(&self, peer: &Address, occasion: Occasion<'_>) -> String {
        let Self { moved: Moved { sent, received, datagrams }, took, .. } = *self;
        let mut out = format!(
            "{peer}: sent {}, received {}, in {}",
            self.amount(sent, datagrams.map(|datagrams| datagrams.sent)),
            self.amount(received, datagrams.map(|datagrams| datagrams.received)),
            seconds(took)
        );
        // Writing to a String does not fail.
        let _ = match occasion {
            Occasion::Question => Ok(()),
            Occasion::End(outcome) => write!(out, ": {}", outcome.end),
            Occasion::Signal(number) => write!(out, ": {}", signal_name(number)),
        };
        if let Some(tcp) = &self.tcp {
            let time = |micros: u32| milliseconds(Duration::from_micros(micros.into()));
            let _ = write!(
                out,
                "\n{peer}: round trip {} (varies by {}), {} sent again, congestion window {}",
                time(tcp.rtt),
                time(tcp.rtt_variance),
                segments(tcp.retransmits),
                segments(tcp.congestion_window),
            );
            if let Some(lately) = tcp.delivery_rate {
                let _ = write!(out, ", delivery rate {}", rate(lately));
            }
        }
        out
    }

    /// `3.00 MiB (3145728 bytes, 1.50 MiB/s)`: in short, exactly, and how fast.
    fn amount(&self, bytes: u64, datagrams: Option<u64>) -> String {
        let mut notes = Vec::new();
        if bytes >= 1024 {
            notes.push(format!("{bytes} bytes"));
        }
        notes.extend(datagrams.map(|count| counted(count, "datagram")));
        if bytes > 0 {
            notes.push(rate(per_second(bytes, self.took)));
        }
        let short = size(bytes);
        if notes.is_empty() { short } else { format!("{short} ({})", notes.join(", ")) }
    }

    /// The object, without a line break.
    pub(super) fn object(&self, protocol: &str, peer: &Address, occasion: Occasion<'_>) -> String {
        let Self { moved: Moved { sent, received, datagrams }, took, tcp, local } = self;
        let (local_address, local_port) = parts(local.as_ref());
        // A client without a name is called by where it came to, and that is our own name.
        let (peer_address, peer_port) =
            parts(Some(peer).filter(|peer| local.as_ref() != Some(peer)));
        let Datagrams { sent: datagrams_sent, received: datagrams_received } =
            datagrams.unwrap_or_default();
        let event = match occasion {
            Occasion::Question => "snapshot",
            Occasion::End(_) | Occasion::Signal(_) => "end",
        };
        let mut out = String::new();
        let mut object = Object::new(&mut out)
            .text("event", Some(event))
            .text("protocol", Some(protocol))
            .text("local_address", local_address.as_deref())
            .number("local_port", local_port)
            .text("peer_address", peer_address.as_deref())
            .number("peer_port", peer_port)
            .number("duration_us", Some(micros(*took)))
            .number("sent", Some(*sent))
            .number("received", Some(*received))
            .number("sent_per_second", Some(per_second(*sent, *took)))
            .number("received_per_second", Some(per_second(*received, *took)))
            .known("datagrams_sent", datagrams.map(|_| datagrams_sent))
            .known("datagrams_received", datagrams.map(|_| datagrams_received));
        object = match occasion {
            Occasion::Question => object,
            Occasion::End(Outcome { end, unsent, unwritten, .. }) => object
                .number("unsent", Some(*unsent))
                .number("unwritten", Some(*unwritten))
                .text("end", Some(end.name()))
                .text("reason", Some(&end.to_string())),
            Occasion::Signal(number) => {
                object.text("end", Some("signal")).text("reason", Some(signal_name(number)))
            }
        };
        if let Some(tcp) = tcp {
            object = object
                .number("rtt_us", Some(tcp.rtt.into()))
                .number("rtt_variance_us", Some(tcp.rtt_variance.into()))
                .number("retransmits", Some(tcp.retransmits.into()))
                .number("congestion_window", Some(tcp.congestion_window.into()))
                .known("delivery_rate", tcp.delivery_rate);
        }
        object.end();
        out
    }
}

fn segments(count: u32) -> String {
    counted(count.into(), "segment")
}

/// The host or the name, and the port where there is one.
fn parts(address: Option<&Address>) -> (Option<String>, Option<u64>) {
    match address {
        None | Some(Address::Unnamed) => (None, None),
        Some(Address::Vsock { cid, port }) => (Some(cid.to_string()), Some((*port).into())),
        Some(Address::Unix(name)) => (Some(name.to_string()), None),
        Some(address @ Address::Ip(_)) => {
            let address = address.as_ip();
            (address.map(in_numbers), address.map(|at| at.port().into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::End;

    fn account(datagrams: Option<Datagrams>, tcp: Option<TcpInfo>) -> Account {
        Account {
            local: Some(Address::Ip("127.0.0.1:5".parse().expect("an address"))),
            tcp,
            moved: Moved { sent: 3 << 20, received: 1, datagrams },
            took: Duration::from_secs(2),
        }
    }

    fn peer() -> Address {
        Address::Ip("[::1]:4004".parse().expect("an address"))
    }

    const TCP: TcpInfo = TcpInfo {
        rtt: 41,
        rtt_variance: 12,
        retransmits: 1,
        congestion_window: 10,
        delivery_rate: Some(1 << 30),
    };

    fn outcome(account: &Account, end: End) -> Outcome {
        let Moved { sent, received, datagrams } = account.moved;
        Outcome { end, quits: false, sent, received, unsent: 7, unwritten: 0, datagrams }
    }

    #[test]
    fn people_are_told_in_lines() {
        let account = account(None, Some(TCP));
        let told = account.lines(&peer(), Occasion::End(&outcome(&account, End::Complete)));
        assert_eq!(
            told,
            "::1 port 4004: sent 3.00 MiB (3145728 bytes, 1.50 MiB/s), received 1 byte (0 B/s), \
             in 2.000 s: closed\n\
             ::1 port 4004: round trip 0.041 ms (varies by 0.012 ms), 1 segment sent again, \
             congestion window 10 segments, delivery rate 1.00 GiB/s"
        );
    }

    #[test]
    fn datagrams_are_counted_and_a_snapshot_has_no_end() {
        let datagrams = Some(Datagrams { sent: 3, received: 1 });
        assert_eq!(
            account(datagrams, None).lines(&peer(), Occasion::Question),
            "::1 port 4004: sent 3.00 MiB (3145728 bytes, 3 datagrams, 1.50 MiB/s), \
             received 1 byte (1 datagram, 0 B/s), in 2.000 s"
        );
    }

    #[test]
    fn nothing_has_no_rate() {
        let nothing = Account { moved: Moved::default(), ..account(None, None) };
        let told = nothing.lines(&peer(), Occasion::End(&outcome(&nothing, End::Idle)));
        assert_eq!(told, "::1 port 4004: sent 0 bytes, received 0 bytes, in 2.000 s: idle timeout");
    }

    #[test]
    fn programs_are_told_by_an_object() {
        let account = account(None, Some(TCP));
        let error = std::io::Error::from_raw_os_error(libc::ECONNRESET);
        let outcome = outcome(&account, End::PeerFailed(error));
        assert_eq!(
            account.object("tcp", &peer(), Occasion::End(&outcome)),
            concat!(
                r#"{"event":"end","protocol":"tcp","local_address":"127.0.0.1","local_port":5,"#,
                r#""peer_address":"::1","peer_port":4004,"duration_us":2000000,"#,
                r#""sent":3145728,"received":1,"sent_per_second":1572864,"received_per_second":0,"#,
                r#""unsent":7,"unwritten":0,"end":"peer_failed","reason":"Connection reset by peer","#,
                r#""rtt_us":41,"rtt_variance_us":12,"retransmits":1,"congestion_window":10,"#,
                r#""delivery_rate":1073741824}"#
            )
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let object = account(None, Some(TcpInfo { delivery_rate: None, ..TCP })).object(
            "tcp",
            &Address::Unnamed,
            Occasion::Question,
        );
        assert!(object.starts_with(r#"{"event":"snapshot","protocol":"tcp","#), "{object}");
        assert!(object.contains(r#""peer_address":null,"peer_port":null,"#), "{object}");
        for name in ["delivery_rate", "datagrams_sent", "end", "unsent"] {
            assert!(!object.contains(&format!("\"{name}\"")), "{name} in {object}");
        }
    }
}
