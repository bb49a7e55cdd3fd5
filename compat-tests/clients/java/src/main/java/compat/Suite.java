package compat;

/** Runs the suites of the shell and of Curator in one virtual machine; exit status 1 when a behaviour fails. */
public final class Suite {
    private Suite() {}

    public static void main(String[] args) throws Exception {
        // Four letter words and configuration as the clients' own tests have them.
        System.setProperty("zookeeper.sasl.client", "false");
        String only = args.length > 0 ? args[0] : "";
        boolean held = new Shell(new Harness("shell", only)).run();
        held &= new Curator(new Harness("curator", only)).run();
        System.out.flush();
        // Client threads that outlive their behaviour must not keep the process alive.
        Runtime.getRuntime().halt(held ? 0 : 1);
    }
}
