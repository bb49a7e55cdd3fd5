package systems;

import static systems.Driver.check;
import static systems.Driver.killLeader;
import static systems.Driver.order;
import static systems.Driver.require;
import static systems.Driver.revive;
import static systems.Driver.same;
import static systems.Driver.until;
import static systems.PulsarStore.bytes;
import static systems.PulsarStore.settle;
import static systems.PulsarStore.text;

import com.fasterxml.jackson.core.type.TypeReference;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.apache.pulsar.metadata.api.MetadataCache;
import org.apache.pulsar.metadata.api.MetadataStoreException;
import org.apache.pulsar.metadata.api.MetadataStoreException.BadVersionException;
import org.apache.pulsar.metadata.api.MetadataStoreException.NotFoundException;
import org.apache.pulsar.metadata.api.MetadataStoreTableView;
import org.apache.pulsar.metadata.api.Notification;
import org.apache.pulsar.metadata.api.NotificationType;
import org.apache.pulsar.metadata.api.Stat;
import org.apache.pulsar.metadata.api.extended.CreateOption;
import org.apache.pulsar.metadata.api.extended.SessionEvent;
import org.apache.zookeeper.ZooKeeper;

/** Two brokers at work on one metadata store, and a third client that watches them. */
public final class Pulsar {
    private static final String[] BROKERS = {"broker-1", "broker-2"};

    private final String servers;
    private final ZooKeeper zk;
    private final List<PulsarJournal.Reader> journals = new ArrayList<>();
    private final List<SessionEvent> sessions = new CopyOnWriteArrayList<>();
    private final Set<Notification> seen = ConcurrentHashMap.newKeySet();
    private final Map<String, Long> sharedNow = new HashMap<>();
    private PulsarStore pulsar;
    private PulsarQueue queue;
    private MetadataCache<TreeMap<String, Long>> shared;
    private MetadataStoreTableView<Long> table;

    private Pulsar(String servers) throws Exception {
        this.servers = servers;
        zk = new ZooKeeper(servers + PulsarStore.ROOT, 30_000, event -> { });
    }

    public static void main(String[] arguments) {
        Driver.drive(() -> new Pulsar(arguments[0]).run());
    }

    private void run() throws Exception {
        check("versions, sequences, ephemerals and what they are refused", this::refusals);
        check("transactions of a megabyte, reads of several, and what is too large for one",
                this::large);
        check("two brokers own all bundles, one leads, everything goes on", this::begin);
        check("the leader dies: locks and sessions stay, everything goes on", this::leaderDies);
        check("the leading broker dies with the leader, the other takes its place",
                this::brokerDies);
        check("the broker comes back and shares again", this::brokerReturns);
        check("a client whose session was ended has its locks, watches and lead again",
                () -> new PulsarExpiry(servers).run());
        check("brokers that end give up what they own at once", this::brokersEnd);
        check("every write that was acknowledged is there, every deleted node is gone",
                this::writes);
        check("no number was counted twice or out of order", this::numbers);
        check("everything that was queued was taken, in order", this::queued);
        check("caches and the view of the table are as the store", this::caches);
        check("all is deleted, and containers that are empty go by themselves", this::cleanUp);
        pulsar.store.close();
    }

    private <T> T get(CompletableFuture<T> future) throws Exception {
        return future.get(Driver.PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    private void refuses(Class<? extends Exception> how, CompletableFuture<?> future)
            throws Exception {
        try {
            get(future);
        } catch (java.util.concurrent.ExecutionException error) {
            Throwable cause = PulsarStore.cause(error);
            require(how.isInstance(cause), "not " + how + " but " + cause);
            return;
        }
        throw new AssertionError("not refused: " + how);
    }

    private Stat put(String path, String value, Optional<Long> version, CreateOption... options)
            throws Exception {
        EnumSet<CreateOption> set = EnumSet.noneOf(CreateOption.class);
        set.addAll(List.of(options));
        return get(pulsar.store.put(path, bytes(value), version, set));
    }

    private void refusals() throws Exception {
        pulsar = new PulsarStore(servers, "driver");
        pulsar.store.registerSessionListener(sessions::add);
        pulsar.store.registerListener(seen::add);
        var store = pulsar.store;
        same(Optional.empty(), get(store.get("/one/two/three")));
        same(List.of(), get(store.getChildrenFromStore("/one")));
        refuses(NotFoundException.class, store.delete("/one", Optional.empty()));
        refuses(BadVersionException.class, store.put("/one", bytes("x"), Optional.of(0L)));
        Stat made = put("/one/two/three", "a", Optional.of(-1L));
        same(0L, made.getVersion());
        refuses(BadVersionException.class,
                store.put("/one/two/three", bytes("b"), Optional.of(-1L)));
        same(1L, put("/one/two/three", "b", Optional.of(0L)).getVersion());
        same(2L, put("/one/two/three", "c", Optional.empty()).getVersion());
        refuses(BadVersionException.class,
                store.put("/one/two/three", bytes("d"), Optional.of(1L)));
        refuses(BadVersionException.class, store.delete("/one/two/three", Optional.of(1L)));
        same("c", text(get(store.get("/one/two/three")).orElseThrow().getValue()));
        refuses(MetadataStoreException.class, store.delete("/one/two", Optional.empty()));
        List<String> names = new ArrayList<>();
        for (int number = 0; number < 5; number++) {
            names.add(put("/sequence/n-", "" + number, Optional.of(-1L),
                    CreateOption.Sequential).getPath());
        }
        same(List.of("n-0000000000", "n-0000000001", "n-0000000002", "n-0000000003",
                "n-0000000004"), get(store.getChildren("/sequence")));
        // A transaction's paths are not freed of the prefix by ZooKeeper's client.
        require(names.get(4).endsWith("/sequence/n-0000000004"), names);
        put("/session/mine", "", Optional.of(-1L), CreateOption.Ephemeral);
        Stat mine = get(store.get("/session/mine")).orElseThrow().getStat();
        require(mine.isEphemeral() && mine.isCreatedBySelf(), mine);
        put("/box/only", "", Optional.of(-1L));
        get(store.delete("/box/only", Optional.of(0L)));
        get(store.sync("/one"));
        notified(NotificationType.Created, "/one/two/three");
        notified(NotificationType.Modified, "/one/two/three");
        notified(NotificationType.ChildrenChanged, "/sequence");
        notified(NotificationType.Deleted, "/box/only");
    }

    private void notified(NotificationType type, String path) throws Exception {
        until(type + " of " + path, () -> seen.contains(new Notification(type, path)));
    }

    /** The store fills its transactions up to the size that a request may have. */
    private void large() throws Exception {
        for (int size : new int[] {1_000, 52_400, 100_000, 200_000, 1_000_000}) {
            int count = Math.min(60, 4_000_000 / size);
            String folder = "/large/" + size + "/";
            List<CompletableFuture<Void>> puts = new ArrayList<>();
            for (int node = 0; node < count; node++) {
                puts.add(pulsar.create(folder + node, large(size, node)));
            }
            get(CompletableFuture.allOf(puts.toArray(CompletableFuture[]::new)));
            List<CompletableFuture<Boolean>> reads = new ArrayList<>();
            for (int node = 0; node < count; node++) {
                String wanted = large(size, node);
                reads.add(settle(() -> pulsar.store.get(folder + wanted.split(" ")[0]))
                        .thenApply(found -> text(found.orElseThrow().getValue()).equals(wanted)));
            }
            for (CompletableFuture<Boolean> read : reads) {
                require(get(read), "another value of " + size + " bytes");
            }
        }
        get(settle(() -> pulsar.store.deleteRecursive("/large")));
    }

    private static String large(int size, int node) {
        String start = node + " ";
        return start + "x".repeat(size - start.length());
    }

    private void begin() throws Exception {
        queue = new PulsarQueue(pulsar);
        shared = pulsar.store.getMetadataCache(new TypeReference<>() { });
        table = PulsarBroker.table(pulsar);
        table.start();
        for (String broker : BROKERS) {
            order("start " + broker);
            until(broker, () -> java.nio.file.Files.exists(PulsarJournal.file(broker)));
            journals.add(new PulsarJournal.Reader(broker));
            until(broker + " to stand for election",
                    () -> journals.get(journals.size() - 1).catchUp().count("election") > 0);
        }
        until("every bundle to be owned", () -> owners().size() == PulsarBroker.BUNDLES);
        same("broker-1", leader());
        queue.start();
        goOn(journals);
    }

    /** Waits until these brokers have done some more of everything, and all others saw it. */
    private void goOn(List<PulsarJournal.Reader> brokers) throws Exception {
        for (PulsarJournal.Reader broker : brokers) {
            for (String kind : List.of("round", "turn", "shared", "counted", "queued")) {
                int target = broker.catchUp().count(kind) + 5;
                until(broker.broker + " to go on: " + kind, () -> {
                    cacheGoesForward();
                    return broker.catchUp().count(kind) >= target;
                });
            }
            String last = broker.queued.get(broker.queued.size() - 1);
            until("the queue to go on", () -> queue.taken().contains(last));
            Map<String, Long> numbers = new HashMap<>(broker.shared);
            until("the cache to follow " + broker.broker, () -> {
                cacheGoesForward();
                return numbers.entrySet().stream()
                        .allMatch(one -> sharedNow.getOrDefault(one.getKey(), -1L)
                                >= one.getValue());
            });
        }
    }

    private void cacheGoesForward() throws Exception {
        Optional<TreeMap<String, Long>> now = get(settle(() -> shared.get("/shared")));
        now.ifPresent(all -> all.forEach((life, number) -> {
            long before = sharedNow.getOrDefault(life, -1L);
            require(number >= before, "the cache went back from " + before + " to " + number);
            sharedNow.put(life, number);
        }));
    }

    private String leader() throws Exception {
        return name("/leader");
    }

    /** The name in a node, which is there as JSON. */
    private String name(String path) throws Exception {
        return text(zk.getData(path, false, null)).replace("\"", "");
    }

    /** Who owns which bundle. */
    private Map<String, String> owners() throws Exception {
        Map<String, String> owners = new TreeMap<>();
        for (String bundle : zk.getChildren("/ownership", false)) {
            owners.put(bundle, name("/ownership/" + bundle));
        }
        return owners;
    }

    /** When each lock was made, and the leader's node. */
    private Map<String, Long> made() throws Exception {
        Map<String, Long> made = new TreeMap<>();
        for (String bundle : zk.getChildren("/ownership", false)) {
            made.put(bundle, zk.exists("/ownership/" + bundle, false).getCzxid());
        }
        made.put("leader", zk.exists("/leader", false).getCzxid());
        return made;
    }

    private void leaderDies() throws Exception {
        Map<String, Long> before = made();
        killLeader();
        goOn(journals);
        revive();
        goOn(journals);
        same(before, made());
        require(!sessions.contains(SessionEvent.SessionLost), sessions);
        for (PulsarJournal.Reader broker : journals) {
            same(0, broker.count("lost"));
        }
    }

    private void brokerDies() throws Exception {
        order("kill broker-1");
        killLeader();
        List<PulsarJournal.Reader> other = journals.subList(1, 2);
        until("the other broker to lead", () -> leader().equals("broker-2"));
        until("the other broker to own all", () -> owners().size() == PulsarBroker.BUNDLES
                && !owners().containsValue("broker-1"));
        goOn(other);
        revive();
        goOn(other);
        same(0, journals.get(1).count("lost"));
    }

    private void brokerReturns() throws Exception {
        order("start broker-1");
        goOn(journals);
        same("broker-2", leader());
    }

    private void brokersEnd() throws Exception {
        order("stop broker-2");
        until("the other to lead", () -> leader().equals("broker-1"));
        until("the other to own all", () -> owners().size() == PulsarBroker.BUNDLES
                && !owners().containsValue("broker-2"));
        goOn(journals.subList(0, 1));
        order("stop broker-1");
        same(Map.of(), owners());
        require(zk.exists("/leader", false) == null, "there is a leader");
    }

    private void writes() throws Exception {
        int kept = 0;
        for (PulsarJournal.Reader broker : journals) {
            broker.catchUp();
            Map<String, CompletableFuture<String>> found = new HashMap<>();
            for (String path : broker.written.keySet()) {
                found.put(path, settle(() -> pulsar.store.get(path)).thenApply(
                        node -> node.map(one -> text(one.getValue())).orElse(null)));
            }
            for (String path : found.keySet()) {
                String value = get(found.get(path));
                if (broker.deleted.contains(path)) {
                    same(null, value);
                } else if (value == null) {
                    require(broker.doomed.contains(path), path + " is lost");
                } else {
                    require(Long.parseLong(value) >= broker.written.get(path), path + " is old");
                    kept++;
                }
            }
        }
        require(kept > 0, "nothing was written");
    }

    private void numbers() {
        Set<Long> all = new HashSet<>();
        for (PulsarJournal.Reader broker : journals) {
            long before = -1;
            for (long number : broker.counted) {
                require(all.add(number), number + " was counted twice");
                require(number > before, number + " came after " + before);
                before = number;
            }
        }
    }

    private void queued() throws Exception {
        queue.end();
        for (PulsarJournal.Reader broker : journals) {
            Set<String> missing = new HashSet<>(broker.queued);
            missing.removeAll(queue.taken());
            same(Set.of(), missing);
        }
    }

    private void caches() throws Exception {
        Map<String, Long> stored = new HashMap<>();
        for (String child : zk.getChildren("/table", false)) {
            stored.put(child, Long.valueOf(text(zk.getData("/table/" + child, false, null))));
        }
        same(10, stored.size());
        until("an equal view", () -> {
            Map<String, Long> view = new HashMap<>();
            table.entrySet().forEach(one -> view.put(one.getKey(), one.getValue()));
            return view.equals(stored);
        });
        cacheGoesForward();
        for (PulsarJournal.Reader broker : journals) {
            broker.shared.forEach((life, number) ->
                    require(sharedNow.get(life) >= number, life + " is behind"));
        }
    }

    private void cleanUp() throws Exception {
        for (String top : zk.getChildren("/", false)) {
            // Its own part in a migration, which every store registers.
            if (!top.contains("migration")) {
                get(settle(() -> pulsar.store.deleteRecursive("/" + top)));
            }
        }
        until("the empty containers to go", () -> zk.exists("/box", false) == null);
    }
}
