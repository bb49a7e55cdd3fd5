//! Throttling that is not offered, and knobs of machinery that does not exist here.

use super::{Form::Text, Key, alias, ignored, meaningless};

const REQUESTS: &str = "requests are held back by globalOutstandingLimit alone";
const CONNECTIONS: &str = "connections are held back by maxClientCnxns and maxCnxns alone";
const THREADS: &str = "threads follow the number of cores";
const WATCHES: &str = "there is one implementation of watches";
const CACHES: &str = "replies are not cached: reads are answered from memory";
const CLIENTS: &str = "a setting of clients";

pub(super) const THROTTLING: &[Key] = &[
    ignored("request_throttle_max_requests", Text, REQUESTS),
    ignored("request_throttle_stall_time", Text, REQUESTS),
    ignored("request_throttle_drop_stale", Text, REQUESTS),
    ignored("request_stale_latency_check", Text, REQUESTS),
    ignored("request_stale_connection_check", Text, REQUESTS),
    ignored("request_throttler.shutdownTimeout", Text, REQUESTS),
    alias("requestThrottleLimit", "request_throttle_max_requests"),
    alias("requestThrottleStallTime", "request_throttle_stall_time"),
    alias("requestThrottleDropStale", "request_throttle_drop_stale"),
    alias("requestStaleLatencyCheck", "request_stale_latency_check"),
    alias("requestStaleConnectionCheck", "request_stale_connection_check"),
    ignored("throttled_op_wait_time", Text, REQUESTS),
    alias("throttledOpWaitTime", "throttled_op_wait_time"),
    ignored("connection_throttle_tokens", Text, CONNECTIONS),
    ignored("connection_throttle_fill_time", Text, CONNECTIONS),
    ignored("connection_throttle_fill_count", Text, CONNECTIONS),
    ignored("connection_throttle_freeze_time", Text, CONNECTIONS),
    ignored("connection_throttle_drop_increase", Text, CONNECTIONS),
    ignored("connection_throttle_drop_decrease", Text, CONNECTIONS),
    ignored("connection_throttle_decrease_ratio", Text, CONNECTIONS),
    ignored("connection_throttle_weight_enabled", Text, CONNECTIONS),
    ignored("connection_throttle_global_session_weight", Text, CONNECTIONS),
    ignored("connection_throttle_local_session_weight", Text, CONNECTIONS),
    ignored("connection_throttle_renew_session_weight", Text, CONNECTIONS),
    alias("connectionMaxTokens", "connection_throttle_tokens"),
    alias("connectionTokenFillTime", "connection_throttle_fill_time"),
    alias("connectionTokenFillCount", "connection_throttle_fill_count"),
    alias("connectionFreezeTime", "connection_throttle_freeze_time"),
    alias("connectionDropIncrease", "connection_throttle_drop_increase"),
    alias("connectionDropDecrease", "connection_throttle_drop_decrease"),
    alias("connectionDecreaseRatio", "connection_throttle_decrease_ratio"),
];

pub(super) const MACHINERY: &[Key] = &[
    meaningless("maxResponseCacheSize", Text, CACHES),
    meaningless("maxGetChildrenResponseCacheSize", Text, CACHES),
    meaningless("intBufferStartingSizeBytes", Text, "buffers grow as needed"),
    meaningless("nio.numSelectorThreads", Text, THREADS),
    meaningless("nio.numWorkerThreads", Text, THREADS),
    meaningless("nio.directBufferBytes", Text, "buffers grow as needed"),
    meaningless("nio.shutdownTimeout", Text, THREADS),
    meaningless("commitProcessor.numWorkerThreads", Text, THREADS),
    meaningless("commitProcessor.maxReadBatchSize", Text, THREADS),
    meaningless("commitProcessor.maxCommitBatchSize", Text, THREADS),
    meaningless("commitProcessor.shutdownTimeout", Text, THREADS),
    meaningless("watchManagerName", Text, WATCHES),
    meaningless("watcherCleanThreadsNum", Text, WATCHES),
    meaningless("watcherCleanThreshold", Text, WATCHES),
    meaningless("watcherCleanIntervalInSeconds", Text, WATCHES),
    meaningless("maxInProcessingDeadWatchers", Text, WATCHES),
    meaningless("bitHashCacheSize", Text, WATCHES),
    meaningless("pathStats.*", Text, "statistics of paths are not kept"),
    meaningless("messageTracker.BufferSize", Text, "packets are not tracked"),
    meaningless("messageTracker.Enabled", Text, "packets are not tracked"),
    meaningless("jmx.log4j.disable", Text, "there is no JMX"),
    meaningless("jmx.log4j.mbean", Text, "there is no JMX"),
];

pub(super) const CLIENT: &[Key] = &[
    meaningless("client.secure", Text, CLIENTS),
    meaningless("clientCnxnSocket", Text, CLIENTS),
    meaningless("sasl.client*", Text, CLIENTS),
    meaningless("request.timeout", Text, CLIENTS),
    meaningless("disableAutoWatchReset", Text, CLIENTS),
    meaningless("server.principal", Text, CLIENTS),
];
