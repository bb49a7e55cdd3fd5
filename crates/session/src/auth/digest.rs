//! The `digest` scheme: how a user and password become the id that ACLs hold.

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};

/// A hash function, by the names that Java gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// `MD5`
    Md5,
    /// `SHA1`, `SHA-1`, `SHA`: the default.
    #[default]
    Sha1,
    /// `SHA-224`
    Sha224,
    /// `SHA-256`
    Sha256,
    /// `SHA-384`
    Sha384,
    /// `SHA-512`
    Sha512,
    /// `SHA-512/224`
    Sha512_224,
    /// `SHA-512/256`
    Sha512_256,
    /// `SHA3-224`
    Sha3_224,
    /// `SHA3-256`
    Sha3_256,
    /// `SHA3-384`
    Sha3_384,
    /// `SHA3-512`
    Sha3_512,
}

/// `digestAlg` names no hash function that this server has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown digest algorithm {0:?}")]
pub struct UnknownDigestAlgorithm(pub String);

impl DigestAlgorithm {
    /// Parses a name of `DigestAuthenticationProvider.digestAlg`; case does not matter.
    ///
    /// # Errors
    /// [`UnknownDigestAlgorithm`] for any other name.
    pub fn parse(name: &str) -> Result<Self, UnknownDigestAlgorithm> {
        Ok(match name.to_ascii_uppercase().as_str() {
            "MD5" => Self::Md5,
            "SHA1" | "SHA-1" | "SHA" => Self::Sha1,
            "SHA-224" | "SHA224" => Self::Sha224,
            "SHA-256" | "SHA256" => Self::Sha256,
            "SHA-384" | "SHA384" => Self::Sha384,
            "SHA-512" | "SHA512" => Self::Sha512,
            "SHA-512/224" | "SHA512/224" => Self::Sha512_224,
            "SHA-512/256" | "SHA512/256" => Self::Sha512_256,
            "SHA3-224" => Self::Sha3_224,
            "SHA3-256" => Self::Sha3_256,
            "SHA3-384" => Self::Sha3_384,
            "SHA3-512" => Self::Sha3_512,
            _ => return Err(UnknownDigestAlgorithm(name.to_owned())),
        })
    }

    /// The id of `user:password`: `user:BASE64(hash(user:password))`.
    ///
    /// Compat(digest-without-colon): text without a colon is a user with its own text as the
    /// password.
    pub fn identity(self, text: &str) -> String {
        let user = text.split(':').next().unwrap_or_default();
        format!("{user}:{}", STANDARD.encode(self.hash(text.as_bytes())))
    }

    fn hash(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => Md5::digest(data).to_vec(),
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha224 => Sha224::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha384 => Sha384::digest(data).to_vec(),
            Self::Sha512 => Sha512::digest(data).to_vec(),
            Self::Sha512_224 => Sha512_224::digest(data).to_vec(),
            Self::Sha512_256 => Sha512_256::digest(data).to_vec(),
            Self::Sha3_224 => Sha3_224::digest(data).to_vec(),
            Self::Sha3_256 => Sha3_256::digest(data).to_vec(),
            Self::Sha3_384 => Sha3_384::digest(data).to_vec(),
            Self::Sha3_512 => Sha3_512::digest(data).to_vec(),
        }
    }
}
