//! How large a datagram can be, in bytes.

/// No datagram is larger: 16 bits of length, RFC 768.
pub(crate) const LARGEST: usize = 65_535;

/// What one can carry over IPv4: that, less the headers of IP (RFC 791) and UDP.
pub(crate) const LARGEST_PAYLOAD: usize = LARGEST - 20 - 8;
