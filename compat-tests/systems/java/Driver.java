package systems;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.concurrent.Callable;

/**
 * What all drivers share: checks, waiting for conditions, orders to the one who runs the test.
 *
 * <p>Standard output carries lines for the test alone; whatever else prints goes to standard
 * error.
 */
final class Driver {
    /** Longer than any wait for something that does happen, JVMs on a busy machine included. */
    static final long PATIENCE_SECONDS = 120;

    private static final PrintStream REPORT = System.out;
    private static final BufferedReader ANSWERS =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    private Driver() {}

    /** A check's body; fails by throwing. */
    interface Body {
        void run() throws Exception;
    }

    /** Runs all checks of a system and ends the process. */
    static void drive(Body checks) {
        System.setOut(System.err);
        try {
            checks.run();
            say("end");
            System.exit(0);
        } catch (Throwable error) {
            say("FAIL " + trace(error));
            System.exit(1);
        }
    }

    /** One line of the report. */
    static void check(String what, Body body) throws Exception {
        long began = System.nanoTime();
        try {
            body.run();
        } catch (Throwable error) {
            throw new AssertionError(what, error);
        }
        say(String.format("ok %s (%.1f s)", what, (System.nanoTime() - began) / 1e9));
    }

    /** Has the owner of the test do something, and waits until it is done. */
    static synchronized void order(String words) throws IOException {
        say("> " + words);
        same("ok", ANSWERS.readLine());
    }

    /** Ends the server that leads as a power failure would. */
    static void killLeader() throws IOException {
        order("kill-leader");
    }

    /** Starts the killed server again, and waits until it serves. */
    static void revive() throws IOException {
        order("revive");
    }

    /** Waits until a condition holds. What it throws counts as "not yet". */
    static void until(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + PATIENCE_SECONDS * 1_000_000_000;
        while (true) {
            Exception last = null;
            try {
                if (condition.call()) {
                    return;
                }
            } catch (InterruptedException error) {
                throw error;
            } catch (Exception error) {
                last = error;
            }
            if (System.nanoTime() > deadline) {
                throw new AssertionError("waited in vain for " + what, last);
            }
            Thread.sleep(50);
        }
    }

    static void require(boolean condition, Object what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    static void same(Object expected, Object actual) {
        require(Objects.equals(expected, actual), "expected " + expected + ", got " + actual);
    }

    private static synchronized void say(String line) {
        REPORT.println(line);
        REPORT.flush();
    }

    /** All of it in one line: lines are what the report is made of. */
    private static String trace(Throwable error) {
        StringWriter trace = new StringWriter();
        error.printStackTrace(new PrintWriter(trace));
        return trace.toString().replace("\n\t", " | ").replace('\n', ' ');
    }
}
