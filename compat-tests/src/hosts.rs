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
    /// The first three bytes of their addresses.
    network: [u8; 3],
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
        let run = std::process::id();
        let bridge = format!("rk{}x{tag}", run % 10_000);
        let network = network(run, tag);
        let mut hosts = Self { network, bridge: bridge.clone(), names: Vec::new() };
        ip(&["link", "add", &bridge, "type", "bridge"])?;
        ip(&["addr", "add", &format!("{}/24", hosts.address_ending(254)), "dev", &bridge])?;
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
        self.address_ending(u8::try_from(index + 1).unwrap_or(u8::MAX))
    }

    fn address_ending(&self, last: u8) -> IpAddr {
        let [first, second, third] = self.network;
        IpAddr::from(Ipv4Addr::new(first, second, third, last))
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

/// One of 512 networks that are there for tests of networks (RFC 2544): another one for each run,
/// since a run that was killed leaves its hosts behind, and would keep others from theirs.
fn network(run: u32, tag: u8) -> [u8; 3] {
    let [low, high, ..] = (run % 64 * 8 + u32::from(tag % 8)).to_le_bytes();
    [198, 18 + high, low]
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
