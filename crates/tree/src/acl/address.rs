//! The `ip` scheme: addresses with an optional prefix length.

use std::net::Ipv6Addr;

/// An address and how many of its leading bits count.
struct Prefix {
    /// 4 or 16 bytes.
    bytes: Vec<u8>,
    bits: usize,
}

/// Whether `expression` is an address with at most as many bits as it has.
pub(super) fn is_valid(expression: &str) -> bool {
    parse(expression).is_some()
}

/// Whether `address` lies in `expression`. The families must agree.
pub(super) fn matches(address: &str, expression: &str) -> bool {
    let (Some(address), Some(prefix)) = (parse_address(address), parse(expression)) else {
        return false;
    };
    address.len() == prefix.bytes.len() && same_bits(&address, &prefix.bytes, prefix.bits)
}

fn same_bits(one: &[u8], other: &[u8], bits: usize) -> bool {
    let (whole, rest) = (bits / 8, bits % 8);
    let differ = |index: usize| one[index] ^ other[index];
    one[..whole] == other[..whole] && (rest == 0 || differ(whole) >> (8 - rest) == 0)
}

fn parse(expression: &str) -> Option<Prefix> {
    let (address, bits) = match expression.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (expression, None),
    };
    let bytes = parse_address(address)?;
    let most = bytes.len() * 8;
    let bits = match bits {
        // Compat(acl-addresses): signs and leading zeros are accepted, as by Java's parseInt.
        Some(bits) => usize::try_from(bits.parse::<i32>().ok()?).ok()?,
        None => most,
    };
    (bits <= most).then_some(Prefix { bytes, bits })
}

fn parse_address(address: &str) -> Option<Vec<u8>> {
    if !address.contains(':') {
        return parse_v4(address);
    }
    let unscoped = address.split_once('%').map_or(address, |(address, _scope)| address);
    let v6: Ipv6Addr = unscoped.parse().ok()?;
    // Compat(acl-addresses): Java turns a mapped address into the IPv4 address that it holds.
    let mapped = v6.to_ipv4_mapped().map(|v4| v4.octets().to_vec());
    Some(mapped.unwrap_or_else(|| v6.octets().to_vec()))
}

/// Compat(acl-addresses): more lenient than the standard library, as ZooKeeper is: `010` is 10.
fn parse_v4(address: &str) -> Option<Vec<u8>> {
    let parts: Vec<&str> = address.splitn(5, '.').collect();
    if parts.len() != 4 {
        return None;
    }
    parts.iter().map(|part| u8::try_from(part.parse::<i32>().ok()?).ok()).collect()
}
