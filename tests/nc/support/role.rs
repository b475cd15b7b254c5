//! The two roles of the program, for claims that hold in both.

use super::{Nc, Peer, Running, Server};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    Client,
    Listener,
}

impl Role {
    pub(crate) const BOTH: [Self; 2] = [Self::Client, Self::Listener];

    /// Starts the program, connected to us; `set_up` says what its descriptors are.
    ///
    /// A listener runs with `-v` and the usual stderr, for that is how its port is learnt.
    #[track_caller]
    pub(crate) fn start(self, options: &str, set_up: impl FnOnce(Nc) -> Nc) -> (Running, Peer) {
        match self {
            Self::Client => {
                let server = Server::start();
                let nc = set_up(Nc::new(format!("{options} 127.0.0.1 {}", server.port()))).start();
                (nc, server.accepts())
            }
            Self::Listener => {
                let (nc, port) = set_up(Nc::new(format!("{options} -l"))).listens();
                let peer = Peer::connect(port);
                nc.says("Connection received on ");
                (nc, peer)
            }
        }
    }
}
