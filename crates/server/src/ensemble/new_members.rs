//! What a reconfig asks for, as servers to put and numbers to remove: pure, in ZooKeeper's
//! order of checks.

use std::collections::BTreeMap;

use raft_log::ServerSpec;
use session::Reconfig;
use tree::Reject;

use super::membership::server_spec;
use crate::config::{ClientAddress, Member, PeerAddress, WrongServer, properties};

/// Numbers of servers: the number is the highest byte of session ids.
const NUMBERS: std::ops::RangeInclusive<i64> = 1..=255;

/// How the members differ from those that are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// New servers, and servers that are described anew.
    pub(crate) put: Vec<ServerSpec>,
    /// Numbers of servers that go.
    pub(crate) remove: Vec<i64>,
}

impl Difference {
    /// Whether all is as it is wanted.
    pub(super) fn is_none(&self) -> bool {
        self.put.is_empty() && self.remove.is_empty()
    }

    /// Whether there can be such servers. ZooKeeper takes any number, so that this is looked
    /// at behind all that it looks at.
    pub(super) fn is_possible(&self) -> bool {
        self.put.iter().all(|server| NUMBERS.contains(&server.server_id))
    }
}

/// What is to be done so that the `present` servers become those that are asked for.
///
/// # Errors
/// What ZooKeeper answers to a request that makes no sense: [`Reject::BadArguments`], or
/// [`Reject::Marshalling`] where a number is none.
///
/// Compat(reconfig-numbers): the latter is what becomes of an exception that nobody caught.
pub(crate) fn difference(
    present: &[&ServerSpec],
    asked: &Reconfig<'_>,
    standalone_enabled: bool,
) -> Result<Difference, Reject> {
    let wanted = match asked.members {
        Some(members) => all_members(members, standalone_enabled)?,
        None => joined_and_left(present, asked)?,
    };
    let voters = wanted.values().filter(|server| server.votes).count();
    if voters < if standalone_enabled { 2 } else { 1 } {
        return Err(Reject::BadArguments);
    }
    let known = |number: i64| present.iter().find(|server| server.server_id == number);
    Ok(Difference {
        remove: present
            .iter()
            .map(|server| server.server_id)
            .filter(|number| !wanted.contains_key(number))
            .collect(),
        put: wanted.into_values().filter(|new| known(new.server_id) != Some(&new)).collect(),
    })
}

type Servers = BTreeMap<i64, ServerSpec>;

/// The incremental form.
fn joined_and_left(present: &[&ServerSpec], asked: &Reconfig<'_>) -> Result<Servers, Reject> {
    let mut servers: Servers =
        present.iter().map(|server| (server.server_id, (*server).clone())).collect();
    for number in parts(asked.leaving.unwrap_or_default(), ',') {
        servers.remove(&number.parse().map_err(|_| Reject::Marshalling)?);
    }
    for joining in parts(asked.joining.unwrap_or_default(), ',') {
        let [key, text] = parts(joining, '=').collect::<Vec<_>>()[..] else {
            return Err(Reject::BadArguments);
        };
        // Whatever stands before the last dot.
        let number = key.rsplit('.').next().unwrap_or(key);
        let member = member(number, text)?;
        if member.client.is_none() || takes_an_address(&member, &servers) {
            return Err(Reject::BadArguments);
        }
        servers.insert(member.id, server_spec(&member));
    }
    Ok(servers)
}

/// The full form: a properties file in which commas are ends of lines.
fn all_members(text: &str, standalone_enabled: bool) -> Result<Servers, Reject> {
    let lines = text.replace(',', "\n");
    let properties = properties::parse(lines.as_bytes()).map_err(|_| Reject::Marshalling)?;
    // The last of several with one key counts.
    let properties: BTreeMap<String, String> =
        properties.into_iter().map(|property| (property.key, property.value)).collect();
    let mut servers = Servers::new();
    for (key, value) in &properties {
        match key.strip_prefix("server.") {
            Some(number) => {
                let member = member(number, value)?;
                servers.insert(member.id, server_spec(&member));
            }
            None if key == "version" => {
                i64::from_str_radix(value, 16).map_err(|_| Reject::Marshalling)?;
            }
            // Groups and weights as well: every participant has one vote.
            None => return Err(Reject::BadArguments),
        }
    }
    let voters = servers.values().filter(|server| server.votes).count();
    let observers = servers.len() - voters;
    let without_voters = voters == 0 && (observers > 0 || !standalone_enabled);
    if without_voters || (voters == 1 && observers > 0 && standalone_enabled) {
        return Err(Reject::Marshalling);
    }
    Ok(servers)
}

fn member(number: &str, text: &str) -> Result<Member, Reject> {
    let number = number.parse().map_err(|_| Reject::Marshalling)?;
    let member = Member::parse(number, text).map_err(|wrong| match wrong {
        WrongServer::Text(_) => Reject::BadArguments,
        WrongServer::Port | WrongServer::Nothing => Reject::Marshalling,
    })?;
    Ok(member)
}

/// Whether another server has one of its addresses. Those that several may have are left
/// out: the machine's own and the wildcard.
fn takes_an_address(new: &Member, servers: &Servers) -> bool {
    let own = addresses(new);
    let others = servers.values().filter(|server| server.server_id != new.id);
    let mut taken = others.filter_map(|server| Member::parse(server.server_id, &server.spec).ok());
    taken.any(|other| addresses(&other).iter().any(|address| own.contains(address)))
}

fn addresses(member: &Member) -> Vec<(String, u16)> {
    let peers = member.addresses.iter().flat_map(|address| {
        let PeerAddress { host, peer_port, election_port } = address;
        [(host.clone(), *peer_port), (host.clone(), *election_port)]
    });
    let client = member.client.iter().map(|ClientAddress { host, port }| (host.clone(), *port));
    peers.chain(client).filter(|(host, _)| !is_shared(host)).collect()
}

fn is_shared(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost"
        || address.is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// The parts of a list, trimmed; empty ones are left out.
fn parts(list: &str, separator: char) -> impl Iterator<Item = &str> {
    list.split(separator).map(str::trim).filter(|part| !part.is_empty())
}

/// Where clients reach a server, as its description says.
pub(super) fn client_address(server: &ServerSpec) -> Option<ClientAddress> {
    Member::parse(server.server_id, &server.spec).ok()?.client
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const PRESENT: [(i64, &str); 3] = [
        (1, "10.0.0.1:2888:3888:participant;0.0.0.0:2181"),
        (2, "10.0.0.2:2888:3888:participant;0.0.0.0:2181"),
        (3, "10.0.0.3:2888:3888:observer;0.0.0.0:2181"),
    ];

    /// What comes of a request to three servers, the last of them an observer.
    fn outcome(asked: &Reconfig<'_>, standalone_enabled: bool) -> String {
        let present: Vec<ServerSpec> = PRESENT
            .iter()
            .map(|(id, text)| server_spec(&Member::parse(*id, text).unwrap()))
            .collect();
        let present: Vec<&ServerSpec> = present.iter().collect();
        match difference(&present, asked, standalone_enabled) {
            Err(reject) => format!("{reject:?}"),
            Ok(difference) => {
                let put = difference.put.iter();
                let put = put.map(|server| format!("{}={}", server.server_id, server.spec));
                let gone = difference.remove.iter().map(|number| format!("-{number}"));
                put.chain(gone).collect::<Vec<_>>().join(" ")
            }
        }
    }

    fn joining(text: &str) -> String {
        outcome(&Reconfig { joining: Some(text), ..Reconfig::default() }, true)
    }

    #[test]
    fn what_joins() {
        let cases = [
            "",
            " , ",
            "server.4=a:1:2;3",
            " server.4 = a:1:2:observer;b:3 ,5=c:1:2;3",
            "anything.4=a:1:2:PARTICIPANT;3",
            "server.3=10.0.0.3:2888:3888:participant;2181",
            "server.1=10.0.0.1:2888:3888;2181",
            "server.4=[::1]:1:2;[2001:db8::7]:3",
            "server.4=b:1:2|a:1:3:participant;3",
            "server.4=[::ffff:10.0.0.4]:1:2;3",
            "server.4=[1::]:1:2|[::2]:1:3:participant;3",
        ];
        let table = cases.map(|case| format!("{case:?}: {}\n", joining(case)));
        expect![[r#"
            "": 
            " , ": 
            "server.4=a:1:2;3": 4=a:1:2:participant;0.0.0.0:3
            " server.4 = a:1:2:observer;b:3 ,5=c:1:2;3": 4=a:1:2:observer;b:3 5=c:1:2:participant;0.0.0.0:3
            "anything.4=a:1:2:PARTICIPANT;3": 4=a:1:2:participant;0.0.0.0:3
            "server.3=10.0.0.3:2888:3888:participant;2181": 3=10.0.0.3:2888:3888:participant;0.0.0.0:2181
            "server.1=10.0.0.1:2888:3888;2181": 
            "server.4=[::1]:1:2;[2001:db8::7]:3": 4=[0:0:0:0:0:0:0:1]:1:2:participant;[2001:db8:0:0:0:0:0:7]:3
            "server.4=b:1:2|a:1:3:participant;3": 4=a:1:3|b:1:2:participant;0.0.0.0:3
            "server.4=[::ffff:10.0.0.4]:1:2;3": 4=10.0.0.4:1:2:participant;0.0.0.0:3
            "server.4=[1::]:1:2|[::2]:1:3:participant;3": 4=[0:0:0:0:0:0:0:2]:1:3|[1:0:0:0:0:0:0:0]:1:2:participant;0.0.0.0:3
        "#]]
        .assert_eq(&table.concat());
    }

    #[test]
    fn what_does_not_join() {
        let cases = [
            // Not a server.
            "some thing",
            "server.4",
            "server.4=",
            "server.4=a=b",
            "server.4=a",
            "server.4=a:1",
            "server.4=a:1:2",
            "server.4=a:1:2;",
            "server.4=a:1:2;x",
            "server.4=a:1:2;3;4",
            "server.4=a:1:2:foo;3",
            "server.4=a:1:2:participant:x;3",
            "server.4=a:1:1;3",
            "server.4=a:x:2;3",
            "server.4=a:1:2:observer|b:1:2:participant;3",
            // No numbers.
            "server.x=a:1:2;3",
            "server.4=a:99999:2;3",
            "server.4=a:1:-2;3",
            "server.4=a:1:2;65536",
            // Addresses that are taken.
            "server.4=10.0.0.1:2888:2;3",
            "server.4=10.0.0.1:1:2888;3",
            "server.4=a:1:2;10.0.0.1:3888",
            "server.4=10.9.9.9:1:2;3,server.5=10.9.9.9:1:9;8",
            "server.4=127.0.0.1:1:2;3,server.5=127.0.0.1:1:9;3",
        ];
        let table = cases.map(|case| format!("{case:?}: {}\n", joining(case)));
        expect![[r#"
            "some thing": BadArguments
            "server.4": BadArguments
            "server.4=": BadArguments
            "server.4=a=b": BadArguments
            "server.4=a": BadArguments
            "server.4=a:1": BadArguments
            "server.4=a:1:2": BadArguments
            "server.4=a:1:2;": BadArguments
            "server.4=a:1:2;x": BadArguments
            "server.4=a:1:2;3;4": BadArguments
            "server.4=a:1:2:foo;3": BadArguments
            "server.4=a:1:2:participant:x;3": BadArguments
            "server.4=a:1:1;3": BadArguments
            "server.4=a:x:2;3": BadArguments
            "server.4=a:1:2:observer|b:1:2:participant;3": BadArguments
            "server.x=a:1:2;3": Marshalling
            "server.4=a:99999:2;3": Marshalling
            "server.4=a:1:-2;3": Marshalling
            "server.4=a:1:2;65536": Marshalling
            "server.4=10.0.0.1:2888:2;3": BadArguments
            "server.4=10.0.0.1:1:2888;3": BadArguments
            "server.4=a:1:2;10.0.0.1:3888": BadArguments
            "server.4=10.9.9.9:1:2;3,server.5=10.9.9.9:1:9;8": BadArguments
            "server.4=127.0.0.1:1:2;3,server.5=127.0.0.1:1:9;3": 4=127.0.0.1:1:2:participant;0.0.0.0:3 5=127.0.0.1:1:9:participant;0.0.0.0:3
        "#]].assert_eq(&table.concat());
    }

    #[test]
    fn separators_at_the_end_separate_nothing() {
        let cases = [
            "server.4=a:1:2::;3:",
            "server.4=a:1:2:observer:;b:3;;",
            "server.4=a:1:2;;",
            "server.4=;",
            "server.4=a:1:2;:",
            "server.4=|",
            "server.4=:",
            "server.4=[::1]:",
        ];
        let table = cases.map(|case| format!("{case:?}: {}\n", joining(case)));
        expect![[r#"
            "server.4=a:1:2::;3:": 4=a:1:2:participant;0.0.0.0:3
            "server.4=a:1:2:observer:;b:3;;": 4=a:1:2:observer;b:3
            "server.4=a:1:2;;": BadArguments
            "server.4=;": Marshalling
            "server.4=a:1:2;:": Marshalling
            "server.4=|": BadArguments
            "server.4=:": BadArguments
            "server.4=[::1]:": BadArguments
        "#]]
        .assert_eq(&table.concat());
    }

    #[test]
    fn blanks_are_nothing_around_servers_numbers_and_roles_only() {
        let cases = [
            " server.4 = a:1:2: observer ;3 ",
            "server.4=a:1:2 ;3",
            "server.4=a: 1:2;3",
            "server.4=a:1:2; 3",
        ];
        let table = cases.map(|case| format!("{case:?}: {}\n", joining(case)));
        expect![[r#"
            " server.4 = a:1:2: observer ;3 ": 4=a:1:2:observer;0.0.0.0:3
            "server.4=a:1:2 ;3": BadArguments
            "server.4=a: 1:2;3": BadArguments
            "server.4=a:1:2; 3": BadArguments
        "#]]
        .assert_eq(&table.concat());
    }

    /// In the order in which ZooKeeper looks, which shows where one fault is -5 and one -8.
    #[test]
    fn clients_are_looked_at_first_and_roles_last() {
        let cases = [
            "server.4=a:1:1;99999",
            "server.4=a:1;99999",
            "server.4=a:99999:2;x",
            "server.4=a:1:2;99999;4",
            "server.4=a:1:99999:nobody;3",
            "server.4=a:1:1:nobody;3",
        ];
        let table = cases.map(|case| format!("{case:?}: {}\n", joining(case)));
        expect![[r#"
            "server.4=a:1:1;99999": Marshalling
            "server.4=a:1;99999": Marshalling
            "server.4=a:99999:2;x": BadArguments
            "server.4=a:1:2;99999;4": BadArguments
            "server.4=a:1:99999:nobody;3": Marshalling
            "server.4=a:1:1:nobody;3": BadArguments
        "#]]
        .assert_eq(&table.concat());
    }

    /// Anything else would be shown as two servers, or as none.
    #[test]
    fn a_host_is_an_address_or_a_name() {
        for host in ["a\nserver.9 b", "[a:b]", "[fe80::1%eth0]", "a b", "a\\u003d", "[]", "a#\r"] {
            for text in [format!("server.4={host}:1:2;3"), format!("server.4=a:1:2;{host}:3")] {
                assert_eq!(joining(&text), "BadArguments", "{text:?}");
            }
        }
        assert_eq!(
            joining("server.4=zoo-4_b.example:1:2;bücher:3"),
            "4=zoo-4_b.example:1:2:participant;bücher:3"
        );
    }

    #[test]
    fn a_session_id_has_room_for_the_number_of_its_server() {
        for (number, possible) in [(0, false), (1, true), (255, true), (256, false), (-4, false)] {
            let text = format!("server.{number}=a:1:2;3");
            let asked = Reconfig { joining: Some(&text), ..Reconfig::default() };
            assert_eq!(difference(&[], &asked, false).unwrap().is_possible(), possible, "{text}");
        }
    }

    #[test]
    fn what_leaves() {
        let cases = [Some("3"), Some(" 3 , 9"), Some("x"), Some("server.3"), Some("1"), None];
        let table = cases.map(|case| {
            let asked = Reconfig { leaving: case, ..Reconfig::default() };
            format!("{case:?}: {} | {}\n", outcome(&asked, true), outcome(&asked, false))
        });
        expect![[r#"
            Some("3"): -3 | -3
            Some(" 3 , 9"): -3 | -3
            Some("x"): Marshalling | Marshalling
            Some("server.3"): Marshalling | Marshalling
            Some("1"): BadArguments | -1
            None:  | 
        "#]]
        .assert_eq(&table.concat());
    }

    #[test]
    fn a_server_leaves_before_it_joins_anew() {
        let asked = Reconfig {
            joining: Some("server.2=10.0.0.2:2888:3888:participant;2182"),
            leaving: Some("2,3"),
            ..Reconfig::default()
        };
        expect!["2=10.0.0.2:2888:3888:participant;0.0.0.0:2182 -3"]
            .assert_eq(&outcome(&asked, true));
    }

    #[test]
    fn all_members_at_once() {
        let cases = [
            "",
            " ",
            "#",
            "foo",
            "server.1=a:1:2;3,server.2=b:1:2",
            "server.1=a:1:2;3\nserver.2=b:1:2\nversion=100000003",
            "server.1=a:1:2;3,server.2=b:1:2,version=x",
            "server.1=a:1:2;3,server.2=b:1:2,group.1=1:2",
            "server.1=a:1:2;3,server.2=b:1:2,tickTime=7",
            "server.1=a:1:2;3,server.x=b:1:2",
            "server.1=a:1:2;3,server.2=b",
            "server.1=a:1:2;3",
            "server.1=a:1:2:observer;3",
            "server.1=a:1:2;3,server.2=b:1:2:observer",
            "server.1=a:1:2;3,server.2=a:1:2;3",
            "server.1=a:1:2;3,server.2=b:1:2;;",
            "server.1=a:1:2;3\nserver.2=b:1:2 \n",
            "server.1=a:1:2;3\nserver.2=b:1:2:participant \n",
            "server.1=a:1:2;3,server.2=b:1:2\nversion=1a ",
        ];
        let table = cases.map(|case| {
            let joining = Some("server.9=ignored:1:2;3");
            let asked = Reconfig { members: Some(case), joining, ..Reconfig::default() };
            format!("{case:?}: {} | {}\n", outcome(&asked, true), outcome(&asked, false))
        });
        expect![[r##"
            "": BadArguments | Marshalling
            " ": BadArguments | Marshalling
            "#": BadArguments | Marshalling
            "foo": BadArguments | BadArguments
            "server.1=a:1:2;3,server.2=b:1:2": 1=a:1:2:participant;0.0.0.0:3 2=b:1:2:participant -3 | 1=a:1:2:participant;0.0.0.0:3 2=b:1:2:participant -3
            "server.1=a:1:2;3\nserver.2=b:1:2\nversion=100000003": 1=a:1:2:participant;0.0.0.0:3 2=b:1:2:participant -3 | 1=a:1:2:participant;0.0.0.0:3 2=b:1:2:participant -3
            "server.1=a:1:2;3,server.2=b:1:2,version=x": Marshalling | Marshalling
            "server.1=a:1:2;3,server.2=b:1:2,group.1=1:2": BadArguments | BadArguments
            "server.1=a:1:2;3,server.2=b:1:2,tickTime=7": BadArguments | BadArguments
            "server.1=a:1:2;3,server.x=b:1:2": Marshalling | Marshalling
            "server.1=a:1:2;3,server.2=b": BadArguments | BadArguments
            "server.1=a:1:2;3": BadArguments | 1=a:1:2:participant;0.0.0.0:3 -2 -3
            "server.1=a:1:2:observer;3": Marshalling | Marshalling
            "server.1=a:1:2;3,server.2=b:1:2:observer": Marshalling | 1=a:1:2:participant;0.0.0.0:3 2=b:1:2:observer -3
            "server.1=a:1:2;3,server.2=a:1:2;3": 1=a:1:2:participant;0.0.0.0:3 2=a:1:2:participant;0.0.0.0:3 -3 | 1=a:1:2:participant;0.0.0.0:3 2=a:1:2:participant;0.0.0.0:3 -3
            "server.1=a:1:2;3,server.2=b:1:2;;": 1=a:1:2:participant;0.0.0.0:3 2=b:1:2:participant -3 | 1=a:1:2:participant;0.0.0.0:3 2=b:1:2:participant -3
            "server.1=a:1:2;3\nserver.2=b:1:2 \n": BadArguments | BadArguments
            "server.1=a:1:2;3\nserver.2=b:1:2:participant \n": 1=a:1:2:participant;0.0.0.0:3 2=b:1:2:participant -3 | 1=a:1:2:participant;0.0.0.0:3 2=b:1:2:participant -3
            "server.1=a:1:2;3,server.2=b:1:2\nversion=1a ": Marshalling | Marshalling
        "##]].assert_eq(&table.concat());
    }
}
