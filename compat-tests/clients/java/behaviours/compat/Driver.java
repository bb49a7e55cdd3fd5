package compat;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Asks Apache's Java client for the behaviours of `behaviours.txt`. What a version does not offer
 * was not compiled for it, and is reported as unsupported. An argument asks only for behaviours
 * whose name contains it.
 *
 * <p>It proves that a version of the client does with a server what it does with ZooKeeper. It
 * does not prove TLS nor SASL.
 */
public final class Driver {
    /** Behaviours that need a later client than 3.4, by the class that has them. */
    private static final Map<String, String> LATER = new LinkedHashMap<>();

    static {
        LATER.put("Since35", "create-stat container ttl watch-remove reconfig");
        LATER.put("Since36",
                "multi-read watch-persistent watch-recursive ephemerals-of all-children");
        LATER.put("Since37", "who-am-i");
    }

    private Driver() {}

    public static void main(String[] args) throws Exception {
        System.setProperty("zookeeper.sasl.client", "false");
        String only = args.length > 0 ? args[0] : "";
        for (Behaviours subject : List.of(new Znodes(only), new Access(only), new Requests(only),
                new Watches(only), new Sessions(only), new Ensembles(only))) {
            subject.run();
        }
        for (Map.Entry<String, String> later : LATER.entrySet()) {
            List<String> names = Arrays.asList(later.getValue().split(" "));
            try {
                Class<?> known = Class.forName("compat." + later.getKey());
                Behaviours behaviours =
                        (Behaviours) known.getDeclaredConstructor(String.class).newInstance(only);
                behaviours.run();
                Harness.same(names, behaviours.names());
            } catch (ClassNotFoundException notOffered) {
                names.forEach(name -> System.out.println(name + " unsupported"));
            }
        }
        System.out.flush();
        // Client threads that outlive their behaviour must not keep the process alive.
        Runtime.getRuntime().halt(0);
    }
}
