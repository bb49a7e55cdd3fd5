package systems;

import static systems.Driver.check;
import static systems.Driver.killLeader;
import static systems.Driver.order;
import static systems.Driver.require;
import static systems.Driver.revive;
import static systems.Driver.same;
import static systems.Driver.until;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.solr.client.solrj.SolrQuery;
import org.apache.solr.client.solrj.impl.CloudHttp2SolrClient;
import org.apache.solr.client.solrj.request.CollectionAdminRequest;
import org.apache.solr.common.SolrInputDocument;
import org.apache.solr.common.cloud.DocCollection;
import org.apache.solr.common.cloud.Replica;
import org.apache.solr.common.cloud.Slice;
import org.apache.solr.common.cloud.SolrZkClient;

/** SolrCloud with two nodes: documents go on being taken, the overseer is followed by another. */
public final class Solr {
    private static final String COLLECTION = "numbers";

    private final String servers;
    private final Path conf;
    private final AtomicInteger taken = new AtomicInteger();
    private CloudHttp2SolrClient solr;
    private SolrZkClient zk;
    private volatile boolean over;

    private Solr(String servers, Path conf) {
        this.servers = servers;
        this.conf = conf;
    }

    public static void main(String[] arguments) {
        Driver.drive(() -> new Solr(arguments[0], Path.of(arguments[1])).run());
    }

    private void run() throws Exception {
        check("two nodes live and one is the overseer", this::begin);
        check("a configuration is stored, a collection of two shards and two copies made",
                this::create);
        Thread writer = new Thread(this::write);
        writer.setDaemon(true);
        writer.start();
        check("documents are taken and found", () -> {
            more(100);
            found();
        });
        check("the leader dies, documents and collections go on, no node loses its session",
                this::leaderDies);
        check("the overseer's node dies with the leader, the other node takes over",
                this::overseerDies);
        check("the node comes back and recovers", this::nodeReturns);
        over = true;
        writer.join();
        check("every document that was taken is found, once", this::found);
        check("collections are deleted", () -> {
            CollectionAdminRequest.deleteCollection(COLLECTION).process(solr);
            CollectionAdminRequest.deleteCollection("during").process(solr);
            same(List.of(), zk.getChildren("/collections", null, true));
        });
        order("stop node-1");
        order("stop node-2");
    }

    private void begin() throws Exception {
        zk = new SolrZkClient.Builder().withUrl(servers).withTimeout(30_000, TimeUnit.MILLISECONDS)
                .build();
        order("start node-1");
        // Its configuration of the cluster is written once, by the first.
        until("the first node", () -> zk.getChildren("/live_nodes", null, true).size() == 1);
        order("start node-2");
        until("both nodes", () -> zk.getChildren("/live_nodes", null, true).size() == 2);
        solr = new CloudHttp2SolrClient.Builder(List.of(servers), Optional.empty()).build();
        until("an overseer", () -> overseer() != null);
        until("both nodes to answer", this::allAnswer);
    }

    /** A node registers before it takes requests. */
    private boolean allAnswer() throws Exception {
        for (String node : zk.getChildren("/live_nodes", null, true)) {
            String address = "http://" + node.replace('_', '/') + "/admin/info/system";
            var connection = (java.net.HttpURLConnection) java.net.URI.create(address).toURL()
                    .openConnection();
            if (connection.getResponseCode() != 200) {
                return false;
            }
        }
        return true;
    }

    /** The port of the node whose overseer leads. */
    private String overseer() throws Exception {
        byte[] leader = zk.getData("/overseer_elect/leader", null, null, true);
        String text = new String(leader, java.nio.charset.StandardCharsets.UTF_8);
        var found = java.util.regex.Pattern.compile("127\\.0\\.0\\.1:(\\d+)_solr").matcher(text);
        return found.find() ? found.group(1) : null;
    }

    private void create() throws Exception {
        zk.upConfig(conf, "conf");
        make(COLLECTION, 2, 2);
    }

    private void make(String name, int shards, int copies) throws Exception {
        CollectionAdminRequest.createCollection(name, "conf", shards, copies).process(solr);
        until("all replicas of " + name, () -> active(name) == shards * copies);
    }

    private int active(String name) throws Exception {
        DocCollection collection = solr.getClusterStateProvider().getCollection(name);
        java.util.Set<String> live = solr.getClusterState().getLiveNodes();
        int active = 0;
        for (Slice slice : collection.getSlices()) {
            for (Replica replica : slice) {
                active += replica.isActive(live) ? 1 : 0;
            }
        }
        return active;
    }

    private void write() {
        while (!over) {
            SolrInputDocument document = new SolrInputDocument();
            document.addField("id", Integer.toString(taken.get()));
            try {
                solr.add(COLLECTION, document);
                taken.incrementAndGet();
                Thread.sleep(10);
            } catch (Exception error) {
                // No leader of the shard for now: the same document again.
                pause();
            }
        }
    }

    private static void pause() {
        try {
            Thread.sleep(200);
        } catch (InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    private void more(int count) throws Exception {
        int target = taken.get() + count;
        until(count + " more documents", () -> taken.get() >= target);
    }

    private void found() throws Exception {
        int least = taken.get();
        until("them to be found", () -> {
            solr.commit(COLLECTION);
            long count = solr.query(COLLECTION, new SolrQuery("*:*")).getResults().getNumFound();
            return over ? count == least : count >= least;
        });
    }

    private void leaderDies() throws Exception {
        Map<String, Long> before = registrations();
        String overseer = overseer();
        killLeader();
        more(50);
        revive();
        make("during", 1, 2);
        more(50);
        same(overseer, overseer());
        same(before, registrations());
        found();
    }

    private Map<String, Long> registrations() throws Exception {
        Map<String, Long> created = new java.util.TreeMap<>();
        for (String node : zk.getChildren("/live_nodes", null, true)) {
            created.put(node, zk.exists("/live_nodes/" + node, null, true).getCzxid());
        }
        return created;
    }

    private String dead;

    private void overseerDies() throws Exception {
        String before = overseer();
        // The nodes start in order, so that the first is the overseer.
        dead = "node-1";
        order("kill " + dead);
        killLeader();
        until("another overseer", () -> !before.equals(overseer()));
        until("one node", () -> zk.getChildren("/live_nodes", null, true).size() == 1);
        more(50);
        found();
        revive();
    }

    private void nodeReturns() throws Exception {
        order("start " + dead);
        until("all replicas", () -> active(COLLECTION) == 4 && allAnswer());
        require(overseer() != null, "no overseer");
        more(20);
    }
}
