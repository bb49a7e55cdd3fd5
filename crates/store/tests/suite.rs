//! The log on RocksDB keeps openraft's contract, as openraft itself tests it.

use std::sync::Arc;

use raft_log::testing::check_log_disk;
use store::{DataDir, RocksLog};

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_rocksdb_passes_openrafts_suite() {
    let make = || -> (Arc<dyn raft_log::LogDisk>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path(), folder.path(), || 42).unwrap();
        (Arc::new(RocksLog::open(&dir).unwrap()), folder)
    };
    check_log_disk(make).await.unwrap();
}
