//! Addresses to listen on: from a host and a port, or from the server's own line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use super::{
    ensemble,
    error::ConfigError,
    members::{ClientAddress, Member},
    raw::RawConfig,
};

/// From `clientPort`, or from the member's own line.
pub(super) fn client_address(
    raw: &RawConfig,
    me: Option<&Member>,
) -> Result<SocketAddr, ConfigError> {
    let from_line = me.and_then(|member| member.client.as_ref());
    let Some(port) = raw.get("clientPort") else {
        if let Some(setting) = raw.get("clientPortAddress") {
            return Err(setting.refused("clientPortAddress", "clientPort is not set"));
        }
        return from_line.map_or_else(
            || Err(ConfigError::Missing { key: "clientPort", why: "no client could connect" }),
            |ClientAddress { host, port }| {
                resolve(host, *port).ok_or_else(|| unknown_host(raw, me, host))
            },
        );
    };
    let number: u16 = port.value.parse().map_err(|_| port.wrong("clientPort", "a port"))?;
    let address = match raw.get("clientPortAddress") {
        None => SocketAddr::new(ANY, number),
        Some(host) => resolve(&host.value, number)
            .ok_or_else(|| host.wrong("clientPortAddress", "an address of this machine"))?,
    };
    match from_line {
        Some(line) if line.port != number => Err(ConfigError::Conflict(format!(
            "clientPort is {number}, but the server's own line says {}",
            line.port
        ))),
        Some(_) | None => Ok(address),
    }
}

/// Every address of the machine.
const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

fn unknown_host(raw: &RawConfig, me: Option<&Member>, host: &str) -> ConfigError {
    let why = format!("{host} is not an address of this machine");
    ensemble::refused_line(raw, me.map_or(0, |member| member.id), &why)
}

fn resolve(host: &str, port: u16) -> Option<SocketAddr> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut found = (host, port).to_socket_addrs().ok()?;
    found.next()
}

/// The address of `key`, or all.
pub(super) fn host_or_any(
    raw: &RawConfig,
    key: &str,
    port: u16,
) -> Result<SocketAddr, ConfigError> {
    match raw.get(key) {
        None => Ok(SocketAddr::new(ANY, port)),
        Some(host) => {
            resolve(&host.value, port).ok_or_else(|| host.wrong(key, "an address of this machine"))
        }
    }
}
