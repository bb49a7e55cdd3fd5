package compat;

import static compat.Harness.bytes;
import static compat.Harness.check;
import static compat.Harness.order;
import static compat.Harness.same;
import static compat.Harness.text;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;

/**
 * Watches that fire once: that each kind tells of what it is for, before the data, also what
 * happened while the client was away. Persistent ones are in Since36.
 */
final class Watches extends Behaviours {
    Watches(String only) {
        super(only);
        add("watch-data", this::watchData);
        add("watch-exists", this::watchExists);
        add("watch-children", this::watchChildren);
        add("watch-once", this::watchOnce);
        add("watch-first", this::watchFirst);
        add("watch-again", this::watchAgain);
        add("watch-missed", this::watchMissed);
    }

    private void watchData(Client watcher, String root) throws Exception {
        Client writer = client();
        String path = writer.create(root + "/w");
        watcher.watchData(path);
        watcher.zk.exists(path, true);
        writer.set(path, "1");
        watcher.event(EventType.NodeDataChanged, path);
        watcher.watchData(path);
        watcher.zk.getChildren(path, true);
        writer.delete(path);
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
        writer.delete(root + "/c");
        watcher.event(EventType.NodeChildrenChanged, root);
    }

    private void watchOnce(Client watcher, String root) throws Exception {
        Client writer = client();
        watcher.watchData(root);
        writer.set(root, "1");
        writer.set(root, "2");
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
        watcher.watchData(root + "/d");
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
        writer.set(root + "/d", "1");
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
        watcher.watchData(root + "/changed");
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
}
