package systems;

import static systems.Driver.require;
import static systems.Driver.until;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;

/** The recipes that exclude: locks, semaphores, leaders. */
final class Locks {
    private Locks() {}

    static List<Recipe> all(CuratorFramework one, CuratorFramework two) {
        return List.of(new Mutex(one, two), new SemaphoreMutex(one, two), new ReadWrite(one, two),
                new Semaphore(one, two), new Multi(one, two), new Latch(one, two),
                new Selector(one, two));
    }

    /** Two clients take turns at a lock. */
    private abstract static class Exclusive extends Recipe {
        private final Room room = new Room(1);

        Exclusive(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        abstract InterProcessLock lock(CuratorFramework client);

        @Override
        void begin() {
            for (CuratorFramework client : List.of(one, two)) {
                InterProcessLock lock = lock(client);
                repeat(number -> {
                    lock.acquire();
                    room.stay();
                    lock.release();
                });
            }
        }

        @Override
        void takeStock() throws Exception {
            // Nobody holds it, and no candidate was left behind.
            InterProcessLock lock = lock(one);
            lock.acquire();
            lock.release();
        }
    }

    private static final class Mutex extends Exclusive {
        Mutex(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "InterProcessMutex has one holder at a time and leaves no candidate behind";
        }

        @Override
        InterProcessLock lock(CuratorFramework client) {
            return new InterProcessMutex(client, path);
        }

        @Override
        void takeStock() throws Exception {
            super.takeStock();
            until("no candidates", () -> one.getChildren().forPath(path).isEmpty());
        }
    }

    private static final class SemaphoreMutex extends Exclusive {
        SemaphoreMutex(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "InterProcessSemaphoreMutex has one holder at a time";
        }

        @Override
        InterProcessLock lock(CuratorFramework client) {
            return new InterProcessSemaphoreMutex(client, path);
        }
    }

    private static final class Multi extends Exclusive {
        Multi(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "InterProcessMultiLock takes both locks or none";
        }

        @Override
        InterProcessLock lock(CuratorFramework client) {
            return new InterProcessMultiLock(client, List.of(path + "/a", path + "/b"));
        }
    }

    private static final class ReadWrite extends Recipe {
        private static final int READERS = 3;
        private final AtomicInteger readers = new AtomicInteger();
        private final AtomicInteger writers = new AtomicInteger();

        ReadWrite(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "InterProcessReadWriteLock: a writer is alone";
        }

        @Override
        void begin() {
            for (int reader = 0; reader < READERS; reader++) {
                var lock = new InterProcessReadWriteLock(reader % 2 == 0 ? one : two, path);
                repeat(number -> {
                    lock.readLock().acquire();
                    readers.incrementAndGet();
                    require(writers.get() == 0, "a reader beside a writer");
                    readers.decrementAndGet();
                    lock.readLock().release();
                });
            }
            for (CuratorFramework client : List.of(one, two)) {
                var lock = new InterProcessReadWriteLock(client, path);
                repeat(number -> {
                    lock.writeLock().acquire();
                    require(writers.incrementAndGet() == 1, "two writers");
                    require(readers.get() == 0, "a writer beside a reader");
                    writers.decrementAndGet();
                    lock.writeLock().release();
                });
            }
        }

        @Override
        void takeStock() throws Exception {
            until("nobody", () -> one.getChildren().forPath(path).isEmpty());
        }
    }

    private static final class Semaphore extends Recipe {
        private static final int LEASES = 2;
        private final Room room = new Room(LEASES);

        Semaphore(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "InterProcessSemaphoreV2 gives no more leases than there are, and gets them back";
        }

        @Override
        void begin() {
            for (CuratorFramework client : List.of(one, one, two, two)) {
                var semaphore = new InterProcessSemaphoreV2(client, path, LEASES);
                repeat(number -> {
                    Lease lease = semaphore.acquire();
                    room.stay();
                    semaphore.returnLease(lease);
                });
            }
        }

        @Override
        void takeStock() throws Exception {
            until("all leases back", () -> one.getChildren().forPath(path + "/leases").isEmpty());
        }
    }

    private static final class Latch extends Recipe {
        private final AtomicReferenceArray<LeaderLatch> latches = new AtomicReferenceArray<>(2);

        Latch(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "LeaderLatch has one leader at a time, and the lead goes on";
        }

        @Override
        void begin() {
            for (int own = 0; own < 2; own++) {
                int mine = own;
                CuratorFramework client = own == 0 ? one : two;
                repeat(number -> {
                    LeaderLatch latch = new LeaderLatch(client, path, "latch-" + mine);
                    latches.set(mine, latch);
                    latch.start();
                    latch.await();
                    LeaderLatch other = latches.get(1 - mine);
                    // It may have lost the lead since; so it is asked before and after.
                    boolean both = latch.hasLeadership() && other != null && other.hasLeadership()
                            && latch.hasLeadership();
                    require(!both, "two leaders");
                    latch.close();
                });
            }
        }

        @Override
        void takeStock() throws Exception {
            until("nobody", () -> one.getChildren().forPath(path).isEmpty());
        }
    }

    private static final class Selector extends Recipe {
        private final Room room = new Room(1);
        private final AtomicInteger led = new AtomicInteger();
        private final AtomicInteger crowded = new AtomicInteger();
        private final List<LeaderSelector> selectors = new java.util.ArrayList<>();

        Selector(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "LeaderSelector has one leader at a time, each comes to lead again";
        }

        @Override
        void begin() {
            for (CuratorFramework client : List.of(one, two)) {
                AtomicInteger own = new AtomicInteger();
                var selector = new LeaderSelector(client, path, new LeaderSelectorListenerAdapter() {
                    @Override
                    public void takeLeadership(CuratorFramework client) throws Exception {
                        try {
                            room.stay();
                        } catch (AssertionError error) {
                            crowded.incrementAndGet();
                        }
                        own.incrementAndGet();
                        led.incrementAndGet();
                    }
                });
                selector.autoRequeue();
                selector.start();
                selectors.add(selector);
                repeat(number -> {
                    int target = own.get() + 1;
                    until("to lead again", () -> own.get() >= target);
                });
            }
        }

        @Override
        void takeStock() {
            selectors.forEach(LeaderSelector::close);
            require(crowded.get() == 0, "two leaders");
        }
    }
}
