package systems;

import static systems.Driver.require;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.pulsar.metadata.api.MetadataStoreConfig;
import org.apache.pulsar.metadata.api.MetadataStoreException;
import org.apache.pulsar.metadata.api.MetadataStoreException.BadVersionException;
import org.apache.pulsar.metadata.api.MetadataStoreException.NotFoundException;
import org.apache.pulsar.metadata.api.extended.CreateOption;
import org.apache.pulsar.metadata.api.extended.MetadataStoreExtended;

/**
 * A metadata store, and writes to it that are known to be done when they return.
 *
 * <p>Pulsar's store passes on that a connection was lost, and then nobody knows whether the write
 * was made. Here it is made again, and what was wrong with that is asked: every value has one
 * writer and is never the same twice.
 */
final class PulsarStore {
    /** Everything lies below it, so that the clients' paths have a prefix. */
    static final String ROOT = "/pulsar";
    private static final int SESSION_MS = 15_000;
    private static final Executor LATER =
            CompletableFuture.delayedExecutor(100, TimeUnit.MILLISECONDS);

    final MetadataStoreExtended store;

    PulsarStore(String servers, String name) throws MetadataStoreException {
        MetadataStoreConfig config = MetadataStoreConfig.builder()
                .sessionTimeoutMillis(SESSION_MS).metadataStoreName(name).build();
        store = MetadataStoreExtended.create("zk:" + servers + ROOT, config);
    }

    /** Makes a node that must not be there yet. */
    CompletableFuture<Void> create(String path, String value, CreateOption... options) {
        return put(path, bytes(value), -1, options);
    }

    /** Changes a node of this version. */
    CompletableFuture<Void> update(String path, String value, long version) {
        return put(path, bytes(value), version);
    }

    private CompletableFuture<Void> put(
            String path, byte[] value, long version, CreateOption... options) {
        EnumSet<CreateOption> set = EnumSet.noneOf(CreateOption.class);
        set.addAll(Arrays.asList(options));
        return settle(() -> follow(
                store.put(path, value, Optional.of(version), set).thenApply(stat -> null),
                error -> error instanceof BadVersionException
                        ? isMine(path, value) : CompletableFuture.failedFuture(error)));
    }

    /** A version that does not fit is right if it was ourselves who made the one that is there. */
    private CompletableFuture<Void> isMine(String path, byte[] value) {
        return store.get(path).thenAccept(found -> {
            byte[] there = found.isPresent() ? found.get().getValue() : null;
            require(Arrays.equals(value, there),
                    path + ": not " + text(value) + " but " + text(there));
        });
    }

    /** Deletes a node; one that is not there was deleted by the attempt before. */
    CompletableFuture<Void> delete(String path, Optional<Long> version) {
        return settle(() -> follow(store.delete(path, version),
                error -> error instanceof NotFoundException
                        ? CompletableFuture.completedFuture(null)
                        : CompletableFuture.failedFuture(error)));
    }

    /** Tries until there is an answer that is not the loss of a connection. */
    static <T> CompletableFuture<T> settle(Supplier<CompletableFuture<T>> attempt) {
        return follow(attempt.get(), error -> {
            boolean known = error instanceof BadVersionException
                    || error instanceof NotFoundException
                    || !(error instanceof MetadataStoreException);
            if (known) {
                return CompletableFuture.failedFuture(error);
            }
            return CompletableFuture.runAsync(() -> { }, LATER)
                    .thenCompose(waited -> settle(attempt));
        });
    }

    private interface Remedy<T> {
        CompletableFuture<T> of(Throwable error);
    }

    private static <T> CompletableFuture<T> follow(CompletableFuture<T> first, Remedy<T> remedy) {
        return first.handle((done, error) -> error == null
                ? CompletableFuture.completedFuture(done) : remedy.of(cause(error)))
                .thenCompose(second -> second);
    }

    /** What is within the wrappers that futures put around their failures. */
    static Throwable cause(Throwable error) {
        boolean wrapper =
                error instanceof CompletionException || error instanceof ExecutionException;
        return wrapper && error.getCause() != null ? cause(error.getCause()) : error;
    }

    static byte[] bytes(String value) {
        return value.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] value) {
        return value == null ? null : new String(value, StandardCharsets.UTF_8);
    }
}
