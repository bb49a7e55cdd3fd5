package systems;

import static systems.Driver.require;
import static systems.Driver.until;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.state.ConnectionState;

/** The queues: what is put in comes out. */
final class Queues {
    /** How long an item of the delayed queue waits. */
    private static final long DELAY_MS = 100;
    /** More items are not put in while so many wait: every taker lists all that wait. */
    private static final int WAITING_MAX = 20;

    private Queues() {}

    static List<Recipe> all(CuratorFramework one, CuratorFramework two) {
        return List.of(new Plain(one, two), new Priority(one, two), new Delay(one, two),
                new Id(one, two), new Simple(one, two));
    }

    /**
     * Items from the first client to the second, which takes each under a lock. A lock that was
     * made and not acknowledged counts as another one's until the session ends.
     */
    private abstract static class Queue extends Recipe {
        private final Map<Integer, Integer> seen = new ConcurrentHashMap<>();
        private final AtomicInteger put = new AtomicInteger();
        private final String kind;

        Queue(CuratorFramework one, CuratorFramework two, String kind) {
            super(one, two);
            this.kind = kind;
        }

        @Override
        final String promise() {
            return kind + " delivers, but for an item whose lock was taken at a server's death";
        }

        final QueueBuilder<Integer> builder(CuratorFramework client, boolean takes) {
            QueueConsumer<Integer> consumer = !takes ? null : new QueueConsumer<>() {
                @Override
                public void consumeMessage(Integer item) {
                    seen.merge(item, 1, Integer::sum);
                }

                @Override
                public void stateChanged(CuratorFramework client, ConnectionState state) { }
            };
            QueueSerializer<Integer> numbers = new QueueSerializer<>() {
                @Override
                public byte[] serialize(Integer item) {
                    return bytes(item);
                }

                @Override
                public Integer deserialize(byte[] bytes) {
                    return Integer.valueOf(text(bytes));
                }
            };
            return QueueBuilder.builder(client, consumer, numbers, path).lockPath(path + "-locks");
        }

        /** Begins to take, and gives what puts. */
        abstract Turn open() throws Exception;

        @Override
        void begin() throws Exception {
            Turn putting = open();
            repeat(number -> {
                if (put.get() - seen.size() < WAITING_MAX) {
                    putting.take(put.get());
                    put.incrementAndGet();
                }
            });
        }

        @Override
        void takeStock() throws Exception {
            until("all " + put + " items", () -> put.get() - seen.size() <= Curator.DEATHS);
        }
    }

    private static final class Plain extends Queue {
        Plain(CuratorFramework one, CuratorFramework two) {
            super(one, two, "DistributedQueue");
        }

        @Override
        Turn open() throws Exception {
            builder(two, true).buildQueue().start();
            DistributedQueue<Integer> queue = builder(one, false).buildQueue();
            queue.start();
            return queue::put;
        }
    }

    private static final class Priority extends Queue {
        Priority(CuratorFramework one, CuratorFramework two) {
            super(one, two, "DistributedPriorityQueue");
        }

        @Override
        Turn open() throws Exception {
            builder(two, true).buildPriorityQueue(2).start();
            DistributedPriorityQueue<Integer> queue = builder(one, false).buildPriorityQueue(0);
            queue.start();
            return number -> queue.put(number, number % 3);
        }
    }

    private static final class Delay extends Queue {
        Delay(CuratorFramework one, CuratorFramework two) {
            super(one, two, "DistributedDelayQueue");
        }

        @Override
        Turn open() throws Exception {
            builder(two, true).buildDelayQueue().start();
            DistributedDelayQueue<Integer> queue = builder(one, false).buildDelayQueue();
            queue.start();
            return number -> queue.put(number, System.currentTimeMillis() + DELAY_MS);
        }
    }

    private static final class Id extends Queue {
        Id(CuratorFramework one, CuratorFramework two) {
            super(one, two, "DistributedIdQueue");
        }

        @Override
        Turn open() throws Exception {
            builder(two, true).buildIdQueue().start();
            DistributedIdQueue<Integer> queue = builder(one, false).buildIdQueue();
            queue.start();
            return number -> queue.put(number, "id-" + number);
        }
    }

    /**
     * The queue of ZooKeeper's own recipe. It takes an item by deleting it and gives up one
     * whose deletion was not answered, so an item may be missed at each death of a server.
     */
    private static final class Simple extends Recipe {
        private final Map<Integer, Integer> seen = new ConcurrentHashMap<>();
        private final AtomicInteger offered = new AtomicInteger();
        private SimpleDistributedQueue puts;
        private SimpleDistributedQueue takes;

        Simple(CuratorFramework one, CuratorFramework two) {
            super(one, two);
        }

        @Override
        String promise() {
            return "SimpleDistributedQueue delivers, but for what was taken at a server's death";
        }

        @Override
        void begin() {
            puts = new SimpleDistributedQueue(one, path);
            takes = new SimpleDistributedQueue(two, path);
            repeat(number -> {
                if (offered.get() - seen.size() < WAITING_MAX) {
                    puts.offer(bytes(offered.get()));
                    offered.incrementAndGet();
                }
            });
            repeat(number -> take());
        }

        private boolean take() throws Exception {
            byte[] item = takes.poll(100, TimeUnit.MILLISECONDS);
            if (item != null) {
                seen.merge(Integer.valueOf(text(item)), 1, Integer::sum);
            }
            return item != null;
        }

        @Override
        void takeStock() throws Exception {
            while (take()) {
                // Until it is empty.
            }
            int missed = offered.get() - seen.size();
            require(missed <= Curator.DEATHS, missed + " items are missed");
            require(one.getChildren().forPath(path).isEmpty(), "items were left");
        }
    }
}
