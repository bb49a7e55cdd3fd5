package systems;

import static systems.Driver.check;
import static systems.Driver.killLeader;
import static systems.Driver.order;
import static systems.Driver.require;
import static systems.Driver.revive;
import static systems.Driver.same;
import static systems.Driver.until;
import static systems.HelixParticipant.CLUSTER;

import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.helix.HelixAdmin;
import org.apache.helix.HelixDataAccessor;
import org.apache.helix.HelixManager;
import org.apache.helix.HelixManagerFactory;
import org.apache.helix.InstanceType;
import org.apache.helix.PropertyKey;
import org.apache.helix.constants.InstanceConstants;
import org.apache.helix.controller.rebalancer.strategy.CrushEdRebalanceStrategy;
import org.apache.helix.controller.rebalancer.waged.WagedRebalancer;
import org.apache.helix.model.ExternalView;
import org.apache.helix.model.IdealState;
import org.apache.helix.model.InstanceConfig;
import org.apache.helix.model.LiveInstance;
import org.apache.helix.spectator.RoutingTableProvider;
import org.apache.helix.task.JobConfig;
import org.apache.helix.task.TaskConfig;
import org.apache.helix.task.TaskDriver;
import org.apache.helix.task.TaskState;
import org.apache.helix.task.Workflow;
import org.apache.helix.tools.ClusterSetup;

/** Two controllers, three participants and a spectator. */
public final class Helix {
    private static final Map<String, String> RESOURCES = Map.of(
            "crushed", "", "waged", WagedRebalancer.class.getName());
    private static final int PARTITIONS = 6;
    private static final int COPIES = 2;
    private static final int TASKS = 6;
    private static final Set<String> ALL = Set.of("host_1", "host_2", "host_3");

    private final String servers;
    private final ClusterSetup setup;
    private final HelixAdmin admin;
    private final Set<String> tasks = new TreeSet<>();
    private HelixManager spectator;
    private HelixDataAccessor accessor;
    private PropertyKey.Builder keys;
    private RoutingTableProvider routes;
    private HelixRecords records;

    private Helix(String servers) {
        this.servers = servers;
        setup = new ClusterSetup(servers);
        admin = setup.getClusterManagementTool();
    }

    public static void main(String[] arguments) {
        Driver.drive(() -> new Helix(arguments[0]).run());
    }

    private void run() throws Exception {
        check("a cluster is made, two controllers and three participants come, one controls",
                this::begin);
        check("resources are placed, a spectator sees one master of each partition",
                this::place);
        check("records are made, changed, watched and moved in transactions, participants talk",
                () -> {
                    records = new HelixRecords(servers);
                    records.begin();
                    goOn(ALL);
                });
        check("the leader dies: no session is lost, nothing moves, jobs are done",
                this::leaderDies);
        check("a participant dies, the others take its partitions", () -> {
            order("kill host_2");
            placed(Set.of("host_1", "host_3"));
            goOn(Set.of("host_1", "host_3"));
        });
        check("the controller dies with the leader, the other one places what comes back",
                this::controllerDies);
        check("a participant is disabled, enabled, killed by a transaction, and let in again",
                this::operate);
        check("every record is there, none was lost between accounts", () -> records.end());
        check("the cache of records is as the store", () -> records.cacheIsEqual());
        check("no partition had two masters, every term of a master is written down",
                this::terms);
        check("what was made for a while is gone", () -> records.fleetingIsGone());
        check("resources, participants and the cluster are dropped", this::drop);
    }

    private void begin() throws Exception {
        setup.addCluster(CLUSTER, true);
        for (String host : ALL) {
            InstanceConfig config = new InstanceConfig(host);
            config.setHostName("host");
            config.setPort(host.substring(host.length() - 1));
            admin.addInstance(CLUSTER, config);
        }
        same(ALL, new TreeSet<>(admin.getInstancesInCluster(CLUSTER)));
        spectator = HelixManagerFactory.getZKHelixManager(
                CLUSTER, "spectator", InstanceType.SPECTATOR, servers);
        spectator.connect();
        accessor = spectator.getHelixDataAccessor();
        keys = accessor.keyBuilder();
        routes = new RoutingTableProvider(spectator);
        order("start controller-1");
        until("a controller", () -> "controller-1".equals(controller()));
        order("start controller-2");
        for (String host : new TreeSet<>(ALL)) {
            order("start " + host);
        }
        until("three participants", () -> live().keySet().equals(ALL));
    }

    private String controller() {
        LiveInstance leader = accessor.getProperty(keys.controllerLeader());
        return leader == null ? null : leader.getInstanceName();
    }

    /** Who lives, and in which session. */
    private Map<String, String> live() {
        Map<String, String> sessions = new TreeMap<>();
        List<LiveInstance> all = accessor.getChildValues(keys.liveInstances(), true);
        all.forEach(one -> sessions.put(one.getInstanceName(), one.getEphemeralOwner()));
        return sessions;
    }

    private void place() throws Exception {
        for (Map.Entry<String, String> resource : RESOURCES.entrySet()) {
            admin.addResource(CLUSTER, resource.getKey(), PARTITIONS, "MasterSlave",
                    IdealState.RebalanceMode.FULL_AUTO.name(),
                    CrushEdRebalanceStrategy.class.getName());
            if (!resource.getValue().isEmpty()) {
                admin.enableWagedRebalance(CLUSTER, List.of(resource.getKey()));
            }
            admin.rebalance(CLUSTER, resource.getKey(), COPIES);
        }
        placed(ALL);
    }

    /** Waits until each partition has a master and a slave among these. */
    private void placed(Set<String> hosts) throws Exception {
        for (String resource : RESOURCES.keySet()) {
            until(resource + " to be placed on " + hosts, () -> masters(resource, hosts) != null);
            until("the spectator to see " + resource, () -> {
                Map<String, String> masters = masters(resource, hosts);
                Map<String, String> seen = new TreeMap<>();
                for (String partition : masters.keySet()) {
                    for (InstanceConfig host : routes.getInstancesForResource(
                            resource, partition, "MASTER")) {
                        same(null, seen.put(partition, host.getInstanceName()));
                    }
                }
                return seen.equals(masters);
            });
        }
    }

    /** The master of each partition; null while it is not as it should be. */
    private Map<String, String> masters(String resource, Collection<String> hosts) {
        ExternalView view = admin.getResourceExternalView(CLUSTER, resource);
        if (view == null || view.getPartitionSet().size() != PARTITIONS) {
            return null;
        }
        Map<String, String> masters = new TreeMap<>();
        for (String partition : view.getPartitionSet()) {
            Map<String, String> states = view.getStateMap(partition);
            if (!hosts.containsAll(states.keySet())
                    || !List.of("MASTER", "SLAVE").equals(sorted(states.values()))) {
                return null;
            }
            states.forEach((host, state) -> {
                if (state.equals("MASTER")) {
                    masters.put(partition, host);
                }
            });
        }
        return masters;
    }

    private static List<String> sorted(Collection<String> values) {
        List<String> sorted = new ArrayList<>(values);
        sorted.sort(null);
        return sorted;
    }

    /** Waits until records are written on, and until these participants answer each other. */
    private void goOn(Set<String> hosts) throws Exception {
        records.goOn();
        String all = "greeted " + (hosts.size() - 1);
        for (String host : hosts) {
            long target = count(host, all) + 2;
            until("answers to " + host, () -> count(host, all) >= target);
        }
    }

    private static long count(String host, String line) throws Exception {
        return journal(host).stream().filter(line::equals).count();
    }

    private static List<String> journal(String host) throws Exception {
        return Files.exists(HelixParticipant.journal(host))
                ? Files.readAllLines(HelixParticipant.journal(host)) : List.of();
    }

    /** Two jobs, one after the other, whose tasks run anywhere. */
    private void startJobs(String workflow) {
        Workflow.Builder jobs = new Workflow.Builder(workflow);
        for (String job : List.of("first", "second")) {
            List<TaskConfig> configs = new ArrayList<>();
            for (int task = 0; task < TASKS; task++) {
                String number = workflow + "-" + job + "-" + task;
                configs.add(new TaskConfig("note", new HashMap<>(Map.of("number", number))));
                tasks.add("task " + number);
            }
            jobs.addJob(job, new JobConfig.Builder().setWorkflow(workflow)
                    .addTaskConfigs(configs).setNumConcurrentTasksPerInstance(2));
        }
        jobs.addParentChildDependency("first", "second");
        new TaskDriver(spectator).start(jobs.build());
    }

    private void jobsAreDone(String workflow) throws Exception {
        TaskDriver driver = new TaskDriver(spectator);
        same(TaskState.COMPLETED, driver.pollForWorkflowState(
                workflow, Driver.PATIENCE_SECONDS * 1_000, TaskState.COMPLETED));
        Set<String> done = new TreeSet<>();
        for (String host : ALL) {
            done.addAll(journal(host));
        }
        done.retainAll(tasks);
        same(tasks, done);
    }

    private void leaderDies() throws Exception {
        Map<String, String> sessions = live();
        String controller = controller();
        List<Map<String, String>> before = allMasters();
        startJobs("one");
        killLeader();
        goOn(ALL);
        jobsAreDone("one");
        revive();
        goOn(ALL);
        same(sessions, live());
        same(controller, controller());
        same(before, allMasters());
    }

    private List<Map<String, String>> allMasters() {
        List<Map<String, String>> all = new ArrayList<>();
        new TreeSet<>(RESOURCES.keySet()).forEach(resource -> all.add(masters(resource, ALL)));
        return all;
    }

    private void controllerDies() throws Exception {
        order("kill controller-1");
        killLeader();
        order("start host_2");
        startJobs("two");
        until("the other controller", () -> "controller-2".equals(controller()));
        until("three participants", () -> live().keySet().equals(ALL));
        placed(ALL);
        revive();
        goOn(ALL);
        jobsAreDone("two");
        order("start controller-1");
        same("controller-2", controller());
    }

    private void operate() throws Exception {
        admin.enableInstance(CLUSTER, "host_1", false);
        Set<String> rest = Set.of("host_2", "host_3");
        placed(rest);
        admin.enableInstance(CLUSTER, "host_1", true);
        admin.addInstanceTag(CLUSTER, "host_1", "tagged");
        same(List.of("host_1"), admin.getInstancesInClusterWithTag(CLUSTER, "tagged"));
        require(admin.forceKillInstance(CLUSTER, "host_3", "a test",
                InstanceConstants.InstanceOperationSource.ADMIN), "it is not killed");
        order("kill host_3");
        placed(Set.of("host_1", "host_2"));
        admin.setInstanceOperation(CLUSTER, "host_3", InstanceConstants.InstanceOperation.ENABLE);
        order("start host_3");
        until("three participants", () -> live().keySet().equals(ALL));
        placed(ALL);
        goOn(ALL);
    }

    private void terms() throws Exception {
        int count = 0;
        for (String host : ALL) {
            for (String line : journal(host)) {
                String[] words = line.split(" ");
                require(!words[0].equals("violation"), line);
                if (words[0].equals("term")) {
                    same(host, records.terms(words[1]).getSimpleField(words[2]));
                    count++;
                }
            }
        }
        require(count >= RESOURCES.size() * PARTITIONS, "only " + count + " terms");
    }

    private void drop() throws Exception {
        for (String resource : RESOURCES.keySet()) {
            admin.dropResource(CLUSTER, resource);
            until(resource + " to go",
                    () -> admin.getResourceExternalView(CLUSTER, resource) == null);
        }
        for (String host : ALL) {
            order("stop " + host);
        }
        until("no participants", () -> live().isEmpty());
        records.close();
        routes.shutdown();
        order("stop controller-1");
        order("stop controller-2");
        until("no controller", () -> controller() == null);
        for (String host : ALL) {
            admin.dropInstance(CLUSTER, admin.getInstanceConfig(CLUSTER, host));
        }
        spectator.disconnect();
        admin.dropCluster(CLUSTER);
        same(List.of(), admin.getClusters());
        setup.close();
    }
}
