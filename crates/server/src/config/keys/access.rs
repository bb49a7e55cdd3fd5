//! Who may be who, and who may do what.

use super::{
    Form::{Bool, Text},
    Key, honoured, ignored, meaningless,
};

const NO_SASL: &str = "SASL is not offered by this release";

pub(super) const KEYS: &[Key] = &[
    honoured(
        "authProvider.*",
        Text,
        "ip, digest",
        "a class of ZooKeeper's own makes its scheme valid in ACLs; \
         authentication is offered by `ip` and `digest`; any other class is skipped",
    ),
    honoured("DigestAuthenticationProvider.enabled", Text, "true", "the `digest` scheme"),
    honoured(
        "DigestAuthenticationProvider.superDigest",
        Text,
        "",
        "`user:hash` of the superuser, who may do everything",
    ),
    honoured(
        "DigestAuthenticationProvider.digestAlg",
        Text,
        "SHA1",
        "hash of the `digest` scheme; existing ACLs keep theirs",
    ),
    honoured(
        "enforce.auth.enabled",
        Text,
        "false",
        "only authenticated clients are served; an error without enforce.auth.schemes",
    ),
    honoured(
        "enforce.auth.schemes",
        Text,
        "",
        "schemes of which a client must have one, separated by commas",
    ),
    honoured(
        "sessionRequireClientSASLAuth",
        Text,
        "false",
        "the same as enforcing `sasl`: the server does not start without it",
    ),
    honoured("skipACL", Text, "no", "`yes`: ACLs are not looked at"),
    ignored("enableEagerACLCheck", Text, "an access is checked once, when the write is applied"),
    ignored("X509AuthenticationProvider.superUser", Text, "TLS is not offered by this release"),
    ignored("ssl.authProvider", Text, "TLS is not offered by this release"),
    ignored("superUser", Text, NO_SASL),
    ignored("superUser.*", Text, NO_SASL),
    ignored("SASLAuthenticationProvider.superPassword", Text, NO_SASL),
    ignored("allowSaslFailedClients", Text, NO_SASL),
    ignored("ensembleAuthName", Text, "the `ensemble` scheme is not offered by this release"),
    ignored("requireKerberosConfig", Text, NO_SASL),
    ignored("kerberos.removeHostFromPrincipal", Text, NO_SASL),
    ignored("kerberos.removeRealmFromPrincipal", Text, NO_SASL),
    ignored("kerberos.canonicalizeHostNames", Text, NO_SASL),
    ignored("kerberos.minReLoginTimeMs", Text, NO_SASL),
    ignored("kinit", Text, NO_SASL),
    ignored("security.auth_to_local", Text, NO_SASL),
    ignored("server.realm", Text, NO_SASL),
    ignored("letAnySaslUserDoX", Text, NO_SASL),
    ignored("sasl.serverconfig", Text, NO_SASL),
    ignored("java.security.auth.login.config", Text, NO_SASL),
    ignored(
        "IPAuthenticationProvider.usexforwardedfor",
        Text,
        "addresses in requests to the admin server are not looked at",
    ),
    meaningless("fips-mode", Bool, "concerns the JVM's cryptography"),
];
