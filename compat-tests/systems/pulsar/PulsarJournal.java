package systems;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.StringWriter;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a broker knows to be done, one line each, in a file: it is believed more than the store.
 * It survives the broker, which is killed.
 */
final class PulsarJournal {
    private PulsarJournal() {}

    static Path file(String broker) {
        return Path.of(broker + ".journal");
    }

    /** Where a broker writes it. */
    static final class Author {
        private final Writer file;

        Author(String broker) throws IOException {
            file = Files.newBufferedWriter(
                    file(broker), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        }

        /** A line is there as soon as this returns. */
        synchronized void note(Object... words) {
            StringBuilder line = new StringBuilder();
            for (Object word : words) {
                line.append(line.isEmpty() ? "" : " ").append(word);
            }
            try {
                file.append(line).append('\n').flush();
            } catch (IOException error) {
                throw new IllegalStateException(error);
            }
        }

        void failed(Throwable error) {
            StringWriter trace = new StringWriter();
            error.printStackTrace(new PrintWriter(trace));
            note("failed", trace.toString().replace('\n', ' '));
        }
    }

    /** What all that was written until now says. */
    static final class Reader {
        /** The number last written to each node. */
        final Map<String, Long> written = new HashMap<>();
        /** What was perhaps deleted. */
        final Set<String> doomed = new HashSet<>();
        /** What was deleted for sure. */
        final Set<String> deleted = new HashSet<>();
        /** The counter's values, in order. */
        final List<Long> counted = new ArrayList<>();
        /** What was put into the queue, in order. */
        final List<String> queued = new ArrayList<>();
        /** The number last written into the shared node, by each life of the broker. */
        final Map<String, Long> shared = new HashMap<>();
        /** How many lines there are of each kind. */
        final Map<String, Integer> kinds = new HashMap<>();
        final String broker;
        private final BufferedReader file;
        private String rest = "";

        Reader(String broker) throws IOException {
            this.broker = broker;
            file = Files.newBufferedReader(file(broker));
        }

        /** Reads what was added. */
        Reader catchUp() throws IOException {
            char[] buffer = new char[1 << 16];
            for (int read = file.read(buffer); read > 0; read = file.read(buffer)) {
                rest += new String(buffer, 0, read);
            }
            int end = rest.lastIndexOf('\n') + 1;
            rest.substring(0, end).lines().forEach(this::take);
            rest = rest.substring(end);
            return this;
        }

        private void take(String line) {
            String[] words = line.split(" ");
            kinds.merge(words[0], 1, Integer::sum);
            switch (words[0]) {
                case "wrote" -> written.put(words[1], Long.valueOf(words[2]));
                case "deleting" -> doomed.add(words[1]);
                case "deleted" -> deleted.add(words[1]);
                case "counted" -> counted.add(Long.valueOf(words[1]));
                case "queued" -> queued.add(words[1]);
                case "shared" -> shared.put(words[1], Long.valueOf(words[2]));
                case "failed" -> throw new AssertionError(broker + ": " + line);
                default -> { }
            }
        }

        int count(String kind) {
            return kinds.getOrDefault(kind, 0);
        }
    }
}
