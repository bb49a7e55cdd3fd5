package compat;

import static compat.Harness.bytes;
import static compat.Harness.check;
import static compat.Harness.fails;
import static compat.Harness.same;
import static compat.Harness.text;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.data.Stat;

/**
 * Several requests at once: multis, and requests in flight that are answered in order, and sync.
 * That order holds for one client; what others see of it is not asked here.
 */
final class Requests extends Behaviours {
    Requests(String only) {
        super(only);
        add("multi", Requests::multi);
        add("multi-fails", Requests::multiFails);
        add("pipeline", Requests::pipeline);
        add("sync", Requests::sync);
    }

    private static void multi(Client client, String root) throws Exception {
        List<OpResult> results = client.zk.multi(List.of(
                Op.create(root + "/a", bytes("1"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.check(root + "/a", 0),
                Op.setData(root + "/a", bytes("2"), 0),
                Op.create(root + "/a/s-", null, Ids.OPEN_ACL_UNSAFE,
                        CreateMode.EPHEMERAL_SEQUENTIAL),
                Op.create(root + "/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.delete(root + "/c", 0)));
        same(root + "/a", ((OpResult.CreateResult) results.get(0)).getPath());
        check(results.get(1) instanceof OpResult.CheckResult, results.get(1));
        same(1, ((OpResult.SetDataResult) results.get(2)).getStat().getVersion());
        same(root + "/a/s-0000000000", ((OpResult.CreateResult) results.get(3)).getPath());
        same(root + "/c", ((OpResult.CreateResult) results.get(4)).getPath());
        check(results.get(5) instanceof OpResult.DeleteResult, results.get(5));
        Stat stat = new Stat();
        same("2", text(client.zk.getData(root + "/a", false, stat)));
        same(stat.getCzxid(), stat.getMzxid());
        same(null, client.exists(root + "/c"));
        same(List.of(), client.zk.multi(new ArrayList<Op>()));
    }

    private static void multiFails(Client client, String root) throws Exception {
        KeeperException error = fails(KeeperException.BadVersionException.class,
                () -> client.zk.multi(List.of(
                        Op.create(root + "/a", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                        Op.check(root + "/a", 3),
                        Op.delete(root + "/a", -1))));
        List<Integer> codes = new ArrayList<>();
        for (OpResult result : error.getResults()) {
            codes.add(((OpResult.ErrorResult) result).getErr());
        }
        same(List.of(0, -103, -2), codes);
        same(List.of(), client.zk.getChildren(root, false));
    }

    private static void pipeline(Client client, String root) throws Exception {
        int rounds = 200;
        List<Integer> answered = Collections.synchronizedList(new ArrayList<>());
        List<String> read = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch all = new CountDownLatch(3 * rounds);
        for (int round = 0; round < rounds; round++) {
            int number = 3 * round;
            client.zk.setData(root, bytes("" + round), round, (code, path, context, stat) -> {
                answered.add(code == 0 ? number : code);
                all.countDown();
            }, null);
            client.zk.getData(root, false, (code, path, context, data, stat) -> {
                answered.add(number + 1);
                read.add(text(data) + " " + stat.getVersion());
                all.countDown();
            }, null);
            client.zk.exists(root + "/none", false, (code, path, context, stat) -> {
                answered.add(code == -101 ? number + 2 : code);
                all.countDown();
            }, null);
        }
        check(all.await(20, TimeUnit.SECONDS), "all answers");
        for (int number = 0; number < 3 * rounds; number++) {
            same(number, answered.get(number));
        }
        for (int round = 0; round < rounds; round++) {
            same(round + " " + (round + 1), read.get(round));
        }
    }

    private static void sync(Client client, String root) throws Exception {
        CountDownLatch synced = new CountDownLatch(1);
        client.zk.sync(root, (code, path, context) -> {
            if (code == 0 && path.equals(root)) {
                synced.countDown();
            }
        }, null);
        check(synced.await(10, TimeUnit.SECONDS), "sync is answered");
    }
}
