package systems;

import static systems.Driver.PATIENCE_SECONDS;
import static systems.Driver.check;
import static systems.Driver.require;
import static systems.Driver.same;
import static systems.Driver.until;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceProvider;
import org.apache.zookeeper.CreateMode;

/** The recipes that hold something over the deaths of servers: nodes, services, barriers. */
final class Presence {
    private static final long TTL_MS = 3_000;

    private final CuratorFramework one;
    private final CuratorFramework two;
    private final List<CompletableFuture<?>> waiting = new ArrayList<>();
    private PersistentNode node;
    private PersistentTtlNode ttlNode;
    private GroupMember first;
    private GroupMember second;
    private ServiceDiscovery<String> registers;
    private ServiceDiscovery<String> finds;
    private ServiceCache<String> cache;
    private ServiceProvider<String> provider;

    Presence(CuratorFramework one, CuratorFramework two) {
        this.one = one;
        this.two = two;
    }

    void begin() throws Exception {
        node = new PersistentNode(one, CreateMode.EPHEMERAL, false, "/node", Recipe.bytes("here"));
        node.start();
        require(node.waitForInitialCreate(PATIENCE_SECONDS, TimeUnit.SECONDS), "no node");
        ttlNode = new PersistentTtlNode(one, "/ttl", TTL_MS, Recipe.bytes("here"));
        ttlNode.start();
        require(ttlNode.waitForInitialCreate(PATIENCE_SECONDS, TimeUnit.SECONDS), "no TTL node");
        first = new GroupMember(one, "/group", "first");
        second = new GroupMember(two, "/group", "second");
        first.start();
        second.start();
        registers = discovery(one);
        finds = discovery(two);
        registers.registerService(service("0", 1_000));
        cache = finds.serviceCacheBuilder().name("service").build();
        cache.start();
        provider = finds.serviceProviderBuilder().serviceName("service").build();
        provider.start();
        new DistributedBarrier(one, "/barrier").setBarrier();
        wait(() -> new DistributedBarrier(two, "/barrier").waitOnBarrier());
        holds();
    }

    private static ServiceDiscovery<String> discovery(CuratorFramework client) throws Exception {
        ServiceDiscovery<String> discovery = ServiceDiscoveryBuilder.builder(String.class)
                .client(client).basePath("/services").build();
        discovery.start();
        return discovery;
    }

    private static ServiceInstance<String> service(String id, int port) throws Exception {
        return ServiceInstance.<String>builder().name("service").id(id).address("127.0.0.1")
                .port(port).payload("payload").build();
    }

    /** Waits for something in a thread of its own. */
    private void wait(Driver.Body what) {
        waiting.add(CompletableFuture.runAsync(() -> {
            try {
                what.run();
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        }, command -> {
            Thread thread = new Thread(command);
            thread.setDaemon(true);
            thread.start();
        }));
    }

    /** What holds at any time. */
    void holds() throws Exception {
        long owner = one.getZookeeperClient().getZooKeeper().getSessionId();
        same(owner, one.checkExists().forPath("/node").getEphemeralOwner());
        until("both members", () -> first.getCurrentMembers().size() == 2
                && second.getCurrentMembers().size() == 2);
        until("the service", () -> cache.getInstances().size() == 1
                && provider.getInstance().getPort() == 1_000);
        Thread.sleep(TTL_MS);
        require(two.checkExists().forPath("/ttl") != null, "the TTL node was not kept alive");
    }

    void takeStock() throws Exception {
        check("PersistentNode, PersistentTtlNode and GroupMember are there and go with their owner",
                this::nodes);
        check("ServiceDiscovery: registered services are found, cached and forgotten",
                this::services);
        check("DistributedBarrier and DistributedDoubleBarrier hold and open", this::barriers);
    }

    private void nodes() throws Exception {
        one.delete().forPath("/node");
        until("it to come back", () -> one.checkExists().forPath("/node") != null);
        node.close();
        ttlNode.close();
        first.close();
        until("the member to go", () -> second.getCurrentMembers().size() == 1);
        same(null, two.checkExists().forPath("/node"));
        second.close();
    }

    private void services() throws Exception {
        ServiceInstance<String> added = service("1", 1_001);
        registers.registerService(added);
        until("two services", () -> cache.getInstances().size() == 2
                && finds.queryForInstances("service").size() == 2);
        same(1_001, finds.queryForInstance("service", "1").getPort());
        registers.unregisterService(added);
        until("one service", () -> cache.getInstances().size() == 1);
        provider.close();
        cache.close();
        registers.close();
        until("none", () -> finds.queryForInstances("service").isEmpty());
        finds.close();
    }

    private void barriers() throws Exception {
        require(waiting.stream().noneMatch(CompletableFuture::isDone), "a barrier was open");
        new DistributedBarrier(one, "/barrier").removeBarrier();
        // It gives up when its connection breaks, and so is not asked to wait for a death.
        DistributedDoubleBarrier theirs = new DistributedDoubleBarrier(two, "/double", 2);
        wait(() -> {
            theirs.enter();
            theirs.leave();
        });
        DistributedDoubleBarrier mine = new DistributedDoubleBarrier(one, "/double", 2);
        require(mine.enter(PATIENCE_SECONDS, TimeUnit.SECONDS), "the other did not come");
        require(mine.leave(PATIENCE_SECONDS, TimeUnit.SECONDS), "the other did not leave");
        for (CompletableFuture<?> one : waiting) {
            one.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        }
    }
}
