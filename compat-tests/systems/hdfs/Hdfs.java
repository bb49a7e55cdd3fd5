package systems;

import static systems.Driver.check;
import static systems.Driver.killLeader;
import static systems.Driver.order;
import static systems.Driver.require;
import static systems.Driver.revive;
import static systems.Driver.same;
import static systems.Driver.until;

import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.ApplicationReport;
import org.apache.hadoop.yarn.api.records.ApplicationSubmissionContext;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.api.records.YarnApplicationState;
import org.apache.hadoop.yarn.client.api.YarnClient;
import org.apache.hadoop.yarn.client.api.YarnClientApplication;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.zookeeper.ZooKeeper;

/** Two NameNodes behind controllers of fail-over, two resource managers: who is active moves. */
public final class Hdfs {
    private static final String NAMES = "/hadoop-ha/rookery/ActiveStandbyElectorLock";
    private static final String MANAGERS =
            "/yarn-leader-election/rookery/ActiveStandbyElectorLock";
    private static final Path FILES = new Path("/files");

    private final ZooKeeper zk;
    private final AtomicInteger written = new AtomicInteger();
    private final Set<ApplicationId> submitted = new HashSet<>();
    private FileSystem files;
    private YarnClient yarn;
    private volatile boolean over;

    private Hdfs(String servers) throws Exception {
        zk = new ZooKeeper(servers, 30_000, event -> { });
    }

    public static void main(String[] arguments) {
        Driver.drive(() -> new Hdfs(arguments[0]).run());
    }

    private void run() throws Exception {
        check("two NameNodes run, their controllers elect one", this::begin);
        check("files are written and read", () -> more(20));
        check("two resource managers run, one is active and takes applications", this::manage);
        check("the leader dies, files and applications go on, who is active stays", () -> {
            String names = holder(NAMES);
            String manager = holder(MANAGERS);
            killLeader();
            more(10);
            submit();
            revive();
            more(10);
            submit();
            same(names, holder(NAMES));
            same(manager, holder(MANAGERS));
        });
        check("the active NameNode dies with the leader, the other takes over", () -> {
            require(holder(NAMES).contains("nn1"), "the first is active");
            order("kill name-1");
            killLeader();
            until("the other", () -> holder(NAMES).contains("nn2"));
            more(10);
            revive();
        });
        check("the active controller dies, the lock goes back", () -> {
            order("start name-1");
            more(5);
            order("kill failover-2");
            until("the other", () -> holder(NAMES).contains("nn1"));
            more(10);
        });
        check("the active resource manager dies, the other knows every application", () -> {
            require(holder(MANAGERS).contains("rm1"), "the first is active");
            order("kill yarn-1");
            until("the other", () -> holder(MANAGERS).contains("rm2"));
            until("every application", () -> known().equals(submitted));
            submit();
        });
        check("every file that was closed is there, whole", this::takeStock);
    }

    private void begin() throws Exception {
        order("start journal");
        Configuration settings = new HdfsConfiguration();
        until("the journal", () -> listens(settings.get("dfs.journalnode.rpc-address")));
        order("run format");
        order("run format-zk");
        order("start name-1");
        until("the first", () -> listens(settings.get("dfs.namenode.rpc-address.rookery.nn1")));
        order("start failover-1");
        until("an active one", () -> holder(NAMES).contains("nn1"));
        order("run bootstrap");
        order("start name-2");
        order("start failover-2");
        order("start data");
        files = FileSystem.get(settings);
        until("a place for blocks", () -> write(0));
        Thread writer = new Thread(() -> {
            while (!over) {
                try {
                    write(written.get());
                    written.incrementAndGet();
                } catch (Exception error) {
                    // The other NameNode may take it; the same file again.
                }
            }
        });
        writer.setDaemon(true);
        writer.start();
    }

    private static boolean listens(String address) throws Exception {
        int colon = address.indexOf(':');
        new java.net.Socket(address.substring(0, colon),
                Integer.parseInt(address.substring(colon + 1))).close();
        return true;
    }

    /** Who holds an election's lock: the data is a record that names it. */
    private String holder(String lock) throws Exception {
        return new String(zk.getData(lock, false, null), StandardCharsets.ISO_8859_1)
                .replaceAll("[^a-z0-9]+", " ");
    }

    private boolean write(int number) throws Exception {
        try (FSDataOutputStream out = files.create(new Path(FILES, "" + number), true)) {
            out.writeUTF("file " + number);
        }
        return true;
    }

    private void more(int count) throws Exception {
        int target = written.get() + count;
        until(count + " more files", () -> written.get() >= target);
        read(target - 1);
    }

    private void read(int number) throws Exception {
        try (FSDataInputStream in = files.open(new Path(FILES, "" + number))) {
            same("file " + number, in.readUTF());
        }
    }

    private void takeStock() throws Exception {
        over = true;
        int count = written.get();
        Set<String> names = new HashSet<>();
        for (FileStatus file : files.listStatus(FILES)) {
            names.add(file.getPath().getName());
        }
        for (int number = 0; number < count; number++) {
            require(names.contains("" + number), "file " + number + " is missing");
            read(number);
        }
    }

    private void manage() throws Exception {
        order("start yarn-1");
        until("an active one", () -> holder(MANAGERS).contains("rm1"));
        order("start yarn-2");
        yarn = YarnClient.createYarnClient();
        yarn.init(new YarnConfiguration());
        yarn.start();
        submit();
    }

    /** An application that waits for a machine, of which there are none. */
    private void submit() throws Exception {
        YarnClientApplication made = yarn.createApplication();
        ApplicationSubmissionContext what = made.getApplicationSubmissionContext();
        what.setApplicationName("waits");
        what.setResource(Resource.newInstance(128, 1));
        what.setAMContainerSpec(ContainerLaunchContext.newInstance(Collections.emptyMap(),
                Collections.emptyMap(), List.of("true"), null, null, null));
        ApplicationId id = yarn.submitApplication(what);
        submitted.add(id);
        until("it to be known", () -> known().contains(id));
    }

    private Set<ApplicationId> known() throws Exception {
        return yarn.getApplications().stream()
                .filter(report -> report.getYarnApplicationState()
                        == YarnApplicationState.ACCEPTED)
                .map(ApplicationReport::getApplicationId).collect(Collectors.toSet());
    }
}
