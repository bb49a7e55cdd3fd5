//! Who may be who, and what everybody may: the keys of authentication and access control.

use session::{AuthConfig, Settings, auth::DigestAlgorithm};
use tree::CommandFlags;

use super::{error::ConfigError, raw::RawConfig};

/// What decides how requests are understood.
pub(super) fn settings(raw: &RawConfig, digest_enabled: bool) -> Settings {
    let configured = |class: &str| {
        raw.with_prefix("authProvider.").any(|(_, setting)| setting.value.ends_with(class))
    };
    let flags = [
        (raw.text("skipACL") == Some("yes"), CommandFlags::SKIP_ACL),
        (
            raw.flag("enforceQuota", false),
            CommandFlags::ENFORCE_QUOTA.with(CommandFlags::JUDGE_LIMITS),
        ),
        (digest_enabled, CommandFlags::SCHEME_DIGEST),
        (configured(".SASLAuthenticationProvider"), CommandFlags::SCHEME_SASL),
        (configured(".X509AuthenticationProvider"), CommandFlags::SCHEME_X509),
    ];
    let set = flags.into_iter().filter_map(|(set, flag)| set.then_some(flag));
    Settings {
        extended_types: raw.flag("extendedTypesEnabled", false),
        reconfig_enabled: raw.flag("reconfigEnabled", false),
        command_flags: set.fold(CommandFlags::default(), CommandFlags::with),
    }
}

/// Which schemes there are, and which of them clients must use.
pub(super) fn auth(raw: &mut RawConfig, digest_enabled: bool) -> Result<AuthConfig, ConfigError> {
    warn_of_providers(raw);
    let digest_algorithm = match raw.get("DigestAuthenticationProvider.digestAlg") {
        None => DigestAlgorithm::default(),
        Some(name) => DigestAlgorithm::parse(&name.value).map_err(|_| {
            name.wrong("DigestAuthenticationProvider.digestAlg", "a hash algorithm of Java")
        })?,
    };
    Ok(AuthConfig {
        digest_algorithm,
        super_digest: raw.text("DigestAuthenticationProvider.superDigest").map(Into::into),
        digest_enabled,
        required_schemes: required_schemes(raw, digest_enabled)?,
    })
}

/// The classes of ZooKeeper whose schemes are offered here.
const OFFERED: [&str; 2] = [".DigestAuthenticationProvider", ".IPAuthenticationProvider"];
/// Those whose schemes are at least valid in ACLs.
const VALID: [&str; 2] = [".SASLAuthenticationProvider", ".X509AuthenticationProvider"];

fn warn_of_providers(raw: &mut RawConfig) {
    let mut warnings = Vec::new();
    for (name, setting) in raw.with_prefix("authProvider.") {
        let is = |class: &&str| setting.value.ends_with(class);
        if OFFERED.iter().any(is) {
            continue;
        }
        let what = if VALID.iter().any(is) {
            "its scheme is valid in ACLs, but authentication with it is not offered by this release"
        } else {
            "no such authentication provider, skipped"
        };
        warnings.push(format!("{}: authProvider.{name}={}: {what}", setting.place, setting.value));
    }
    raw.warnings.append(&mut warnings);
}

/// Compat(enforced-scheme): enforcing a scheme that the server does not have is fatal in ZooKeeper
/// as well.
fn required_schemes(raw: &RawConfig, digest_enabled: bool) -> Result<Vec<Box<str>>, ConfigError> {
    const SCHEMES: &str = "enforce.auth.schemes";
    let mut required = Vec::new();
    if raw.flag("sessionRequireClientSASLAuth", false) {
        required.push("sasl");
    } else if raw.flag("enforce.auth.enabled", false) {
        let list = raw
            .text(SCHEMES)
            .ok_or(ConfigError::Missing { key: SCHEMES, why: "enforce.auth.enabled is true" })?;
        required.extend(list.split(',').map(str::trim).filter(|scheme| !scheme.is_empty()));
    }
    let offered = |scheme: &str| scheme == "ip" || (scheme == "digest" && digest_enabled);
    match required.iter().find(|scheme| !offered(scheme)) {
        Some(scheme) => Err(ConfigError::Conflict(format!(
            "authentication with the scheme {scheme} is enforced, but not available"
        ))),
        None => Ok(required.into_iter().map(Into::into).collect()),
    }
}
