//! Who a connection is: its identities, the auth packets that add to them, and the
//! numbers that prove a session is one's own.
//!
//! No identity is ever taken away from a connection. TLS certificates and SASL are not
//! decided here; what they prove is added with [`Identities::with_added`].

mod digest;
mod identities;
mod session_ids;

use std::net::IpAddr;

pub use digest::{DigestAlgorithm, UnknownDigestAlgorithm};
pub use identities::Identities;
pub use session_ids::{SessionIds, session_password};

/// How connections may authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthConfig {
    /// `DigestAuthenticationProvider.digestAlg`: how passwords become ids.
    pub digest_algorithm: DigestAlgorithm,
    /// `DigestAuthenticationProvider.superDigest`: the `user:hash` that may do everything.
    pub super_digest: Option<Box<str>>,
    /// Whether the `digest` scheme is offered at all
    /// (`DigestAuthenticationProvider.enabled`).
    pub digest_enabled: bool,
    /// `enforce.auth.schemes`: a connection without an identity of one of these is closed
    /// at its first request. Empty when not enforced.
    pub required_schemes: Vec<Box<str>>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            digest_algorithm: DigestAlgorithm::Sha1,
            super_digest: None,
            digest_enabled: true,
            required_schemes: Vec::new(),
        }
    }
}

/// The client's auth packet was refused: answer so, then close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("authentication failed")]
pub struct AuthFailed;

impl AuthConfig {
    /// What an auth packet makes of a connection's identities.
    ///
    /// A wrong password is not refused: it is another identity.
    ///
    /// # Errors
    /// [`AuthFailed`] for a scheme that cannot be asked for this way (`world`, `sasl`,
    /// empty, unknown), and for `digest` without any text.
    pub fn authenticate(
        &self,
        identities: &Identities,
        scheme: &str,
        data: Option<&[u8]>,
    ) -> Result<Identities, AuthFailed> {
        match scheme {
            // Compat(ip-auth): asking for the `ip` scheme succeeds; every connection has it
            // already.
            "ip" => Ok(identities.clone()),
            "digest" if self.digest_enabled => {
                let text = String::from_utf8_lossy(data.ok_or(AuthFailed)?);
                let id = self.digest_algorithm.identity(&text);
                let known = match &self.super_digest {
                    Some(super_digest) if **super_digest == *id => {
                        identities.with_added("super", "")
                    }
                    Some(_) | None => identities.clone(),
                };
                Ok(known.with_added("digest", &id))
            }
            _ => Err(AuthFailed),
        }
    }

    /// Whether a connection with these identities may make requests.
    pub fn admits(&self, identities: &Identities) -> bool {
        self.required_schemes.is_empty()
            || identities
                .iter()
                .any(|id| self.required_schemes.iter().any(|scheme| **scheme == *id.scheme))
    }
}

/// A peer's address as Java prints it: it is compared with ACLs as text.
pub fn address_text(peer: IpAddr) -> String {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        // Compat(ipv6-text): Java never shortens runs of zeros.
        IpAddr::V6(address) => {
            let groups: Vec<String> =
                address.segments().iter().map(|group| format!("{group:x}")).collect();
            groups.join(":")
        }
    }
}

/// The part of an id that `whoAmI` and the audit log show.
pub fn user_name<'a>(identity: &tree::Identity<'a>) -> &'a str {
    match identity.scheme {
        "digest" => identity.id.split(':').next().unwrap_or_default(),
        _ => identity.id,
    }
}

#[cfg(test)]
mod tests;
