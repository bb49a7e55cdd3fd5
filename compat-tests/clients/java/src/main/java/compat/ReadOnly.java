package compat;

import java.nio.charset.StandardCharsets;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/** A client that may be served by a read-only server, and says how far it has come. */
final class ReadOnly {
    /** The client looks for a server to write to less and less often, up to once a minute. */
    private static final long PATIENCE_MS = 180_000;

    private ReadOnly() {}

    public static void main(String[] args) throws Exception {
        try (ZooKeeper client = new ZooKeeper(Harness.CONNECT, 6000, event -> {}, true)) {
            await(client, ZooKeeper.States.CONNECTEDREADONLY);
            say("connected read-only");
            byte[] data = client.getData("/a", false, null);
            say("read " + new String(data, StandardCharsets.UTF_8));
            try {
                create(client, CreateMode.PERSISTENT);
            } catch (KeeperException.NotReadOnlyException expected) {
                say("not written");
            }
            await(client, ZooKeeper.States.CONNECTED);
            say("connected");
            create(client, CreateMode.EPHEMERAL);
            say("written");
        }
    }

    private static void create(ZooKeeper client, CreateMode mode) throws Exception {
        client.create("/java", new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, mode);
    }

    private static void await(ZooKeeper client, ZooKeeper.States state) throws Exception {
        long deadline = System.nanoTime() + PATIENCE_MS * 1_000_000;
        while (client.getState() != state) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("is " + client.getState() + ", never was " + state);
            }
            Thread.sleep(20);
        }
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
