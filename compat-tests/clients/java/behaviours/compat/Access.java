package compat;

import static compat.Harness.bytes;
import static compat.Harness.check;
import static compat.Harness.fails;
import static compat.Harness.order;
import static compat.Harness.same;

import java.util.ArrayList;
import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/**
 * Who may do what: ACLs of every scheme without certificates or Kerberos, and who a client is.
 * The super user is seen in Since35 only, where the members of an ensemble are given anew.
 */
final class Access extends Behaviours {
    Access(String only) {
        super(only);
        add("acl", Access::acl);
        add("acl-digest", this::digest);
        add("acl-auth", this::auth);
        add("acl-ip", Access::ip);
        add("auth-unknown", this::authUnknown);
        add("auth-again", Access::authAgain);
    }

    private static void acl(Client client, String root) throws Exception {
        Stat stat = new Stat();
        same(Ids.OPEN_ACL_UNSAFE, client.zk.getACL(root, stat));
        same(0, stat.getAversion());
        // Not List.of: the client asks the list whether it holds null.
        List<ACL> few = new ArrayList<>();
        few.add(new ACL(Perms.READ | Perms.ADMIN, Ids.ANYONE_ID_UNSAFE));
        same(1, client.zk.setACL(root, few, 0).getAversion());
        fails(KeeperException.NoAuthException.class, () -> client.zk.setData(root, null, -1));
        fails(KeeperException.NoAuthException.class, () -> client.create(root + "/a"));
        fails(KeeperException.BadVersionException.class, () -> client.zk.setACL(root, few, 0));
    }

    private void digest(Client alice, String root) throws Exception {
        Client bob = client();
        alice.zk.addAuthInfo("digest", bytes("alice:secret"));
        String path = root + "/a";
        alice.zk.create(path, bytes("hers"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        fails(KeeperException.NoAuthException.class, () -> bob.zk.getData(path, false, null));
        fails(KeeperException.NoAuthException.class, () -> bob.zk.setData(path, null, -1));
        bob.zk.addAuthInfo("digest", bytes("alice:secret"));
        same("hers", bob.data(path));
        List<ACL> readable = new ArrayList<>(alice.zk.getACL(path, new Stat()));
        same("digest", readable.get(0).getId().getScheme());
        same(Perms.ALL, readable.get(0).getPerms());
        readable.add(new ACL(Perms.READ, Ids.ANYONE_ID_UNSAFE));
        alice.zk.setACL(path, readable, 0);
        Client carol = client();
        same("hers", carol.data(path));
        // To one who may not administer, the hash is not shown.
        same("alice:x", carol.zk.getACL(path, new Stat()).get(0).getId().getId());
        fails(KeeperException.NoAuthException.class,
                () -> carol.zk.setACL(path, Ids.OPEN_ACL_UNSAFE, -1));
    }

    private void auth(Client alice, String root) throws Exception {
        alice.zk.addAuthInfo("digest", bytes("alice:secret"));
        alice.zk.create(root + "/a", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        Id creator = alice.zk.getACL(root + "/a", new Stat()).get(0).getId();
        same("digest", creator.getScheme());
        check(creator.getId().startsWith("alice:"), creator);
        Client bob = client();
        fails(KeeperException.InvalidACLException.class, () -> bob.zk.create(root + "/b", null,
                Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
    }

    private static void ip(Client client, String root) throws Exception {
        for (String address : new String[] {"127.0.0.1", "10.1.2.3"}) {
            List<ACL> only = new ArrayList<>();
            only.add(new ACL(Perms.ALL, new Id("ip", address)));
            client.zk.create(root + "/" + address, null, only, CreateMode.PERSISTENT);
        }
        client.zk.getData(root + "/127.0.0.1", false, null);
        fails(KeeperException.NoAuthException.class,
                () -> client.zk.getData(root + "/10.1.2.3", false, null));
    }

    private void authUnknown(Client ignored, String root) throws Exception {
        Client client = client();
        client.zk.addAuthInfo("nonsense", bytes("x"));
        client.state(KeeperState.AuthFailed);
        fails(KeeperException.AuthFailedException.class, () -> client.exists(root));
    }

    private static void authAgain(Client client, String root) throws Exception {
        client.zk.addAuthInfo("digest", bytes("alice:secret"));
        client.zk.create(root + "/a", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        order("drop");
        client.back();
        client.set(root + "/a", "hers");
    }
}
