package compat;

import static compat.Harness.bytes;
import static compat.Harness.check;
import static compat.Harness.order;
import static compat.Harness.same;
import static compat.Harness.text;
import static compat.Harness.until;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.retry.RetryNTimes;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.zookeeper.CreateMode;

/** Curator's framework and recipes, with ensemble tracking on as applications have it. */
final class Curator {
    private final Harness harness;
    private final List<CuratorFramework> open = new ArrayList<>();
    private int behaviours;

    Curator(Harness harness) {
        this.harness = harness;
    }

    private CuratorFramework client(int sessionTimeoutMs) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.builder()
                .connectString(Harness.CONNECT)
                .sessionTimeoutMs(sessionTimeoutMs)
                .connectionTimeoutMs(5_000)
                .retryPolicy(new RetryNTimes(20, 200))
                .build();
        client.start();
        open.add(client);
        check(client.blockUntilConnected(15, TimeUnit.SECONDS), "connects");
        return client;
    }

    private CuratorFramework client() throws Exception {
        return client(6_000);
    }

    /** A behaviour with a client and a path of its own. */
    private interface Body {
        void run(CuratorFramework client, String root) throws Exception;
    }

    private void behaviour(String title, Body body) {
        String root = "/curator-" + behaviours++;
        harness.behaviour(title, () -> {
            try {
                body.run(client(), root);
            } finally {
                for (CuratorFramework client : open) {
                    client.close();
                }
                open.clear();
            }
        });
    }

    boolean run() {
        behaviour("nodes, containers as parents, protected creation", Curator::nodes);
        behaviour("a transaction", Curator::transaction);
        behaviour("InterProcessMutex excludes and is handed over", this::mutex);
        behaviour("InterProcessMutex passes on when its holder dies", this::mutexOfTheDead);
        behaviour("read/write lock and semaphore", this::otherLocks);
        behaviour("LeaderLatch: one leader, the next when it closes", this::latch);
        behaviour("CuratorCache follows a subtree", this::cache);
        behaviour("CuratorCache catches up after a broken connection", this::cacheAgain);
        behaviour("ServiceDiscovery registers, finds, caches, forgets", this::discovery);
        behaviour("PersistentNode and PersistentTtlNode", this::persistentNodes);
        behaviour("counters: DistributedAtomicLong and SharedCount", this::counters);
        behaviour("DistributedDoubleBarrier", this::barrier);
        behaviour("reconnects after the server was killed", this::restart);
        return harness.finish();
    }

    private static void nodes(CuratorFramework client, String root) throws Exception {
        String path = client.create().creatingParentContainersIfNeeded()
                .withMode(CreateMode.PERSISTENT).forPath(root + "/a/b", bytes("1"));
        same(root + "/a/b", path);
        client.create().orSetData().forPath(path, bytes("2"));
        same("2", text(client.getData().forPath(path)));
        String protectedPath = client.create().withProtection()
                .withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(root + "/a/p-");
        check(protectedPath.matches(root + "/a/_c_[-0-9a-f]{36}-p-0000000001"), protectedPath);
        client.delete().deletingChildrenIfNeeded().forPath(root + "/a");
        same(null, client.checkExists().forPath(root + "/a"));
        client.sync().forPath(root);
    }

    private static void transaction(CuratorFramework client, String root) throws Exception {
        List<CuratorTransactionResult> results = client.transaction().forOperations(
                client.transactionOp().create().forPath(root, bytes("1")),
                client.transactionOp().setData().withVersion(0).forPath(root, bytes("2")),
                client.transactionOp().check().withVersion(1).forPath(root));
        same(root, results.get(0).getResultPath());
        same(1, results.get(1).getResultStat().getVersion());
        same("2", text(client.getData().forPath(root)));
    }

    private void mutex(CuratorFramework one, String root) throws Exception {
        CuratorFramework two = client();
        AtomicInteger holders = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        AtomicInteger turns = new AtomicInteger();
        List<Thread> threads = new ArrayList<>();
        for (int number = 0; number < 6; number++) {
            InterProcessMutex mutex = new InterProcessMutex(number % 2 == 0 ? one : two, root);
            Thread thread = new Thread(() -> {
                try {
                    for (int turn = 0; turn < 5; turn++) {
                        mutex.acquire();
                        most.accumulateAndGet(holders.incrementAndGet(), Math::max);
                        turns.incrementAndGet();
                        holders.decrementAndGet();
                        mutex.release();
                    }
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join(Harness.PATIENCE_MS);
        }
        same(30, turns.get());
        same(1, most.get());
    }

    private void mutexOfTheDead(CuratorFramework waiter, String root) throws Exception {
        CuratorFramework holder = client();
        new InterProcessMutex(holder, root).acquire();
        InterProcessMutex mine = new InterProcessMutex(waiter, root);
        check(!mine.acquire(300, TimeUnit.MILLISECONDS), "it is held");
        holder.close();
        check(mine.acquire(10, TimeUnit.SECONDS), "it is free");
        mine.release();
    }

    private void otherLocks(CuratorFramework one, String root) throws Exception {
        CuratorFramework two = client();
        InterProcessReadWriteLock first = new InterProcessReadWriteLock(one, root + "/rw");
        InterProcessReadWriteLock second = new InterProcessReadWriteLock(two, root + "/rw");
        first.readLock().acquire();
        check(second.readLock().acquire(5, TimeUnit.SECONDS), "two readers");
        check(!second.writeLock().acquire(300, TimeUnit.MILLISECONDS), "no writer");
        first.readLock().release();
        second.readLock().release();
        check(second.writeLock().acquire(5, TimeUnit.SECONDS), "one writer");
        second.writeLock().release();
        InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(one, root + "/sem", 1);
        var lease = semaphore.acquire();
        InterProcessSemaphoreV2 other = new InterProcessSemaphoreV2(two, root + "/sem", 1);
        same(null, other.acquire(300, TimeUnit.MILLISECONDS));
        semaphore.returnLease(lease);
        check(other.acquire(5, TimeUnit.SECONDS) != null, "the lease is free");
    }

    private void latch(CuratorFramework one, String root) throws Exception {
        CuratorFramework two = client();
        LeaderLatch first = new LeaderLatch(one, root, "one");
        first.start();
        check(first.await(10, TimeUnit.SECONDS), "the first leads");
        LeaderLatch second = new LeaderLatch(two, root, "two");
        second.start();
        until("both take part", () -> first.getParticipants().size() == 2);
        check(!second.hasLeadership(), "one leader");
        same("one", second.getLeader().getId());
        first.close();
        check(second.await(10, TimeUnit.SECONDS), "the second leads");
        // Leadership is given up while the connection is gone, and taken again.
        order("drop");
        until("it leads again", second::hasLeadership);
        second.close();
    }

    private void cache(CuratorFramework watcher, String root) throws Exception {
        CuratorFramework writer = client();
        writer.create().creatingParentsIfNeeded().forPath(root + "/before", bytes("0"));
        List<String> seen = new CopyOnWriteArrayList<>();
        try (CuratorCache cache = CuratorCache.build(watcher, root)) {
            cache.listenable().addListener(CuratorCacheListener.builder()
                    .forAll((type, old, data) -> seen.add(
                            type + " " + (data == null ? old : data).getPath()))
                    .build());
            cache.start();
            until("what was there", () -> cache.get(root + "/before").isPresent());
            writer.create().creatingParentsIfNeeded().forPath(root + "/a/b/c", bytes("1"));
            until("the new nodes", () -> cache.get(root + "/a/b/c").isPresent());
            writer.setData().forPath(root + "/a/b/c", bytes("2"));
            until("the change", () -> cache.get(root + "/a/b/c")
                    .filter(node -> text(node.getData()).equals("2")).isPresent());
            writer.delete().forPath(root + "/a/b/c");
            until("the deletion", () -> seen.contains("NODE_DELETED " + root + "/a/b/c"));
            same(4L, cache.stream().count());
        }
    }

    private void cacheAgain(CuratorFramework watcher, String root) throws Exception {
        CuratorFramework writer = client();
        writer.create().forPath(root, bytes("0"));
        try (CuratorCache cache = CuratorCache.build(watcher, root)) {
            cache.start();
            until("the root", () -> cache.get(root).isPresent());
            for (int round = 0; round < 3; round++) {
                String path = root + "/n" + round;
                order("drop");
                writer.create().forPath(path, bytes("x"));
                until("the node made meanwhile", () -> cache.get(path).isPresent());
            }
            writer.delete().forPath(root + "/n0");
            until("the deletion", () -> cache.get(root + "/n0").isEmpty());
        }
    }

    private void discovery(CuratorFramework client, String root) throws Exception {
        CuratorFramework other = client();
        ServiceInstance<Void> instance = ServiceInstance.<Void>builder()
                .name("web").address("localhost").port(80).build();
        try (ServiceDiscovery<Void> seeker = discovery(other, root, null);
                ServiceCache<Void> cache = seeker.serviceCacheBuilder().name("web").build()) {
            cache.start();
            ServiceDiscovery<Void> provider = discovery(client, root, instance);
            until("the instance", () -> seeker.queryForInstances("web").size() == 1);
            until("the instance in the cache", () -> cache.getInstances().size() == 1);
            same(instance.getId(), cache.getInstances().get(0).getId());
            same(List.of("web"), new ArrayList<>(seeker.queryForNames()));
            provider.close();
            until("its end", () -> cache.getInstances().isEmpty());
        }
    }

    private static ServiceDiscovery<Void> discovery(
            CuratorFramework client, String root, ServiceInstance<Void> instance) throws Exception {
        ServiceDiscoveryBuilder<Void> builder =
                ServiceDiscoveryBuilder.builder(Void.class).client(client).basePath(root);
        if (instance != null) {
            builder.thisInstance(instance);
        }
        ServiceDiscovery<Void> discovery = builder.build();
        discovery.start();
        return discovery;
    }

    private void persistentNodes(CuratorFramework client, String root) throws Exception {
        CuratorFramework other = client();
        try (PersistentNode node = new PersistentNode(
                client, CreateMode.EPHEMERAL, false, root + "/node", bytes("1"))) {
            node.start();
            check(node.waitForInitialCreate(10, TimeUnit.SECONDS), "it is made");
            other.delete().forPath(node.getActualPath());
            until("it is made again", () -> other.checkExists().forPath(root + "/node") != null);
        }
        until("it is gone", () -> other.checkExists().forPath(root + "/node") == null);
        try (PersistentTtlNode node =
                new PersistentTtlNode(client, root + "/ttl", 1_000, bytes("1"))) {
            node.start();
            check(node.waitForInitialCreate(10, TimeUnit.SECONDS), "it is made");
            check(other.checkExists().forPath(root + "/ttl") != null, "it is there");
        }
        until("it is reaped", () -> other.checkExists().forPath(root + "/ttl") == null);
    }

    private void counters(CuratorFramework one, String root) throws Exception {
        CuratorFramework two = client();
        DistributedAtomicLong first =
                new DistributedAtomicLong(one, root + "/long", new RetryOneTime(10));
        DistributedAtomicLong second =
                new DistributedAtomicLong(two, root + "/long", new RetryOneTime(10));
        check(first.add(5L).succeeded(), "adds");
        check(second.increment().succeeded(), "increments");
        same(6L, first.get().postValue());
        try (SharedCount writer = new SharedCount(one, root + "/count", 0);
                SharedCount reader = new SharedCount(two, root + "/count", 0)) {
            writer.start();
            reader.start();
            writer.setCount(7);
            until("the count", () -> reader.getCount() == 7);
        }
    }

    private void barrier(CuratorFramework one, String root) throws Exception {
        CuratorFramework two = client();
        AtomicInteger through = new AtomicInteger();
        List<Thread> threads = new ArrayList<>();
        for (CuratorFramework client : List.of(one, two)) {
            Thread thread = new Thread(() -> {
                try {
                    DistributedDoubleBarrier barrier =
                            new DistributedDoubleBarrier(client, root, 2);
                    barrier.enter();
                    barrier.leave();
                    through.incrementAndGet();
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            });
            threads.add(thread);
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join(Harness.PATIENCE_MS);
        }
        same(2, through.get());
    }

    private void restart(CuratorFramework ignored, String root) throws Exception {
        CuratorFramework client = client(30_000);
        List<ConnectionState> states = new CopyOnWriteArrayList<>();
        client.getConnectionStateListenable().addListener((source, state) -> states.add(state));
        client.create().withMode(CreateMode.EPHEMERAL).forPath(root, bytes("kept"));
        order("restart");
        until("reconnected", () -> states.contains(ConnectionState.RECONNECTED));
        same("kept", text(client.getData().forPath(root)));
        check(!states.contains(ConnectionState.LOST), states);
    }
}
