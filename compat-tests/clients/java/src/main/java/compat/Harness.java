package compat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.concurrent.Callable;

/** What the Java suites are made of: behaviours, waiting for conditions, orders to the server. */
final class Harness {
    static final String CONNECT = System.getenv("COMPAT_CONNECT");
    /** Longer than any wait for something that does happen. */
    static final long PATIENCE_MS = 15_000;

    private static final String CONTROL = System.getenv("COMPAT_CONTROL");
    private static final PrintStream REPORT = System.out;

    private final String suite;
    private final String only;
    private int held;
    private int run;

    Harness(String suite, String only) {
        this.suite = suite;
        this.only = only;
    }

    /** A behaviour's body; fails by throwing. */
    interface Body {
        void run() throws Exception;
    }

    /** Runs a behaviour, which gets one line of the report whatever happens in it. */
    void behaviour(String title, Body body) {
        if (!title.contains(only)) {
            return;
        }
        run++;
        long began = System.nanoTime();
        Throwable error = null;
        try {
            body.run();
            held++;
        } catch (Throwable thrown) {
            error = thrown;
        }
        double took = (System.nanoTime() - began) / 1e9;
        REPORT.printf("%s %s: %s (%.1f s)%n", error == null ? "ok  " : "FAIL", suite, title, took);
        if (error != null) {
            StringWriter trace = new StringWriter();
            error.printStackTrace(new PrintWriter(trace));
            REPORT.println(trace);
        }
        REPORT.flush();
    }

    /** Prints the closing line and tells whether all behaviours hold. */
    boolean finish() {
        REPORT.printf("%s: %d of %d behaviours hold%n", suite, held, run);
        REPORT.flush();
        return held == run;
    }

    static void check(boolean condition, Object what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    static void same(Object expected, Object actual) {
        check(Objects.equals(expected, actual), "expected " + expected + ", got " + actual);
    }

    /** Asserts that a call fails with exactly this class and returns the exception. */
    static <E extends Exception> E fails(Class<E> expected, Callable<?> call) {
        Object result;
        try {
            result = call.call();
        } catch (Exception thrown) {
            if (thrown.getClass() == expected) {
                return expected.cast(thrown);
            }
            throw new AssertionError("expected " + expected.getSimpleName(), thrown);
        }
        throw new AssertionError("expected " + expected.getSimpleName() + ", got " + result);
    }

    /** The same, of a call that returns nothing. */
    static <E extends Exception> E fails(Class<E> expected, Body call) {
        return fails(expected, () -> {
            call.run();
            return null;
        });
    }

    /** Waits until a condition holds. */
    static void until(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + PATIENCE_MS * 1_000_000;
        while (!condition.call()) {
            check(System.nanoTime() < deadline, "waited in vain for " + what);
            Thread.sleep(20);
        }
    }

    /** Has the test's owner drop connections, or kill and restart the server. */
    static void order(String word) throws IOException {
        int colon = CONTROL.lastIndexOf(':');
        String host = CONTROL.substring(0, colon);
        int port = Integer.parseInt(CONTROL.substring(colon + 1));
        try (Socket socket = new Socket(host, port)) {
            socket.getOutputStream().write((word + "\n").getBytes(StandardCharsets.UTF_8));
            InputStreamReader answer =
                    new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8);
            same("ok", new BufferedReader(answer).readLine());
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }
}
