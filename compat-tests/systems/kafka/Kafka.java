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
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** Two brokers: their topics, their controller, their settings, and records that are counted. */
public final class Kafka {
    private static final String COUNTED = "counted";
    private static final int PARTITIONS = 6;

    private final String brokers;
    private final ZooKeeper zk;
    private Admin admin;
    private Records records;

    private Kafka(String brokers, String servers) throws Exception {
        this.brokers = brokers;
        zk = new ZooKeeper(servers + "/kafka", 30_000, event -> { });
    }

    public static void main(String[] arguments) {
        Driver.drive(() -> new Kafka(arguments[0], arguments[1]).run());
    }

    private void run() throws Exception {
        check("two brokers register and one is the controller", this::startUp);
        check("topics are created, grown and deleted", this::topics);
        check("records are produced and consumed by a group", this::records);
        check("the leader dies, records and topics go on, no broker loses its session",
                this::leaderDies);
        check("settings, quotas, ACLs and SCRAM users reach both brokers", this::settings);
        check("partitions are reassigned", this::reassignment);
        check("the controller dies, the other broker takes over", this::controllerDies);
        check("the broker comes back, and leads what it led", this::brokerReturns);
        check("the leader and the controller die at once, topics go on", this::bothDie);
        check("every acknowledged record is there, once, in order", () -> records.takeStock());
        check("what is deleted is gone", this::deleted);
        admin.close();
        order("stop broker-1");
        check("a broker that ends hands over and takes its registration along", () ->
                until("one broker", () -> zk.getChildren("/brokers/ids", false)
                        .equals(List.of("2")) && controller() == 2));
        order("stop broker-2");
    }

    private void startUp() throws Exception {
        order("start broker-1");
        order("start broker-2");
        until("both registered", () -> zk.getChildren("/brokers/ids", false).size() == 2);
        admin = Admin.create(Map.of("bootstrap.servers", brokers,
                "default.api.timeout.ms", "120000"));
        until("both known", () -> admin.describeCluster().nodes().get().size() == 2);
        require(controller() > 0, "no controller");
    }

    private int controller() throws Exception {
        Matcher found = Pattern.compile("\"brokerid\":(\\d+)").matcher(text("/controller"));
        return found.find() ? Integer.parseInt(found.group(1)) : -1;
    }

    private String text(String path) throws Exception {
        return new String(zk.getData(path, false, null), StandardCharsets.UTF_8);
    }

    private void create(String topic, int partitions, int copies) throws Exception {
        NewTopic made = new NewTopic(topic, Optional.of(partitions), Optional.of((short) copies));
        admin.createTopics(List.of(made)).all().get();
        until("leaders of " + topic, () -> describe(topic).stream()
                .allMatch(part -> part.leader() != null && part.isr().size() == copies));
    }

    private List<TopicPartitionInfo> describe(String topic) throws Exception {
        Map<String, TopicDescription> all =
                admin.describeTopics(List.of(topic)).allTopicNames().get();
        return all.get(topic).partitions();
    }

    private void topics() throws Exception {
        create(COUNTED, PARTITIONS, 2);
        create("grown", 1, 2);
        admin.createPartitions(Map.of("grown", NewPartitions.increaseTo(3))).all().get();
        until("three partitions", () -> describe("grown").size() == 3);
        create("dropped", 2, 1);
        drop("dropped");
    }

    private void drop(String topic) throws Exception {
        admin.deleteTopics(List.of(topic)).all().get();
        until(topic + " to go", () -> !admin.listTopics().names().get().contains(topic)
                && zk.exists("/brokers/topics/" + topic, false) == null
                && zk.getChildren("/admin/delete_topics", false).isEmpty());
    }

    private void records() throws Exception {
        records = new Records(brokers, COUNTED, PARTITIONS);
        records.start();
        records.waitForMore(2_000);
        records.consume("readers", 2_000);
    }

    private void leaderDies() throws Exception {
        Map<String, Long> before = registrations();
        int controller = controller();
        records.waitForMore(200);
        killLeader();
        for (int number = 0; number < 5; number++) {
            create("during-" + number, 2, 2);
        }
        records.waitForMore(1_000);
        revive();
        create("after", 2, 2);
        drop("during-0");
        records.waitForMore(1_000);
        same(before, registrations());
        same(controller, controller());
    }

    /** When each broker registered: the zxid of its ephemeral node. */
    private Map<String, Long> registrations() throws Exception {
        Map<String, Long> created = new TreeMap<>();
        for (String id : zk.getChildren("/brokers/ids", false)) {
            Stat stat = zk.exists("/brokers/ids/" + id, false);
            created.put(id, stat == null ? -1 : stat.getCzxid());
        }
        return created;
    }

    private void settings() throws Exception {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, COUNTED);
        alter(topic, "segment.bytes", "50000000");
        ConfigResource all = new ConfigResource(ConfigResource.Type.BROKER, "");
        alter(all, "log.cleaner.threads", "2");
        for (String id : List.of("1", "2")) {
            ConfigResource one = new ConfigResource(ConfigResource.Type.BROKER, id);
            until("broker " + id + " to know", () -> "2".equals(value(one, "log.cleaner.threads")));
        }
        until("the topic's", () -> "50000000".equals(value(topic, "segment.bytes")));

        ClientQuotaEntity client = new ClientQuotaEntity(Map.of("client-id", "slow"));
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(client, List.of(
                new ClientQuotaAlteration.Op("producer_byte_rate", 1_000_000.0))))).all().get();
        until("the quota", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities()
                .get().containsKey(client));

        AclBinding acl = new AclBinding(
                new ResourcePattern(ResourceType.TOPIC, "after", PatternType.LITERAL),
                new AccessControlEntry("User:bob", "*", AclOperation.READ, AclPermissionType.DENY));
        admin.createAcls(List.of(acl)).all().get();
        for (String broker : brokers.split(",")) {
            try (Admin one = Admin.create(Map.of("bootstrap.servers", broker))) {
                until("the ACL at " + broker, () -> one.describeAcls(AclBindingFilter.ANY).values()
                        .get().contains(acl));
            }
        }
        admin.deleteAcls(List.of(acl.toFilter())).all().get();
        until("no ACL", () -> admin.describeAcls(AclBindingFilter.ANY).values().get().isEmpty());

        ScramCredentialInfo info = new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4_096);
        admin.alterUserScramCredentials(List.of(
                new UserScramCredentialUpsertion("bob", info, "secret"))).all().get();
        until("the user", () -> admin.describeUserScramCredentials().users().get().equals(
                List.of("bob")));
    }

    private void alter(ConfigResource resource, String key, String value) throws Exception {
        AlterConfigOp set = new AlterConfigOp(new ConfigEntry(key, value), OpType.SET);
        Map<ConfigResource, Collection<AlterConfigOp>> wanted = Map.of(resource, List.of(set));
        admin.incrementalAlterConfigs(wanted).all().get();
    }

    private String value(ConfigResource resource, String key) throws Exception {
        return admin.describeConfigs(List.of(resource)).all().get().get(resource).get(key).value();
    }

    private void reassignment() throws Exception {
        Map<TopicPartition, Optional<NewPartitionReassignment>> wanted = new HashMap<>();
        for (TopicPartitionInfo part : describe(COUNTED)) {
            List<Integer> turned = new ArrayList<>(part.replicas().stream()
                    .map(node -> node.id()).toList());
            java.util.Collections.reverse(turned);
            wanted.put(new TopicPartition(COUNTED, part.partition()),
                    Optional.of(new NewPartitionReassignment(turned)));
        }
        admin.alterPartitionReassignments(wanted).all().get();
        until("it to end", () -> admin.listPartitionReassignments().reassignments().get()
                .isEmpty());
        electPreferred();
    }

    /** Every partition is led by the first of its replicas. */
    private void electPreferred() throws Exception {
        Set<TopicPartition> all = new java.util.HashSet<>();
        for (int partition = 0; partition < PARTITIONS; partition++) {
            all.add(new TopicPartition(COUNTED, partition));
        }
        // A client goes on asking the broker that was the controller when it came.
        try (Admin knowing = Admin.create(Map.of("bootstrap.servers", brokers))) {
            until("the preferred leaders", () -> {
                knowing.electLeaders(ElectionType.PREFERRED, all).partitions().get();
                return describe(COUNTED).stream().allMatch(part -> part.leader() != null
                        && part.leader().id() == part.replicas().get(0).id());
            });
        }
    }

    private void controllerDies() throws Exception {
        int dead = controller();
        order("kill broker-" + dead);
        failedOver(dead);
    }

    private void failedOver(int dead) throws Exception {
        int other = 3 - dead;
        until("another controller", () -> controller() == other);
        until("other leaders", () -> describe(COUNTED).stream()
                .allMatch(part -> part.leader() != null && part.leader().id() == other));
        records.waitForMore(500);
    }

    private void brokerReturns() throws Exception {
        returned(3 - controller());
        electPreferred();
    }

    private void returned(int broker) throws Exception {
        order("start broker-" + broker);
        until("all replicas in sync", () -> describe(COUNTED).stream()
                .allMatch(part -> part.isr().size() == 2));
        records.waitForMore(500);
    }

    private void bothDie() throws Exception {
        int dead = controller();
        order("kill broker-" + dead);
        killLeader();
        failedOver(dead);
        create("alone", 2, 1);
        revive();
        returned(dead);
    }

    private void deleted() throws Exception {
        for (String topic : List.of(COUNTED, "grown", "after", "alone", "during-1")) {
            drop(topic);
        }
    }
}
