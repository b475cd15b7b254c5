//! Descriptors: what the kernel and the C library are asked for outside the loop's own poll.
//!
//! Nothing here knows the reactor. Everything polled is a mio source, and every call on it goes
//! through mio (`Read`, `Write` or `try_io`), which on some systems has to know of each `EAGAIN`.

pub mod listeners;
pub mod net;
pub mod resolve;
pub mod stdio;
