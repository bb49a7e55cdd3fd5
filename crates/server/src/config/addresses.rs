//! Addresses to listen on: from a host and a port, or from the server's own line.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
    path,
};

use super::{
    error::ConfigError,
    members::{ClientAddress, Member},
    raw::RawConfig,
    read_my_id,
};

/// From `clientPort`, or from the member's own line.
pub(super) fn client_address(
    raw: &RawConfig,
    members: &[Member],
    data_dir: &path::Path,
) -> Result<SocketAddr, ConfigError> {
    let from_line = own_member(raw, members, data_dir)?.and_then(|member| member.client.as_ref());
    let Some(port) = raw.get("clientPort") else {
        if let Some(setting) = raw.get("clientPortAddress") {
            return Err(setting.refused("clientPortAddress", "clientPort is not set"));
        }
        return from_line.map_or_else(
            || Err(ConfigError::Missing { key: "clientPort", why: "no client could connect" }),
            |ClientAddress { host, port }| {
                resolve(host, *port).ok_or_else(|| unknown_host(raw, members, host))
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

fn unknown_host(raw: &RawConfig, members: &[Member], host: &str) -> ConfigError {
    let key = format!("server.{}", members.first().map_or(0, |member| member.id));
    let why = format!("{host} is not an address of this machine");
    raw.get(&key)
        .map_or_else(|| ConfigError::Conflict(why.clone()), |line| line.refused(&key, &why))
}

/// The member that this server is. With one line there is no doubt, unless `myid` says
/// that it is another one.
fn own_member<'m>(
    raw: &RawConfig,
    members: &'m [Member],
    data_dir: &path::Path,
) -> Result<Option<&'m Member>, ConfigError> {
    let Some(member) = members.first() else { return Ok(None) };
    match read_my_id(data_dir)? {
        Some(id) if id != member.id => {
            let key = format!("server.{}", member.id);
            let why = format!("the only member, but myid is {id}");
            Err(raw.get(&key).map_or_else(
                || ConfigError::Conflict(why.clone()),
                |line| line.refused(&key, &why),
            ))
        }
        Some(_) | None => Ok(Some(member)),
    }
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
