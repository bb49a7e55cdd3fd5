package compat;

import static compat.Harness.bytes;
import static compat.Harness.check;
import static compat.Harness.fails;
import static compat.Harness.order;
import static compat.Harness.same;
import static compat.Harness.text;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** What clients offer since 3.4. */
final class Since34 extends Behaviours {
    Since34(String only) {
        super(only);
        add("connect", this::connect);
        znodes();
        add("acl", Since34::acl);
        add("acl-digest", this::digest);
        add("acl-auth", this::auth);
        add("acl-ip", Since34::ip);
        add("auth-unknown", this::authUnknown);
        add("auth-again", Since34::authAgain);
        add("quota", Since34::quota);
        add("multi", Since34::multi);
        add("multi-fails", Since34::multiFails);
        watches();
        add("pipeline", Since34::pipeline);
        add("sync", Since34::sync);
        add("session-kept", Since34::kept);
        add("session-restart", this::restart);
        add("session-close", this::closed);
        add("session-expired", this::expired);
        add("session-takeover", this::takeOver);
        add("chroot", this::chroot);
        add("server-killed", (client, root) -> outlives(root,
                id -> "kill-server-of 0x" + Long.toHexString(id)));
        add("leader-killed", (client, root) -> outlives(root, id -> "kill-leader"));
        add("read-only", this::readOnly);
        add("config-get", this::config);
    }

    private void znodes() {
        add("create", (client, root) ->
                same(root + "/a", client.create(root + "/a", "one", CreateMode.PERSISTENT)));
        add("create-ephemeral", this::ephemeral);
        add("create-sequential", Since34::sequential);
        add("get-set", Since34::getSet);
        add("exists", Since34::exists);
        add("delete", Since34::delete);
        add("children", Since34::children);
        add("children-stat", Since34::childrenStat);
        add("bad-version", Since34::badVersion);
        add("node-errors", Since34::nodeErrors);
        add("data-empty", Since34::dataEmpty);
        add("data-large", Since34::dataLarge);
        add("data-too-large", Since34::dataTooLarge);
        add("unicode", Since34::unicode);
    }

    private void watches() {
        add("watch-data", this::watchData);
        add("watch-exists", this::watchExists);
        add("watch-children", this::watchChildren);
        add("watch-once", this::watchOnce);
        add("watch-first", this::watchFirst);
        add("watch-again", this::watchAgain);
        add("watch-missed", this::watchMissed);
    }

    private void connect(Client client, String root) throws Exception {
        check(client.zk.getSessionId() != 0, "a session id");
        same(16, client.zk.getSessionPasswd().length);
        same(6_000, client.zk.getSessionTimeout());
        same(1_000, client(100).zk.getSessionTimeout());
        same(60_000, client(500_000).zk.getSessionTimeout());
    }

    private void ephemeral(Client client, String root) throws Exception {
        client.create(root + "/e", "", CreateMode.EPHEMERAL);
        Client other = client();
        same(client.zk.getSessionId(), other.zk.exists(root + "/e", false).getEphemeralOwner());
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
        same("two", text(client.zk.getData(path, false, null)));
    }

    private static void exists(Client client, String root) throws Exception {
        same(null, client.zk.exists(root + "/none", false));
        Stat stat = new Stat();
        client.zk.getData(root, false, stat);
        same(stat, client.zk.exists(root, false));
    }

    private static void delete(Client client, String root) throws Exception {
        client.create(root + "/a");
        client.create(root + "/a/b");
        fails(KeeperException.NotEmptyException.class, () -> {
            client.zk.delete(root + "/a", -1);
            return null;
        });
        client.zk.delete(root + "/a/b", -1);
        client.zk.delete(root + "/a", -1);
        same(null, client.zk.exists(root + "/a", false));
        fails(KeeperException.BadArgumentsException.class, () -> {
            client.zk.delete("/zookeeper", -1);
            return null;
        });
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
        fails(KeeperException.BadVersionException.class, () -> {
            client.zk.delete(root + "/a", 7);
            return null;
        });
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
        same("", text(client.zk.getData(root + "/empty", false, null)));
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
        same(null, client.zk.exists(root + "/big", false));
    }

    private static void unicode(Client client, String root) throws Exception {
        String path = client.create(root + "/ünïcode-日本", "ünï", CreateMode.PERSISTENT);
        same(root + "/ünïcode-日本", path);
        same(List.of("ünïcode-日本"), client.zk.getChildren(root, false));
        same("ünï", text(client.zk.getData(path, false, null)));
    }

    private static void acl(Client client, String root) throws Exception {
        Stat stat = new Stat();
        same(Ids.OPEN_ACL_UNSAFE, client.zk.getACL(root, stat));
        same(0, stat.getAversion());
        // Not List.of: the client asks the list whether it holds null.
        List<ACL> few = new ArrayList<>();
        few.add(new ACL(Perms.READ | Perms.ADMIN, Ids.ANYONE_ID_UNSAFE));
        same(1, client.zk.setACL(root, few, 0).getAversion());
        fails(KeeperException.NoAuthException.class, () -> client.zk.setData(root, null, -1));
        fails(KeeperException.NoAuthException.class, () -> client.create(root + "/a"));
        fails(KeeperException.BadVersionException.class, () -> client.zk.setACL(root, few, 0));
    }

    private void digest(Client alice, String root) throws Exception {
        Client bob = client();
        alice.zk.addAuthInfo("digest", bytes("alice:secret"));
        String path = root + "/a";
        alice.zk.create(path, bytes("hers"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        fails(KeeperException.NoAuthException.class, () -> bob.zk.getData(path, false, null));
        fails(KeeperException.NoAuthException.class, () -> bob.zk.setData(path, null, -1));
        bob.zk.addAuthInfo("digest", bytes("alice:secret"));
        same("hers", text(bob.zk.getData(path, false, null)));
        List<ACL> readable = new ArrayList<>(alice.zk.getACL(path, new Stat()));
        same("digest", readable.get(0).getId().getScheme());
        same(Perms.ALL, readable.get(0).getPerms());
        readable.add(new ACL(Perms.READ, Ids.ANYONE_ID_UNSAFE));
        alice.zk.setACL(path, readable, 0);
        Client carol = client();
        same("hers", text(carol.zk.getData(path, false, null)));
        // To one who may not administer, the hash is not shown.
        same("alice:x", carol.zk.getACL(path, new Stat()).get(0).getId().getId());
        fails(KeeperException.NoAuthException.class,
                () -> carol.zk.setACL(path, Ids.OPEN_ACL_UNSAFE, -1));
    }

    private void auth(Client alice, String root) throws Exception {
        alice.zk.addAuthInfo("digest", bytes("alice:secret"));
        alice.zk.create(root + "/a", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        Id creator = alice.zk.getACL(root + "/a", new Stat()).get(0).getId();
        same("digest", creator.getScheme());
        check(creator.getId().startsWith("alice:"), creator);
        Client bob = client();
        fails(KeeperException.InvalidACLException.class, () -> bob.zk.create(root + "/b", null,
                Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
    }

    private static void ip(Client client, String root) throws Exception {
        for (String address : new String[] {"127.0.0.1", "10.1.2.3"}) {
            List<ACL> only = new ArrayList<>();
            only.add(new ACL(Perms.ALL, new Id("ip", address)));
            client.zk.create(root + "/" + address, null, only, CreateMode.PERSISTENT);
        }
        client.zk.getData(root + "/127.0.0.1", false, null);
        fails(KeeperException.NoAuthException.class,
                () -> client.zk.getData(root + "/10.1.2.3", false, null));
    }

    private void authUnknown(Client ignored, String root) throws Exception {
        Client client = client();
        client.zk.addAuthInfo("nonsense", bytes("x"));
        client.state(KeeperState.AuthFailed);
        fails(KeeperException.AuthFailedException.class, () -> client.zk.exists(root, false));
    }

    private static void authAgain(Client client, String root) throws Exception {
        client.zk.addAuthInfo("digest", bytes("alice:secret"));
        client.zk.create(root + "/a", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        order("drop");
        client.back();
        client.zk.setData(root + "/a", bytes("hers"), -1);
    }

    private static void quota(Client client, String root) throws Exception {
        String place = client.create("/zookeeper/quota" + root);
        client.create(place + "/zookeeper_limits", "count=5,bytes=-1", CreateMode.PERSISTENT);
        client.create(place + "/zookeeper_stats", "count=1,bytes=0", CreateMode.PERSISTENT);
        client.create(root + "/a", "12345", CreateMode.PERSISTENT);
        String stats = text(client.zk.getData(place + "/zookeeper_stats", false, null));
        check(stats.startsWith("count=2,bytes=5"), stats);
    }

    private static void multi(Client client, String root) throws Exception {
        List<OpResult> results = client.zk.multi(List.of(
                Op.create(root + "/a", bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.check(root + "/a", 0),
                Op.setData(root + "/a", bytes("2"), 0),
                Op.create(root + "/a/s-", null, Ids.OPEN_ACL_UNSAFE,
                        CreateMode.EPHEMERAL_SEQUENTIAL),
                Op.create(root + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.delete(root + "/c", 0)));
        same(root + "/a", ((OpResult.CreateResult) results.get(0)).getPath());
        check(results.get(1) instanceof OpResult.CheckResult, results.get(1));
        same(1, ((OpResult.SetDataResult) results.get(2)).getStat().getVersion());
        same(root + "/a/s-0000000000", ((OpResult.CreateResult) results.get(3)).getPath());
        same(root + "/c", ((OpResult.CreateResult) results.get(4)).getPath());
        check(results.get(5) instanceof OpResult.DeleteResult, results.get(5));
        Stat stat = new Stat();
        same("2", text(client.zk.getData(root + "/a", false, stat)));
        same(stat.getCzxid(), stat.getMzxid());
        same(null, client.zk.exists(root + "/c", false));
        same(List.of(), client.zk.multi(new ArrayList<Op>()));
    }

    private static void multiFails(Client client, String root) throws Exception {
        KeeperException error = fails(KeeperException.BadVersionException.class,
                () -> client.zk.multi(List.of(
                        Op.create(root + "/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                        Op.check(root + "/a", 3),
                        Op.delete(root + "/a", -1))));
        List<Integer> codes = new ArrayList<>();
        for (OpResult result : error.getResults()) {
            codes.add(((OpResult.ErrorResult) result).getErr());
        }
        same(List.of(0, -103, -2), codes);
        same(List.of(), client.zk.getChildren(root, false));
    }

    private void watchData(Client watcher, String root) throws Exception {
        Client writer = client();
        String path = writer.create(root + "/w");
        watcher.zk.getData(path, true, null);
        watcher.zk.exists(path, true);
        writer.zk.setData(path, bytes("1"), -1);
        watcher.event(EventType.NodeDataChanged, path);
        watcher.zk.getData(path, true, null);
        watcher.zk.getChildren(path, true);
        writer.zk.delete(path, -1);
        // Both watches tell of the end, and the client is told once.
        watcher.event(EventType.NodeDeleted, path);
        watcher.noEvent();
    }

    private void watchExists(Client watcher, String root) throws Exception {
        same(null, watcher.zk.exists(root + "/w", true));
        client().create(root + "/w");
        watcher.event(EventType.NodeCreated, root + "/w");
    }

    private void watchChildren(Client watcher, String root) throws Exception {
        Client writer = client();
        watcher.zk.getChildren(root, true);
        writer.create(root + "/c");
        watcher.event(EventType.NodeChildrenChanged, root);
        watcher.zk.getChildren(root, true);
        writer.zk.delete(root + "/c", -1);
        watcher.event(EventType.NodeChildrenChanged, root);
    }

    private void watchOnce(Client watcher, String root) throws Exception {
        Client writer = client();
        watcher.zk.getData(root, true, null);
        writer.zk.setData(root, bytes("1"), -1);
        writer.zk.setData(root, bytes("2"), -1);
        watcher.event(EventType.NodeDataChanged, root);
        watcher.noEvent();
    }

    private void watchFirst(Client watcher, String root) throws Exception {
        Client writer = client();
        for (int round = 0; round < 50; round++) {
            String before = text(watcher.zk.getData(root, true, null));
            String written = String.valueOf(round);
            writer.zk.setData(root, bytes(written), -1, (code, path, context, stat) -> {}, null);
            // Callbacks and events come on one thread, in the order of their arrival.
            boolean[] seen = {false, false};
            for (int tries = 0; !seen[0]; tries++) {
                check(tries < 100_000, "the new data");
                CountDownLatch answered = new CountDownLatch(1);
                watcher.zk.getData(root, false, (code, path, context, data, stat) -> {
                    seen[0] = !before.equals(text(data));
                    seen[1] = !watcher.events.isEmpty();
                    answered.countDown();
                }, null);
                check(answered.await(10, TimeUnit.SECONDS), "an answer");
            }
            check(seen[1], "the data came before the event");
            watcher.event(EventType.NodeDataChanged, root);
        }
    }

    private void watchAgain(Client watcher, String root) throws Exception {
        Client writer = client();
        writer.create(root + "/d");
        watcher.zk.getData(root + "/d", true, null);
        watcher.zk.exists(root + "/e", true);
        watcher.zk.getChildren(root, true);
        // These do not fit in one request of the client.
        String name = root + "/e/" + "x".repeat(300) + "-";
        int count = 1_000;
        for (int number = 0; number < count; number++) {
            watcher.zk.exists(name + number, true, (code, path, context, stat) -> {}, null);
        }
        watcher.noEvent();
        order("drop");
        watcher.back();
        writer.back();
        // Nothing happened, so nothing is told, and all are still set.
        watcher.noEvent();
        writer.zk.setData(root + "/d", bytes("1"), -1);
        watcher.event(EventType.NodeDataChanged, root + "/d");
        writer.create(root + "/e");
        watcher.event(EventType.NodeCreated, root + "/e");
        watcher.event(EventType.NodeChildrenChanged, root);
        for (int number = 0; number < count; number++) {
            writer.zk.create(name + number, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT,
                    (code, path, context, made) -> {}, null);
        }
        for (int number = 0; number < count; number++) {
            watcher.event(EventType.NodeCreated, name + number);
        }
        watcher.noEvent();
    }

    private void watchMissed(Client watcher, String root) throws Exception {
        Client writer = client(30_000);
        for (String name : List.of("changed", "deleted", "parent", "shrinking", "shrinking/c")) {
            writer.create(root + "/" + name);
        }
        watcher.zk.getData(root + "/changed", true, null);
        watcher.zk.exists(root + "/deleted", true);
        watcher.zk.exists(root + "/created", true);
        watcher.zk.getChildren(root + "/parent", true);
        watcher.zk.getChildren(root + "/shrinking", true);
        order("drop");
        watcher.state(KeeperState.Disconnected);
        writer.back();
        // Before or after the watcher is back: it is told in any case.
        writer.zk.multi(List.of(
                Op.setData(root + "/changed", bytes("1"), -1),
                Op.delete(root + "/deleted", -1),
                Op.create(root + "/created", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.create(root + "/parent/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.delete(root + "/shrinking/c", -1)));
        watcher.state(KeeperState.SyncConnected);
        List<String> seen = new ArrayList<>();
        for (int event = 0; event < 5; event++) {
            WatchedEvent next = watcher.events.poll(Harness.PATIENCE_MS, TimeUnit.MILLISECONDS);
            seen.add(next == null ? "nothing" : next.getType() + " " + next.getPath());
        }
        Collections.sort(seen);
        same(List.of(
                "NodeChildrenChanged " + root + "/parent",
                "NodeChildrenChanged " + root + "/shrinking",
                "NodeCreated " + root + "/created",
                "NodeDataChanged " + root + "/changed",
                "NodeDeleted " + root + "/deleted"), seen);
        watcher.noEvent();
    }

    private static void pipeline(Client client, String root) throws Exception {
        int rounds = 200;
        List<Integer> answered = Collections.synchronizedList(new ArrayList<>());
        List<String> read = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch all = new CountDownLatch(3 * rounds);
        for (int round = 0; round < rounds; round++) {
            int number = 3 * round;
            client.zk.setData(root, bytes("" + round), round, (code, path, context, stat) -> {
                answered.add(code == 0 ? number : code);
                all.countDown();
            }, null);
            client.zk.getData(root, false, (code, path, context, data, stat) -> {
                answered.add(number + 1);
                read.add(text(data) + " " + stat.getVersion());
                all.countDown();
            }, null);
            client.zk.exists(root + "/none", false, (code, path, context, stat) -> {
                answered.add(code == -101 ? number + 2 : code);
                all.countDown();
            }, null);
        }
        check(all.await(20, TimeUnit.SECONDS), "all answers");
        for (int number = 0; number < 3 * rounds; number++) {
            same(number, answered.get(number));
        }
        for (int round = 0; round < rounds; round++) {
            same(round + " " + (round + 1), read.get(round));
        }
    }

    private static void sync(Client client, String root) throws Exception {
        CountDownLatch synced = new CountDownLatch(1);
        client.zk.sync(root, (code, path, context) -> {
            if (code == 0 && path.equals(root)) {
                synced.countDown();
            }
        }, null);
        check(synced.await(10, TimeUnit.SECONDS), "sync is answered");
    }

    private static void kept(Client client, String root) throws Exception {
        client.create(root + "/e", "", CreateMode.EPHEMERAL);
        long session = client.zk.getSessionId();
        for (int round = 0; round < 3; round++) {
            order("drop");
            client.back();
            same(session, client.zk.getSessionId());
            same(session, client.zk.exists(root + "/e", false).getEphemeralOwner());
        }
    }

    private void restart(Client client, String root) throws Exception {
        Client patient = client(30_000);
        patient.create(root + "/e", "kept", CreateMode.EPHEMERAL);
        Stat before = new Stat();
        patient.zk.getData(root + "/e", true, before);
        order("restart");
        patient.back();
        Stat after = new Stat();
        same("kept", text(patient.zk.getData(root + "/e", true, after)));
        same(before, after);
        patient.zk.setData(root + "/e", bytes("changed"), 0);
        patient.event(EventType.NodeDataChanged, root + "/e");
    }

    private void closed(Client client, String root) throws Exception {
        Client other = client();
        client.create(root + "/e", "", CreateMode.EPHEMERAL);
        other.zk.exists(root + "/e", true);
        client.zk.close();
        other.event(EventType.NodeDeleted, root + "/e");
        same(List.of(), other.zk.getChildren(root, false));
    }

    private void expired(Client other, String root) throws Exception {
        Client client = client(1_000);
        client.create(root + "/e", "", CreateMode.EPHEMERAL);
        order("close");
        client.state(KeeperState.Disconnected);
        order("expired 0x" + Long.toHexString(client.zk.getSessionId()));
        order("open");
        client.state(KeeperState.Expired);
        fails(KeeperException.SessionExpiredException.class, () -> client.zk.exists(root, false));
        other.back();
        same(null, other.zk.exists(root + "/e", false));
    }

    private void takeOver(Client first, String root) throws Exception {
        first.create(root + "/e", "", CreateMode.EPHEMERAL);
        long session = first.zk.getSessionId();
        byte[] password = first.zk.getSessionPasswd();
        Client second = new Client();
        opened(second, new ZooKeeper(Harness.CONNECT, 6_000, second, session, password));
        second.state(KeeperState.SyncConnected);
        first.state(KeeperState.Disconnected);
        same(session, second.zk.getSessionId());
        Client thief = new Client();
        opened(thief, new ZooKeeper(Harness.CONNECT, 6_000, thief, session, new byte[16]));
        thief.state(KeeperState.Expired);
    }

    private void chroot(Client outside, String root) throws Exception {
        Client inside = client(Harness.CONNECT + root, 6_000);
        same("/in", inside.create("/in"));
        inside.zk.getData("/in", true, null);
        outside.zk.setData(root + "/in", bytes("1"), -1);
        inside.event(EventType.NodeDataChanged, "/in");
        same(List.of("in"), inside.zk.getChildren("/", false));
    }

    /** Which order kills a server, by the session. */
    private interface Kill {
        String order(long session);
    }

    private void outlives(String root, Kill kill) throws Exception {
        order("ensemble");
        Client client = client(ENSEMBLE, 30_000);
        client.create(root);
        client.create(root + "/e", "", CreateMode.EPHEMERAL);
        long session = client.zk.getSessionId();
        for (int number = 0; number < 10; number++) {
            if (number == 5) {
                order(kill.order(session));
            }
            insist(client, root + "/" + number);
        }
        same(session, client.zk.getSessionId());
        List<String> names = client.zk.getChildren(root, false);
        same(11, names.size());
        same(session, client.zk.exists(root + "/e", false).getEphemeralOwner());
    }

    /** Creates a znode, again and again while connections break. */
    private static void insist(Client client, String path) throws Exception {
        long deadline = System.nanoTime() + 60_000_000_000L;
        boolean repeated = false;
        while (true) {
            try {
                client.create(path);
                return;
            } catch (KeeperException.ConnectionLossException lost) {
                check(System.nanoTime() < deadline, "waited in vain for a server");
                repeated = true;
                Thread.sleep(50);
            } catch (KeeperException.NodeExistsException done) {
                check(repeated, "created twice");
                return;
            }
        }
    }

    private void readOnly(Client ignored, String root) throws Exception {
        order("ensemble");
        Client writer = client(ENSEMBLE, 6_000);
        writer.create(root, "data", CreateMode.PERSISTENT);
        writer.zk.close();
        order("leave-one");
        Client client = new Client();
        opened(client, new ZooKeeper(ENSEMBLE, 6_000, client, true));
        KeeperState state = KeeperState.Disconnected;
        while (state == KeeperState.Disconnected) {
            state = client.states.poll(Harness.PATIENCE_MS, TimeUnit.MILLISECONDS);
        }
        same(KeeperState.ConnectedReadOnly, state);
        same("data", text(client.zk.getData(root, false, null)));
        fails(KeeperException.NotReadOnlyException.class, () -> client.create(root + "/a"));
        order("ensemble");
        Harness.until("a server that writes",
                () -> client.zk.getState() == ZooKeeper.States.CONNECTED);
        insist(client, root + "/a");
    }

    private void config(Client ignored, String root) throws Exception {
        order("ensemble");
        Client client = client(ENSEMBLE, 6_000);
        String config = text(client.zk.getData("/zookeeper/config", false, null));
        List<String> keys = new ArrayList<>();
        for (String line : config.split("\n")) {
            keys.add(line.split("=")[0]);
        }
        same(List.of("server.1", "server.2", "server.3", "version"), keys);
    }
}
