//! The proxies on the way, and who we are to them.
//!
//! The user is the one in the proxy's URL, else that of `-P`, else that of the *login*: one user with a
//! password, from `--proxy-auth`, else `--proxy-auth-file`, else the environment. The password is the
//! one in the URL, else that of the login if it is this user's, else whoever sits at the terminal is
//! asked. No password goes to another user's proxy, and to SOCKS4 none goes at all.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use super::words::Words;
use crate::app::{NameLookup, Proxy, ProxyKind, Route};
use crate::cli::password::{self, Question};
use crate::cli::proxy::{self, Typed};
use crate::cli::{Outside, PROXY_AUTH, args, quoted};
use crate::error::Error;
use crate::proto::Credentials;
use crate::secret::Secret;

/// What was typed about proxies.
pub(super) struct Proxies {
    typed: Vec<Typed>,
    /// `-P`
    user: Option<String>,
    /// `--proxy-auth`
    login: Option<Login>,
    lookup: NameLookup,
}

impl Proxies {
    pub(super) fn read(words: Words<'_>, outside: Outside<'_>) -> Result<Self, Error> {
        let services = |name: &str| (outside.services)(name, "tcp");
        let one = words.value(args::PROXY_PROTOCOL, PROTOCOL)?;
        let one = one.map_or(Ok(ProxyKind::Socks5), proxy::protocol)?;
        let listed = words.value(args::PROXY_TYPE, PROTOCOL)?;
        let listed = listed.map_or(Ok(ProxyKind::Http), proxy::kind)?;
        let mut typed = Vec::new();
        for (id, value) in words.mixed([args::PROXY_ADDRESS, args::PROXY], "proxy address")? {
            if id == args::PROXY {
                for entry in value.split(',') {
                    typed.push(proxy::parse(entry, listed, &services)?);
                }
            } else {
                typed.push(proxy::parse(value, one, &services)?);
            }
        }
        let login = words.raw(args::PROXY_AUTH);
        Ok(Self {
            typed,
            user: words.value(args::PROXY_USER, proxy::USER)?.map(str::to_owned),
            login: login.map(|login| Login::split(CREDENTIALS, login.as_bytes())).transpose()?,
            lookup: lookup(words)?,
        })
    }

    /// Asks for every password that is nowhere else.
    pub(super) fn route(mut self, words: Words<'_>, outside: Outside<'_>) -> Result<Route, Error> {
        if self.typed.is_empty() {
            return Ok(Route::default());
        }
        for proxy in &mut self.typed {
            proxy.user = proxy.user.take().or_else(|| self.user.clone());
        }
        let login = self.login(words, outside)?;
        let introduced = |proxy| introduced(proxy, login.as_ref(), outside);
        let proxies = self.typed.into_iter().map(introduced).collect::<Result<_, _>>()?;
        Ok(Route { proxies, lookup: self.lookup })
    }

    /// What was given expressly counts alone.
    fn login(&mut self, words: Words<'_>, outside: Outside<'_>) -> Result<Option<Login>, Error> {
        if let Some(login) = self.login.take() {
            return Ok(Some(login));
        }
        if let Some(file) = words.raw(args::PROXY_AUTH_FILE) {
            return self.login_in_file(file).map(Some);
        }
        let login = outside.proxy_auth.filter(|login| !login.is_empty());
        login.map(|login| Login::split(PROXY_AUTH, login.as_bytes())).transpose()
    }

    /// `user:password`, or the password alone of users that are named elsewhere.
    fn login_in_file(&self, file: &OsStr) -> Result<Login, Error> {
        let line = password::in_file(file, LONGEST)?;
        let line = line.bytes();
        if line.is_empty() {
            return Err(Error::message(format!("{CREDENTIALS} are empty")));
        }
        if line.len() > LONGEST {
            let refusal = format!("{CREDENTIALS} too long: more than {LONGEST} bytes");
            return Err(Error::message(refusal));
        }
        if let Some(user) = &self.user {
            let rest = line.strip_prefix(user.as_bytes());
            let password = rest.and_then(|rest| rest.strip_prefix(b":")).unwrap_or(line);
            return Ok(Login { user: Some(user.clone()), password: Secret::copied(password) });
        }
        let all_named = self.typed.iter().all(|proxy| proxy.user.is_some());
        if all_named && !line.contains(&b':') {
            return Ok(Login { user: None, password: Secret::copied(line) });
        }
        Login::split(CREDENTIALS, line)
    }
}

/// A password, and whose it is.
struct Login {
    /// `None`: of whoever asks.
    user: Option<String>,
    password: Secret,
}

impl Login {
    /// `user:password`
    fn split(noun: &str, text: &[u8]) -> Result<Self, Error> {
        let Some(colon) = text.iter().position(|&byte| byte == b':') else {
            return Err(Error::message(format!("{noun} must be USER:PASS")));
        };
        let user = proxy::user_name(&text[..colon])?;
        Ok(Self { user: Some(user), password: Secret::copied(&text[colon + 1..]) })
    }

    fn is_of(&self, user: &str) -> bool {
        self.user.as_deref().is_none_or(|own| own == user)
    }
}

fn introduced(typed: Typed, login: Option<&Login>, outside: Outside<'_>) -> Result<Proxy, Error> {
    let Typed { kind, host, port, user, password } = typed;
    let anonymous = Proxy { kind, host, port, user: None, credentials: None };
    let Some(user) = user.or_else(|| login.and_then(|login| login.user.clone())) else {
        return Ok(anonymous);
    };
    if matches!(kind, ProxyKind::Socks4 | ProxyKind::Socks4a) {
        return Ok(Proxy { user: Some(user), ..anonymous });
    }
    let with = |password: &Secret| Credentials::new(user.as_bytes(), password.bytes());
    let credentials = match (password, login.filter(|login| login.is_of(&user))) {
        (Some(password), _) => with(&password),
        (None, Some(login)) => with(&login.password),
        (None, None) => with(&asked(&user, &anonymous.host, outside)?),
    };
    Ok(Proxy { credentials: Some(Rc::new(credentials)), ..anonymous })
}

fn asked(user: &str, host: &str, outside: Outside<'_>) -> Result<Secret, Error> {
    let text = format!("Proxy password for {}@{}", quoted(user), quoted(host));
    (outside.password)(Question { text: &text, wanted: "proxy passphrase" })
}

fn lookup(words: Words<'_>) -> Result<NameLookup, Error> {
    match words.value(args::PROXY_DNS, "proxy DNS")? {
        None | Some("remote") => Ok(NameLookup::Proxy),
        Some("local") => Ok(NameLookup::Here),
        Some("both") => Ok(NameLookup::HereThenProxy),
        Some("none") => Ok(NameLookup::Nowhere),
        Some(other) => {
            let refusal =
                format!("proxy DNS must be local, remote, both or none: {}", quoted(other));
            Err(Error::message(refusal))
        }
    }
}

const PROTOCOL: &str = "proxy protocol";
const CREDENTIALS: &str = "proxy credentials";

/// As long as what can be typed.
const LONGEST: usize = password::LONGEST_LINE;
