package systems;

/** What the providers offer and the consumer calls. */
public interface Greeting {
    /** The provider's name and what it was told. */
    String greet(String who);
}
