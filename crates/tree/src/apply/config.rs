//! Who the members are, as `/zookeeper/config` shows it.

use crate::{
    ChangeKind, State,
    outcome::{Outcome, Reply},
    path,
};

impl State {
    /// Replaces the text of `/zookeeper/config`. A change takes a zxid, as in ZooKeeper; the
    /// same text again changes nothing.
    pub fn set_config(&mut self, text: &[u8]) -> Outcome {
        let node = self.nodes.find(path::CONFIG).expect("built in, and cannot be deleted");
        let stat = self.nodes.stat(node);
        if self.config_data() == text {
            return Outcome { zxid: self.zxid, result: Ok(Reply::Stat(stat)), changes: Vec::new() };
        }
        self.zxid = self.zxid.next();
        let zxid = self.zxid;
        self.replace_data(node, Some(text), |fields| {
            fields.mzxid = zxid;
            fields.version = fields.version.wrapping_add(1);
        });
        let changes = vec![self.describe(ChangeKind::DataChanged, node, path::CONFIG)];
        let stat = self.nodes.stat(node);
        self.note_digest();
        Outcome { zxid, result: Ok(Reply::Stat(stat)), changes }
    }
}
