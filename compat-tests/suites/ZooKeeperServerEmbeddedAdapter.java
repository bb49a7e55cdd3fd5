package org.apache.curator.test;

import java.io.IOException;
import java.io.OutputStream;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.zookeeper.server.quorum.QuorumPeerConfig;

/**
 * Stands before the class of this name in curator-test: its TestingServer then runs the binary
 * named by {@code -Drookery}, with the settings that the test asked for.
 *
 * <p>It runs one server; of an ensemble, each test server runs its own.
 */
public class ZooKeeperServerEmbeddedAdapter implements ZooKeeperMainFace {
    /** How long the process may take to answer. */
    private static final long START_MS = 20_000;

    private Process process;
    private int port;

    @Override
    public void start(QuorumPeerConfigBuilder asked) {
        try {
            Path file = Files.createTempFile("rookery", ".cfg");
            try (OutputStream out = Files.newOutputStream(file)) {
                settings(asked.buildProperties()).store(out, null);
            }
            process = new ProcessBuilder(System.getProperty("rookery"), "serve", file.toString())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
            awaitAnswer();
        } catch (FailedServerStartException failed) {
            throw failed;
        } catch (Exception failed) {
            throw new FailedServerStartException(failed);
        }
    }

    private Properties settings(Properties settings) throws IOException {
        for (String name : System.getProperties().stringPropertyNames()) {
            if (name.startsWith("zookeeper.") || name.startsWith("znode.")
                    || name.equals("readonlymode.enabled")) {
                settings.setProperty(name, System.getProperty(name));
            }
        }
        // Tests set it for all servers of their JVM.
        if (QuorumPeerConfig.isReconfigEnabled()) {
            settings.setProperty("reconfigEnabled", "true");
        }
        port = Integer.parseInt(settings.getProperty("clientPort"));
        if (port == 0) {
            try (ServerSocket free = new ServerSocket(0)) {
                port = free.getLocalPort();
            }
        }
        settings.setProperty("clientPort", Integer.toString(port));
        settings.setProperty("admin.enableServer", "false");
        settings.setProperty("4lw.commands.whitelist", "*");
        return settings;
    }

    private void awaitAnswer() throws InterruptedException {
        long deadline = System.currentTimeMillis() + START_MS;
        while (System.currentTimeMillis() < deadline) {
            if (!process.isAlive()) {
                throw new FailedServerStartException("exited with " + process.exitValue());
            }
            try (Socket socket = new Socket("127.0.0.1", port)) {
                socket.setSoTimeout(1000);
                socket.getOutputStream().write("ruok".getBytes(StandardCharsets.US_ASCII));
                if (socket.getInputStream().read() == 'i') {
                    return;
                }
            } catch (IOException notYet) {
                Thread.sleep(20);
            }
        }
        throw new FailedServerStartException("did not answer");
    }

    @Override
    public int getClientPort() {
        return port;
    }

    @Override
    public void kill() {
        if (process != null) {
            end(process.destroyForcibly());
        }
    }

    @Override
    public void close() {
        if (process != null) {
            process.destroy();
            end(process);
        }
    }

    private static void end(Process process) {
        try {
            process.waitFor();
        } catch (InterruptedException interrupted) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
