//! Everything at once: servers killed, wiped, cut off both ways and one way, the lead handed
//! around, checkpoints in between, and commands all the while.

use std::{collections::BTreeMap, time::Duration};

use crate::support::{Ensemble, until};

/// What comes next, from a seed: the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % end.cast_unsigned()).unwrap()
    }
}

/// What a run of a server proposed, by the path it counts in.
type Proposed = BTreeMap<String, i32>;

async fn propose(ensemble: &Ensemble, proposed: &mut Proposed, count: i32) {
    for (server, node) in &ensemble.nodes {
        let path = format!("/{server}-{}", ensemble.disks[server].incarnation);
        if !proposed.contains_key(&path) {
            node.create(&path).await;
            proposed.insert(path.clone(), 0);
        }
        for _ in 0..count {
            node.set(&path).await;
        }
        *proposed.get_mut(&path).unwrap() += count;
    }
}

async fn survive(seed: u64) {
    let mut chance = Chance(seed);
    let mut ensemble = Ensemble::new(3).await;
    ensemble.checkpoint_commands = 300;
    ensemble.keep_entries = 20;
    ensemble.start_all().await;
    let mut proposed = Proposed::new();
    let mut killed = Vec::new();
    for _ in 0..25 {
        propose(&ensemble, &mut proposed, 1 + i32::try_from(chance.below(30)).unwrap()).await;
        let victim = 1 + chance.below(3);
        match chance.below(6) {
            0 | 1 => ensemble.net.cut_off(victim, 1..=3),
            2 => ensemble.net.cut_one_way(victim, 1 + victim % 3),
            3 => drop(ensemble.node(victim).log.hand_over(None).await),
            4 => {
                killed.push(format!("/{victim}-{}", ensemble.disks[&victim].incarnation));
                ensemble.kill(victim).await;
                tokio::time::sleep(Duration::from_millis(chance.below(200).cast_unsigned())).await;
                ensemble.start(victim).await;
            }
            _ => ensemble.net.mend(),
        }
        tokio::time::sleep(Duration::from_millis(chance.below(400).cast_unsigned())).await;
        if chance.below(3) == 0 {
            ensemble.net.mend();
        }
    }
    ensemble.net.mend();
    ensemble.until_led().await;
    for (path, count) in &proposed {
        if killed.contains(path) {
            continue;
        }
        until(&format!("seed {seed}: {path} has all of its {count}"), || {
            ensemble.nodes.values().all(|node| node.tree.version(path) == *count)
        })
        .await;
    }
    for path in &killed {
        let most = proposed.get(path).copied().unwrap_or(-1);
        let version = ensemble.node(1).tree.version(path);
        assert!(version <= most, "seed {seed}: {path} was set {version} times, not {most}");
    }
    ensemble.until_equal().await;
    ensemble.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_done_twice_whatever_happens() {
    // CHAOS_SEEDS=first-last runs others, or one again.
    let seeds = std::env::var("CHAOS_SEEDS").unwrap_or_else(|_| "1-4".to_owned());
    let (first, last) = seeds.split_once('-').unwrap();
    for seed in first.parse().unwrap()..=last.parse().unwrap() {
        survive(seed).await;
    }
}
