package compat;

import static compat.Harness.check;
import static compat.Harness.same;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.zookeeper.ZooKeeperMain;
import org.apache.zookeeper.util.ServiceUtils;

/** Apache's shell, zkCli.sh, one command a session as scripts use it. */
final class Shell {
    private final Harness harness;
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();

    Shell(Harness harness) {
        this.harness = harness;
    }

    /** What a command wrote and how it ended. */
    private record Answer(int status, String said) {
        Answer says(String expected) {
            check(said.contains(expected), "expected " + expected + " in:\n" + said);
            return this;
        }

        Answer fails() {
            check(status != 0, "expected to fail, but: " + said);
            return this;
        }
    }

    private Answer shell(String... command) throws Exception {
        List<String> arguments = new ArrayList<>(
                List.of("-server", Harness.CONNECT, "-timeout", "6000", "-waitforconnection"));
        arguments.addAll(List.of(command));
        int[] status = {0};
        ServiceUtils.setSystemExitProcedure(code -> status[0] = code);
        said.reset();
        // Runs `main`'s steps: the exit procedure must not end this process.
        OneShot main = new OneShot(arguments.toArray(new String[0]));
        main.runOnce();
        main.close();
        return new Answer(status[0], said.toString(StandardCharsets.UTF_8));
    }

    /** Opens what the shell keeps to itself. */
    private static final class OneShot extends ZooKeeperMain {
        OneShot(String[] arguments) throws Exception {
            super(arguments);
        }

        void runOnce() throws Exception {
            try {
                var run = ZooKeeperMain.class.getDeclaredMethod("run");
                run.setAccessible(true);
                run.invoke(this);
            } catch (java.lang.reflect.InvocationTargetException error) {
                throw (Exception) error.getCause();
            }
        }

        void close() throws Exception {
            zk.close(5_000);
        }
    }

    private Answer good(String... command) throws Exception {
        Answer answer = shell(command);
        same(0, answer.status);
        return answer;
    }

    boolean run() {
        PrintStream out = System.out;
        PrintStream err = System.err;
        // The shell's commands keep the streams that they find when they are loaded.
        PrintStream both = new PrintStream(said, true, StandardCharsets.UTF_8);
        System.setOut(both);
        System.setErr(both);
        try {
            behaviours();
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
        return harness.finish();
    }

    private void behaviours() {
        harness.behaviour("create, get, set, stat, ls", this::nodes);
        harness.behaviour("ls -R, getAllChildrenNumber, deleteall", this::trees);
        harness.behaviour("sequences, ephemerals, containers, TTL", this::kinds);
        harness.behaviour("getAcl, setAcl, and a user", this::acls);
        harness.behaviour("setquota, listquota, delquota", this::quotas);
        harness.behaviour("version, whoami, sync, config, getEphemerals", this::information);
        harness.behaviour("errors are named and fail the command", this::errors);
    }

    private void nodes() throws Exception {
        good("create", "/shell", "data").says("Created /shell");
        good("get", "/shell").says("data");
        good("set", "-s", "/shell", "other").says("dataVersion = 1");
        good("get", "-s", "/shell").says("other").says("dataLength = 5");
        good("stat", "/shell").says("cZxid = 0x").says("numChildren = 0")
                .says("ephemeralOwner = 0x0");
        good("create", "/shell/a").says("Created /shell/a");
        good("ls", "/shell").says("[a]");
        good("ls", "-s", "/shell").says("[a]").says("cversion = 1");
        good("ls", "/").says("zookeeper");
        good("delete", "-v", "0", "/shell/a");
        good("ls", "/shell").says("[]");
    }

    private void trees() throws Exception {
        good("create", "/tree");
        good("create", "/tree/a");
        good("create", "/tree/a/b");
        good("create", "/tree/c");
        good("ls", "-R", "/tree").says("/tree\n/tree/a\n/tree/c\n/tree/a/b");
        good("getAllChildrenNumber", "/tree").says("3");
        shell("delete", "/tree").fails().says("Node not empty");
        good("deleteall", "/tree");
        shell("stat", "/tree").fails().says("Node does not exist");
    }

    private void kinds() throws Exception {
        good("create", "/kinds");
        good("create", "-s", "/kinds/s-").says("Created /kinds/s-0000000000");
        good("create", "-e", "/kinds/e").says("Created /kinds/e");
        good("ls", "/kinds").says("[s-0000000000]");
        good("create", "-s", "-e", "/kinds/se-").says("Created /kinds/se-0000000002");
        good("create", "-c", "/kinds/c").says("Created /kinds/c");
        good("create", "-t", "60000", "/kinds/t").says("Created /kinds/t");
    }

    private void acls() throws Exception {
        good("create", "/acl", "x", "world:anyone:cdrwa");
        good("getAcl", "/acl").says("'world,'anyone\n: cdrwa");
        good("setAcl", "-s", "/acl", "world:anyone:ra").says("aclVersion = 1");
        good("getAcl", "/acl").says("'world,'anyone\n: ra");
        shell("set", "/acl", "y").fails().says("Insufficient permission");
        String hash = "alice:5wrS7k0h4rJYT4fAWqB8ToMAqkA=";
        good("setAcl", "/acl", "digest:" + hash + ":cdrwa");
        shell("get", "/acl").fails().says("Insufficient permission");
    }

    private void quotas() throws Exception {
        good("create", "/quota");
        good("setquota", "-n", "5", "/quota");
        good("create", "/quota/a");
        good("listquota", "/quota").says("Output quota for /quota count=5,bytes=-1=;")
                .says("Output stat for /quota count=2,bytes=");
        good("delquota", "-n", "/quota");
        good("delquota", "/quota");
        good("listquota", "/quota").says("quota for /quota does not exist");
    }

    private void information() throws Exception {
        good("version").says("ZooKeeper CLI version: 3.9.5");
        good("whoami").says("ip: 127.0.0.1");
        good("sync", "/").says("Sync is OK");
        good("config");
        good("getEphemerals").says("[]");
    }

    private void errors() throws Exception {
        shell("get", "/none").fails().says("Node does not exist: /none");
        good("create", "/errors");
        shell("create", "/errors").says("Node already exists: /errors");
        shell("set", "-v", "9", "/errors", "x").says("version No is not valid");
        shell("create", "-e", "/none/below").says("Node does not exist");
    }
}
