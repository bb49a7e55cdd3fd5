package compat;

import static compat.Harness.bytes;
import static compat.Harness.check;
import static compat.Harness.fails;
import static compat.Harness.order;
import static compat.Harness.same;
import static compat.Harness.text;

import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/**
 * Sessions with one server: how they begin and end, and what they survive. A session that goes on
 * with another server is in Ensembles.
 */
final class Sessions extends Behaviours {
    Sessions(String only) {
        super(only);
        add("connect", this::connect);
        add("session-kept", Sessions::kept);
        add("session-restart", this::restart);
        add("session-close", this::closed);
        add("session-expired", this::expired);
        add("session-takeover", this::takeOver);
        add("chroot", this::chroot);
    }

    private void connect(Client client, String root) throws Exception {
        check(client.zk.getSessionId() != 0, "a session id");
        same(16, client.zk.getSessionPasswd().length);
        same(6_000, client.zk.getSessionTimeout());
        same(1_000, client(100).zk.getSessionTimeout());
        same(60_000, client(500_000).zk.getSessionTimeout());
    }

    private static void kept(Client client, String root) throws Exception {
        client.create(root + "/e", "", CreateMode.EPHEMERAL);
        long session = client.zk.getSessionId();
        for (int round = 0; round < 3; round++) {
            order("drop");
            client.back();
            same(session, client.zk.getSessionId());
            same(session, client.owner(root + "/e"));
        }
    }

    private void restart(Client client, String root) throws Exception {
        Client patient = client(30_000);
        patient.create(root + "/e", "kept", CreateMode.EPHEMERAL);
        Stat before = new Stat();
        patient.zk.getData(root + "/e", true, before);
        order("restart");
        patient.back();
        Stat after = new Stat();
        same("kept", text(patient.zk.getData(root + "/e", true, after)));
        same(before, after);
        patient.zk.setData(root + "/e", bytes("changed"), 0);
        patient.event(EventType.NodeDataChanged, root + "/e");
    }

    private void closed(Client client, String root) throws Exception {
        Client other = client();
        client.create(root + "/e", "", CreateMode.EPHEMERAL);
        other.zk.exists(root + "/e", true);
        client.zk.close();
        other.event(EventType.NodeDeleted, root + "/e");
        same(List.of(), other.zk.getChildren(root, false));
    }

    private void expired(Client other, String root) throws Exception {
        Client client = client(1_000);
        client.create(root + "/e", "", CreateMode.EPHEMERAL);
        order("close");
        client.state(KeeperState.Disconnected);
        order("expired 0x" + Long.toHexString(client.zk.getSessionId()));
        order("open");
        client.state(KeeperState.Expired);
        fails(KeeperException.SessionExpiredException.class, () -> client.exists(root));
        other.back();
        same(null, other.exists(root + "/e"));
    }

    private void takeOver(Client first, String root) throws Exception {
        first.create(root + "/e", "", CreateMode.EPHEMERAL);
        long session = first.zk.getSessionId();
        byte[] password = first.zk.getSessionPasswd();
        Client second = new Client();
        opened(second, new ZooKeeper(Harness.CONNECT, 6_000, second, session, password));
        second.state(KeeperState.SyncConnected);
        first.state(KeeperState.Disconnected);
        same(session, second.zk.getSessionId());
        Client thief = new Client();
        opened(thief, new ZooKeeper(Harness.CONNECT, 6_000, thief, session, new byte[16]));
        thief.state(KeeperState.Expired);
    }

    private void chroot(Client outside, String root) throws Exception {
        Client inside = client(Harness.CONNECT + root, 6_000);
        same("/in", inside.create("/in"));
        inside.watchData("/in");
        outside.set(root + "/in", "1");
        inside.event(EventType.NodeDataChanged, "/in");
        same(List.of("in"), inside.zk.getChildren("/", false));
    }
}
