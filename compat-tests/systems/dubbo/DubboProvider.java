package systems;

import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;

/** One provider as a process of its own. */
public final class DubboProvider {
    private DubboProvider() {}

    public static void main(String[] arguments) {
        String name = "provider-" + arguments[2];
        ServiceConfig<Greeting> service = new ServiceConfig<>();
        service.setInterface(Greeting.class);
        service.setRef(who -> name + " greets " + who);
        ProtocolConfig protocol = new ProtocolConfig("dubbo", Integer.parseInt(arguments[1]));
        protocol.setHost("127.0.0.1");
        ApplicationConfig application = new ApplicationConfig("providers");
        application.setQosEnable(false);
        application.setRegisterMode("all");
        DubboBootstrap.getInstance().application(application).registry(registry(arguments[0]))
                .protocol(protocol).service(service).start().await();
    }

    /** The registry, by the address that a client of ZooKeeper takes. */
    static RegistryConfig registry(String servers) {
        int comma = servers.indexOf(',');
        RegistryConfig registry = new RegistryConfig(
                "zookeeper://" + servers.substring(0, comma)
                + "?backup=" + servers.substring(comma + 1));
        registry.setTimeout(20_000);
        registry.setParameters(new java.util.HashMap<>(java.util.Map.of("session", "10000")));
        return registry;
    }
}
