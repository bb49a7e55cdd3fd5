//! TLS, which this release does not offer.

use super::{
    Form::{Bool, Text},
    Key, ignored, meaningless, refused,
};

const NO_TLS: &str = "TLS is not offered by this release";
const NO_PEER_TLS: &str =
    "servers talk to each other in the clear in this release: keep their ports private";

pub(super) const KEYS: &[Key] = &[
    meaningless("serverCnxnFactory", Text, "there is one implementation"),
    ignored("ssl.keyStore.location", Text, NO_TLS),
    ignored("ssl.keyStore.password", Text, NO_TLS),
    ignored("ssl.keyStore.passwordPath", Text, NO_TLS),
    ignored("ssl.keyStore.type", Text, NO_TLS),
    ignored("ssl.trustStore.location", Text, NO_TLS),
    ignored("ssl.trustStore.password", Text, NO_TLS),
    ignored("ssl.trustStore.passwordPath", Text, NO_TLS),
    ignored("ssl.trustStore.type", Text, NO_TLS),
    ignored("ssl.protocol", Text, NO_TLS),
    ignored("ssl.enabledProtocols", Text, NO_TLS),
    ignored("ssl.ciphersuites", Text, NO_TLS),
    ignored("ssl.hostnameVerification", Text, NO_TLS),
    ignored("ssl.clientHostnameVerification", Text, NO_TLS),
    ignored("ssl.allowReverseDnsLookup", Text, NO_TLS),
    ignored("ssl.crl", Text, NO_TLS),
    ignored("ssl.ocsp", Text, NO_TLS),
    ignored("ssl.clientAuth", Text, NO_TLS),
    ignored("ssl.context.supplier.class", Text, NO_TLS),
    ignored("ssl.handshakeDetectionTimeoutMillis", Text, NO_TLS),
    meaningless("ssl.sslProvider", Text, "concerns the JVM's cryptography"),
    ignored("ssl.quorum.*", Text, NO_PEER_TLS),
    ignored("client.certReload", Text, NO_TLS),
    refused("client.portUnification", Text, &["false"], NO_TLS),
    refused("sslQuorum", Bool, &["false"], NO_PEER_TLS),
    refused("portUnification", Bool, &["false"], NO_PEER_TLS),
    ignored("sslQuorumReloadCertFiles", Bool, NO_PEER_TLS),
    ignored("netty.server.outstandingHandshake.limit", Text, NO_TLS),
    ignored("netty.server.earlyDropSecureConnectionHandshakes", Text, NO_TLS),
    meaningless("netty.advancedFlowControl.enabled", Text, "there is no Netty"),
];
