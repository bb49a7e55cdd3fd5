package org.apache.zookeeper.client;

import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;

/**
 * Stands before the class of this name of 3.4, which takes the host from the text of an address:
 * since Java 14 that text is another for addresses that are not resolved, and it finds no server.
 */
public final class StaticHostProvider implements HostProvider {
    private final List<InetSocketAddress> servers = new ArrayList<>();
    private int next;
    private int sinceConnected;

    public StaticHostProvider(Collection<InetSocketAddress> unresolved) {
        for (InetSocketAddress address : unresolved) {
            servers.add(new InetSocketAddress(address.getHostString(), address.getPort()));
        }
        Collections.shuffle(servers);
    }

    @Override
    public int size() {
        return servers.size();
    }

    @Override
    public InetSocketAddress next(long spinDelay) {
        if (sinceConnected++ >= servers.size() && spinDelay > 0) {
            try {
                Thread.sleep(spinDelay);
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }
        next = (next + 1) % servers.size();
        return servers.get(next);
    }

    @Override
    public void onConnected() {
        sinceConnected = 0;
    }
}
