package systems;

import static systems.Driver.require;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import org.apache.helix.AccessOption;
import org.apache.helix.Criteria;
import org.apache.helix.HelixManager;
import org.apache.helix.HelixManagerFactory;
import org.apache.helix.InstanceType;
import org.apache.helix.NotificationContext;
import org.apache.helix.manager.zk.HelixManagerShutdownHook;
import org.apache.helix.messaging.AsyncCallback;
import org.apache.helix.messaging.handling.HelixTaskResult;
import org.apache.helix.messaging.handling.MessageHandler;
import org.apache.helix.messaging.handling.MessageHandlerFactory;
import org.apache.helix.messaging.handling.MultiTypeMessageHandlerFactory;
import org.apache.helix.model.Message;
import org.apache.helix.participant.StateMachineEngine;
import org.apache.helix.participant.statemachine.StateModel;
import org.apache.helix.participant.statemachine.StateModelFactory;
import org.apache.helix.task.TaskFactory;
import org.apache.helix.task.TaskResult;
import org.apache.helix.task.TaskStateModelFactory;
import org.apache.helix.zookeeper.datamodel.ZNRecord;

/** One participant as a process of its own: it is told of what it is the master. */
public final class HelixParticipant {
    static final String CLUSTER = "cluster";
    private static final String GREETING = "GREETING";
    private static final int ANSWER_WITHIN_MS = 3_000;
    private static final long PAUSE_MS = 200;

    private final String name;
    /** The name and something that differs each time the process starts. */
    private final String life;
    private final HelixManager manager;
    private final Path journal;

    private HelixParticipant(String servers, String name) {
        this.name = name;
        life = name + "-" + ProcessHandle.current().pid();
        journal = journal(name);
        manager = HelixManagerFactory.getZKHelixManager(
                CLUSTER, name, InstanceType.PARTICIPANT, servers);
    }

    public static void main(String[] arguments) throws Exception {
        new HelixParticipant(arguments[0], arguments[1]).run();
    }

    /** Where a participant writes what it has done. */
    static Path journal(String name) {
        return Path.of(name + ".journal");
    }

    private synchronized void note(String line) {
        try {
            Files.writeString(journal, line + "\n",
                    StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private void run() throws Exception {
        StateMachineEngine engine = manager.getStateMachineEngine();
        engine.registerStateModelFactory("MasterSlave", new Copies());
        Map<String, TaskFactory> tasks = Map.of("note", context -> new NoteTask(
                context.getTaskConfig().getConfigMap().get("number")));
        engine.registerStateModelFactory("Task", new TaskStateModelFactory(manager, tasks));
        manager.getMessagingService().registerMessageHandlerFactory(GREETING, new Greeted());
        Runtime.getRuntime().addShutdownHook(new HelixManagerShutdownHook(manager));
        manager.connect();
        while (true) {
            greet();
            Thread.sleep(PAUSE_MS);
        }
    }

    /** Sends a message to all others, and notes how many answered. */
    private void greet() {
        Criteria all = new Criteria();
        all.setInstanceName("%");
        all.setRecipientInstanceType(InstanceType.PARTICIPANT);
        all.setDataSource(Criteria.DataSource.LIVEINSTANCES);
        all.setSessionSpecific(true);
        all.setSelfExcluded(true);
        Message message = new Message(GREETING, java.util.UUID.randomUUID().toString());
        message.setMsgState(Message.MessageState.NEW);
        message.getRecord().setSimpleField("from", name);
        AsyncCallback answers = new AsyncCallback() {
            @Override
            public void onTimeOut() { }

            @Override
            public void onReplyMessage(Message reply) { }
        };
        manager.getMessagingService().sendAndWait(all, message, answers, ANSWER_WITHIN_MS);
        note("greeted " + answers.getMessageReplied().size());
    }

    /** Answers greetings. */
    private static final class Greeted implements MultiTypeMessageHandlerFactory {
        @Override
        public java.util.List<String> getMessageTypes() {
            return java.util.List.of(GREETING);
        }

        @Override
        public MessageHandler createHandler(Message message, NotificationContext context) {
            return new MessageHandler(message, context) {
                @Override
                public HelixTaskResult handleMessage() {
                    HelixTaskResult result = new HelixTaskResult();
                    result.setSuccess(true);
                    return result;
                }

                @Override
                public void onError(Exception error, ErrorCode code, ErrorType type) { }
            };
        }

        @Override
        public void reset() { }
    }

    /** A task of a job: it is noted that it was done. */
    private final class NoteTask implements org.apache.helix.task.Task {
        private final String number;

        NoteTask(String number) {
            this.number = number;
        }

        @Override
        public TaskResult run() {
            note("task " + number);
            return new TaskResult(TaskResult.Status.COMPLETED, "");
        }

        @Override
        public void cancel() { }
    }

    private final class Copies extends StateModelFactory<StateModel> {
        @Override
        public StateModel createNewStateModel(String resource, String partition) {
            return new Copy(resource, partition);
        }
    }

    /** A copy of a partition. Its methods are called by their names. */
    public final class Copy extends StateModel {
        private final String partition;
        private final Path mastery;

        Copy(String resource, String partition) {
            this.partition = partition;
            mastery = Path.of("master-of-" + partition);
        }

        public void onBecomeSlaveFromOffline(Message message, NotificationContext context) { }

        public void onBecomeMasterFromSlave(Message message, NotificationContext context)
                throws IOException {
            beAlone();
            String term = life + "@" + System.nanoTime();
            boolean done = manager.getHelixPropertyStore().update("/terms/" + partition, before -> {
                ZNRecord after = before == null ? new ZNRecord(partition) : before;
                after.setSimpleField(term, name);
                return after;
            }, AccessOption.PERSISTENT);
            require(done, "a term could not be written");
            note("term " + partition + " " + term);
        }

        /** A master that finds that of another process that lives was made one too early. */
        private void beAlone() throws IOException {
            try {
                Files.writeString(mastery, life, StandardOpenOption.CREATE_NEW);
            } catch (FileAlreadyExistsException error) {
                String other = Files.readString(mastery);
                String pid = other.substring(other.lastIndexOf('-') + 1);
                boolean dead = ProcessHandle.of(Long.parseLong(pid)).isEmpty();
                if (!dead && !other.equals(life)) {
                    note("violation " + partition + " has two masters: " + life + ", " + other);
                }
                Files.writeString(mastery, life);
            }
        }

        private void leave() {
            try {
                if (Files.readString(mastery).equals(life)) {
                    Files.delete(mastery);
                }
            } catch (NoSuchFileException error) {
                // It was no master.
            } catch (IOException error) {
                throw new IllegalStateException(error);
            }
        }

        public void onBecomeSlaveFromMaster(Message message, NotificationContext context) {
            leave();
        }

        public void onBecomeOfflineFromSlave(Message message, NotificationContext context) { }

        public void onBecomeDroppedFromOffline(Message message, NotificationContext context) { }

        @Override
        public void reset() {
            leave();
        }
    }
}
