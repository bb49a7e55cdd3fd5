package systems;

import static systems.Driver.PATIENCE_SECONDS;
import static systems.Driver.check;
import static systems.Driver.killLeader;
import static systems.Driver.require;
import static systems.Driver.revive;
import static systems.Driver.same;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryForever;

/** Every recipe at work at once, between two clients, while the leader dies twice. */
public final class Curator {
    /** How often a server dies. */
    static final int DEATHS = 2;
    private static final int SESSION_MS = 20_000;
    private static final int TURNS = 5;

    private final String servers;
    private final AtomicInteger lost = new AtomicInteger();

    private Curator(String servers) {
        this.servers = servers;
    }

    public static void main(String[] arguments) {
        Driver.drive(() -> new Curator(arguments[0]).run());
    }

    private CuratorFramework client() throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.builder().connectString(servers)
                .sessionTimeoutMs(SESSION_MS).retryPolicy(new RetryForever(100))
                .namespace("recipes").build();
        client.getConnectionStateListenable().addListener((which, state) -> {
            if (state == ConnectionState.LOST) {
                lost.incrementAndGet();
            }
        });
        client.start();
        require(client.blockUntilConnected((int) PATIENCE_SECONDS, TimeUnit.SECONDS), "connects");
        return client;
    }

    private void run() throws Exception {
        CuratorFramework one = client();
        CuratorFramework two = client();
        List<Recipe> recipes = new ArrayList<>();
        recipes.addAll(Locks.all(one, two));
        recipes.addAll(Counters.all(one, two));
        recipes.addAll(Queues.all(one, two));
        recipes.addAll(Views.all(one, two));
        Presence presence = new Presence(one, two);
        check("all recipes begin", () -> {
            for (Recipe recipe : recipes) {
                recipe.begin();
            }
            presence.begin();
            goOn(recipes);
        });
        for (int death = 1; death <= DEATHS; death++) {
            check("all recipes go on when the leader dies, death " + death, () -> {
                killLeader();
                goOn(recipes);
                presence.holds();
            });
            check("all recipes go on when it comes back", () -> {
                revive();
                goOn(recipes);
            });
        }
        check("no client lost its session", () -> same(0, lost.get()));
        for (Recipe recipe : recipes) {
            check(recipe.promise(), recipe::end);
        }
        presence.takeStock();
        one.close();
        two.close();
    }

    private static void goOn(List<Recipe> recipes) throws Exception {
        for (Recipe recipe : recipes) {
            recipe.waitForMore(TURNS);
        }
    }
}
