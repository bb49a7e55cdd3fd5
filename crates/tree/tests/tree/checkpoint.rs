//! A cut holds the state as it was when it began, whatever is applied while it is
//! written; and a damaged checkpoint is refused, by name.

use std::collections::BTreeMap;

use proptest::{prelude::ProptestConfig, prop_assert_eq, proptest, sample::Index};
use tree::{CommandFlags, Cut, LoadError, Loader, Millis, OriginId, State};

use crate::{
    generate::commands,
    script::{Scene, dump, parse_command},
};

const FLAGS: CommandFlags = CommandFlags::SCHEME_DIGEST.with(CommandFlags::SKIP_ACL);

/// What a store holds.
type Stored = BTreeMap<Vec<u8>, Vec<u8>>;

/// One portion of a cut, put into `stored`.
fn write_some(state: &mut State, cut: &mut Cut, budget: usize, stored: &mut Stored) -> bool {
    state.write_cut(cut, budget, &mut |key, value| {
        match value {
            Some(value) => stored.insert(key.to_vec(), value.to_vec()),
            None => stored.remove(key),
        };
    })
}

fn load(stored: &Stored) -> Result<State, LoadError> {
    let mut loader = Loader::new();
    for (key, value) in stored {
        loader.load(key, value)?;
    }
    loader.finish()
}

/// A whole cut with nothing in between.
fn checkpoint(state: &mut State, stored: &mut Stored) {
    let mut cut = state.begin_cut();
    while !write_some(state, &mut cut, 64, stored) {}
    state.end_cut(cut, true);
}

fn apply(state: &mut State, line: &str) {
    let time = Millis(1000 + state.last_zxid().0);
    let _ = state.apply(time, &parse_command(line, FLAGS));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Cuts begin, go on, fail and succeed between commands, wherever.
    #[test]
    fn a_cut_is_the_state_at_its_beginning(lines in commands(120), pace in 1..6_usize, fails in 0..5_usize) {
        let mut state = State::new();
        apply(&mut state, "s1 open 1000");
        apply(&mut state, "s2 open 1000");
        let mut stored = Stored::new();
        let mut running: Option<(Cut, String, Stored)> = None;
        let mut cuts = 0;
        for (index, line) in lines.iter().enumerate() {
            if index % pace == 0 {
                if let Some((mut cut, expected, mut written)) = running.take() {
                    let done = write_some(&mut state, &mut cut, 100, &mut written);
                    if done {
                        cuts += 1;
                        let failed = fails != 0 && cuts % fails == 0;
                        state.end_cut(cut, !failed);
                        if !failed {
                            stored = written;
                            prop_assert_eq!(dump(&load(&stored).expect("it loads")), expected);
                        }
                    } else if fails == 1 && index % 7 == 0 {
                        state.end_cut(cut, false);
                    } else {
                        running = Some((cut, expected, written));
                    }
                } else {
                    let expected = dump(&state);
                    running = Some((state.begin_cut(), expected, stored.clone()));
                }
            }
            apply(&mut state, line);
        }
        if let Some((cut, ..)) = running {
            state.end_cut(cut, false);
        }
        checkpoint(&mut state, &mut stored);
        prop_assert_eq!(dump(&load(&stored).expect("it loads")), dump(&state));
    }

    /// A loaded state goes on as the one it was loaded from.
    #[test]
    fn a_loaded_state_goes_on_like_the_original(before in commands(60), after in commands(60)) {
        let mut state = State::new();
        apply(&mut state, "s1 open 1000");
        before.iter().for_each(|line| apply(&mut state, line));
        let mut stored = Stored::new();
        checkpoint(&mut state, &mut stored);
        let mut loaded = load(&stored).expect("it loads");
        for line in &after {
            apply(&mut state, line);
            apply(&mut loaded, line);
        }
        prop_assert_eq!(dump(&loaded), dump(&state));
        // And its first cut is an increment to the same store.
        checkpoint(&mut loaded, &mut stored);
        prop_assert_eq!(dump(&load(&stored).expect("it loads")), dump(&state));
    }

    /// Whatever happens to the stored bytes, loading says so and does not panic.
    #[test]
    fn damage_is_found(position in proptest::prelude::any::<Index>(), bit in 0..8_u8, what in 0..3_u8) {
        let mut stored = example();
        let keys: Vec<Vec<u8>> = stored.keys().cloned().collect();
        let key = &keys[position.index(keys.len())];
        match what {
            0 => {
                let value = stored.get_mut(key).expect("it is there");
                let at = position.index(value.len());
                value[at] ^= 1 << bit;
            }
            1 => {
                stored.remove(key);
            }
            _ => {
                let value = stored.remove(key).expect("it is there");
                let mut key = key.clone();
                let at = position.index(key.len());
                key[at] ^= 1 << bit;
                stored.insert(key, value);
            }
        }
        // A session without ephemerals is missed by nobody.
        let lost_session = what == 1 && key == &session_key(2);
        prop_assert_eq!(load(&stored).is_ok(), lost_session);
    }
}

fn session_key(id: i64) -> Vec<u8> {
    [&b"s"[..], &id.to_be_bytes()].concat()
}

fn example() -> Stored {
    let mut scene = Scene::new();
    scene.run(
        "s1 open 1000
         s2 open 1000
         s1 create /e data e
         create /a x acl=digest:a:b:cdrwa
         create /c c
         create /c/t ttl=7",
    );
    let mut stored = Stored::new();
    checkpoint(&mut scene.state, &mut stored);
    stored
}

#[test]
fn a_checkpoint_holds_what_changed_and_nothing_else() {
    let mut state = State::new();
    let mut stored = Stored::new();
    checkpoint(&mut state, &mut stored);
    // /, /zookeeper, quota, config; one ACL; meta.
    assert_eq!(stored.len(), 6);
    assert_eq!(state.dirty_count(), 0);

    apply(&mut state, "create /a");
    apply(&mut state, "create /b");
    apply(&mut state, "delete /a");
    let mut written = Stored::new();
    checkpoint(&mut state, &mut written);
    // The root, /b and meta; /a is a deletion.
    assert_eq!(written.len(), 3);

    state.mark_all_dirty();
    let mut full = Stored::new();
    checkpoint(&mut state, &mut full);
    assert_eq!(dump(&load(&full).expect("it loads")), dump(&state));
}

#[test]
fn origins_and_terms_survive() {
    let mut state = State::new();
    state.enter_term(7);
    for sequence in 1..=3 {
        assert!(state.admit(OriginId { node: 2, incarnation: 5 }, sequence));
    }
    let mut stored = Stored::new();
    checkpoint(&mut state, &mut stored);
    let mut loaded = load(&stored).expect("it loads");
    assert!(!loaded.admit(OriginId { node: 2, incarnation: 5 }, 3));
    assert!(loaded.admit(OriginId { node: 2, incarnation: 5 }, 4));
    loaded.enter_term(7);
    assert_eq!(loaded.last_zxid(), state.last_zxid());
}

#[test]
fn an_empty_store_is_not_a_checkpoint() {
    assert_eq!(Loader::new().finish().err(), Some(LoadError::NoMeta));
}

#[test]
fn a_cut_that_was_never_ended_counts_as_failed() {
    let mut state = State::new();
    let mut stored = Stored::new();
    let mut abandoned = state.begin_cut();
    assert!(!write_some(&mut state, &mut abandoned, 100, &mut Stored::new()));
    apply(&mut state, "create /a");
    let mut cut = state.begin_cut();
    while !write_some(&mut state, &mut cut, 64, &mut stored) {}
    state.end_cut(abandoned, false);
    apply(&mut state, "create /b");
    state.end_cut(cut, true);
    checkpoint(&mut state, &mut stored);
    assert_eq!(dump(&load(&stored).expect("it loads")), dump(&state));
}

/// The id 0 stands for everybody's full rights; a list that was taken in under it would be given
/// to whoever sets that list later.
#[test]
fn a_list_under_the_id_of_everybodys_rights_is_refused() {
    let mut stored = example();
    let (key, value) = stored.iter().find(|(key, _)| key[0] == b'a').expect("a list");
    let (id_0, payload) = ([&key[..1], &[0; 4]].concat(), &value[..value.len() - 4]);
    let value = summed(&id_0, payload);
    stored.insert(id_0.clone(), value);
    assert_eq!(load(&stored).err(), Some(unfitting(id_0)));
}

/// One checkpoint with the zxid -1 made the next write stop the server.
#[test]
fn a_zxid_that_nothing_can_follow_is_refused() {
    for zxid in [-1, i64::MIN, i64::MAX] {
        let mut stored = example();
        let (key, value) = stored.iter().find(|(key, _)| key[0] == b'm').expect("the meta record");
        let (key, mut payload) = (key.clone(), value[..value.len() - 4].to_vec());
        payload[1..9].copy_from_slice(&i64::to_be_bytes(zxid));
        let value = summed(&key, &payload);
        stored.insert(key.clone(), value);
        assert_eq!(load(&stored).err(), Some(unfitting(key)), "{zxid:#x}");
    }
}

/// A value with the checksum that belongs to it.
fn summed(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let sum = crc32fast::hash(&[key, payload].concat()).to_be_bytes();
    [payload, &sum].concat()
}

fn unfitting(key: Vec<u8>) -> LoadError {
    LoadError::Value { key: key.into(), reason: "the fields do not fit the value" }
}
