//! One run: clients at work, faults, and the end of all faults.

use std::{collections::BTreeSet, ops::Range, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};

use crate::{chance::Chance, checks::Check, client::Client, cluster::Cluster, history::Counts};

/// How long the cluster may take to serve again when all faults are over.
const HEAL_MAX: Duration = Duration::from_secs(120);
/// How long nothing happens, for once: more than two session timeouts.
const CALM: Duration = Duration::from_secs(12);
/// How long the leader stands still in the end, in milliseconds: mostly for longer than a session's
/// timeout.
const STANDSTILL_MS: Range<u64> = 3000..10_000;
/// By then it is known what came of that.
const AFTER_STANDSTILL: Duration = Duration::from_secs(4);
/// How often one looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a run consists of.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Decides everything else.
    pub seed: u64,
    /// How many servers.
    pub servers: i64,
    /// How many clients.
    pub clients: i64,
    /// How many faults.
    pub faults: u64,
}

impl Plan {
    /// Three servers, or five for every fourth seed; four clients; some twenty faults.
    pub const fn usual(seed: u64) -> Self {
        let servers = if seed.is_multiple_of(4) { 5 } else { 3 };
        Self { seed, servers, clients: 4, faults: 20 }
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What must not be; nothing, if all is well.
    pub violations: Vec<String>,
    /// The same for the same seed.
    pub fingerprint: u64,
    /// How much happened.
    pub counts: Counts,
    /// How long it took, in simulated time.
    pub simulated: Duration,
    /// The faults, in order.
    pub faults: Vec<String>,
}

/// Whether a seed gives the same run each time: only when compiled with `--cfg
/// tokio_unstable`, as `cargo xtask sim` does, for tokio then takes its chance from the seed.
pub const IS_REPEATABLE: bool = cfg!(tokio_unstable);

/// Runs a plan on a thread of its own.
///
/// # Panics
/// When something within panics, which is a finding as well.
pub fn run(plan: Plan) -> Outcome {
    std::thread::Builder::new()
        .name(format!("seed {}", plan.seed))
        .spawn(move || {
            raft_log::simulate(plan.seed);
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            // tokio's own chance: which of several receivers of a channel is woken first.
            #[cfg(tokio_unstable)]
            runtime.rng_seed(tokio::runtime::RngSeed::from_bytes(&plan.seed.to_le_bytes()));
            let runtime = runtime.enable_time().start_paused(true).build();
            runtime.expect("a runtime can be made").block_on(run_here(plan))
        })
        .and_then(|thread| {
            thread.join().map_err(|_| std::io::Error::other("the simulation panicked"))
        })
        .expect("a run comes to its end")
}

async fn run_here(plan: Plan) -> Outcome {
    let chance = Chance::new(plan.seed);
    let cluster = Arc::new(Cluster::new(plan.servers, &chance));
    for server in cluster.all() {
        cluster.start(server).await;
    }
    let clients: Vec<_> = (1..=plan.clients)
        .map(|number| Client::new(Arc::clone(&cluster), chance.clone(), number).run())
        .map(tokio::spawn)
        .collect();
    let mut faults = Vec::new();
    for _ in 0..plan.faults {
        sleep(chance.millis(10..2000)).await;
        if cluster.history.is_broken() {
            break;
        }
        cluster.history.set_calm(false);
        let fault = strike(&cluster, &chance).await;
        faults.push(format!("{:?}: {fault}", cluster.now()));
    }
    let is_as_wanted = heal(&cluster, &chance).await;
    cluster.history.set_calm(true);
    let progress = cluster.history.counts().acknowledged;
    let goes_on = until(|| cluster.history.counts().acknowledged > progress + 20).await;
    sleep(CALM).await;
    let left_behind = left_behind(&cluster);
    // Nothing but that: no session ends that others hear.
    let leader = cluster.leaders().first().copied();
    if let Some(leader) = leader.filter(|_| !cluster.history.is_broken()) {
        let lasts = chance.millis(STANDSTILL_MS);
        cluster.stand_still(leader, lasts);
        faults.push(format!(
            "{:?}: {leader}, which leads, stands still for {lasts:?}",
            cluster.now()
        ));
        sleep(lasts + AFTER_STANDSTILL).await;
    }
    for client in clients {
        client.abort();
    }
    let settled = until(|| cluster.is_settled()).await;
    let mut violations: Vec<String> = left_behind.into_iter().collect();
    if !goes_on {
        violations.push(format!("{} it does not serve again within {HEAL_MAX:?}", Check::Serving));
    }
    if !is_as_wanted {
        let wanted = cluster.wanted();
        let what = format!("its members are not {wanted:?} within {HEAL_MAX:?}");
        violations.push(format!("{} {what}", Check::Serving));
    }
    if !settled {
        let found = cluster.describe();
        let what = format!("its servers do not agree within {HEAL_MAX:?}: {found}");
        violations.push(format!("{} {what}", Check::Serving));
    }
    if let Some(up) = cluster.wanted().keys().next().and_then(|server| cluster.up(*server)) {
        let is_open = |session| up.core.look(|state| state.session(session).is_some());
        violations.extend(cluster.history.violations(up.core.digest().0, is_open));
    }
    let outcome = Outcome {
        violations,
        fingerprint: cluster.history.fingerprint(),
        counts: cluster.history.counts(),
        simulated: cluster.now(),
        faults,
    };
    for server in cluster.all() {
        cluster.crash(server);
    }
    outcome
}

/// A session that should have ended by now.
fn left_behind(cluster: &Cluster) -> Option<String> {
    let up = cluster.wanted().keys().next().and_then(|server| cluster.up(*server))?;
    let is_open = |session| up.core.look(|state| state.session(session).is_some());
    let what = cluster.history.left_behind(is_open)?;
    Some(format!("{} {what}", Check::Expiry))
}

/// Lets something happen, and says what.
async fn strike(cluster: &Arc<Cluster>, chance: &Chance) -> String {
    let servers = cluster.all();
    let any = servers[chance.index(servers.len())];
    let leader = cluster.leaders().first().copied().unwrap_or(any);
    let victim = if chance.percent(40) { leader } else { any };
    match chance.below(18) {
        0..3 => {
            let was_up = cluster.up(victim).is_some();
            cluster.crash(victim);
            if !was_up || chance.percent(30) {
                cluster.start(victim).await;
                return format!("crash and start of {victim}");
            }
            format!("crash of {victim}")
        }
        3..5 => {
            for server in &servers {
                cluster.start(*server).await;
            }
            "all are started".to_owned()
        }
        5..8 => cut_links(cluster, chance, victim),
        8 => {
            let is_slow = chance.percent(60);
            cluster.set_slow(victim, is_slow);
            format!("the disk of {victim} is {}", if is_slow { "slow" } else { "fast" })
        }
        9 => {
            cluster.fail_disk(victim);
            format!("the disk of {victim} fails")
        }
        10 => {
            if !heal(cluster, chance).await {
                return "what should have become well did not, so far".to_owned();
            }
            cluster.history.set_calm(true);
            sleep(CALM).await;
            if chance.percent(50) && cluster.wipe(victim, chance).await {
                return format!("all is well for a while, then {victim} is wiped");
            }
            "all is well for a while".to_owned()
        }
        11 => {
            let has_ended = cluster.stop(victim).await;
            format!("stop of {victim}, {}", if has_ended { "done" } else { "hangs" })
        }
        12..15 => cluster.change_members(chance).await,
        15..17 => {
            let lasts = chance.millis(300..10_000);
            let is_up = cluster.stand_still(victim, lasts);
            format!("{victim} {} for {lasts:?}", if is_up { "stands still" } else { "is down" })
        }
        _ => {
            let Some(up) = cluster.up(victim) else { return format!("{victim} is down") };
            let handed = timeout(Duration::from_secs(5), up.log.hand_over(None)).await;
            format!("hand over, asked at {victim}: {handed:?}")
        }
    }
}

/// Cuts some links and makes all others whole; clients have numbers below zero.
fn cut_links(cluster: &Cluster, chance: &Chance, victim: i64) -> String {
    let servers = cluster.all();
    let others = || servers.iter().copied().filter(move |other| *other != victim);
    let cut: BTreeSet<_> = match chance.below(4) {
        0 => others().flat_map(|other| [(victim, other), (other, victim)]).collect(),
        1 => {
            // Any directions at all.
            let pairs = servers.iter().flat_map(|from| servers.iter().map(move |to| (*from, *to)));
            pairs.filter(|(from, to)| from != to && chance.percent(35)).collect()
        }
        2 => {
            let client = -1 - i64::try_from(chance.below(4)).unwrap_or(0);
            BTreeSet::from([(client, victim), (victim, client)])
        }
        _ => BTreeSet::new(),
    };
    let said = format!("cut: {cut:?}");
    cluster.cut(cut);
    said
}

/// Ends all faults; whether the members are then as they are wanted.
async fn heal(cluster: &Arc<Cluster>, chance: &Chance) -> bool {
    cluster.cut(BTreeSet::new());
    cluster.all_go_on();
    for server in cluster.all() {
        cluster.mend_disk(server);
    }
    // A server whose disk failed a moment ago may not have noticed yet.
    sleep(LOOK_EVERY).await;
    for server in cluster.all() {
        cluster.start(server).await;
    }
    timeout(HEAL_MAX, cluster.see_to_members(chance)).await.is_ok()
}

async fn until(condition: impl Fn() -> bool) -> bool {
    let look = async {
        while !condition() {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(HEAL_MAX, look).await.is_ok()
}
