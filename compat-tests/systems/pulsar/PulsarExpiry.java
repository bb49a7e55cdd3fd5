package systems;

import static systems.Driver.require;
import static systems.Driver.same;
import static systems.Driver.until;
import static systems.PulsarStore.settle;
import static systems.PulsarStore.text;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.apache.pulsar.metadata.api.MetadataCache;
import org.apache.pulsar.metadata.api.Notification;
import org.apache.pulsar.metadata.api.NotificationType;
import org.apache.pulsar.metadata.api.Stat;
import org.apache.pulsar.metadata.api.coordination.CoordinationService;
import org.apache.pulsar.metadata.api.coordination.LeaderElection;
import org.apache.pulsar.metadata.api.coordination.LeaderElectionState;
import org.apache.pulsar.metadata.api.coordination.ResourceLock;
import org.apache.pulsar.metadata.api.extended.SessionEvent;
import org.apache.pulsar.metadata.coordination.impl.CoordinationServiceImpl;
import org.apache.pulsar.metadata.impl.DualMetadataStore;
import org.apache.pulsar.metadata.impl.ZKMetadataStore;
import org.apache.zookeeper.ZooKeeper;

/** A client whose session is ended by another that took it over. */
final class PulsarExpiry {
    private final String servers;
    private final List<SessionEvent> sessions = new CopyOnWriteArrayList<>();
    private final Set<Notification> seen = ConcurrentHashMap.newKeySet();
    private PulsarStore pulsar;

    PulsarExpiry(String servers) {
        this.servers = servers;
    }

    void run() throws Exception {
        pulsar = new PulsarStore(servers, "expiring");
        pulsar.store.registerSessionListener(sessions::add);
        pulsar.store.registerListener(seen::add);
        CoordinationService coordination = new CoordinationServiceImpl(pulsar.store);
        ResourceLock<String> lock = coordination.getLockManager(String.class)
                .acquireLock("/expiring/lock", "me").get(30, TimeUnit.SECONDS);
        LeaderElection<String> election = coordination.getLeaderElection(
                String.class, "/expiring/leader", state -> { });
        same(LeaderElectionState.Leading, election.elect("me").get(30, TimeUnit.SECONDS));
        MetadataCache<String> cache = pulsar.store.getMetadataCache(String.class);
        cache.create("/expiring/cached", "before").get(30, TimeUnit.SECONDS);
        long before = owner("/expiring/lock");
        expire();
        until("a new session", () -> sessions.contains(SessionEvent.SessionReestablished));
        require(sessions.contains(SessionEvent.SessionLost), sessions);
        until("the lock of the new session", () -> owner("/expiring/lock") != before);
        until("the lead of the new session", () -> owner("/expiring/leader") != before);
        require(!lock.getLockExpiredFuture().isDone(), "the lock was lost");
        until("the election to know", () -> election.getState() == LeaderElectionState.Leading);
        watchesAgain(cache);
        coordination.close();
        same(Optional.empty(), get("/expiring/lock"));
        pulsar.store.close();
    }

    /** The owner of an ephemeral node, which is this client; 0 when there is none. */
    private long owner(String path) throws Exception {
        Stat stat = settle(() -> pulsar.store.get(path)).get(30, TimeUnit.SECONDS)
                .map(found -> found.getStat()).orElse(null);
        return stat != null && stat.isCreatedBySelf() ? zookeeper().getSessionId() : 0;
    }

    private Optional<String> get(String path) throws Exception {
        return settle(() -> pulsar.store.get(path)).get(30, TimeUnit.SECONDS)
                .map(found -> text(found.getValue()));
    }

    private ZooKeeper zookeeper() {
        DualMetadataStore dual = (DualMetadataStore) pulsar.store;
        return ((ZKMetadataStore) dual.getSourceStore()).getZkClient();
    }

    /** Whoever knows a session's id and password may end it. */
    private void expire() throws Exception {
        ZooKeeper mine = zookeeper();
        ZooKeeper twin = new ZooKeeper(servers, mine.getSessionTimeout(), event -> { },
                mine.getSessionId(), mine.getSessionPasswd());
        until("the twin", () -> twin.getState().isConnected());
        twin.close();
    }

    /** What another one changes now is seen, and not read from before. */
    private void watchesAgain(MetadataCache<String> cache) throws Exception {
        PulsarStore other = new PulsarStore(servers, "other");
        seen.clear();
        other.update("/expiring/cached", "\"after\"", 0).get(30, TimeUnit.SECONDS);
        Notification wanted = new Notification(NotificationType.Modified, "/expiring/cached");
        until("a notification", () -> seen.contains(wanted));
        until("the cache", () -> cache.get("/expiring/cached").get(30, TimeUnit.SECONDS)
                .equals(Optional.of("after")));
        other.store.close();
    }
}
