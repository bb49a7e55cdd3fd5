package systems;

import static systems.Driver.require;
import static systems.PulsarStore.bytes;
import static systems.PulsarStore.settle;
import static systems.PulsarStore.text;

import com.fasterxml.jackson.core.type.TypeReference;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.pulsar.metadata.api.GetResult;
import org.apache.pulsar.metadata.api.MetadataCache;
import org.apache.pulsar.metadata.api.MetadataStoreException;
import org.apache.pulsar.metadata.api.MetadataStoreTableView;
import org.apache.pulsar.metadata.api.MetadataStoreTableView.ConflictException;
import org.apache.pulsar.metadata.api.coordination.CoordinationService;
import org.apache.pulsar.metadata.api.coordination.LeaderElection;
import org.apache.pulsar.metadata.api.coordination.LockManager;
import org.apache.pulsar.metadata.api.coordination.ResourceLock;
import org.apache.pulsar.metadata.api.extended.CreateOption;
import org.apache.pulsar.metadata.coordination.impl.CoordinationServiceImpl;
import org.apache.pulsar.metadata.tableview.impl.MetadataStoreTableViewImpl;

/**
 * A broker as a process of its own, which does with its metadata what Pulsar's brokers do: owns
 * bundles, stands for election, counts, writes many nodes at once.
 */
public final class PulsarBroker {
    /** How many bundles the brokers own between them. */
    static final int BUNDLES = 6;
    private static final int WINDOW = 20;
    private static final int TURN_WRITES = 3;
    private static final long PAUSE_MS = 100;
    private static final long PATIENCE_SECONDS = 90;

    private final String name;
    /** The name and something that differs each time the process starts. */
    private final String life;
    private final PulsarStore pulsar;
    private final PulsarJournal.Author journal;
    private final CoordinationService coordination;
    private final MetadataCache<TreeMap<String, Long>> shared;
    private final MetadataStoreTableView<Long> table;
    private volatile boolean ending;

    private PulsarBroker(String servers, String name) throws Exception {
        this.name = name;
        life = name + "-" + ProcessHandle.current().pid();
        journal = new PulsarJournal.Author(name);
        pulsar = new PulsarStore(servers, name);
        coordination = new CoordinationServiceImpl(pulsar.store);
        shared = pulsar.store.getMetadataCache(new TypeReference<>() { });
        table = table(pulsar);
        table.start();
    }

    public static void main(String[] arguments) throws Exception {
        new PulsarBroker(arguments[0], arguments[1]).begin();
    }

    /** A view of the nodes below {@code /table}, as Pulsar's load manager has of its bundles. */
    static MetadataStoreTableView<Long> table(PulsarStore pulsar) {
        return new MetadataStoreTableViewImpl<>(Long.class, "table", pulsar.store, "/table",
                (before, after) -> true, path -> path.startsWith("/table/"), List.of(), List.of(),
                PATIENCE_SECONDS * 1_000);
    }

    private interface Turn {
        void take(int number) throws Exception;
    }

    private void begin() {
        Runtime.getRuntime().addShutdownHook(new Thread(this::end));
        repeat(this::writeAtOnce);
        repeat(this::takeTurn);
        repeat(this::share);
        repeat(number -> {
            long counted = wait(settle(() -> coordination.getNextCounterValue("/counter")));
            journal.note("counted", counted);
        });
        repeat(number -> {
            String item = life + ":" + number;
            wait(settle(() -> pulsar.store.put("/queue/item-", bytes(item), Optional.of(-1L),
                    EnumSet.of(CreateOption.Sequential))));
            journal.note("queued", item);
        });
        LeaderElection<String> election = coordination.getLeaderElection(
                String.class, "/leader", state -> journal.note("election", state));
        repeat(number -> election.elect(name).get(PATIENCE_SECONDS, TimeUnit.SECONDS));
        LockManager<String> locks = coordination.getLockManager(String.class);
        for (int bundle = 0; bundle < BUNDLES; bundle++) {
            String path = "/ownership/" + bundle;
            repeat(number -> own(locks, path));
        }
    }

    private void repeat(Turn turn) {
        Thread thread = new Thread(() -> {
            try {
                for (int number = 0; true; number++) {
                    turn.take(number);
                    Thread.sleep(PAUSE_MS);
                }
            } catch (Throwable error) {
                if (!ending) {
                    journal.failed(error);
                }
            }
        });
        thread.start();
    }

    private static <T> T wait(CompletableFuture<T> future) throws Exception {
        return future.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    /** Nodes are made, changed and deleted, many at once: the store makes transactions of them. */
    private void writeAtOnce(int number) throws Exception {
        String folder = "/data/" + life + "/" + number + "-";
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (int node = 0; node < WINDOW; node++) {
            String path = folder + node;
            int fate = node % 4;
            CompletableFuture<Void> one = pulsar.create(path, "0")
                    .thenRun(() -> journal.note("wrote", path, 0));
            if (fate > 0) {
                one = one.thenCompose(made -> pulsar.update(path, "1", 0))
                        .thenRun(() -> journal.note("wrote", path, 1));
            }
            if (fate > 1) {
                one = one.thenRun(() -> journal.note("deleting", path))
                        .thenCompose(made -> pulsar.delete(path, Optional.of(1L)))
                        .thenRun(() -> journal.note("deleted", path));
            }
            all.add(one);
        }
        wait(CompletableFuture.allOf(all.toArray(CompletableFuture[]::new)));
        journal.note("round");
    }

    /**
     * Whoever has made the ephemeral node writes some numbers, each into the version that it
     * read: when two believe that it is their turn, a version does not fit.
     */
    private void takeTurn(int number) throws Exception {
        String me = life + "#" + number;
        if (!mine("/turns/lock", me)) {
            return;
        }
        Optional<GetResult> found = wait(settle(() -> pulsar.store.get("/turns/work")));
        long version = found.isPresent() ? found.get().getStat().getVersion() : -1;
        for (int write = 0; write < TURN_WRITES; write++) {
            String value = me + "/" + write;
            wait(version < 0
                    ? pulsar.create("/turns/work", value)
                    : pulsar.update("/turns/work", value, version));
            version++;
        }
        wait(pulsar.delete("/turns/lock", Optional.empty()));
        journal.note("turn");
    }

    private boolean mine(String path, String me) throws Exception {
        return wait(settle(() -> pulsar.store.put(path, bytes(me), Optional.of(-1L),
                        EnumSet.of(CreateOption.Ephemeral)))
                .handle((stat, error) -> error == null
                        ? CompletableFuture.completedFuture(true)
                        : settle(() -> pulsar.store.get(path)).thenApply(found ->
                                found.isPresent() && text(found.get().getValue()).equals(me)))
                .thenCompose(answer -> answer));
    }

    /** Both brokers change the same node and watch each other's nodes. */
    private void share(int number) throws Exception {
        Map<String, Long> now = wait(settle(() -> shared.readModifyUpdateOrCreate(
                "/shared", before -> {
                    TreeMap<String, Long> after = before.orElseGet(TreeMap::new);
                    after.put(life, (long) number);
                    return after;
                })));
        require(now.get(life) == number, "another number is in the shared node");
        journal.note("shared", life, number);
        try {
            wait(settle(() -> table.put(name + "-" + number % 5, (long) number)));
        } catch (ExecutionException error) {
            // It knows an older version than there is: a later number will do.
            require(PulsarStore.cause(error) instanceof ConflictException, error);
        }
    }

    private void own(LockManager<String> locks, String path) throws Exception {
        try {
            ResourceLock<String> lock =
                    locks.acquireLock(path, name).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            journal.note("owns", path);
            lock.getLockExpiredFuture().get();
            journal.note("lost", path);
        } catch (ExecutionException error) {
            // Another one owns it, or nobody knows for now: again, later.
            require(PulsarStore.cause(error) instanceof MetadataStoreException, error);
        }
    }

    /** Leaves as a broker does: gives up what it has, and its session. */
    private void end() {
        ending = true;
        try {
            coordination.close();
            pulsar.store.close();
        } catch (Exception error) {
            journal.note("end", error);
        }
    }
}
