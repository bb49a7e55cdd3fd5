package compat;

import static compat.Harness.order;
import static compat.Harness.same;
import static compat.Harness.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;

/**
 * What clients offer since 3.6: multis that read, watches that stay, and what a session or a
 * subtree holds.
 */
final class Since36 extends Behaviours {
    Since36(String only) {
        super(only);
        add("multi-read", Since36::multiRead);
        add("watch-persistent", this::persistent);
        add("watch-recursive", this::recursive);
        add("ephemerals-of", this::ephemeralsOf);
        add("all-children", Since36::allChildren);
    }

    private static void multiRead(Client client, String root) throws Exception {
        client.create(root + "/a", "1", CreateMode.PERSISTENT);
        List<OpResult> results = client.zk.multi(List.of(
                Op.getData(root + "/a"), Op.getChildren(root), Op.getData(root + "/none")));
        same("1", text(((OpResult.GetDataResult) results.get(0)).getData()));
        same(List.of("a"), ((OpResult.GetChildrenResult) results.get(1)).getChildren());
        same(-101, ((OpResult.ErrorResult) results.get(2)).getErr());
    }

    private void persistent(Client watcher, String root) throws Exception {
        Client writer = client();
        String path = root + "/p";
        watcher.zk.addWatch(path, watcher, AddWatchMode.PERSISTENT);
        for (int round = 0; round < 2; round++) {
            writer.create(path);
            watcher.event(EventType.NodeCreated, path);
            writer.set(path, "1");
            watcher.event(EventType.NodeDataChanged, path);
            writer.create(path + "/c");
            watcher.event(EventType.NodeChildrenChanged, path);
            writer.delete(path + "/c");
            watcher.event(EventType.NodeChildrenChanged, path);
            writer.delete(path);
            watcher.event(EventType.NodeDeleted, path);
        }
        watcher.noEvent();
    }

    private void recursive(Client watcher, String root) throws Exception {
        Client writer = client();
        watcher.zk.addWatch(root, watcher, AddWatchMode.PERSISTENT_RECURSIVE);
        writer.create(root + "/a");
        writer.create(root + "/a/b");
        writer.set(root + "/a/b", "1");
        writer.delete(root + "/a/b");
        watcher.event(EventType.NodeCreated, root + "/a");
        watcher.event(EventType.NodeCreated, root + "/a/b");
        watcher.event(EventType.NodeDataChanged, root + "/a/b");
        watcher.event(EventType.NodeDeleted, root + "/a/b");
        watcher.noEvent();
        order("drop");
        watcher.back();
        writer.back();
        // The client sets its watches again after it is connected, and before this answer.
        watcher.noEvent();
        writer.create(root + "/a/c");
        watcher.event(EventType.NodeCreated, root + "/a/c");
        // Its own kind is known since 3.9.
        Watcher.WatcherType kind = Arrays.stream(Watcher.WatcherType.values())
                .filter(known -> known.name().equals("PersistentRecursive"))
                .findAny().orElse(Watcher.WatcherType.Any);
        watcher.zk.removeWatches(root, watcher, kind, false);
        watcher.event(EventType.PersistentWatchRemoved, root);
        writer.create(root + "/x");
        watcher.noEvent();
    }

    private void ephemeralsOf(Client client, String root) throws Exception {
        client.create(root + "/e", "", CreateMode.EPHEMERAL);
        String path = client.create(root + "/e-", "", CreateMode.EPHEMERAL_SEQUENTIAL);
        List<String> mine = new ArrayList<>(client.zk.getEphemerals(root));
        Collections.sort(mine);
        same(List.of(root + "/e", path), mine);
        same(List.of(), client().zk.getEphemerals(root));
    }

    private static void allChildren(Client client, String root) throws Exception {
        client.create(root + "/a");
        client.create(root + "/a/b");
        same(2, client.zk.getAllChildrenNumber(root));
    }
}
