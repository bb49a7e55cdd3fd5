package systems;

import static systems.Driver.require;
import static systems.Driver.same;
import static systems.Driver.until;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.helix.AccessOption;
import org.apache.helix.manager.zk.ZkBaseDataAccessor;
import org.apache.helix.store.HelixPropertyListener;
import org.apache.helix.store.zk.ZkHelixPropertyStore;
import org.apache.helix.zookeeper.datamodel.ZNRecord;
import org.apache.helix.zookeeper.datamodel.serializer.ZNRecordSerializer;

/**
 * The property store at work: records by the dozen, asynchronously, and a store that caches them
 * and hears of each.
 */
final class HelixRecords {
    private static final String ROOT = "/" + HelixParticipant.CLUSTER + "/PROPERTYSTORE";
    private static final int AT_ONCE = 20;
    private static final int KEPT = 5;
    private static final long PAUSE_MS = 300;
    private static final int ACCOUNTS = 4;
    private static final int IN_ACCOUNT = 1_000;

    private final ZkHelixPropertyStore<ZNRecord> store;
    private final ZkHelixPropertyStore<ZNRecord> cached;
    private final ZkBaseDataAccessor<ZNRecord> accounts;
    private final Set<String> heard = ConcurrentHashMap.newKeySet();
    private final Map<String, String> kept = new ConcurrentHashMap<>();
    private final Thread thread = new Thread(this::work);
    private volatile int rounds;
    private volatile boolean over;
    private volatile Throwable failure;

    HelixRecords(String servers) {
        accounts = new ZkBaseDataAccessor<>(servers, new ZNRecordSerializer());
        store = new ZkHelixPropertyStore<>(servers, new ZNRecordSerializer(), ROOT);
        require(store.create("/records", record("records", 0), AccessOption.PERSISTENT), "a root");
        cached = new ZkHelixPropertyStore<>(
                servers, new ZNRecordSerializer(), ROOT, List.of(ROOT + "/records"));
        thread.setDaemon(true);
    }

    void begin() throws Exception {
        cached.subscribe("/records", new HelixPropertyListener() {
            @Override
            public void onDataChange(String path) { }

            @Override
            public void onDataCreate(String path) {
                heard.add(path);
            }

            @Override
            public void onDataDelete(String path) { }
        });
        for (int account = 0; account < ACCOUNTS; account++) {
            require(accounts.create(account(account), record("account", IN_ACCOUNT),
                    AccessOption.PERSISTENT), "an account");
        }
        fleeting();
        thread.start();
        goOn();
    }

    private static String account(int number) {
        return ROOT + "/accounts/" + number;
    }

    private static ZNRecord record(String id, int value) {
        ZNRecord record = new ZNRecord(id);
        record.setIntField("value", value);
        return record;
    }

    private void fleeting() {
        int options = AccessOption.PERSISTENT_WITH_TTL;
        require(store.create("/fleeting", record("fleeting", 0), options, 1_000), "a TTL");
        require(store.create("/box", record("box", 0), AccessOption.CONTAINER), "a container");
        require(store.create("/box/only", record("only", 0), AccessOption.PERSISTENT), "its child");
        require(store.remove("/box/only", AccessOption.PERSISTENT), "its child goes");
    }

    /** Waits until some more was written. */
    void goOn() throws Exception {
        int target = rounds + 3;
        until("more records", () -> {
            sound();
            return rounds >= target;
        });
        String last = "/records/" + (target - 1) + "-0";
        until("the listener to hear of " + last, () -> heard.contains(last));
        until("the cache to follow", () -> target - 1 + AT_ONCE
                == cached.get(last, null, 0).getIntField("value", -1));
    }

    private void sound() {
        if (failure != null) {
            throw new AssertionError("records are not written any more", failure);
        }
    }

    private void work() {
        try {
            while (!over) {
                round(rounds);
                move(rounds);
                rounds++;
                Thread.sleep(PAUSE_MS);
            }
        } catch (Throwable error) {
            failure = error;
        }
    }

    /**
     * A dozen is made, changed twice, and most of it removed. What is said not to be done may
     * be: the client repeats what it got no answer to.
     */
    private void round(int number) {
        List<String> paths = new ArrayList<>();
        List<ZNRecord> made = new ArrayList<>();
        for (int one = 0; one < AT_ONCE; one++) {
            paths.add("/records/" + number + "-" + one);
            made.add(record(number + "-" + one, number));
        }
        store.createChildren(paths, made, AccessOption.PERSISTENT);
        for (boolean there : store.exists(paths, 0)) {
            require(there, "round " + number + ": a record was not made");
        }
        List<ZNRecord> changed = new ArrayList<>();
        made.forEach(one -> changed.add(record(one.getId(), number + AT_ONCE)));
        all(store.setChildren(paths, changed, AccessOption.PERSISTENT), "set");
        all(store.updateChildren(paths, Collections.nCopies(AT_ONCE, before -> {
            before.setSimpleField("updated", "yes");
            return before;
        }), AccessOption.PERSISTENT), "updated");
        List<String> gone = paths.subList(KEPT, AT_ONCE);
        store.remove(gone, 0);
        for (boolean there : store.exists(gone, 0)) {
            require(!there, "round " + number + ": a record is there still");
        }
        for (String path : paths.subList(0, KEPT)) {
            kept.put(path, Integer.toString(number + AT_ONCE));
        }
    }

    private static void all(boolean[] done, String what) {
        for (boolean one : done) {
            require(one, "a record could not be " + what);
        }
    }

    /** Moves something from one account to another, in a transaction. */
    private void move(int number) {
        String from = account(number % ACCOUNTS);
        String to = account((number + 1) % ACCOUNTS);
        boolean moved = accounts.multiSet(Map.of(from, before -> {
            before.setIntField("value", before.getIntField("value", 0) - number);
            return before;
        }, to, before -> {
            before.setIntField("value", before.getIntField("value", 0) + number);
            return before;
        }));
        require(moved, "nothing was moved in round " + number);
    }

    /** Ends and checks that all is there. */
    void end() throws Exception {
        over = true;
        thread.join(Driver.PATIENCE_SECONDS * 1_000);
        require(!thread.isAlive(), "the records hang");
        sound();
        same(new TreeSet<>(kept.keySet()), names(store));
        Map<String, String> found = new HashMap<>();
        for (ZNRecord record : store.getChildren("/records", null, 0, 1, 0)) {
            same("yes", record.getSimpleField("updated"));
            found.put("/records/" + record.getId(), record.getSimpleField("value"));
        }
        same(new HashMap<>(kept), found);
        int sum = 0;
        for (int account = 0; account < ACCOUNTS; account++) {
            sum += accounts.get(account(account), null, 0).getIntField("value", 0);
        }
        same(ACCOUNTS * IN_ACCOUNT, sum);
    }

    private static Set<String> names(ZkHelixPropertyStore<ZNRecord> of) {
        Set<String> names = new TreeSet<>();
        of.getChildNames("/records", 0).forEach(name -> names.add("/records/" + name));
        return names;
    }

    /** What the cache has is what the store has. */
    void cacheIsEqual() throws Exception {
        Set<String> differ = new TreeSet<>();
        try {
            until("an equal cache", () -> {
                differ.clear();
                differ.addAll(differences());
                return differ.isEmpty();
            });
        } catch (AssertionError error) {
            throw new AssertionError("the cache differs: " + differ, error);
        }
        require(heard.containsAll(kept.keySet()), "a record was not heard of");
    }

    private Set<String> differences() {
        Map<String, String> found = new TreeMap<>();
        for (String path : names(cached)) {
            ZNRecord record = cached.get(path, null, 0);
            // Helix keeps the name of a record that was gone before it came to read it, on
            // either server: a name alone counts for nothing.
            if (record != null) {
                found.put(path, record.getSimpleField("value"));
            }
        }
        Set<String> differ = new TreeSet<>();
        Set<String> paths = new TreeSet<>(found.keySet());
        paths.addAll(kept.keySet());
        for (String path : paths) {
            if (!Objects.equals(found.get(path), kept.get(path))) {
                differ.add(path + " has " + found.get(path) + " for " + kept.get(path));
            }
        }
        return differ;
    }

    /** The records of the terms of a partition's masters. */
    ZNRecord terms(String partition) {
        return store.get("/terms/" + partition, null, 0);
    }

    void fleetingIsGone() throws Exception {
        until("what was made for a second to go", () -> !store.exists("/fleeting", 0));
        until("the empty container to go", () -> !store.exists("/box", 0));
    }

    void close() {
        cached.close();
        store.close();
        accounts.close();
    }
}
