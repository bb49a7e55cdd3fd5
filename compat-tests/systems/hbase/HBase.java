package systems;

import static systems.Driver.check;
import static systems.Driver.killLeader;
import static systems.Driver.order;
import static systems.Driver.require;
import static systems.Driver.revive;
import static systems.Driver.same;
import static systems.Driver.until;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.ServerName;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.Put;
import org.apache.hadoop.hbase.client.Result;
import org.apache.hadoop.hbase.client.ResultScanner;
import org.apache.hadoop.hbase.client.Scan;
import org.apache.hadoop.hbase.client.Table;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.hadoop.hbase.util.Bytes;
import org.apache.zookeeper.ZooKeeper;

/** Two masters and two region servers: rows go on, each role is taken over when its holder dies. */
public final class HBase {
    private static final TableName NUMBERS = TableName.valueOf("numbers");
    private static final byte[] FAMILY = Bytes.toBytes("f");

    private final AtomicInteger put = new AtomicInteger();
    private final ZooKeeper zk;
    private Connection connection;
    private Admin admin;
    private volatile boolean over;

    private HBase(String servers) throws Exception {
        zk = new ZooKeeper(servers, 30_000, event -> { });
    }

    public static void main(String[] arguments) {
        Driver.drive(() -> new HBase(arguments[0]).run());
    }

    private void run() throws Exception {
        check("a master leads, another waits, two region servers register", this::begin);
        check("a table of three regions is made, rows are put and scanned", this::table);
        check("the leader dies, rows and tables go on, no server loses its session",
                this::leaderDies);
        check("the leading master dies, the other takes over", this::masterDies);
        check("a region server dies with the leader, its regions and rows are recovered",
                this::regionServerDies);
        check("every row that was put is there, once", this::takeStock);
        check("tables are disabled and deleted", () -> {
            drop("during");
            drop("numbers");
            same(0, admin.listTableNames().length);
        });
        admin.close();
        connection.close();
        order("kill region-1");
        order("kill master-1");
    }

    private void begin() throws Exception {
        order("start master-1");
        order("start region-1");
        order("start region-2");
        until("a master", () -> zk.exists("/hbase/master", false) != null);
        until("both region servers", () -> zk.getChildren("/hbase/rs", false).size() == 2);
        Configuration settings = HBaseConfiguration.create();
        settings.setInt("hbase.client.retries.number", 30);
        connection = ConnectionFactory.createConnection(settings);
        admin = connection.getAdmin();
        until("a cluster", () -> admin.getRegionServers().size() == 2
                && !admin.isMasterInMaintenanceMode());
        order("start master-2");
        until("a master that waits", () -> admin.getBackupMasters().size() == 1);
    }

    private void make(TableName name) throws Exception {
        admin.createTable(TableDescriptorBuilder.newBuilder(name)
                .setColumnFamily(ColumnFamilyDescriptorBuilder.of(FAMILY)).build(),
                new byte[][] {Bytes.toBytes("3"), Bytes.toBytes("6")});
    }

    private void table() throws Exception {
        make(NUMBERS);
        Thread writer = new Thread(this::write);
        writer.setDaemon(true);
        writer.start();
        more(300);
        scanned();
    }

    private void write() {
        try (Table table = connection.getTable(NUMBERS)) {
            while (!over) {
                byte[] number = Bytes.toBytes(Integer.toString(put.get()));
                try {
                    table.put(new Put(number).addColumn(FAMILY, FAMILY, number));
                    put.incrementAndGet();
                    Thread.sleep(5);
                } catch (java.io.IOException error) {
                    // Its region is on no server for now: the same row again.
                    Thread.sleep(200);
                }
            }
        } catch (java.io.IOException | InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    private void more(int count) throws Exception {
        int target = put.get() + count;
        until(count + " more rows", () -> put.get() >= target);
    }

    private int scanned() throws Exception {
        int least = put.get();
        int rows = 0;
        try (Table table = connection.getTable(NUMBERS);
                ResultScanner scanner = table.getScanner(new Scan())) {
            for (Result row : scanner) {
                rows++;
            }
        }
        require(rows >= least, rows + " rows of " + least);
        return rows;
    }

    /** When each region server registered: the zxid of its ephemeral node. */
    private Map<String, Long> registrations() throws Exception {
        Map<String, Long> created = new TreeMap<>();
        for (String name : zk.getChildren("/hbase/rs", false)) {
            created.put(name, zk.exists("/hbase/rs/" + name, false).getCzxid());
        }
        created.put("master", zk.exists("/hbase/master", false).getCzxid());
        return created;
    }

    private void leaderDies() throws Exception {
        Map<String, Long> before = registrations();
        killLeader();
        more(200);
        revive();
        make(TableName.valueOf("during"));
        more(200);
        same(before, registrations());
        scanned();
    }

    private void masterDies() throws Exception {
        ServerName before = admin.getMaster();
        order("kill master-1");
        until("the other master", () -> !before.equals(admin.getMaster()));
        more(100);
        order("start master-1");
        until("a master that waits", () -> admin.getBackupMasters().size() == 1);
        scanned();
    }

    private void regionServerDies() throws Exception {
        order("kill region-2");
        killLeader();
        until("one region server", () -> admin.getRegionServers().size() == 1);
        more(300);
        scanned();
        revive();
        order("start region-2");
        until("two region servers", () -> admin.getRegionServers().size() == 2);
        admin.balance();
        more(100);
    }

    private void takeStock() throws Exception {
        over = true;
        int rows = scanned();
        // The last one may be on its way.
        require(rows - put.get() <= 1, rows + " rows of " + put);
    }

    private void drop(String name) throws Exception {
        admin.disableTable(TableName.valueOf(name));
        admin.deleteTable(TableName.valueOf(name));
    }
}
