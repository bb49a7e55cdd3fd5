//! The operator of a run: decides who is to belong to the ensemble, and sees to it, whatever
//! else happens meanwhile. Servers come as observers or voters, are promoted, demoted, replaced,
//! removed (also the leader), and come back as they went.
//!
//! What is wanted always has [`VOTERS_MIN`] voters, so that one of them may lose its disk.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use raft_log::{MemberChange, Members, ServerSpec};
use tokio::time::{sleep, timeout};

use crate::{chance::Chance, cluster::Cluster, net::Net, server::Up};

/// Voters that there always are.
const VOTERS_MIN: usize = 3;
/// Members that there are at most.
const MEMBERS_MAX: usize = 6;
/// How long the operator tries, among other faults.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it waits for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// The members that are wanted, and whether they are to vote.
pub(crate) type Wanted = BTreeMap<i64, bool>;

/// How the configuration describes a server.
pub(crate) fn spec(server_id: i64, votes: bool) -> ServerSpec {
    let role = if votes { "participant" } else { "observer" };
    let spec = format!("server.{server_id}:{role}");
    ServerSpec { server_id, addresses: vec![Net::address(server_id)], votes, spec }
}

/// What must be changed of these members; nothing, if they are described as it is wanted.
fn difference(members: &Members, wanted: &Wanted) -> Option<MemberChange> {
    let mut present = Wanted::new();
    for member in members.members.iter().filter(|member| member.shown) {
        // Who votes under a number comes before who is to take its place.
        present.entry(member.server.server_id).or_insert(member.server.votes);
    }
    let other = |(number, votes): &(&i64, &bool)| present.get(*number) != Some(*votes);
    let put: Vec<_> =
        wanted.iter().filter(other).map(|(number, votes)| spec(*number, *votes)).collect();
    let remove: Vec<_> =
        present.into_keys().filter(|number| !wanted.contains_key(number)).collect();
    let expected_version = Some(members.version());
    let is_needed = !put.is_empty() || !remove.is_empty();
    is_needed.then_some(MemberChange { expected_version, put, remove })
}

impl Cluster {
    /// Wants other members from now on and begins to see to it; says what is wanted.
    pub(crate) async fn change_members(self: &Arc<Self>, chance: &Chance) -> String {
        let leader = self.leaders().first().copied();
        let said = self.choose(chance, leader);
        // New servers run before they are members, or only after.
        if chance.percent(70) {
            for number in self.wanted().into_keys() {
                self.start(number).await;
            }
        }
        let (cluster, chance) = (Arc::clone(self), chance.clone());
        tokio::spawn(async move {
            let _ = timeout(PATIENCE, cluster.see_to_members(&chance)).await;
        });
        said
    }

    fn choose(&self, chance: &Chance, leader: Option<i64>) -> String {
        let mut wanted = self.wanted();
        let of = |votes| wanted.iter().filter(move |(_, has)| **has == votes).map(|(one, _)| *one);
        let (voters, observers): (Vec<i64>, Vec<i64>) = (of(true).collect(), of(false).collect());
        let any = |some: &[i64]| some[chance.index(some.len())];
        let leader = leader.filter(|leader| voters.contains(leader) && chance.percent(40));
        let victim = leader.unwrap_or_else(|| any(&voters));
        let (is_spare, has_room) = (voters.len() > VOTERS_MIN, wanted.len() < MEMBERS_MAX);
        let said = match chance.below(6) {
            0 if !observers.is_empty() => {
                let number = any(&observers);
                wanted.insert(number, true);
                format!("{number} is to vote")
            }
            1 if is_spare => {
                wanted.insert(victim, false);
                format!("{victim} is to vote no more")
            }
            2 if is_spare => {
                wanted.remove(&victim);
                format!("{victim} is to go")
            }
            3 if !observers.is_empty() => {
                let number = any(&observers);
                wanted.remove(&number);
                format!("observer {number} is to go")
            }
            4 if has_room => {
                let number = self.one_more(chance);
                wanted.remove(&victim);
                wanted.insert(number, true);
                format!("{number} is to take the place of {victim}")
            }
            _ if has_room => {
                let (number, votes) = (self.one_more(chance), chance.percent(50));
                wanted.insert(number, votes);
                format!("{number} is to come, {}", if votes { "to vote" } else { "to observe" })
            }
            _ => "nobody is to come or go".to_owned(),
        };
        *self.wanted.lock() = wanted;
        said
    }

    /// A server that has been removed and is to come back as it is, or a new one.
    fn one_more(&self, chance: &Chance) -> i64 {
        let absent = self.absent();
        if !absent.is_empty() && chance.percent(50) {
            return absent[chance.index(absent.len())];
        }
        self.add_server(chance)
    }

    /// Returns when the members are as they are wanted; then some of those that were removed
    /// go for good.
    pub(crate) async fn see_to_members(self: &Arc<Self>, chance: &Chance) {
        let _one_at_a_time = self.operating.lock().await;
        loop {
            let servers = self.all();
            let asked = servers[chance.index(servers.len())];
            if let Some(up) = self.up(asked)
                && self.ask_for_members(&up).await
            {
                break;
            }
            sleep(PAUSE).await;
        }
        for removed in self.absent() {
            if chance.percent(40) {
                self.retire(removed);
            }
        }
    }

    /// Asks one server for the members that are wanted; whether they are that already.
    async fn ask_for_members(&self, up: &Up) -> bool {
        let wanted = self.wanted();
        if !matches!(timeout(ANSWER_MAX, up.log.read_barrier()).await, Ok(Ok(()))) {
            return false;
        }
        let members = up.log.status().borrow().members.clone();
        // A server that was removed may not know it.
        let belongs = members.members.iter().any(|member| member.node == up.log.origin().node);
        if !belongs || members.changing || up.log.applied() < members.decided {
            return false;
        }
        match difference(&members, &wanted) {
            Some(change) => {
                // What came of it shows in the members.
                let _ = timeout(ANSWER_MAX, up.log.change_members(change)).await;
                false
            }
            None => self.is_whole(),
        }
    }
}
