package compat;

import static compat.Harness.check;
import static compat.Harness.fails;
import static compat.Harness.order;
import static compat.Harness.same;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooKeeper;

/**
 * Three servers: that a session goes on when one is killed, that one alone serves readers, and
 * that the members are read. That they are given anew is in Since35.
 */
final class Ensembles extends Behaviours {
    Ensembles(String only) {
        super(only);
        add("server-killed", (client, root) -> outlives(root,
                id -> "kill-server-of 0x" + Long.toHexString(id)));
        add("leader-killed", (client, root) -> outlives(root, id -> "kill-leader"));
        add("read-only", this::readOnly);
        add("config-get", this::config);
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
        same(session, client.owner(root + "/e"));
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
        same("data", client.data(root));
        fails(KeeperException.NotReadOnlyException.class, () -> client.create(root + "/a"));
        order("ensemble");
        Harness.until("a server that writes",
                () -> client.zk.getState() == ZooKeeper.States.CONNECTED);
        insist(client, root + "/a");
    }

    private void config(Client ignored, String root) throws Exception {
        order("ensemble");
        Client client = client(ENSEMBLE, 6_000);
        String config = client.data("/zookeeper/config");
        List<String> keys = new ArrayList<>();
        for (String line : config.split("\n")) {
            keys.add(line.split("=")[0]);
        }
        same(List.of("server.1", "server.2", "server.3", "version"), keys);
    }
}
