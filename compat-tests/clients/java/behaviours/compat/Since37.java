package compat;

import static compat.Harness.bytes;
import static compat.Harness.same;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** What clients offer since 3.7: the server tells them who they are. */
final class Since37 extends Behaviours {
    Since37(String only) {
        super(only);
        add("who-am-i", Since37::whoAmI);
    }

    private static void whoAmI(Client client, String root) throws Exception {
        same("ip", client.zk.whoAmI().get(0).getAuthScheme());
        client.zk.addAuthInfo("digest", bytes("alice:secret"));
        List<String> schemes = new ArrayList<>();
        client.zk.whoAmI().forEach(who -> schemes.add(who.getAuthScheme() + " " + who.getUser()));
        Collections.sort(schemes);
        same(List.of("digest alice", "ip 127.0.0.1"), schemes);
    }
}
