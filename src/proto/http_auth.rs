//! A proxy's challenges and what answers them: Basic (RFC 7617) and Digest (RFC 7616).
//!
//! Owns: reading `Proxy-Authenticate`, choosing, writing the value of `Proxy-Authorization`. Must not
//! know: when it is asked for; where random bytes come from.
//!
//! Of Digest: MD5, SHA-256 and their `-sess` variants; `qop=auth`, and none, as before RFC 2617. Not:
//! `auth-int`, which protects a body that CONNECT has not, SHA-512-256, and hashed user names.

use base64ct::{Base64, Encoding};
use hmac_sha256::Hash as Sha256;
use md5::Md5;
use md5::digest::Digest;

use super::handshake::Credentials;
use super::hex;
use crate::secret::Secret;

/// A challenge that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// The password itself, encoded.
    Basic,
    /// A proof that we have the password.
    Digest(DigestChallenge),
}

/// The parameters that an answer depends on, without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DigestChallenge {
    hash: Hash,
    proof: Proof,
    /// As it is to be repeated; without it the hash is MD5, and it is not repeated.
    algorithm: Option<&'static str>,
    realm: Vec<u8>,
    nonce: Vec<u8>,
    opaque: Option<Vec<u8>>,
    is_stale: bool,
}

/// What is hashed besides the password, by what the proxy offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// No `qop`: what there was before RFC 2617.
    Old,
    /// `qop=auth`.
    Auth,
    /// The same, with an algorithm `-sess`.
    AuthOfSession,
}

/// The weaker first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
}

/// What the answer is part of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
}

impl Challenge {
    /// The strongest challenge of the values of all `Proxy-Authenticate` headers: SHA-256, MD5, Basic.
    /// Of equals the first.
    pub(super) fn strongest<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        values
            .flat_map(offers)
            .filter_map(|offer| Self::new(&offer))
            .reduce(|best, next| if next.strength() > best.strength() { next } else { best })
    }

    /// The last answer was good, and too late.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Self::Digest(digest) if digest.is_stale)
    }

    /// Appends the value of `Proxy-Authorization`. `count` is how often this challenge has been answered,
    /// with this answer.
    pub(super) fn answer(
        &self,
        credentials: &Credentials,
        request: Request<'_>,
        client_nonce: &str,
        count: u32,
        output: &mut Vec<u8>,
    ) {
        match self {
            Self::Basic => {
                let pair =
                    Secret::whole([credentials.user(), b":", credentials.password()].concat());
                let encoded = Secret::whole(Base64::encode_string(pair.bytes()).into_bytes());
                // Bytes that grow leave copies behind; the rest of the request is to have room too.
                output.reserve(encoded.bytes().len() + ROOM_FOR_MORE);
                output.extend(b"Basic ");
                output.extend(encoded.bytes());
            }
            Self::Digest(digest) => {
                digest.answer(credentials, request, client_nonce, count, output);
            }
        }
    }

    fn new(offer: &Offer<'_>) -> Option<Self> {
        if offer.scheme.eq_ignore_ascii_case(b"Basic") {
            Some(Self::Basic)
        } else if offer.scheme.eq_ignore_ascii_case(b"Digest") {
            DigestChallenge::new(offer).map(Self::Digest)
        } else {
            None
        }
    }

    fn strength(&self) -> Option<Hash> {
        match self {
            Self::Basic => None,
            Self::Digest(digest) => Some(digest.hash),
        }
    }
}

impl DigestChallenge {
    /// `None` where something is missing, or not known here.
    fn new(offer: &Offer<'_>) -> Option<Self> {
        let (hash, session, algorithm) = match offer.parameter("algorithm") {
            None => (Hash::Md5, false, None),
            Some(value) => ALGORITHMS
                .iter()
                .find(|(name, ..)| value.eq_ignore_ascii_case(name.as_bytes()))
                .map(|&(name, hash, session)| (hash, session, Some(name)))?,
        };
        let offered = offer.parameter("qop");
        let offers_auth = |list: &[u8]| {
            list.split(|&byte| byte == b',')
                .any(|qop| qop.trim_ascii().eq_ignore_ascii_case(b"auth"))
        };
        let proof = match (offered.map(offers_auth), session) {
            (Some(true), true) => Proof::AuthOfSession,
            (Some(true), false) => Proof::Auth,
            (None, false) => Proof::Old,
            (Some(false), _) | (None, true) => return None,
        };
        Some(Self {
            hash,
            proof,
            algorithm,
            realm: offer.parameter("realm")?.to_vec(),
            nonce: offer.parameter("nonce")?.to_vec(),
            opaque: offer.parameter("opaque").map(<[u8]>::to_vec),
            is_stale: offer.parameter("stale").is_some_and(|is| is.eq_ignore_ascii_case(b"true")),
        })
    }

    /// RFC 7616, section 3.4. The names of the hashes are those of section 3.4.1 to 3.4.3.
    fn answer(
        &self,
        credentials: &Credentials,
        request: Request<'_>,
        client_nonce: &str,
        count: u32,
        output: &mut Vec<u8>,
    ) {
        let (hash, nonce, uri) = (self.hash, &self.nonce[..], request.uri.as_bytes());
        let count = format!("{count:08x}");
        let mut a1 = hash.of(&[credentials.user(), &self.realm, credentials.password()]);
        if self.proof == Proof::AuthOfSession {
            a1 = hash.of(&[a1.bytes(), nonce, client_nonce.as_bytes()]);
        }
        let a2 = hash.of(&[request.method.as_bytes(), uri]);
        let response = if self.proof == Proof::Old {
            hash.of(&[a1.bytes(), nonce, a2.bytes()])
        } else {
            let (count, client_nonce) = (count.as_bytes(), client_nonce.as_bytes());
            hash.of(&[a1.bytes(), nonce, count, client_nonce, b"auth", a2.bytes()])
        };

        output.extend(b"Digest ");
        push_quoted("username", credentials.user(), output);
        for (name, value) in [("realm", &self.realm[..]), ("nonce", nonce), ("uri", uri)] {
            output.extend(b", ");
            push_quoted(name, value, output);
        }
        if let Some(algorithm) = self.algorithm {
            output.extend(format!(", algorithm={algorithm}").as_bytes());
        }
        if self.proof != Proof::Old {
            output.extend(format!(", qop=auth, nc={count}, cnonce=\"{client_nonce}\"").as_bytes());
        }
        output.extend(b", ");
        push_quoted("response", response.bytes(), output);
        if let Some(opaque) = &self.opaque {
            output.extend(b", ");
            push_quoted("opaque", opaque, output);
        }
    }
}

impl Hash {
    /// In hexadecimal, of the parts with a colon between each two.
    fn of(self, parts: &[&[u8]]) -> Secret {
        match self {
            Self::Md5 => hash_joined::<Md5>(parts),
            Self::Sha256 => hash_joined::<Sha256>(parts),
        }
    }
}

fn hash_joined<H: Digest>(parts: &[&[u8]]) -> Secret {
    let mut hash = H::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    let hash = hash.finalize();
    let mut digits = Secret::with_room_for(2 * hash.len());
    hash.iter().flat_map(|byte| hex::of(*byte)).for_each(|digit| digits.push(digit));
    digits
}

/// The value has no control characters: it is a parameter of the proxy, and those are read without
/// (see [`Reader::quoted`]), or was checked where it came from.
fn push_quoted(name: &str, value: &[u8], output: &mut Vec<u8>) {
    output.extend(name.as_bytes());
    output.extend(b"=\"");
    for &byte in value {
        if matches!(byte, b'"' | b'\\') {
            output.push(b'\\');
        }
        output.push(byte);
    }
    output.push(b'"');
}

/// One challenge as it was sent, RFC 9110, section 11.6.1.
#[derive(Debug, PartialEq, Eq)]
struct Offer<'a> {
    scheme: &'a [u8],
    parameters: Vec<(&'a [u8], Vec<u8>)>,
}

impl Offer<'_> {
    fn parameter(&self, wanted: &str) -> Option<&[u8]> {
        let is = |name: &[u8]| name.eq_ignore_ascii_case(wanted.as_bytes());
        self.parameters.iter().find(|(name, _)| is(name)).map(|(_, value)| &value[..])
    }
}

/// The challenges of one header. They are separated by commas, and so are the parameters of each: what
/// begins with `name =` is a parameter, what begins with a name alone is the next challenge. Whatever
/// is neither (the token of a scheme not known here) is passed over up to the next comma.
fn offers(value: &[u8]) -> Vec<Offer<'_>> {
    let (mut reader, mut offers) = (Reader(value), Vec::<Offer<'_>>::new());
    while !reader.0.is_empty() {
        reader.skip_spaces();
        let start = reader;
        if let Some(parameter) = reader.parameter() {
            offers
                .last_mut()
                .into_iter()
                .for_each(|offer| offer.parameters.push(parameter.clone()));
        } else {
            reader = start;
            if let Some(scheme) = reader.token() {
                reader.skip_spaces();
                let first = reader.parameter();
                offers.push(Offer { scheme, parameters: first.into_iter().collect() });
            }
        }
        reader.skip_element();
    }
    offers
}

/// What is left to be read.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// To behind the next comma that is not quoted.
    fn skip_element(&mut self) {
        while let Some((&byte, rest)) = self.0.split_first() {
            if byte != b'"' {
                self.0 = rest;
            } else if self.quoted().is_none() {
                // Nobody can say what is inside and what is not.
                self.0 = &[];
            }
            if byte == b',' {
                return;
            }
        }
    }

    /// `name = value`. Where there is none, what was read is of no use.
    fn parameter(&mut self) -> Option<(&'a [u8], Vec<u8>)> {
        let name = self.token()?;
        self.skip_spaces();
        self.0 = self.0.strip_prefix(b"=")?;
        self.skip_spaces();
        let value = self.quoted().or_else(|| self.token().map(<[u8]>::to_vec))?;
        Some((name, value))
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let length = self.0.iter().take_while(|byte| is_part(byte)).count();
        let (token, rest) =
            self.0.split_at_checked(length).filter(|(token, _)| !token.is_empty())?;
        self.0 = rest;
        Some(token)
    }

    /// Without its quotes. One that never ends, or has control characters, is none, and is not read.
    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.0.strip_prefix(b"\"")?.iter();
        let mut value = Vec::new();
        loop {
            let byte = match bytes.next()? {
                b'"' => break,
                b'\\' => bytes.next()?,
                byte => byte,
            };
            if byte.is_ascii_control() && *byte != b'\t' {
                return None;
            }
            value.push(*byte);
        }
        self.0 = bytes.as_slice();
        Some(value)
    }
}

const ALGORITHMS: [(&str, Hash, bool); 4] = [
    ("MD5", Hash::Md5, false),
    ("MD5-sess", Hash::Md5, true),
    ("SHA-256", Hash::Sha256, false),
    ("SHA-256-sess", Hash::Sha256, true),
];

/// More than what a request has around the credentials.
const ROOM_FOR_MORE: usize = 16;

#[cfg(test)]
mod tests;
