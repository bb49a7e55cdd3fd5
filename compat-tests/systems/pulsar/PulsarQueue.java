package systems;

import static systems.Driver.require;
import static systems.PulsarStore.settle;
import static systems.PulsarStore.text;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.pulsar.metadata.api.GetResult;

/** Takes what the brokers put into a queue of sequential nodes, in their order. */
final class PulsarQueue {
    private final PulsarStore pulsar;
    private final Set<String> taken = ConcurrentHashMap.newKeySet();
    private final Map<String, Integer> last = new HashMap<>();
    private final Thread thread = new Thread(this::work);
    private volatile boolean over;
    private volatile Throwable failure;

    PulsarQueue(PulsarStore pulsar) {
        this.pulsar = pulsar;
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    /** What was taken until now. */
    Set<String> taken() {
        if (failure != null) {
            throw new AssertionError("the queue failed", failure);
        }
        return taken;
    }

    /** Takes all that is there and ends. */
    void end() throws Exception {
        over = true;
        thread.join(Driver.PATIENCE_SECONDS * 1_000);
        require(!thread.isAlive(), "the queue hangs");
        taken();
    }

    private void work() {
        try {
            while (true) {
                boolean last = over;
                List<String> items = get(settle(() ->
                        pulsar.store.getChildrenFromStore("/queue")));
                for (String item : items) {
                    take("/queue/" + item);
                }
                if (last) {
                    return;
                }
                Thread.sleep(20);
            }
        } catch (Throwable error) {
            failure = error;
        }
    }

    private void take(String path) throws Exception {
        Optional<GetResult> found = get(settle(() -> pulsar.store.get(path)));
        String item = text(found.orElseThrow().getValue());
        String[] parts = item.split(":");
        int number = Integer.parseInt(parts[1]);
        // The same again is right: the store itself repeats what it got no answer to.
        int before = last.getOrDefault(parts[0], -1);
        require(number >= before, path + " has " + item + " after " + before);
        last.put(parts[0], number);
        get(pulsar.delete(path, Optional.of(0L)));
        taken.add(item);
    }

    private static <T> T get(java.util.concurrent.CompletableFuture<T> future) throws Exception {
        return future.get(Driver.PATIENCE_SECONDS, TimeUnit.SECONDS);
    }
}
