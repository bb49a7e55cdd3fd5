package compat;

import static compat.Harness.bytes;
import static compat.Harness.check;
import static compat.Harness.text;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/**
 * Apache's client at work while servers of an ensemble come and go, which then takes stock.
 *
 * <p>Its session must live through all of it; what was acknowledged must be there, once; a watch
 * must see a counter only grow, and in the end its last value. It prints how many writes were
 * acknowledged so far, a line each, and ends when its standard input does.
 */
public final class AtWork implements Watcher {
    private static final int SESSION_MS = 30_000;
    private static final long PAUSE_MS = 50;
    private static final String ROOT = "/java";

    private final CountDownLatch connected = new CountDownLatch(1);
    private final List<Integer> acknowledged = new ArrayList<>();
    private final List<Integer> seen = Collections.synchronizedList(new ArrayList<>());
    private volatile boolean over;
    private volatile boolean lost;
    private volatile Throwable failure;
    private ZooKeeper zk;
    private long session;

    private interface Operation {
        void run() throws KeeperException, InterruptedException;
    }

    public static void main(String[] arguments) throws Exception {
        AtWork work = new AtWork();
        work.start();
        Thread worker = new Thread(work::work);
        worker.start();
        waitForEnd();
        work.over = true;
        worker.join(60_000);
        work.takeStock(worker);
    }

    private static void waitForEnd() throws IOException {
        while (System.in.read() >= 0) {
            // What is said does not matter.
        }
    }

    @Override
    public void process(WatchedEvent event) {
        switch (event.getState()) {
            case SyncConnected -> connected.countDown();
            case Expired, Closed -> lost = lost || !over;
            default -> { }
        }
    }

    private void start() throws Exception {
        zk = new ZooKeeper(System.getenv("COMPAT_CONNECT"), SESSION_MS, this);
        check(connected.await(60, TimeUnit.SECONDS), "no connection");
        session = zk.getSessionId();
        zk.create(ROOT, new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create(ROOT + "/held", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        zk.create(ROOT + "/counter", bytes("0"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        look();
    }

    /** Reads the counter, sets a watch, and comes back when it is told of a change. */
    private void look() {
        zk.getData(ROOT + "/counter", event -> {
            if (event.getType() == Event.EventType.NodeDataChanged) {
                look();
            }
        }, (code, path, context, data, stat) -> {
            if (code == KeeperException.Code.OK.intValue()) {
                seen.add(Integer.valueOf(text(data)));
            } else if (!over) {
                look();
            }
        }, null);
    }

    private void work() {
        try {
            for (int number = 0; !over; number++) {
                String path = ROOT + "/" + number;
                byte[] data = bytes(Integer.toString(number));
                insist(() -> zk.create(path, data, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
                insist(() -> zk.setData(ROOT + "/counter", data, -1));
                acknowledged.add(number);
                System.out.println(acknowledged.size());
            }
        } catch (KeeperException | InterruptedException | RuntimeException | Error error) {
            failure = error;
        }
    }

    /** Repeats what a lost connection left open. */
    private static void insist(Operation operation) throws KeeperException, InterruptedException {
        for (boolean repeated = false; ; repeated = true) {
            try {
                operation.run();
                return;
            } catch (KeeperException.ConnectionLossException error) {
                Thread.sleep(PAUSE_MS);
            } catch (KeeperException.NodeExistsException error) {
                // Without a repetition nobody else can have made it.
                check(repeated, "a create was applied twice");
                return;
            }
        }
    }

    private void takeStock(Thread worker) throws Exception {
        if (failure != null) {
            throw new AssertionError("the worker failed", failure);
        }
        check(!worker.isAlive(), "the worker hangs");
        check(!lost && zk.getSessionId() == session, "the session was lost");
        zk.sync(ROOT, (code, path, context) -> { }, null);
        Stat held = zk.exists(ROOT + "/held", false);
        check(held != null && held.getEphemeralOwner() == session, "the ephemeral is gone");
        Set<String> expected = new HashSet<>(List.of("held", "counter"));
        acknowledged.forEach(number -> expected.add(number.toString()));
        check(expected.equals(new HashSet<>(zk.getChildren(ROOT, false))), "lost or invented znodes");
        int last = acknowledged.get(acknowledged.size() - 1);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (seen.get(seen.size() - 1) != last) {
            check(System.nanoTime() < deadline, "the watch ended at " + seen.get(seen.size() - 1));
            Thread.sleep(20);
        }
        List<Integer> sorted = new ArrayList<>(seen);
        Collections.sort(sorted);
        check(sorted.equals(new ArrayList<>(seen)), "the counter went back");
        zk.close();
    }
}
