package systems;

import static systems.Driver.check;
import static systems.Driver.killLeader;
import static systems.Driver.order;
import static systems.Driver.require;
import static systems.Driver.revive;
import static systems.Driver.same;
import static systems.Driver.until;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.bookkeeper.client.BKException;
import org.apache.bookkeeper.client.BookKeeper.DigestType;
import org.apache.bookkeeper.client.BookKeeperAdmin;
import org.apache.bookkeeper.client.LedgerEntry;
import org.apache.bookkeeper.client.LedgerHandle;
import org.apache.bookkeeper.client.api.LedgerMetadata;
import org.apache.bookkeeper.conf.ClientConfiguration;
import org.apache.bookkeeper.conf.ServerConfiguration;
import org.apache.zookeeper.ZooKeeper;

/** Three bookies: ledgers are written, read, fenced, repaired and deleted. */
public final class BookKeeper {
    private static final byte[] PASSWORD = "secret".getBytes(StandardCharsets.UTF_8);
    private static final int COPIES = 2;

    private final String metadata;
    private final ZooKeeper zk;
    private final List<Long> closed = new ArrayList<>();
    private final AtomicInteger added = new AtomicInteger();
    private org.apache.bookkeeper.client.BookKeeper client;
    private volatile LedgerHandle ledger;
    private volatile boolean over;
    private volatile Throwable failure;

    private BookKeeper(String metadata, String servers) throws Exception {
        this.metadata = metadata;
        zk = new ZooKeeper(servers, 30_000, event -> { });
    }

    public static void main(String[] arguments) {
        Driver.drive(() -> new BookKeeper(arguments[0], arguments[1]).run());
    }

    private void run() throws Exception {
        check("a cluster is made, three bookies register, one becomes the auditor", this::begin);
        check("ledgers are written, closed and read", () -> {
            for (int number = 0; number < 5; number++) {
                write(50);
            }
        });
        check("the leader dies while entries are added and ledgers made; no bookie loses its"
                + " session", this::leaderDies);
        check("a ledger is fenced: its writer is refused, what was added stays", this::fence);
        check("the auditor's bookie dies with the leader, every ledger is copied anew",
                this::bookieDies);
        check("the bookie comes back", () -> {
            order("start bookie-1");
            until("three bookies", () -> bookies() == 3);
            write(50);
        });
        check("every entry of every ledger is there, in order", () -> {
            for (long id : closed) {
                read(id);
            }
        });
        check("ledgers are deleted", () -> {
            for (long id : closed) {
                client.deleteLedger(id);
                require(!exists(id), "ledger " + id + " is there");
            }
        });
        client.close();
        for (int bookie = 1; bookie <= 3; bookie++) {
            order("stop bookie-" + bookie);
        }
    }

    private void begin() throws Exception {
        ServerConfiguration server = new ServerConfiguration();
        server.setMetadataServiceUri(metadata);
        require(BookKeeperAdmin.format(server, false, true), "formatted");
        for (int bookie = 1; bookie <= 3; bookie++) {
            order("start bookie-" + bookie);
            int wanted = bookie;
            until("bookie " + bookie, () -> bookies() == wanted);
        }
        ClientConfiguration settings = new ClientConfiguration();
        settings.setMetadataServiceUri(metadata).setZkTimeout(20_000);
        client = new org.apache.bookkeeper.client.BookKeeper(settings);
        until("an auditor", () -> auditor() != null);
    }

    private int bookies() throws Exception {
        // One of the children is the folder of those that only read.
        return zk.getChildren("/ledgers/available", false).size() - 1;
    }

    private String auditor() throws Exception {
        return new String(zk.getData("/ledgers/underreplication/auditorelection", false, null),
                StandardCharsets.UTF_8);
    }

    private LedgerHandle create() throws Exception {
        return client.createLedger(COPIES, COPIES, COPIES, DigestType.CRC32C, PASSWORD);
    }

    private static byte[] entry(long number) {
        return Long.toString(number).getBytes(StandardCharsets.UTF_8);
    }

    /** A ledger with so many entries, closed and read. */
    private void write(int entries) throws Exception {
        try (LedgerHandle made = create()) {
            for (int number = 0; number < entries; number++) {
                same((long) number, made.addEntry(entry(number)));
            }
            closed.add(made.getId());
        }
        same((long) entries, read(closed.get(closed.size() - 1)));
    }

    /** Reads all of a ledger that is closed, and counts its entries. */
    private long read(long id) throws Exception {
        try (LedgerHandle opened = client.openLedger(id, DigestType.CRC32C, PASSWORD)) {
            long last = opened.getLastAddConfirmed();
            long number = 0;
            Enumeration<LedgerEntry> entries = opened.readEntries(0, last);
            while (entries.hasMoreElements()) {
                same(Long.toString(number),
                        new String(entries.nextElement().getEntry(), StandardCharsets.UTF_8));
                number++;
            }
            return number;
        }
    }

    private boolean exists(long id) throws Exception {
        try {
            client.openLedger(id, DigestType.CRC32C, PASSWORD).close();
            return true;
        } catch (BKException.BKNoSuchLedgerExistsOnMetadataServerException error) {
            return false;
        }
    }

    /** Adds to one ledger until it is told to end. */
    private void add() {
        try {
            while (!over) {
                ledger.addEntry(entry(added.get()));
                added.incrementAndGet();
                Thread.sleep(2);
            }
        } catch (Exception error) {
            failure = error;
        }
    }

    private void more(int count) throws Exception {
        int target = added.get() + count;
        until(count + " more entries", () -> {
            if (failure != null) {
                throw new AssertionError("an entry was not taken", failure);
            }
            return added.get() >= target;
        });
    }

    private List<Long> registrations() throws Exception {
        List<Long> created = new ArrayList<>();
        List<String> names = zk.getChildren("/ledgers/available", false);
        java.util.Collections.sort(names);
        for (String name : names) {
            created.add(zk.exists("/ledgers/available/" + name, false).getCzxid());
        }
        return created;
    }

    private void leaderDies() throws Exception {
        List<Long> before = registrations();
        ledger = create();
        Thread writer = new Thread(this::add);
        writer.setDaemon(true);
        writer.start();
        more(100);
        killLeader();
        write(50);
        more(100);
        revive();
        write(50);
        more(100);
        same(before, registrations());
    }

    private void fence() throws Exception {
        int least = added.get();
        long id = ledger.getId();
        closed.add(id);
        require(read(id) >= least, "entries are missing");
        until("the writer to be refused", () -> failure instanceof BKException);
        same((long) added.get(), read(id));
        over = true;
    }

    private void bookieDies() throws Exception {
        String before = auditor();
        // The auditor is the bookie that came first.
        order("kill bookie-1");
        killLeader();
        until("two bookies", () -> bookies() == 2);
        until("another auditor", () -> !before.equals(auditor()));
        write(50);
        String gone = before;
        until("every ledger on the two others", () -> {
            for (long id : closed) {
                if (hasMember(id, gone)) {
                    return false;
                }
            }
            return true;
        });
        revive();
    }

    /** Whether one of a ledger's copies is on a bookie; the auditor's znode names it by address. */
    private boolean hasMember(long id, String auditor) throws Exception {
        try (LedgerHandle opened =
                client.openLedgerNoRecovery(id, DigestType.CRC32C, PASSWORD)) {
            LedgerMetadata about = opened.getLedgerMetadata();
            return about.getAllEnsembles().values().stream().flatMap(List::stream)
                    .anyMatch(member -> auditor.contains(member.toString()));
        }
    }
}
