package systems;

import static systems.Driver.PATIENCE_SECONDS;
import static systems.Driver.require;
import static systems.Driver.until;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;

/** A recipe at work: two clients, a path of its own, threads that do the same again and again. */
abstract class Recipe {
    /** Between two turns of a thread. */
    private static final long PAUSE_MS = 20;

    final CuratorFramework one;
    final CuratorFramework two;
    final String path;
    private final List<Worker> workers = new ArrayList<>();
    private volatile boolean over;
    private volatile Throwable failure;

    Recipe(CuratorFramework one, CuratorFramework two) {
        this.one = one;
        this.two = two;
        path = "/" + getClass().getSimpleName().toLowerCase();
    }

    /** What a thread does in one turn; turns are counted from 0. */
    interface Turn {
        void take(int number) throws Exception;
    }

    private final class Worker extends Thread {
        private final Turn turn;
        private volatile int taken;

        Worker(Turn turn) {
            this.turn = turn;
            setDaemon(true);
        }

        @Override
        public void run() {
            try {
                while (!over) {
                    turn.take(taken);
                    taken++;
                    sleep(PAUSE_MS);
                }
            } catch (Throwable error) {
                failure = error;
            }
        }
    }

    /** What is proven, for the report. */
    abstract String promise();

    /** Begins to work. */
    abstract void begin() throws Exception;

    /** Checks what must hold while servers come and go, beyond that every thread goes on. */
    void between() throws Exception { }

    /** Checks what must hold when all threads have ended. */
    abstract void takeStock() throws Exception;

    final void repeat(Turn turn) {
        Worker worker = new Worker(turn);
        workers.add(worker);
        worker.start();
    }

    /** Waits until each thread has taken so many more turns. */
    final void waitForMore(int turns) throws Exception {
        for (Worker worker : workers) {
            int target = worker.taken + turns;
            until(turns + " turns of " + getClass().getSimpleName(), () -> {
                sound();
                return worker.taken >= target;
            });
        }
        between();
    }

    /** Ends all threads and takes stock. */
    final void end() throws Exception {
        over = true;
        for (Worker worker : workers) {
            worker.join(PATIENCE_SECONDS * 1_000);
            require(!worker.isAlive(), "a thread hangs");
        }
        sound();
        takeStock();
    }

    private void sound() {
        if (failure != null) {
            throw new AssertionError(getClass().getSimpleName() + " failed", failure);
        }
    }

    static byte[] bytes(Object value) {
        return value.toString().getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** Counts who is within at the same time, and fails when there are too many. */
    static final class Room {
        private final AtomicInteger within = new AtomicInteger();
        private final int most;

        Room(int most) {
            this.most = most;
        }

        void stay() throws InterruptedException {
            try {
                int now = within.incrementAndGet();
                require(now <= most, now + " are within at once");
                Thread.sleep(1);
            } finally {
                within.decrementAndGet();
            }
        }
    }
}
