//! Descriptors: what the kernel and the C library are asked for outside the loop's own poll.
//!
//! Nothing here knows the reactor. Everything polled is a mio source, and every call on it goes
//! through mio's `try_io` (see `polled`), which on some systems has to know of each `EAGAIN`.

pub mod address;
pub mod announce;
pub mod arrivals;
mod calls;
pub mod crowd;
pub mod dump_file;
pub mod inherit;
pub mod knock;
pub mod link;
pub mod listeners;
mod moves;
pub mod net;
pub mod options;
pub mod pass_fd;
pub(crate) mod pipe;
pub mod polled;
pub mod process_group;
pub mod resolve;
pub mod sandbox;
pub mod signal;
pub mod socket;
pub mod stderr;
pub mod stdio;
pub mod tcp_info;
pub mod unix_path;
mod zerocopy;
