package systems;

import static systems.Driver.require;
import static systems.Driver.same;
import static systems.Driver.until;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;

/** The recipes that watch: caches and watchers catch up with what was changed meanwhile. */
@SuppressWarnings("deprecation")
final class Views {
    private Views() {}

    static List<Recipe> all(CuratorFramework one, CuratorFramework two) {
        return List.of(new Caches(one, two), new Watcher(one, two));
    }

    /** All four caches of the second client, of a tree that the first one changes. */
    private static final class Caches extends Recipe {
        private static final int CHILDREN = 8;
        private final AtomicInteger written = new AtomicInteger();
        private final AtomicInteger backwards = new AtomicInteger();
        private final Map<String, Integer> versions = new ConcurrentHashMap<>();
        private NodeCache node;
        private PathChildrenCache children;
        private TreeCache tree;
        private CuratorCache cache;

        Caches(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "CuratorCache, TreeCache, PathChildrenCache and NodeCache end as the tree is,"
                    + " and never go back";
        }

        @Override
        void begin() throws Exception {
            one.create().forPath(path, bytes(0));
            for (int child = 0; child < CHILDREN; child++) {
                one.create().forPath(path + "/" + child, bytes(0));
            }
            node = new NodeCache(two, path + "/0");
            node.start(true);
            children = new PathChildrenCache(two, path, true);
            children.start();
            tree = TreeCache.newBuilder(two, path).build();
            tree.start();
            cache = CuratorCache.build(two, path);
            cache.listenable().addListener(CuratorCacheListener.builder().forChanges((old, now) -> {
                int version = now.getStat().getVersion();
                Integer before = versions.put(now.getPath(), version);
                // A node that is made again begins at 0 again; "0" is never deleted.
                if (now.getPath().endsWith("/0") && before != null && before > version) {
                    backwards.incrementAndGet();
                }
            }).build());
            cache.start();
            repeat(number -> {
                one.setData().forPath(path + "/0", bytes(number));
                String other = path + "/" + (1 + number % (CHILDREN - 1));
                if (one.checkExists().forPath(other) == null) {
                    one.create().orSetData().forPath(other, bytes(number));
                } else if (number % 3 == 0) {
                    one.delete().quietly().forPath(other);
                } else {
                    one.setData().forPath(other, bytes(number));
                }
                written.set(number);
            });
        }

        @Override
        void between() throws Exception {
            int least = written.get();
            until("the caches to follow", () -> seen(node.getCurrentData().getData()) >= least
                    && seen(cache.get(path + "/0").orElseThrow().getData()) >= least
                    && seen(tree.getCurrentData(path + "/0").getData()) >= least
                    && seen(children.getCurrentData(path + "/0").getData()) >= least);
        }

        private static int seen(byte[] data) {
            return Integer.parseInt(text(data));
        }

        @Override
        void takeStock() throws Exception {
            Map<String, String> expected = new HashMap<>();
            for (String child : one.getChildren().forPath(path)) {
                expected.put(path + "/" + child, text(one.getData().forPath(path + "/" + child)));
            }
            until("equal caches", () -> {
                Map<String, String> first = new HashMap<>();
                cache.stream().forEach(data -> first.put(data.getPath(), text(data.getData())));
                first.remove(path);
                Map<String, String> second = new HashMap<>();
                children.getCurrentData().forEach(data ->
                        second.put(data.getPath(), text(data.getData())));
                Map<String, String> third = new HashMap<>();
                tree.getCurrentChildren(path).forEach((name, data) ->
                        third.put(data.getPath(), text(data.getData())));
                return first.equals(expected) && second.equals(expected) && third.equals(expected)
                        && text(node.getCurrentData().getData()).equals(expected.get(path + "/0"));
            });
            same(0, backwards.get());
            cache.close();
            tree.close();
            children.close();
            node.close();
        }
    }

    private static final class Watcher extends Recipe {
        private final Set<String> seen = ConcurrentHashMap.newKeySet();
        private final AtomicInteger resets = new AtomicInteger();
        private final AtomicInteger made = new AtomicInteger();
        private PersistentWatcher watcher;

        Watcher(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "PersistentWatcher watches again after every change of the server";
        }

        @Override
        void begin() throws Exception {
            one.create().forPath(path);
            watcher = new PersistentWatcher(two, path, true);
            watcher.getListenable().addListener(event -> {
                if (event.getPath() != null) {
                    seen.add(event.getPath());
                }
            });
            watcher.getResetListenable().addListener(resets::incrementAndGet);
            watcher.start();
            until("the watch", () -> resets.get() > 0);
            repeat(number -> {
                one.create().orSetData().forPath(path + "/" + number);
                made.set(number);
            });
        }

        @Override
        void between() throws Exception {
            // What happens while it is not connected it cannot see; what comes later it must.
            int next = made.get() + 2;
            until("the event", () -> seen.contains(path + "/" + next)
                    || seen.stream().anyMatch(one -> number(one) > next));
        }

        private int number(String seen) {
            return seen.equals(path) ? -1 : Integer.parseInt(seen.substring(path.length() + 1));
        }

        @Override
        void takeStock() {
            require(resets.get() > 0, "it was never set");
            watcher.close();
        }
    }
}
