//! Comparing states, for the targets that keep one.

use std::collections::BTreeMap;

use tree::{Loader, SessionId, State};

/// A full checkpoint of it.
pub(crate) fn written(state: &mut State) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut stored = BTreeMap::new();
    state.mark_all_dirty();
    write_cut(state, &mut stored);
    stored
}

/// What changed since the checkpoint before is put into `stored`.
pub(crate) fn write_cut(state: &mut State, stored: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    let mut cut = state.begin_cut();
    while !state.write_cut(&mut cut, 64, &mut |key, value| {
        match value {
            Some(value) => stored.insert(key.to_vec(), value.to_vec()),
            None => stored.remove(key),
        };
    }) {}
    state.end_cut(cut, true);
}

/// What is stored is the state: it loads, which recomputes the digest and all that is derived,
/// and everything in it is the same.
pub(crate) fn same(state: &State, stored: &BTreeMap<Vec<u8>, Vec<u8>>) {
    let mut loader = Loader::new();
    for (key, value) in stored {
        loader.load(key, value).expect("what was written is read");
    }
    let loaded = loader.finish().expect("what was written is a state");
    assert_eq!(describe(&loaded), describe(state));
}

/// Everything that can be seen of a state.
pub(crate) fn describe(state: &State) -> String {
    let mut out = format!(
        "{:?} {} {:#x} {} {} {}\n",
        state.last_zxid(),
        state.last_term(),
        state.digest(),
        state.node_count(),
        state.approximate_data_size(),
        state.ephemerals_count(),
    );
    // Ids of ACLs are handed out anew when a state is loaded; the lists are the same.
    let mut znodes = Vec::new();
    state.visit_znodes(&mut |znode| {
        znodes.push(format!("{:?}\n", tree::Znode { acl_id: 0, ..znode.clone() }));
    });
    znodes.sort_unstable();
    out.extend(znodes);
    for (id, session) in state.sessions() {
        out += &format!("{id:?} {session:?}\n");
    }
    let ephemerals: Vec<(SessionId, Vec<String>)> = state.ephemerals_by_session();
    let reapable = state.containers_and_ttls(tree::Millis(i64::MAX));
    out + &format!("{ephemerals:?} {reapable:?}\n")
}
