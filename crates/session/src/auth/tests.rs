//! Vectors from ZooKeeper's own classes, and the rules of auth packets.

use expect_test::{Expect, expect};
use hex_literal::hex;
use tree::SessionId;

use super::*;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[test]
fn digests_are_those_of_zookeeper() {
    let check = |algorithm: &str, expected: &str| {
        let algorithm = DigestAlgorithm::parse(algorithm).unwrap();
        assert_eq!(algorithm.identity("super:test"), expected);
    };
    check("SHA1", "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
    check("sha-1", "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
    check("MD5", "super:yzhcGieXAe2NBWh0Znxa3g==");
    check("SHA-224", "super:opwh3FU/0WUpM+8JAOS98bsQFC+823kv438mIg==");
    check("SHA-256", "super:wjySwxg860UATFtciuZ1lpzrCHrPeov6SPu/ZD56uig=");
    check("SHA-384", "super:FA/2SgoedA21NnGcUl5C1HBsMwuibAPXlAq/FqXTuUQPExUJgxpf8gWeD4eOupjP");
    check(
        "SHA-512",
        "super:cMAGk13FCMtJkaVQImGEKhjqoGELCiVjYdIhiD8stB1FnIpdGeFvKwAHh5mf4tUYmBR2ZY9181dZTXEHMlkV\
         hg==",
    );
    check("SHA-512/224", "super:Jbob8j2c9tikAuLuqxcIJr3TG4aS6fcELZsiHw==");
    check("SHA-512/256", "super:GV6U44a5U7SXgFZS9GkWgmwq2+im64wGlYXjCHia3mo=");
    check("SHA3-224", "super:774X6Nz1d3BUO6raVFndfjoMF6e1LHrnHVv5IA==");
    check("SHA3-256", "super:cRy/KPYuDpW/dtsepniTMpuiuupnWgdU9txltIfv3hA=");
    check("SHA3-384", "super:a3efqz9Fj+qRHgJMpOPAzqpMP86/aPKowwZfSsm/gM+qBf87ZmeQYtueLs53P8Rw");
    check(
        "SHA3-512",
        "super:AdTSPtJYC1bEo1Z0UG5z1VXkw2AEUReEjF0RV0jap6VKcDva8ZPEO/WxrOy888alfiJyM5cm5BKhrI4X/YFc\
         Tg==",
    );
}

#[test]
fn data_without_a_colon_is_a_user_too() {
    assert_eq!(DigestAlgorithm::Sha1.identity("abc"), "abc:qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
    assert_eq!(DigestAlgorithm::Sha1.identity("a:b:c"), "a:cLzgnoJ6mP5qz3w+mwvPE2vDgu0=");
    assert_eq!(DigestAlgorithm::Sha1.identity(""), ":2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
}

#[test]
fn unknown_algorithms_are_refused() {
    assert_eq!(DigestAlgorithm::parse("MD2"), Err(UnknownDigestAlgorithm("MD2".into())));
}

fn show(config: &AuthConfig, packets: &[(&str, Option<&[u8]>)], expected: &Expect) {
    let mut identities = Identities::of_peer(PEER);
    let mut trace = String::new();
    for (scheme, data) in packets {
        match config.authenticate(&identities, scheme, *data) {
            Ok(more) => identities = more,
            Err(error) => trace += &format!("{scheme:?}: {error}\n"),
        }
    }
    for identity in identities.iter() {
        let whoami = user_name(&identity);
        trace += &format!("({}, {}) shown as {whoami:?}\n", identity.scheme, identity.id);
    }
    expected.assert_eq(&trace);
}

#[test]
fn identities_accumulate_and_refusals_change_nothing() {
    let config = AuthConfig {
        super_digest: Some("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".into()),
        ..AuthConfig::default()
    };
    show(
        &config,
        &[
            ("digest", Some(b"alice:secret")),
            ("digest", Some(b"alice:secret")),
            ("digest", None),
            ("ip", Some(b"")),
            ("ip", None),
            ("world", Some(b"anyone")),
            ("sasl", Some(b"x")),
            ("x509", Some(b"x")),
            ("super", Some(b"")),
            ("auth", Some(b"")),
            ("", Some(b"")),
            ("digest", Some(b"super:test")),
            ("digest", Some(b"")),
        ],
        &expect![[r#"
            "digest": authentication failed
            "world": authentication failed
            "sasl": authentication failed
            "x509": authentication failed
            "super": authentication failed
            "auth": authentication failed
            "": authentication failed
            (ip, 127.0.0.1) shown as "127.0.0.1"
            (digest, alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=) shown as "alice"
            (super, ) shown as ""
            (digest, super:D/InIHSb7yEEbrWz8b9l71RjZJU=) shown as "super"
            (digest, :2jmj7l5rSw0yVb/vlWAYkK/YBwk=) shown as ""
        "#]],
    );
}

#[test]
fn digest_can_be_switched_off() {
    let config = AuthConfig { digest_enabled: false, ..AuthConfig::default() };
    let refused = config.authenticate(&Identities::default(), "digest", Some(b"a:b"));
    assert_eq!(refused, Err(AuthFailed));
}

#[test]
fn required_schemes_are_required() {
    let config = AuthConfig { required_schemes: vec!["digest".into()], ..AuthConfig::default() };
    let plain = Identities::of_peer(PEER);
    assert!(!config.admits(&plain));
    assert!(config.admits(&plain.with_added("digest", "a:b")));
    assert!(AuthConfig::default().admits(&plain));
}

#[test]
fn addresses_read_as_java_prints_them() {
    let check = |address: &str, expected: &str| {
        assert_eq!(address_text(address.parse().unwrap()), expected);
    };
    check("127.0.0.1", "127.0.0.1");
    check("::1", "0:0:0:0:0:0:0:1");
    check("2001:db8::ff", "2001:db8:0:0:0:0:0:ff");
    check("::ffff:10.0.0.1", "10.0.0.1");
}

#[test]
fn a_password_is_that_of_zookeeper() {
    let password = session_password(SessionId(0x0100_000d_2626_0000));
    assert_eq!(password, hex!("781603eca592b5d6167a2c7bf6078a9d"));
}

#[test]
fn session_ids_have_zookeepers_shape() {
    let mut ids = SessionIds::new(1, 0x00AB_CDEF_0123);
    assert_eq!(ids.next(), SessionId(0x01AB_CDEF_0123_0000));
    assert_eq!(ids.next(), SessionId(0x01AB_CDEF_0123_0001));
    assert_eq!(SessionIds::new(200, 1).next().to_string(), "0xc800000000010000");
    assert_eq!(SessionIds::new(0x80, 0).next(), SessionId(i64::MIN + 1));
    assert_eq!(SessionIds::new(0, 0).next(), SessionId(1));
}
