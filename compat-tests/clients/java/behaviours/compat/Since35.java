package compat;

import static compat.Harness.bytes;
import static compat.Harness.check;
import static compat.Harness.fails;
import static compat.Harness.order;
import static compat.Harness.same;
import static compat.Harness.text;
import static compat.Harness.until;

import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.data.Stat;

/**
 * What clients offer since 3.5: znodes that go by themselves, watches that are removed, and the
 * members of an ensemble given anew. No member is really added or removed.
 */
final class Since35 extends Behaviours {
    Since35(String only) {
        super(only);
        add("create-stat", Since35::createStat);
        add("container", Since35::container);
        add("ttl", Since35::ttl);
        add("watch-remove", this::watchRemove);
        add("reconfig", this::reconfig);
    }

    private static void createStat(Client client, String root) throws Exception {
        Stat made = new Stat();
        same(root + "/a", client.zk.create(root + "/a", bytes("one"), Ids.OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT, made));
        Stat read = new Stat();
        client.zk.getData(root + "/a", false, read);
        same(made, read);
    }

    private static void container(Client client, String root) throws Exception {
        String path = client.create(root + "/container", "", CreateMode.CONTAINER);
        same(0L, client.owner(path));
        client.zk.multi(List.of(Op.create(root + "/second", null, Ids.OPEN_ACL_UNSAFE,
                CreateMode.CONTAINER)));
        for (String container : List.of(path, root + "/second")) {
            client.create(container + "/c");
            client.delete(container + "/c");
            until("the container's end", () -> client.exists(container) == null);
        }
    }

    private static void ttl(Client client, String root) throws Exception {
        Stat stat = new Stat();
        String ttl = client.zk.create(root + "/ttl", bytes("x"), Ids.OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT_WITH_TTL, stat, 400);
        same(0L, stat.getEphemeralOwner());
        String sequential = client.zk.create(root + "/t-", bytes("x"), Ids.OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 400);
        same(root + "/t-0000000001", sequential);
        String kept = client.zk.create(root + "/kept", bytes("x"), Ids.OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT_WITH_TTL, stat, 600_000);
        client.zk.multi(List.of(Op.create(root + "/third", null, Ids.OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT_WITH_TTL, 400)));
        for (String path : List.of(ttl, sequential, root + "/third")) {
            until("the end of " + path, () -> client.exists(path) == null);
        }
        check(client.exists(kept) != null, "the other TTL node stays");
        for (long bad : new long[] {0, 1L << 40}) {
            fails(IllegalArgumentException.class, () -> client.zk.create(root + "/t", null,
                    Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), bad));
        }
    }

    private void watchRemove(Client client, String root) throws Exception {
        Client writer = client();
        client.zk.getData(root, client, null);
        client.zk.getChildren(root, client);
        client.zk.removeWatches(root, client, Watcher.WatcherType.Data, false);
        client.event(EventType.DataWatchRemoved, root);
        writer.set(root, "1");
        client.noEvent();
        client.zk.removeAllWatches(root, Watcher.WatcherType.Any, false);
        client.event(EventType.ChildWatchRemoved, root);
        writer.create(root + "/x");
        client.noEvent();
        fails(KeeperException.NoWatcherException.class,
                () -> client.zk.removeWatches(root, client, Watcher.WatcherType.Any, false));
    }

    private void reconfig(Client ignored, String root) throws Exception {
        order("ensemble");
        Client client = new Client();
        ZooKeeperAdmin admin = new ZooKeeperAdmin(ENSEMBLE, 6_000, client);
        opened(client, admin);
        client.state(KeeperState.SyncConnected);
        String line = text(admin.getConfig(false, new Stat())).split("\n")[2];
        fails(KeeperException.NoAuthException.class,
                () -> admin.reconfigure(line, null, null, -1, new Stat()));
        admin.addAuthInfo("digest", bytes("super:test"));
        String config = text(admin.reconfigure(line, null, null, -1, new Stat()));
        check(config.contains(line), config);
        long version = Long.parseLong(config.split("version=")[1], 16);
        admin.reconfigure(line, null, null, version, new Stat());
        fails(KeeperException.BadVersionException.class,
                () -> admin.reconfigure(line, null, null, version, new Stat()));
    }
}
