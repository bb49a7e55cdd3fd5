// Records what Apache's own client and server say to each other, for tests/golden.rs.
//
// Needs a running ZooKeeper 3.9.5 that stands alone on 127.0.0.1, is fresh, and has the two
// lines extendedTypesEnabled=true and reconfigEnabled=true in its zoo.cfg; and its jars:
//     java -cp 'zookeeper-3.9.5/*' Record.java 2181 crates/proto/tests/golden
//
// A relay stands between client and server and keeps every frame. Each file is one
// exchange: `>` is a request and `<` what came back, both without the length. What no Java
// client sends is sent byte by byte at the end.

import java.io.*;
import java.net.*;
import java.nio.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import org.apache.zookeeper.*;
import org.apache.zookeeper.data.*;

public class Record {
    static final List<String> frames = Collections.synchronizedList(new ArrayList<>());
    static volatile Socket client;
    static int serverPort;
    static Path folder;

    public static void main(String[] args) throws Exception {
        serverPort = Integer.parseInt(args[0]);
        folder = Path.of(args[1]);
        ServerSocket relay = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
        Thread accept = new Thread(() -> accept(relay));
        accept.setDaemon(true);
        accept.start();
        withJavaClient("127.0.0.1:" + relay.getLocalPort());
        withPlainSocket();
        numbers();
        System.exit(0);
    }

    static void numbers() throws Exception {
        StringBuilder lines = new StringBuilder(
                "# The numbers of Apache ZooKeeper 3.9.5: KeeperException.Code, ZooDefs.OpCode, EventType.\n");
        for (var code : KeeperException.Code.values()) {
            lines.append("error " + code.name() + " " + code.intValue() + "\n");
        }
        for (var op : ZooDefs.OpCode.class.getFields()) {
            lines.append("op " + op.getName() + " " + op.getInt(null) + "\n");
        }
        for (var event : Watcher.Event.EventType.values()) {
            lines.append("event " + event.name() + " " + event.getIntValue() + "\n");
        }
        Files.writeString(folder.resolve("numbers.txt"), lines.toString());
    }

    static void accept(ServerSocket relay) {
        try {
            while (true) {
                Socket from = relay.accept();
                Socket to = new Socket(InetAddress.getLoopbackAddress(), serverPort);
                client = from;
                pass(from, to, "> ");
                pass(to, from, "< ");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static void pass(Socket from, Socket to, String mark) {
        Thread thread = new Thread(() -> {
            try (from; to) {
                DataInputStream in = new DataInputStream(from.getInputStream());
                DataOutputStream out = new DataOutputStream(to.getOutputStream());
                while (true) {
                    byte[] frame = new byte[in.readInt()];
                    in.readFully(frame);
                    frames.add(mark + HexFormat.of().formatHex(frame));
                    ByteBuffer whole = ByteBuffer.allocate(4 + frame.length);
                    whole.putInt(frame.length).put(frame);
                    out.write(whole.array());
                    out.flush();
                }
            } catch (IOException e) {
                // The end of a connection.
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    interface Step {
        void run() throws Exception;
    }

    /** Runs a step and writes what was said meanwhile. Pings are left out. */
    static void record(String name, String what, Step step) throws Exception {
        frames.clear();
        try {
            step.run();
        } catch (KeeperException expected) {
            what += "; refused: " + expected.code();
        }
        // Answers come before their step ends, events may come behind it.
        Thread.sleep(150);
        StringBuilder text = new StringBuilder("# " + what + ". Java client 3.9.5, server 3.9.5.\n");
        synchronized (frames) {
            for (String frame : frames) {
                if (!frame.substring(2).startsWith("fffffffe")) {
                    text.append(frame).append('\n');
                }
            }
        }
        Files.writeString(folder.resolve(name + ".hex"), text.toString());
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static void withJavaClient(String address) throws Exception {
        Semaphore connected = new Semaphore(0);
        Watcher watcher = event -> {
            if (event.getType() == Watcher.Event.EventType.None
                    && event.getState() == Watcher.Event.KeeperState.SyncConnected) {
                connected.release();
            }
        };
        ZooKeeper[] slot = new ZooKeeper[1];
        record("connect", "A new session", () -> {
            slot[0] = new ZooKeeper(address, 10000, watcher);
            connected.acquire();
        });
        ZooKeeper zk = slot[0];
        List<ACL> open = ZooDefs.Ids.OPEN_ACL_UNSAFE;
        Stat stat = new Stat();
        record("auth", "An identity is proved", () -> {
            zk.addAuthInfo("digest", bytes("rook:secret"));
            zk.whoAmI();
        });
        record("who_am_i", "Own identities", zk::whoAmI);
        record("create", "A persistent znode with data", () -> zk.create("/golden", bytes("data"), open, CreateMode.PERSISTENT));
        record("create_null_data", "A znode with null data", () -> zk.create("/golden/null", null, open, CreateMode.PERSISTENT));
        record("create_sequential", "A numbered ephemeral for everybody and for its creator", () -> {
            List<ACL> both = new ArrayList<>(open);
            both.addAll(ZooDefs.Ids.CREATOR_ALL_ACL);
            zk.create("/golden/s-", new byte[0], both, CreateMode.EPHEMERAL_SEQUENTIAL);
        });
        record("create2", "A znode and its Stat", () -> zk.create("/golden/b", bytes("b"), open, CreateMode.PERSISTENT, stat));
        record("create_container", "A container", () -> zk.create("/golden/c", bytes("c"), open, CreateMode.CONTAINER, stat));
        record("create_ttl", "A znode with a time to live", () -> zk.create("/golden/t", bytes("t"), open, CreateMode.PERSISTENT_WITH_TTL, stat, 86400000L));
        record("create_exists", "A znode that exists", () -> zk.create("/golden", bytes("data"), open, CreateMode.PERSISTENT));
        record("exists", "With a watch", () -> zk.exists("/golden", true));
        record("exists_not", "A znode that does not exist, with a watch", () -> zk.exists("/golden/later", true));
        record("get_data", "With a watch", () -> zk.getData("/golden", true, stat));
        record("get_data_null", "A znode with null data", () -> zk.getData("/golden/null", false, stat));
        record("set_data", "A watched znode: the event comes first", () -> zk.setData("/golden", bytes("other"), 0));
        record("set_data_bad_version", "An outdated version", () -> zk.setData("/golden", bytes("other"), 0));
        record("get_acl", "A list", () -> zk.getACL("/golden/b", stat));
        record("set_acl", "A list of two", () -> {
            List<ACL> both = new ArrayList<>(open);
            both.addAll(ZooDefs.Ids.CREATOR_ALL_ACL);
            zk.setACL("/golden/b", both, -1);
        });
        CompletableFuture<Void> names = new CompletableFuture<>();
        record("get_children", "Names only, with a watch", () -> {
            zk.getChildren("/golden", true, (AsyncCallback.ChildrenCallback) (rc, path, context, list) -> names.complete(null), null);
            names.get();
        });
        record("get_children2", "Names and Stat, with a watch", () -> zk.getChildren("/golden", true, stat));
        record("get_all_children_number", "All descendants", () -> zk.getAllChildrenNumber("/golden"));
        record("get_ephemerals", "By a prefix", () -> zk.getEphemerals("/golden"));
        CompletableFuture<Void> synced = new CompletableFuture<>();
        record("sync", "A path", () -> {
            zk.sync("/golden", (rc, path, context) -> synced.complete(null), null);
            synced.get();
        });
        record("delete", "A watched znode's child: the event comes first", () -> zk.delete("/golden/b", -1));
        record("delete_not_empty", "A znode with children", () -> zk.delete("/golden", -1));
        record("multi", "Every kind of element", () -> zk.multi(List.of(
                Op.create("/golden/m", bytes("m"), open, CreateMode.PERSISTENT),
                Op.create("/golden/n", bytes("n"), open, CreateMode.CONTAINER),
                Op.create("/golden/o", bytes("o"), open, CreateMode.PERSISTENT_WITH_TTL, 86400000L),
                Op.check("/golden/m", 0),
                Op.setData("/golden/m", bytes("mm"), 0),
                Op.delete("/golden/m", 1))));
        record("multi_failed", "The second of three elements fails", () -> zk.multi(List.of(
                Op.setData("/golden", bytes("again"), -1),
                Op.delete("/golden/nowhere", -1),
                Op.check("/golden", -1))));
        record("multi_read", "Two that succeed, one that fails", () -> zk.multi(List.of(
                Op.getData("/golden"), Op.getChildren("/golden"), Op.getData("/golden/nowhere"))));
        record("add_watch", "A persistent recursive one", () -> zk.addWatch("/golden", AddWatchMode.PERSISTENT_RECURSIVE));
        record("add_watch_event", "A create below a recursive watch", () -> zk.create("/golden/later", bytes("x"), open, CreateMode.PERSISTENT));
        Socket ours = client;
        var admin = administrator(address);
        record("reconfig", "A server that stands alone", () ->
                admin.reconfigure("server.2=127.0.0.1:1:2;3", "4", null, -1, stat));
        admin.close();
        record("watches_before", "Watches for the next exchange", () -> {
            zk.exists("/golden/never", true);
            zk.getData("/golden/null", true, stat);
            zk.getChildren("/golden/c", true);
            zk.addWatch("/golden/c", AddWatchMode.PERSISTENT);
        });
        connected.drainPermits();
        record("set_watches2", "A lost connection: the session comes back with its identity and watches", () -> {
            ours.close();
            connected.acquire();
        });
        record("check_watches", "One watcher of one kind is taken away by its client", () -> {
            zk.addWatch("/golden/c", event -> { }, AddWatchMode.PERSISTENT);
            zk.removeWatches("/golden/never", watcher, Watcher.WatcherType.Data, false);
        });
        record("remove_watches", "All of a kind", () -> zk.removeAllWatches("/golden/c", Watcher.WatcherType.Any, false));
        record("close_session", "The session ends", zk::close);
        Files.delete(folder.resolve("watches_before.hex"));
    }

    /** An administrator's client on a connection of its own. */
    static org.apache.zookeeper.admin.ZooKeeperAdmin administrator(String address) throws Exception {
        CountDownLatch up = new CountDownLatch(1);
        var admin = new org.apache.zookeeper.admin.ZooKeeperAdmin(address, 10000, event -> up.countDown());
        up.await();
        return admin;
    }

    /** What no Java client sends, or only with more set up than it is worth. */
    static void withPlainSocket() throws Exception {
        byte[] connect = ByteBuffer.allocate(45).putInt(0).putLong(0).putInt(10000).putLong(0).putInt(16).array();
        plain("connect_without_read_only", "The handshake of an old client", Arrays.copyOf(connect, 44));
        plain("set_watches", "The first form, with one watch that has fired", connect,
                request(101, -8).putLong(0).putInt(1).put(text("/golden")).putInt(0).putInt(1).put(text("/golden/c")));
        plain("create2_multi", "A multi of a create2", connect,
                request(14, 1).putInt(15).put((byte) 0).putInt(-1).put(text("/golden/p")).put(text("data"))
                        .putInt(1).putInt(31).put(text("world")).put(text("anyone")).putInt(0)
                        .putInt(-1).put((byte) 1).putInt(-1));
        plain("multi_undecodable", "A multi with a sync in it", connect,
                request(14, 1).putInt(9).put((byte) 0).putInt(-1).put(text("/golden")).putInt(-1).put((byte) 1).putInt(-1));
        plain("sasl", "A step of SASL where it is not configured", connect, request(102, 1).put(text("token")));
        plain("unknown", "An operation that does not exist", connect, request(99, 1));
    }

    static ByteBuffer request(int op, int xid) {
        return ByteBuffer.allocate(200).putInt(xid).putInt(op);
    }

    static byte[] text(String text) {
        byte[] bytes = bytes(text);
        return ByteBuffer.allocate(4 + bytes.length).putInt(bytes.length).put(bytes).array();
    }

    static void plain(String name, String what, byte[] connect, ByteBuffer... requests) throws Exception {
        StringBuilder lines = new StringBuilder("# " + what + ". Plain socket, server 3.9.5.\n");
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), serverPort)) {
            DataOutputStream out = new DataOutputStream(socket.getOutputStream());
            DataInputStream in = new DataInputStream(socket.getInputStream());
            exchange(lines, socket, out, in, connect, requests.length == 0);
            for (ByteBuffer request : requests) {
                exchange(lines, socket, out, in, Arrays.copyOf(request.array(), request.position()), true);
            }
        }
        Files.writeString(folder.resolve(name + ".hex"), lines.toString());
    }

    /** Sends one frame and keeps all that comes back until it is quiet. */
    static void exchange(StringBuilder lines, Socket socket, DataOutputStream out, DataInputStream in, byte[] frame, boolean keep)
            throws Exception {
        StringBuilder said = new StringBuilder("> " + HexFormat.of().formatHex(frame) + "\n");
        out.writeInt(frame.length);
        out.write(frame);
        out.flush();
        socket.setSoTimeout(5000);
        try {
            while (true) {
                byte[] reply = new byte[in.readInt()];
                in.readFully(reply);
                said.append("< ").append(HexFormat.of().formatHex(reply)).append('\n');
                socket.setSoTimeout(200);
            }
        } catch (SocketTimeoutException | EOFException quiet) {
            // That was all.
        }
        if (keep) {
            lines.append(said);
        }
    }
}
