package compat;

import static compat.Harness.bytes;
import static compat.Harness.check;
import static compat.Harness.fails;
import static compat.Harness.same;
import static compat.Harness.text;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.data.Stat;

/**
 * Znodes of one client: that they are created, read, changed, listed and deleted, that errors have
 * their exceptions, and that data and names of any size and alphabet pass. Who may do so is in
 * Access, what others are told of it in Watches; the kinds of znodes that came later in Since35.
 */
final class Znodes extends Behaviours {
    Znodes(String only) {
        super(only);
        add("create", (client, root) ->
                same(root + "/a", client.create(root + "/a", "one", CreateMode.PERSISTENT)));
        add("create-ephemeral", this::ephemeral);
        add("create-sequential", Znodes::sequential);
        add("get-set", Znodes::getSet);
        add("exists", Znodes::exists);
        add("delete", Znodes::delete);
        add("children", Znodes::children);
        add("children-stat", Znodes::childrenStat);
        add("bad-version", Znodes::badVersion);
        add("node-errors", Znodes::nodeErrors);
        add("data-empty", Znodes::dataEmpty);
        add("data-large", Znodes::dataLarge);
        add("data-too-large", Znodes::dataTooLarge);
        add("unicode", Znodes::unicode);
        add("quota", Znodes::quota);
    }

    private void ephemeral(Client client, String root) throws Exception {
        client.create(root + "/e", "", CreateMode.EPHEMERAL);
        Client other = client();
        same(client.zk.getSessionId(), other.owner(root + "/e"));
        fails(KeeperException.NoChildrenForEphemeralsException.class,
                () -> other.create(root + "/e/c"));
    }

    private static void sequential(Client client, String root) throws Exception {
        same(root + "/s-0000000000",
                client.create(root + "/s-", "", CreateMode.PERSISTENT_SEQUENTIAL));
        client.create(root + "/plain");
        same(root + "/e-0000000002",
                client.create(root + "/e-", "", CreateMode.EPHEMERAL_SEQUENTIAL));
    }

    private static void getSet(Client client, String root) throws Exception {
        String path = client.create(root + "/a", "one", CreateMode.PERSISTENT);
        Stat read = new Stat();
        same("one", text(client.zk.getData(path, false, read)));
        same(0, read.getVersion());
        same(read.getCzxid(), read.getMzxid());
        Stat set = client.zk.setData(path, bytes("two"), 0);
        same(1, set.getVersion());
        check(set.getMzxid() > set.getCzxid(), set);
        same("two", client.data(path));
    }

    private static void exists(Client client, String root) throws Exception {
        same(null, client.exists(root + "/none"));
        Stat stat = new Stat();
        client.zk.getData(root, false, stat);
        same(stat, client.exists(root));
    }

    private static void delete(Client client, String root) throws Exception {
        client.create(root + "/a");
        client.create(root + "/a/b");
        fails(KeeperException.NotEmptyException.class, () -> client.delete(root + "/a"));
        client.delete(root + "/a/b");
        client.delete(root + "/a");
        same(null, client.exists(root + "/a"));
        fails(KeeperException.BadArgumentsException.class, () -> client.delete("/zookeeper"));
    }

    private static void children(Client client, String root) throws Exception {
        same(List.of(), client.zk.getChildren(root, false));
        client.create(root + "/a");
        client.create(root + "/b");
        List<String> names = new ArrayList<>(client.zk.getChildren(root, false));
        Collections.sort(names);
        same(List.of("a", "b"), names);
    }

    private static void childrenStat(Client client, String root) throws Exception {
        client.create(root + "/a");
        Stat parent = new Stat();
        same(List.of("a"), client.zk.getChildren(root, false, parent));
        same(1, parent.getCversion());
        same(1, parent.getNumChildren());
    }

    private static void badVersion(Client client, String root) throws Exception {
        client.create(root + "/a");
        fails(KeeperException.BadVersionException.class,
                () -> client.zk.setData(root + "/a", null, 1));
        fails(KeeperException.BadVersionException.class, () -> client.zk.delete(root + "/a", 7));
        client.zk.delete(root + "/a", 0);
    }

    private static void nodeErrors(Client client, String root) {
        fails(KeeperException.NodeExistsException.class, () -> client.create(root));
        fails(KeeperException.NoNodeException.class,
                () -> client.zk.getData(root + "/none", false, null));
        fails(KeeperException.NoNodeException.class,
                () -> client.zk.setData(root + "/none", null, -1));
        KeeperException.NoNodeException error = fails(KeeperException.NoNodeException.class,
                () -> client.create(root + "/none/below"));
        same(root + "/none/below", error.getPath());
        fails(IllegalArgumentException.class, () -> client.create("relative"));
    }

    private static void dataEmpty(Client client, String root) throws Exception {
        client.zk.create(root + "/null", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        client.create(root + "/empty");
        same(null, client.zk.getData(root + "/null", false, null));
        same("", client.data(root + "/empty"));
    }

    private static void dataLarge(Client client, String root) throws Exception {
        client.zk.create(root + "/fits", new byte[1_000_000], Ids.OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT);
        same(1_000_000, client.zk.getData(root + "/fits", false, null).length);
    }

    private static void dataTooLarge(Client client, String root) throws Exception {
        fails(KeeperException.ConnectionLossException.class, () -> client.zk.create(
                root + "/big", new byte[1_100_000], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        client.back();
        same(null, client.exists(root + "/big"));
    }

    private static void unicode(Client client, String root) throws Exception {
        String path = client.create(root + "/ünïcode-日本", "ünï", CreateMode.PERSISTENT);
        same(root + "/ünïcode-日本", path);
        same(List.of("ünïcode-日本"), client.zk.getChildren(root, false));
        same("ünï", client.data(path));
    }

    private static void quota(Client client, String root) throws Exception {
        String place = client.create("/zookeeper/quota" + root);
        client.create(place + "/zookeeper_limits", "count=5,bytes=-1", CreateMode.PERSISTENT);
        client.create(place + "/zookeeper_stats", "count=1,bytes=0", CreateMode.PERSISTENT);
        client.create(root + "/a", "12345", CreateMode.PERSISTENT);
        String stats = client.data(place + "/zookeeper_stats");
        check(stats.startsWith("count=2,bytes=5"), stats);
    }
}
