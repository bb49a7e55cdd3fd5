//! Hosts with addresses of their own on one network, which can be cut off from it: network
//! namespaces, made with `ip` of iproute2, which only root may do.
//!
//! Packets are lost without a word, as when a cable is pulled behind a switch.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

/// Some hosts; they are taken away when this is dropped.
#[derive(Debug)]
pub struct Hosts {
    /// The third byte of their addresses, and a part of their names.
    tag: u8,
    bridge: String,
    names: Vec<String>,
}

/// Hosts of different tests do not meet.
static NEXT_TAG: AtomicU8 = AtomicU8::new(1);

impl Hosts {
    /// Makes `count` hosts. This machine reaches all of them, whatever is cut.
    ///
    /// # Errors
    /// When they cannot be made: mostly because this process is not root's.
    pub fn make(count: u8) -> io::Result<Self> {
        let tag = NEXT_TAG.fetch_add(1, Ordering::Relaxed);
        // Other runs of the tests on this machine have other names.
        let run = std::process::id() % 10_000;
        let bridge = format!("rk{run}x{tag}");
        let mut hosts = Self { tag, bridge: bridge.clone(), names: Vec::new() };
        ip(&["link", "add", &bridge, "type", "bridge"])?;
        ip(&["addr", "add", &format!("{}/24", hosts.network(254)), "dev", &bridge])?;
        ip(&["link", "set", &bridge, "up"])?;
        for number in 0..count {
            let name = format!("{bridge}n{number}");
            ip(&["netns", "add", &name])?;
            hosts.names.push(name);
            hosts.connect(usize::from(number))?;
        }
        Ok(hosts)
    }

    fn connect(&self, index: usize) -> io::Result<()> {
        let (name, link) = (self.name(index), self.link(index));
        ip(&["link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", name])?;
        ip(&["link", "set", &link, "master", &self.bridge, "up"])?;
        let address = format!("{}/24", self.address(index));
        ip(&["-n", name, "addr", "add", &address, "dev", "eth0"])?;
        ip(&["-n", name, "link", "set", "eth0", "up"])?;
        ip(&["-n", name, "link", "set", "lo", "up"])
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The network namespace of a host.
    pub fn name(&self, index: usize) -> &str {
        &self.names[index]
    }

    /// The address of a host.
    pub fn address(&self, index: usize) -> IpAddr {
        self.network(u8::try_from(index + 1).unwrap_or(u8::MAX))
    }

    fn network(&self, last: u8) -> IpAddr {
        IpAddr::from(Ipv4Addr::new(10, 78, self.tag, last))
    }

    fn link(&self, index: usize) -> String {
        format!("{}h{index}", self.bridge)
    }

    /// Loses every packet that `from` sends to `to`; what `to` sends arrives.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn cut_one_way(&self, from: usize, to: usize) -> io::Result<()> {
        let to = self.address(to).to_string();
        ip(&["-n", self.name(from), "route", "replace", "blackhole", &to])
    }

    /// Loses every packet between a host and the others; this machine still reaches it.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn cut_off(&self, host: usize) -> io::Result<()> {
        for other in (0..self.len()).filter(|other| *other != host) {
            self.cut_one_way(host, other)?;
            self.cut_one_way(other, host)?;
        }
        Ok(())
    }

    /// Lets every packet through again.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn heal(&self) -> io::Result<()> {
        for name in &self.names {
            ip(&["-n", name, "route", "flush", "type", "blackhole"])?;
        }
        Ok(())
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        // Those that were not made cannot be taken away.
        for name in &self.names {
            let _ = ip(&["netns", "del", name]);
        }
        let _ = ip(&["link", "del", &self.bridge]);
    }
}

fn ip(arguments: &[&str]) -> io::Result<()> {
    let done = Command::new("ip").args(arguments).output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(io::Error::other(format!("ip {}: {}", arguments.join(" "), said.trim())))
}
