package compat;

import static compat.Harness.bytes;
import static compat.Harness.check;
import static compat.Harness.fails;
import static compat.Harness.order;
import static compat.Harness.same;
import static compat.Harness.text;
import static compat.Harness.until;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** Apache's own Java client. */
final class ApacheClient {
    private final Harness harness;
    private final List<Client> open = new ArrayList<>();
    private int behaviours;

    ApacheClient(Harness harness) {
        this.harness = harness;
    }

    /** A connected client and the events that it was told. */
    static final class Client implements Watcher {
        final BlockingQueue<WatchedEvent> events = new LinkedBlockingQueue<>();
        final BlockingQueue<KeeperState> states = new LinkedBlockingQueue<>();
        ZooKeeper zk;

        @Override
        public void process(WatchedEvent event) {
            if (event.getType() == EventType.None) {
                states.add(event.getState());
            } else {
                events.add(event);
            }
        }

        void state(KeeperState expected) throws InterruptedException {
            same(expected, states.poll(Harness.PATIENCE_MS, TimeUnit.MILLISECONDS));
        }

        /** The next event, as `type path`. */
        void event(EventType type, String path) throws InterruptedException {
            WatchedEvent event = events.poll(Harness.PATIENCE_MS, TimeUnit.MILLISECONDS);
            same(type + " " + path, event == null ? null : event.getType() + " " + event.getPath());
        }

        void noEvent() throws Exception {
            // What was sent before the answer to a request has arrived by then.
            zk.exists("/", false);
            same(null, events.poll(100, TimeUnit.MILLISECONDS));
        }
    }

    private Client client(int timeoutMs) throws Exception {
        Client client = new Client();
        client.zk = new ZooKeeper(Harness.CONNECT, timeoutMs, client);
        open.add(client);
        client.state(KeeperState.SyncConnected);
        return client;
    }

    private Client client() throws Exception {
        return client(6_000);
    }

    /** A behaviour with a client and a path of its own. */
    private interface Body {
        void run(Client client, String root) throws Exception;
    }

    private void behaviour(String title, Body body) {
        String root = "/java-" + behaviours++;
        harness.behaviour(title, () -> {
            try {
                Client client = client();
                client.zk.create(root, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
                body.run(client, root);
            } finally {
                for (Client client : open) {
                    client.zk.close(5_000);
                }
                open.clear();
            }
        });
    }

    private static String create(Client client, String path, String data, CreateMode mode)
            throws Exception {
        return client.zk.create(path, bytes(data), Ids.OPEN_ACL_UNSAFE, mode);
    }

    boolean run() {
        behaviour("create, read, update, list and delete a node", ApacheClient::nodes);
        behaviour("null and empty data are kept apart", ApacheClient::nullData);
        behaviour("sequences, and ephemerals of the own session", this::ephemerals);
        behaviour("containers and nodes with a time to live are reaped", ApacheClient::reaped);
        behaviour("a TTL that is refused", ApacheClient::badTtl);
        behaviour("one-shot watches for each kind of change", this::watches);
        behaviour("persistent watches stay", this::persistent);
        behaviour("persistent recursive watches see the subtree", this::recursive);
        behaviour("watches are removed, by kind, locally and for good", this::removeWatches);
        behaviour("multi commits as one", ApacheClient::multi);
        behaviour("multi fails as one and names the culprit", ApacheClient::failedMulti);
        behaviour("multi of reads answers each", ApacheClient::multiRead);
        behaviour("ACLs with digest users", this::acls);
        behaviour("an unknown scheme ends in AuthFailed", this::authFailed);
        behaviour("sync, whoami, children number, configuration", ApacheClient::information);
        behaviour("the session survives a broken connection", this::reattach);
        behaviour("watches are set again after a broken connection", this::setWatches);
        behaviour("what happened meanwhile is told on return", this::catchUp);
        behaviour("a thousand watches are set again at once", this::manyWatches);
        behaviour("the session survives kill -9 of the server", this::restart);
        behaviour("an expired session is told so", this::expired);
        behaviour("a session is taken over with its id and password", this::takeOver);
        behaviour("asynchronous requests are answered in order", ApacheClient::pipeline);
        behaviour("a malformed path and a missing parent", ApacheClient::badPaths);
        behaviour("data of one mebibyte is the limit", this::limit);
        return harness.finish();
    }

    private static void nodes(Client client, String root) throws Exception {
        ZooKeeper zk = client.zk;
        String path = root + "/a";
        Stat made = new Stat();
        same(path, zk.create(path, bytes("one"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, made));
        Stat read = new Stat();
        same("one", text(zk.getData(path, false, read)));
        same(made, read);
        same(0, read.getVersion());
        Stat set = zk.setData(path, bytes("two"), 0);
        same(1, set.getVersion());
        check(set.getMzxid() > set.getCzxid(), set);
        fails(KeeperException.BadVersionException.class, () -> zk.setData(path, null, 0));
        fails(KeeperException.NodeExistsException.class,
                () -> zk.create(path, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        zk.create(path + "/b", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Stat parent = new Stat();
        same(List.of("b"), zk.getChildren(path, false, parent));
        same(1, parent.getCversion());
        fails(KeeperException.NotEmptyException.class, () -> {
            zk.delete(path, -1);
            return null;
        });
        zk.delete(path + "/b", 0);
        zk.delete(path, 1);
        same(null, zk.exists(path, false));
        fails(KeeperException.NoNodeException.class, () -> zk.getData(path, false, null));
    }

    private static void nullData(Client client, String root) throws Exception {
        client.zk.create(root + "/null", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        client.zk.create(root + "/empty", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        same(null, client.zk.getData(root + "/null", false, null));
        same("", text(client.zk.getData(root + "/empty", false, null)));
    }

    private void ephemerals(Client client, String root) throws Exception {
        same(root + "/s-0000000000", create(client, root + "/s-", "", CreateMode.PERSISTENT_SEQUENTIAL));
        String path = create(client, root + "/e-", "", CreateMode.EPHEMERAL_SEQUENTIAL);
        same(root + "/e-0000000001", path);
        create(client, root + "/e", "", CreateMode.EPHEMERAL);
        same(client.zk.getSessionId(), client.zk.exists(path, false).getEphemeralOwner());
        List<String> mine = new ArrayList<>(client.zk.getEphemerals(root));
        Collections.sort(mine);
        same(List.of(root + "/e", path), mine);
        Client other = client();
        same(List.of(), other.zk.getEphemerals(root));
        fails(KeeperException.NoChildrenForEphemeralsException.class,
                () -> create(other, path + "/c", "", CreateMode.PERSISTENT));
        client.zk.close();
        same(List.of("s-0000000000"), other.zk.getChildren(root, false));
    }

    private static void reaped(Client client, String root) throws Exception {
        String container = create(client, root + "/container", "", CreateMode.CONTAINER);
        same(0L, client.zk.exists(container, false).getEphemeralOwner());
        create(client, container + "/c", "", CreateMode.PERSISTENT);
        client.zk.delete(container + "/c", -1);
        Stat stat = new Stat();
        String ttl = client.zk.create(root + "/ttl", bytes("x"), Ids.OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT_WITH_TTL, stat, 400);
        same(0L, stat.getEphemeralOwner());
        String sequential = client.zk.create(root + "/t-", bytes("x"), Ids.OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 400);
        same(root + "/t-0000000002", sequential);
        String kept = client.zk.create(root + "/kept", bytes("x"), Ids.OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT_WITH_TTL, stat, 600_000);
        until("the container's end", () -> client.zk.exists(container, false) == null);
        until("the TTL node's end", () -> client.zk.exists(ttl, false) == null);
        until("the second one's end", () -> client.zk.exists(sequential, false) == null);
        check(client.zk.exists(kept, false) != null, "the other TTL node stays");
    }

    private static void badTtl(Client client, String root) {
        fails(IllegalArgumentException.class, () -> client.zk.create(root + "/t", null,
                Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), 0));
        fails(IllegalArgumentException.class, () -> client.zk.create(root + "/t", null,
                Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, new Stat(), 1L << 40));
    }

    private void watches(Client watcher, String root) throws Exception {
        Client writer = client();
        String path = root + "/w";
        same(null, watcher.zk.exists(path, true));
        create(writer, path, "", CreateMode.PERSISTENT);
        watcher.event(EventType.NodeCreated, path);
        watcher.zk.getData(path, true, null);
        watcher.zk.exists(path, true);
        writer.zk.setData(path, bytes("1"), -1);
        watcher.event(EventType.NodeDataChanged, path);
        writer.zk.setData(path, bytes("2"), -1);
        watcher.zk.getChildren(path, true);
        create(writer, path + "/c", "", CreateMode.PERSISTENT);
        watcher.event(EventType.NodeChildrenChanged, path);
        writer.zk.delete(path + "/c", -1);
        watcher.zk.getData(path, true, null);
        watcher.zk.getChildren(path, true);
        watcher.zk.getChildren(root, true);
        writer.zk.delete(path, -1);
        watcher.event(EventType.NodeDeleted, path);
        watcher.event(EventType.NodeChildrenChanged, root);
        watcher.noEvent();
    }

    private void persistent(Client watcher, String root) throws Exception {
        Client writer = client();
        String path = root + "/p";
        watcher.zk.addWatch(path, watcher, AddWatchMode.PERSISTENT);
        for (int round = 0; round < 2; round++) {
            create(writer, path, "", CreateMode.PERSISTENT);
            watcher.event(EventType.NodeCreated, path);
            writer.zk.setData(path, bytes("1"), -1);
            watcher.event(EventType.NodeDataChanged, path);
            create(writer, path + "/c", "", CreateMode.PERSISTENT);
            watcher.event(EventType.NodeChildrenChanged, path);
            writer.zk.delete(path + "/c", -1);
            watcher.event(EventType.NodeChildrenChanged, path);
            writer.zk.delete(path, -1);
            watcher.event(EventType.NodeDeleted, path);
        }
        watcher.noEvent();
    }

    private void recursive(Client watcher, String root) throws Exception {
        Client writer = client();
        watcher.zk.addWatch(root, watcher, AddWatchMode.PERSISTENT_RECURSIVE);
        create(writer, root + "/a", "", CreateMode.PERSISTENT);
        create(writer, root + "/a/b", "", CreateMode.PERSISTENT);
        writer.zk.setData(root + "/a/b", bytes("1"), -1);
        writer.zk.delete(root + "/a/b", -1);
        watcher.event(EventType.NodeCreated, root + "/a");
        watcher.event(EventType.NodeCreated, root + "/a/b");
        watcher.event(EventType.NodeDataChanged, root + "/a/b");
        watcher.event(EventType.NodeDeleted, root + "/a/b");
        watcher.noEvent();
        order("drop");
        watcher.state(KeeperState.Disconnected);
        watcher.state(KeeperState.SyncConnected);
        writer.state(KeeperState.Disconnected);
        writer.state(KeeperState.SyncConnected);
        // The client sets its watches again after it is connected, and before this answer.
        watcher.noEvent();
        create(writer, root + "/a/c", "", CreateMode.PERSISTENT);
        watcher.event(EventType.NodeCreated, root + "/a/c");
    }

    private void removeWatches(Client client, String root) throws Exception {
        Client writer = client();
        client.zk.getData(root, client, null);
        client.zk.getChildren(root, client);
        client.zk.removeWatches(root, client, Watcher.WatcherType.Data, false);
        client.event(EventType.DataWatchRemoved, root);
        writer.zk.setData(root, bytes("1"), -1);
        client.noEvent();
        client.zk.removeAllWatches(root, Watcher.WatcherType.Any, false);
        client.event(EventType.ChildWatchRemoved, root);
        fails(KeeperException.NoWatcherException.class, () -> {
            client.zk.removeWatches(root, client, Watcher.WatcherType.Any, false);
            return null;
        });
        client.zk.addWatch(root, client, AddWatchMode.PERSISTENT_RECURSIVE);
        client.zk.removeWatches(root, client, Watcher.WatcherType.PersistentRecursive, false);
        client.event(EventType.PersistentWatchRemoved, root);
        create(writer, root + "/x", "", CreateMode.PERSISTENT);
        client.noEvent();
    }

    private static void multi(Client client, String root) throws Exception {
        List<OpResult> results = client.zk.multi(List.of(
                Op.create(root + "/a", bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.check(root + "/a", 0),
                Op.setData(root + "/a", bytes("2"), 0),
                Op.create(root + "/a/s-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL),
                Op.create(root + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
                Op.create(root + "/t", null, Ids.OPEN_ACL_UNSAFE,
                        CreateMode.PERSISTENT_WITH_TTL, 60_000),
                Op.delete(root + "/c", 0)));
        same(root + "/a", ((OpResult.CreateResult) results.get(0)).getPath());
        check(results.get(1) instanceof OpResult.CheckResult, results.get(1));
        same(1, ((OpResult.SetDataResult) results.get(2)).getStat().getVersion());
        same(root + "/a/s-0000000000", ((OpResult.CreateResult) results.get(3)).getPath());
        same(root + "/c", ((OpResult.CreateResult) results.get(4)).getPath());
        same(root + "/t", ((OpResult.CreateResult) results.get(5)).getPath());
        check(results.get(6) instanceof OpResult.DeleteResult, results.get(6));
        Stat stat = new Stat();
        same("2", text(client.zk.getData(root + "/a", false, stat)));
        same(stat.getCzxid(), stat.getMzxid());
        same(null, client.zk.exists(root + "/c", false));
        same(List.of(), client.zk.multi(List.of()));
    }

    private static void failedMulti(Client client, String root) throws Exception {
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

    private static void multiRead(Client client, String root) throws Exception {
        create(client, root + "/a", "1", CreateMode.PERSISTENT);
        List<OpResult> results = client.zk.multi(List.of(
                Op.getData(root + "/a"), Op.getChildren(root), Op.getData(root + "/none")));
        same("1", text(((OpResult.GetDataResult) results.get(0)).getData()));
        same(List.of("a"), ((OpResult.GetChildrenResult) results.get(1)).getChildren());
        same(-101, ((OpResult.ErrorResult) results.get(2)).getErr());
    }

    private void acls(Client alice, String root) throws Exception {
        Client bob = client();
        alice.zk.addAuthInfo("digest", bytes("alice:secret"));
        String path = root + "/a";
        alice.zk.create(path, bytes("hers"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        fails(KeeperException.NoAuthException.class, () -> bob.zk.getData(path, false, null));
        fails(KeeperException.NoAuthException.class, () -> bob.zk.exists(path, false) == null
                ? null : bob.zk.setData(path, null, -1));
        fails(KeeperException.InvalidACLException.class,
                () -> bob.zk.create(root + "/b", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
        bob.zk.addAuthInfo("digest", bytes("alice:secret"));
        same("hers", text(bob.zk.getData(path, false, null)));
        Stat stat = new Stat();
        List<ACL> acl = alice.zk.getACL(path, stat);
        same("digest", acl.get(0).getId().getScheme());
        same(Perms.ALL, acl.get(0).getPerms());
        same(0, stat.getAversion());
        // Not List.of: the client asks the list whether it holds null.
        List<ACL> readable = new ArrayList<>(acl);
        readable.add(new ACL(Perms.READ, Ids.ANYONE_ID_UNSAFE));
        same(1, alice.zk.setACL(path, readable, 0).getAversion());
        fails(KeeperException.BadVersionException.class, () -> alice.zk.setACL(path, acl, 0));
        Client carol = client();
        same("hers", text(carol.zk.getData(path, false, null)));
        // To one who may not administer, the hash is not shown.
        same("alice:x", carol.zk.getACL(path, stat).get(0).getId().getId());
        fails(KeeperException.NoAuthException.class,
                () -> carol.zk.setACL(path, Ids.OPEN_ACL_UNSAFE, -1));
        ACL elsewhere = new ACL(Perms.ALL, new Id("ip", "10.1.2.3"));
        carol.zk.create(root + "/ip", null, new ArrayList<>(List.of(elsewhere)),
                CreateMode.PERSISTENT);
        fails(KeeperException.NoAuthException.class,
                () -> carol.zk.getData(root + "/ip", false, null));
    }

    private void authFailed(Client ignored, String root) throws Exception {
        Client client = client();
        client.zk.addAuthInfo("nonsense", bytes("x"));
        client.state(KeeperState.AuthFailed);
        fails(KeeperException.AuthFailedException.class, () -> client.zk.exists(root, false));
    }

    private static void information(Client client, String root) throws Exception {
        create(client, root + "/a", "", CreateMode.PERSISTENT);
        create(client, root + "/a/b", "", CreateMode.PERSISTENT);
        same(2, client.zk.getAllChildrenNumber(root));
        CountDownLatch synced = new CountDownLatch(1);
        client.zk.sync(root, (code, path, context) -> {
            if (code == 0 && path.equals(root)) {
                synced.countDown();
            }
        }, null);
        check(synced.await(10, TimeUnit.SECONDS), "sync is answered");
        same("ip", client.zk.whoAmI().get(0).getAuthScheme());
        client.zk.addAuthInfo("digest", bytes("alice:secret"));
        List<String> schemes = new ArrayList<>();
        client.zk.whoAmI().forEach(who -> schemes.add(who.getAuthScheme() + " " + who.getUser()));
        Collections.sort(schemes);
        same(List.of("digest alice", "ip 127.0.0.1"), schemes);
        client.zk.getConfig(false, new Stat());
    }

    private void reattach(Client client, String root) throws Exception {
        create(client, root + "/e", "", CreateMode.EPHEMERAL);
        long session = client.zk.getSessionId();
        for (int round = 0; round < 3; round++) {
            order("drop");
            client.state(KeeperState.Disconnected);
            client.state(KeeperState.SyncConnected);
            same(session, client.zk.getSessionId());
            same(session, client.zk.exists(root + "/e", false).getEphemeralOwner());
        }
    }

    private void setWatches(Client watcher, String root) throws Exception {
        Client writer = client();
        create(writer, root + "/d", "", CreateMode.PERSISTENT);
        watcher.zk.getData(root + "/d", true, null);
        watcher.zk.exists(root + "/e", true);
        watcher.zk.getChildren(root, true);
        order("drop");
        watcher.state(KeeperState.Disconnected);
        watcher.state(KeeperState.SyncConnected);
        writer.state(KeeperState.Disconnected);
        writer.state(KeeperState.SyncConnected);
        // Nothing happened, so nothing is told, and all three are still set.
        watcher.noEvent();
        writer.zk.setData(root + "/d", bytes("1"), -1);
        watcher.event(EventType.NodeDataChanged, root + "/d");
        create(writer, root + "/e", "", CreateMode.PERSISTENT);
        watcher.event(EventType.NodeCreated, root + "/e");
        watcher.event(EventType.NodeChildrenChanged, root);
        watcher.noEvent();
    }

    private void catchUp(Client watcher, String root) throws Exception {
        Client writer = client(30_000);
        for (String name : List.of("changed", "deleted", "parent", "shrinking")) {
            create(writer, root + "/" + name, "", CreateMode.PERSISTENT);
        }
        create(writer, root + "/shrinking/c", "", CreateMode.PERSISTENT);
        watcher.zk.getData(root + "/changed", true, null);
        watcher.zk.exists(root + "/deleted", true);
        watcher.zk.exists(root + "/created", true);
        watcher.zk.getChildren(root + "/parent", true);
        watcher.zk.getChildren(root + "/shrinking", true);
        // The changes travel with the break: the writer's requests are on their way when the
        // watcher's connection ends, and are repeated until they succeed.
        order("drop");
        watcher.state(KeeperState.Disconnected);
        writer.state(KeeperState.Disconnected);
        writer.state(KeeperState.SyncConnected);
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

    private void manyWatches(Client watcher, String root) throws Exception {
        Client writer = client();
        // Their paths do not fit in one request of the client.
        String name = root + "/" + "x".repeat(300) + "-";
        int count = 1_000;
        for (int number = 0; number < count; number++) {
            watcher.zk.exists(name + number, true, (code, path, context, stat) -> {}, null);
        }
        watcher.noEvent();
        order("drop");
        watcher.state(KeeperState.Disconnected);
        watcher.state(KeeperState.SyncConnected);
        writer.state(KeeperState.Disconnected);
        writer.state(KeeperState.SyncConnected);
        watcher.noEvent();
        for (int number = 0; number < count; number++) {
            writer.zk.create(name + number, null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT,
                    (code, path, context, made) -> {}, null);
        }
        for (int number = 0; number < count; number++) {
            watcher.event(EventType.NodeCreated, name + number);
        }
    }

    private void restart(Client client, String root) throws Exception {
        Client patient = client(30_000);
        create(patient, root + "/e", "kept", CreateMode.EPHEMERAL);
        Stat before = new Stat();
        patient.zk.getData(root + "/e", true, before);
        order("restart");
        patient.state(KeeperState.Disconnected);
        patient.state(KeeperState.SyncConnected);
        Stat after = new Stat();
        same("kept", text(patient.zk.getData(root + "/e", true, after)));
        same(before, after);
        patient.zk.setData(root + "/e", bytes("changed"), 0);
        patient.event(EventType.NodeDataChanged, root + "/e");
        client.zk.close(1_000);
    }

    private void expired(Client other, String root) throws Exception {
        Client client = client(1_000);
        create(client, root + "/e", "", CreateMode.EPHEMERAL);
        order("close");
        client.state(KeeperState.Disconnected);
        order("expired 0x" + Long.toHexString(client.zk.getSessionId()));
        order("open");
        client.state(KeeperState.Expired);
        fails(KeeperException.SessionExpiredException.class, () -> client.zk.exists(root, false));
        other.state(KeeperState.Disconnected);
        other.state(KeeperState.SyncConnected);
        same(null, other.zk.exists(root + "/e", false));
    }

    private void takeOver(Client first, String root) throws Exception {
        create(first, root + "/e", "", CreateMode.EPHEMERAL);
        Client second = new Client();
        second.zk = new ZooKeeper(Harness.CONNECT, 6_000, second,
                first.zk.getSessionId(), first.zk.getSessionPasswd());
        open.add(second);
        second.state(KeeperState.SyncConnected);
        first.state(KeeperState.Disconnected);
        same(first.zk.getSessionId(), second.zk.getSessionId());
        Client thief = new Client();
        thief.zk = new ZooKeeper(Harness.CONNECT, 6_000, thief,
                first.zk.getSessionId(), new byte[16]);
        open.add(thief);
        thief.state(KeeperState.Expired);
    }

    private static void pipeline(Client client, String root) throws Exception {
        List<Integer> answered = Collections.synchronizedList(new ArrayList<>());
        int count = 600;
        for (int number = 0; number < count; number++) {
            int mine = number;
            if (number % 2 == 0) {
                client.zk.create(root + "/n" + number, null, Ids.OPEN_ACL_UNSAFE,
                        CreateMode.PERSISTENT, (code, path, context, name) -> answered.add(mine),
                        null);
            } else {
                client.zk.exists(root + "/n" + (number - 1), false,
                        (code, path, context, stat) -> answered.add(stat == null ? -1 : mine), null);
            }
        }
        until("all answers", () -> answered.size() == count);
        List<Integer> sorted = new ArrayList<>(answered);
        Collections.sort(sorted);
        same(sorted, answered);
        same(0, answered.get(0));
    }

    private static void badPaths(Client client, String root) throws Exception {
        fails(IllegalArgumentException.class,
                () -> create(client, "relative", "", CreateMode.PERSISTENT));
        KeeperException.NoNodeException error = fails(KeeperException.NoNodeException.class,
                () -> create(client, root + "/none/below", "", CreateMode.PERSISTENT));
        same(root + "/none/below", error.getPath());
        fails(KeeperException.BadArgumentsException.class, () -> {
            client.zk.delete("/zookeeper", -1);
            return null;
        });
    }

    private void limit(Client client, String root) throws Exception {
        client.zk.create(root + "/fits", new byte[1_000_000], Ids.OPEN_ACL_UNSAFE,
                CreateMode.PERSISTENT);
        same(1_000_000, client.zk.getData(root + "/fits", false, null).length);
        fails(KeeperException.ConnectionLossException.class, () -> client.zk.create(
                root + "/big", new byte[1_100_000], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        client.state(KeeperState.Disconnected);
        client.state(KeeperState.SyncConnected);
        same(null, client.zk.exists(root + "/big", false));
    }
}
