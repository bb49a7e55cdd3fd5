//! How RocksDB is set up. Each choice was measured for a log of one writer, or keeps
//! memory small.

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, Options};

/// The in-memory table of the log, in bytes: what is purged before it is full is never
/// written a second time.
pub(crate) const LOG_TABLE_BYTES: usize = 8 << 20;
/// The in-memory table of the small things beside the log.
const META_TABLE_BYTES: usize = 1 << 20;
/// Blocks kept in memory, in bytes, for each of the two databases.
const CACHE_BYTES: usize = 4 << 20;

/// For a database as a whole.
pub(crate) fn database() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // Heals a torn tail; what else it would hide, the mark finds out.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    // Writing into old files saves a metadata sync for each group.
    options.set_recycle_log_file_num(4);
    options.set_max_total_wal_size(128 << 20);
    options.set_avoid_unnecessary_blocking_io(true);
    options.set_bytes_per_sync(1 << 20);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(1 << 20);
    options.set_paranoid_checks(true);
    options.set_max_open_files(256);
    options
}

/// For the column family of the entries.
pub(crate) fn log_family() -> Options {
    let mut options = family();
    options.set_write_buffer_size(LOG_TABLE_BYTES);
    options.set_max_write_buffer_number(3);
    options
}

/// For the column family of vote, purge point and committed hint, and for the one that is
/// only there to make files long.
pub(crate) fn meta_family() -> Options {
    let mut options = family();
    options.set_write_buffer_size(META_TABLE_BYTES);
    options
}

/// For the checkpoint: one family, no write-ahead log, filled with finished files.
pub(crate) fn checkpoint() -> Options {
    let mut options = database();
    // Recycling goes with a write-ahead log, and there is none.
    options.set_recycle_log_file_num(0);
    options.set_compression_type(DBCompressionType::None);
    options.set_block_based_table_factory(&tables());
    // Never used: files are taken in as they are.
    options.set_write_buffer_size(64 << 10);
    options.set_max_background_jobs(1);
    // Compactions must not keep the log's syncs waiting: 64 MiB a second, refilled often.
    options.set_ratelimiter(64 << 20, 10_000, 10);
    options
}

fn family() -> Options {
    let mut options = Options::default();
    options.set_compression_type(DBCompressionType::None);
    options.set_block_based_table_factory(&tables());
    options
}

fn tables() -> BlockBasedOptions {
    let mut tables = BlockBasedOptions::default();
    tables.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES));
    tables.set_cache_index_and_filter_blocks(true);
    tables
}
