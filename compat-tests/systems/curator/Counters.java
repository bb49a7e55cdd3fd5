package systems;

import static systems.Driver.require;
import static systems.Driver.same;
import static systems.Driver.until;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.CachedAtomicLong;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.atomic.PromotedToLock;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.framework.recipes.shared.VersionedValue;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;

/** The recipes that count, transactions, and creates that must happen once. */
final class Counters {
    private Counters() {}

    static List<Recipe> all(CuratorFramework one, CuratorFramework two) {
        return List.of(new AtomicLong(one, two), new Promoted(one, two), new Cached(one, two),
                new Count(one, two), new Value(one, two), new Transactions(one, two),
                new Protected(one, two));
    }

    /**
     * Counts up from both clients. A change whose answer was lost is not counted as done, and
     * some recipes make it once more: at most once for each client and death of a server.
     */
    private abstract static class Counting extends Recipe {
        private final AtomicInteger tried = new AtomicInteger();
        private final AtomicInteger done = new AtomicInteger();

        Counting(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        /** Adds one; tells whether that is known to have happened. */
        interface Adder {
            boolean add() throws Exception;
        }

        abstract Adder adder(CuratorFramework client) throws Exception;

        abstract long value() throws Exception;

        @Override
        void begin() throws Exception {
            for (CuratorFramework client : List.of(one, two)) {
                Adder adder = adder(client);
                repeat(number -> {
                    tried.incrementAndGet();
                    if (adder.add()) {
                        done.incrementAndGet();
                    }
                });
            }
        }

        @Override
        void takeStock() throws Exception {
            long value = value();
            int most = tried.get() + 2 * Curator.DEATHS;
            require(done.get() <= value && value <= most,
                    value + " with " + done + " done and " + tried + " tried");
        }
    }

    private static final class AtomicLong extends Counting {
        AtomicLong(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "DistributedAtomicLong (over DistributedAtomicValue) loses no increment";
        }

        private DistributedAtomicLong at(CuratorFramework client) {
            return new DistributedAtomicLong(client, path, new RetryNTimes(20, 5));
        }

        @Override
        Adder adder(CuratorFramework client) throws Exception {
            DistributedAtomicLong counter = at(client);
            counter.initialize(0L);
            return () -> counter.increment().succeeded();
        }

        @Override
        long value() throws Exception {
            return at(two).get().postValue();
        }
    }

    private static final class Promoted extends Counting {
        Promoted(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "DistributedAtomicLong promoted to a lock loses no increment";
        }

        private DistributedAtomicLong at(CuratorFramework client) {
            PromotedToLock lock = PromotedToLock.builder().lockPath(path + "-lock")
                    .retryPolicy(new RetryNTimes(20, 5)).build();
            return new DistributedAtomicLong(client, path, new RetryNTimes(1, 1), lock);
        }

        @Override
        Adder adder(CuratorFramework client) throws Exception {
            DistributedAtomicLong counter = at(client);
            counter.initialize(0L);
            return () -> counter.increment().succeeded();
        }

        @Override
        long value() throws Exception {
            return at(two).get().postValue();
        }
    }

    private static final class Cached extends Recipe {
        private final Set<Long> given = java.util.concurrent.ConcurrentHashMap.newKeySet();

        Cached(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "CachedAtomicLong gives no number twice";
        }

        @Override
        void begin() {
            for (CuratorFramework client : List.of(one, two)) {
                var counter = new CachedAtomicLong(
                        new DistributedAtomicLong(client, path, new RetryNTimes(20, 5)), 5);
                repeat(number -> {
                    var next = counter.next();
                    if (next.succeeded()) {
                        require(given.add(next.postValue()), next.postValue() + " came twice");
                    }
                });
            }
        }

        @Override
        void takeStock() {
            require(!given.isEmpty(), "no numbers");
        }
    }

    private static final class Count extends Counting {
        private SharedCount last;

        Count(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "SharedCount loses no increment and is told of the last one";
        }

        @Override
        Adder adder(CuratorFramework client) throws Exception {
            SharedCount count = new SharedCount(client, path, 0);
            count.start();
            last = count;
            return () -> {
                VersionedValue<Integer> before = count.getVersionedValue();
                return count.trySetCount(before, before.getValue() + 1);
            };
        }

        @Override
        long value() throws Exception {
            int stored = java.nio.ByteBuffer.wrap(one.getData().forPath(path)).getInt();
            until("the last value", () -> last.getCount() == stored);
            return stored;
        }
    }

    private static final class Value extends Counting {
        private SharedValue last;

        Value(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "SharedValue loses no change and is told of the last one";
        }

        @Override
        Adder adder(CuratorFramework client) throws Exception {
            SharedValue value = new SharedValue(client, path, bytes(0));
            value.start();
            last = value;
            return () -> {
                VersionedValue<byte[]> before = value.getVersionedValue();
                int now = Integer.parseInt(text(before.getValue()));
                return value.trySetValue(before, bytes(now + 1));
            };
        }

        @Override
        long value() throws Exception {
            String stored = text(one.getData().forPath(path));
            until("the last value", () -> text(last.getValue()).equals(stored));
            return Long.parseLong(stored);
        }
    }

    private static final class Transactions extends Recipe {
        private final AtomicInteger next = new AtomicInteger();

        Transactions(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "transactions happen whole, once";
        }

        @Override
        void begin() throws Exception {
            one.create().forPath(path, bytes(0));
            repeat(number -> {
                try {
                    one.transaction().forOperations(
                            one.transactionOp().create().forPath(path + "/" + number),
                            one.transactionOp().setData().withVersion(number)
                                    .forPath(path, bytes(number + 1)));
                } catch (KeeperException.NodeExistsException error) {
                    // It had happened, and was sent again because its answer was lost.
                    same(Integer.toString(number + 1), text(one.getData().forPath(path)));
                }
                next.set(number + 1);
            });
        }

        @Override
        void takeStock() throws Exception {
            Set<String> expected = new HashSet<>();
            for (int number = 0; number < next.get(); number++) {
                expected.add(Integer.toString(number));
            }
            two.sync().forPath(path);
            same(expected, new HashSet<>(two.getChildren().forPath(path)));
            same(next.toString(), text(two.getData().forPath(path)));
        }
    }

    private static final class Protected extends Recipe {
        private final AtomicInteger made = new AtomicInteger();

        Protected(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "a protected create happens once";
        }

        @Override
        void begin() {
            for (CuratorFramework client : List.of(one, two)) {
                repeat(number -> {
                    client.create().creatingParentsIfNeeded().withProtection()
                            .withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(path + "/p-");
                    made.incrementAndGet();
                });
            }
        }

        @Override
        void takeStock() throws Exception {
            two.sync().forPath(path);
            same(made.get(), two.getChildren().forPath(path).size());
        }
    }
}
