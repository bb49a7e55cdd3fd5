package systems;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import org.apache.solr.embedded.JettyConfig;
import org.apache.solr.embedded.JettySolrRunner;

/** One node of SolrCloud as a process of its own. */
public final class SolrNode {
    private static final String SETTINGS = """
            <solr>
              <solrcloud>
                <str name="host">127.0.0.1</str>
                <int name="hostPort">%s</int>
                <str name="hostContext">/solr</str>
                <int name="zkClientTimeout">10000</int>
                <bool name="genericCoreNodeNames">true</bool>
              </solrcloud>
            </solr>
            """;

    private SolrNode() {}

    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(arguments[0]);
        String port = arguments[2];
        Files.createDirectories(home);
        Files.writeString(home.resolve("solr.xml"), SETTINGS.formatted(port));
        Properties properties = new Properties();
        properties.setProperty("zkHost", arguments[1]);
        properties.setProperty("hostPort", port);
        JettyConfig config = JettyConfig.builder().setContext("/solr")
                .setPort(Integer.parseInt(port)).build();
        JettySolrRunner node = new JettySolrRunner(home.toString(), properties, config);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.stop();
            } catch (Exception error) {
                error.printStackTrace();
            }
        }));
        node.start();
    }
}
