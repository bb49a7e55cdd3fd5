package systems;

import static systems.Driver.check;
import static systems.Driver.killLeader;
import static systems.Driver.order;
import static systems.Driver.revive;
import static systems.Driver.same;
import static systems.Driver.until;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.apache.zookeeper.ZooKeeper;

/** A consumer that finds its providers, also those that come and go with the leader. */
public final class Dubbo {
    private static final String PROVIDERS = "/dubbo/systems.Greeting/providers";
    private static final Set<String> BOTH = Set.of("provider-1", "provider-2");

    private final String servers;
    private final ZooKeeper zk;
    private Greeting greeting;

    private Dubbo(String servers) throws Exception {
        this.servers = servers;
        zk = new ZooKeeper(servers, 30_000, event -> { });
    }

    public static void main(String[] arguments) {
        Driver.drive(() -> new Dubbo(arguments[0]).run());
    }

    private void run() throws Exception {
        check("two providers register, a consumer finds both", this::begin);
        check("the leader dies, calls go on, registrations stay", () -> {
            List<String> before = zk.getChildren(PROVIDERS, false);
            killLeader();
            reaches(BOTH);
            revive();
            reaches(BOTH);
            same(new TreeSet<>(before), new TreeSet<>(zk.getChildren(PROVIDERS, false)));
        });
        check("a provider dies with the leader: its registration goes, the other serves", () -> {
            order("kill provider-1");
            killLeader();
            until("one provider", () -> zk.getChildren(PROVIDERS, false).size() == 1);
            reaches(Set.of("provider-2"));
            revive();
        });
        check("it comes back and is found", () -> {
            order("start provider-1");
            reaches(BOTH);
        });
        check("a provider that ends takes its registration along", () -> {
            order("stop provider-2");
            until("one provider", () -> zk.getChildren(PROVIDERS, false).size() == 1);
            reaches(Set.of("provider-1"));
        });
        order("stop provider-1");
    }

    private void begin() throws Exception {
        order("start provider-1");
        order("start provider-2");
        until("both", () -> zk.getChildren(PROVIDERS, false).size() == 2);
        ReferenceConfig<Greeting> reference = new ReferenceConfig<>();
        reference.setInterface(Greeting.class);
        reference.setCheck(false);
        reference.setTimeout(10_000);
        reference.setRetries(0);
        ApplicationConfig application = new ApplicationConfig("consumer");
        application.setQosEnable(false);
        DubboBootstrap.getInstance().application(application)
                .registry(DubboProvider.registry(servers)).reference(reference).start();
        greeting = reference.get();
        reaches(BOTH);
        until("the consumer's own registration", () -> zk.getChildren(
                "/dubbo/systems.Greeting/consumers", false).size() == 1);
    }

    /** Calls until exactly these providers answered a row of calls. */
    private void reaches(Set<String> wanted) throws Exception {
        until("answers of " + wanted, () -> {
            Set<String> answered = new TreeSet<>();
            for (int call = 0; call < 20; call++) {
                answered.add(greeting.greet("you").split(" ")[0]);
            }
            return answered.equals(wanted);
        });
    }
}
