package org.apache.zookeeper.server;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Properties;

/**
 * Lets the tests of ZooKeeper's own repository run on Rookery: where they would serve clients
 * from within their JVM, a process is started on the same port, with the settings that the test
 * gave to the server and to the system properties.
 *
 * <p>It does not give them a view into the server: a test that looks at the server's objects
 * sees an empty tree and fails. Chosen with
 * {@code -Dzookeeper.serverCnxnFactory=org.apache.zookeeper.server.RookeryCnxnFactory}; the
 * binary is named by {@code -Drookery}.
 */
public class RookeryCnxnFactory extends ServerCnxnFactory {
    /** How long the process may take to answer. */
    private static final long START_MS = 20_000;

    private Process process;
    private InetSocketAddress address;
    private int connectionsPerHostMax = 60;
    private int backlog = -1;

    @Override
    public void configure(InetSocketAddress asked, int perHostMax, int backlog, boolean secure)
            throws IOException {
        if (secure) {
            throw new IOException("TLS is not offered");
        }
        address = asked;
        if (asked.getPort() == 0) {
            try (ServerSocket free = new ServerSocket(0)) {
                address = new InetSocketAddress(asked.getAddress(), free.getLocalPort());
            }
        }
        connectionsPerHostMax = perHostMax;
        this.backlog = backlog;
    }

    @Override
    public void startup(ZooKeeperServer server, boolean startServer)
            throws IOException, InterruptedException {
        setZooKeeperServer(server);
        if (process != null && process.isAlive()) {
            return;
        }
        Path file = Files.createTempFile("rookery", ".cfg");
        try (OutputStream out = Files.newOutputStream(file)) {
            settings(server).store(out, null);
        }
        process = new ProcessBuilder(System.getProperty("rookery"), "serve", file.toString())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
        awaitAnswer();
    }

    private Properties settings(ZooKeeperServer server) {
        Properties settings = new Properties();
        for (String name : System.getProperties().stringPropertyNames()) {
            boolean ofServer = name.startsWith("zookeeper.") || name.startsWith("znode.")
                    || name.startsWith("jute.") || name.equals("readonlymode.enabled");
            // Left there by tests of ensembles that ran in this JVM.
            boolean ofOthers = name.startsWith("zookeeper.server");
            if (ofServer && !ofOthers) {
                settings.setProperty(name, System.getProperty(name));
            }
        }
        File zookeepers = server.getTxnLogFactory().getDataLogDir();
        settings.setProperty("dataDir", new File(zookeepers.getParentFile(), "rookery").getPath());
        settings.setProperty("clientPort", Integer.toString(address.getPort()));
        settings.setProperty("maxClientCnxns", Integer.toString(connectionsPerHostMax));
        settings.setProperty("tickTime", Integer.toString(server.getTickTime()));
        settings.setProperty("minSessionTimeout", Integer.toString(server.getMinSessionTimeout()));
        settings.setProperty("maxSessionTimeout", Integer.toString(server.getMaxSessionTimeout()));
        settings.setProperty("admin.enableServer", "false");
        return settings;
    }

    private void awaitAnswer() throws IOException, InterruptedException {
        long deadline = System.currentTimeMillis() + START_MS;
        while (System.currentTimeMillis() < deadline) {
            if (!process.isAlive()) {
                throw new IOException("the server exited with " + process.exitValue());
            }
            try (Socket socket = new Socket("127.0.0.1", address.getPort())) {
                socket.setSoTimeout(1000);
                socket.getOutputStream().write("ruok".getBytes(StandardCharsets.US_ASCII));
                // Any answer will do: the word may not be on the list.
                if (socket.getInputStream().read() >= 0) {
                    return;
                }
            } catch (IOException notYet) {
                Thread.sleep(20);
            }
        }
        throw new IOException("the server did not answer");
    }

    @Override
    public void shutdown() {
        if (process == null) {
            return;
        }
        process.destroy();
        try {
            process.waitFor();
        } catch (InterruptedException interrupted) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        process = null;
    }

    @Override
    public void join() throws InterruptedException {
        if (process != null) {
            process.waitFor();
        }
    }

    @Override
    public int getLocalPort() {
        return address.getPort();
    }

    @Override
    public InetSocketAddress getLocalAddress() {
        return address;
    }

    @Override
    public int getMaxClientCnxnsPerHost() {
        return connectionsPerHostMax;
    }

    @Override
    public void setMaxClientCnxnsPerHost(int max) {
        connectionsPerHostMax = max;
    }

    @Override
    public int getSocketListenBacklog() {
        return backlog;
    }

    @Override
    public void start() {
        // startup() has done it.
    }

    @Override
    public Iterable<ServerCnxn> getConnections() {
        return cnxns;
    }

    @Override
    public Iterable<Map<String, Object>> getAllConnectionInfo(boolean brief) {
        return Collections.emptyList();
    }

    @Override
    public void resetAllConnectionStats() {
        throw new UnsupportedOperationException("the server is another process");
    }

    @Override
    public boolean closeSession(long session, ServerCnxn.DisconnectReason reason) {
        throw new UnsupportedOperationException("the server is another process");
    }

    @Override
    public void closeAll(ServerCnxn.DisconnectReason reason) {
        throw new UnsupportedOperationException("the server is another process");
    }

    @Override
    public void reconfigure(InetSocketAddress asked) {
        throw new UnsupportedOperationException("the server is another process");
    }
}
