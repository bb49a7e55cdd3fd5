package systems;

import static systems.Driver.PATIENCE_SECONDS;
import static systems.Driver.require;
import static systems.Driver.same;
import static systems.Driver.until;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.LongSerializer;

/** Numbered records, produced without a pause until stock is taken. */
final class Records {
    /** How many are on their way at once. */
    private static final int ON_THEIR_WAY = 100;
    private static final long PAUSE_MS = 2;

    private final String brokers;
    private final String topic;
    private final int partitions;
    private final AtomicLong acknowledged = new AtomicLong();
    private final AtomicReference<Exception> failure = new AtomicReference<>();
    private final Thread producer = new Thread(this::produce);
    private volatile boolean over;
    private long sent;

    Records(String brokers, String topic, int partitions) {
        this.brokers = brokers;
        this.topic = topic;
        this.partitions = partitions;
    }

    void start() {
        producer.setDaemon(true);
        producer.start();
    }

    private void produce() {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", brokers);
        settings.put("key.serializer", LongSerializer.class.getName());
        settings.put("value.serializer", LongSerializer.class.getName());
        settings.put("acks", "all");
        settings.put("enable.idempotence", "true");
        settings.put("delivery.timeout.ms", Long.toString(PATIENCE_SECONDS * 1_000));
        Semaphore room = new Semaphore(ON_THEIR_WAY);
        try (KafkaProducer<Long, Long> all = new KafkaProducer<>(settings)) {
            for (; !over && failure.get() == null; sent++) {
                room.acquire();
                int partition = (int) (sent % partitions);
                all.send(new ProducerRecord<>(topic, partition, sent, sent), (told, error) -> {
                    room.release();
                    if (error == null) {
                        acknowledged.incrementAndGet();
                    } else {
                        failure.compareAndSet(null, error);
                    }
                });
                Thread.sleep(PAUSE_MS);
            }
        } catch (InterruptedException error) {
            failure.compareAndSet(null, error);
        }
    }

    /** Waits until so many more were acknowledged. */
    void waitForMore(long count) throws Exception {
        long target = acknowledged.get() + count;
        until(count + " more records", () -> {
            sound();
            return acknowledged.get() >= target;
        });
    }

    private void sound() {
        if (failure.get() != null) {
            throw new AssertionError("a record was not taken", failure.get());
        }
    }

    private KafkaConsumer<Long, Long> consumer(String group) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", brokers);
        settings.put("group.id", group);
        settings.put("auto.offset.reset", "earliest");
        settings.put("key.deserializer", LongDeserializer.class.getName());
        settings.put("value.deserializer", LongDeserializer.class.getName());
        return new KafkaConsumer<>(settings);
    }

    /** A member of a group reads that many and commits. */
    void consume(String group, int count) throws Exception {
        try (KafkaConsumer<Long, Long> reader = consumer(group)) {
            reader.subscribe(List.of(topic));
            AtomicLong read = new AtomicLong();
            until(count + " records read", () -> {
                read.addAndGet(reader.poll(Duration.ofMillis(200)).count());
                return read.get() >= count;
            });
            reader.commitSync();
        }
    }

    /** Ends the producer; then each partition must hold its numbers, in order, each once. */
    void takeStock() throws Exception {
        over = true;
        producer.join(PATIENCE_SECONDS * 1_000);
        require(!producer.isAlive(), "the producer hangs");
        sound();
        same(sent, acknowledged.get());
        List<TopicPartition> all = new ArrayList<>();
        for (int partition = 0; partition < partitions; partition++) {
            all.add(new TopicPartition(topic, partition));
        }
        long[] next = new long[partitions];
        AtomicLong read = new AtomicLong();
        try (KafkaConsumer<Long, Long> reader = consumer("stock")) {
            reader.assign(all);
            reader.seekToBeginning(all);
            until("all records read", () -> {
                for (ConsumerRecord<Long, Long> record : reader.poll(Duration.ofMillis(200))) {
                    int partition = record.partition();
                    same(next[partition] * partitions + partition, record.value());
                    next[partition]++;
                    read.incrementAndGet();
                }
                return read.get() >= sent;
            });
            same(sent, read.get());
        }
    }
}
