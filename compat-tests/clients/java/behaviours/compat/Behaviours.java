package compat;

import static compat.Harness.bytes;
import static compat.Harness.same;
import static compat.Harness.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/**
 * Behaviours of one subject: each has clients and a path of its own, and one line of the report.
 * What is asserted, the subjects say.
 */
abstract class Behaviours {
    static final String ENSEMBLE = System.getenv("COMPAT_ENSEMBLE");

    private final Map<String, Body> behaviours = new LinkedHashMap<>();
    private final List<ZooKeeper> open = new ArrayList<>();
    private final String only;

    Behaviours(String only) {
        this.only = only;
    }

    /** A behaviour's body; fails by throwing. */
    interface Body {
        void run(Client client, String root) throws Exception;
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

        /** Waits out a broken connection. */
        void back() throws InterruptedException {
            state(KeeperState.Disconnected);
            state(KeeperState.SyncConnected);
        }

        /** A znode that all may use; returns its path. */
        String create(String path, String data, CreateMode mode) throws Exception {
            return zk.create(path, bytes(data), Ids.OPEN_ACL_UNSAFE, mode);
        }

        String create(String path) throws Exception {
            return create(path, "", CreateMode.PERSISTENT);
        }

        void delete(String path) throws Exception {
            zk.delete(path, -1);
        }

        void set(String path, String data) throws Exception {
            zk.setData(path, bytes(data), -1);
        }

        /** Reads data with a watch. */
        void watchData(String path) throws Exception {
            zk.getData(path, true, null);
        }

        String data(String path) throws Exception {
            return text(zk.getData(path, false, null));
        }

        /** Null, where there is no znode. */
        Stat exists(String path) throws Exception {
            return zk.exists(path, false);
        }

        /** The session that an ephemeral belongs to. */
        long owner(String path) throws Exception {
            return exists(path).getEphemeralOwner();
        }
    }

    final void add(String name, Body body) {
        behaviours.put(name, body);
    }

    final List<String> names() {
        return new ArrayList<>(behaviours.keySet());
    }

    /** Has a client stopped when its behaviour ends. */
    final Client opened(Client client, ZooKeeper zk) {
        client.zk = zk;
        open.add(zk);
        return client;
    }

    final Client client(String servers, int timeoutMs) throws Exception {
        Client client = new Client();
        opened(client, new ZooKeeper(servers, timeoutMs, client));
        client.state(KeeperState.SyncConnected);
        return client;
    }

    final Client client(int timeoutMs) throws Exception {
        return client(Harness.CONNECT, timeoutMs);
    }

    final Client client() throws Exception {
        return client(6_000);
    }

    /** Runs all behaviours and prints a line for each. */
    final void run() throws Exception {
        for (Map.Entry<String, Body> behaviour : behaviours.entrySet()) {
            if (!behaviour.getKey().contains(only)) {
                continue;
            }
            String outcome = "works";
            long began = System.nanoTime();
            try {
                String root = "/java-" + behaviour.getKey();
                Client client = client();
                client.create(root);
                behaviour.getValue().run(client, root);
            } catch (Throwable thrown) {
                thrown.printStackTrace(System.out);
                outcome = "fails " + thrown.toString().replace('\n', ' ');
            }
            for (ZooKeeper zk : open) {
                zk.close();
            }
            open.clear();
            System.out.printf("(%.1f s)%n", (System.nanoTime() - began) / 1e9);
            System.out.println(behaviour.getKey() + " " + outcome);
            System.out.flush();
        }
    }
}
