// Debezium as it runs before a table is handed over, and the judge of what both have sent.
//
//   java -cp JARS Handover.java engine BROKERS TOPIC FOLDER    Debezium's embedded engine, its outbox event router, and
//                                                              Kafka; SIGTERM ends it in order. While FOLDER/hold exists
//                                                              nothing is delivered
//   java -cp JARS Handover.java check BROKERS TOPIC FOLDER     FOLDER/expected: a key and the number of its events a line
//
// Settings of the connector come from FOLDER/connector.properties.

import io.debezium.embedded.Connect;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.RecordChangeEvent;
import io.debezium.engine.format.ChangeEventFormat;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;
import org.apache.kafka.connect.storage.StringConverter;

public class Handover {
    private final String brokers;
    private final String topic;
    private final Path folder;
    private int failures = 0;

    private Handover(String[] arguments) {
        brokers = arguments[1];
        topic = arguments[2];
        folder = Path.of(arguments[3]);
    }

    public static void main(String[] arguments) throws Exception {
        Handover handover = new Handover(arguments);
        if (arguments[0].equals("engine")) {
            handover.run();
        } else {
            handover.check();
        }
    }

    // ---- Debezium

    private void run() throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", brokers))) {
            if (!admin.listTopics().names().get().contains(topic)) {
                admin.createTopics(List.of(new NewTopic(topic, 3, (short) 1))).all().get();
            }
        }
        Properties settings = new Properties();
        try (var reader = Files.newBufferedReader(folder.resolve("connector.properties"))) {
            settings.load(reader);
        }
        var producer = new KafkaProducer<>(Map.<String, Object>of("bootstrap.servers", brokers),
                new ByteArraySerializer(), new ByteArraySerializer());
        var engine = DebeziumEngine.create(ChangeEventFormat.of(Connect.class)).using(settings)
                .using((success, message, error) -> {
                    if (!success) {
                        System.err.println(message + ": " + error);
                        Runtime.getRuntime().halt(1);
                    }
                })
                .notifying((records, committer) -> deliver(producer, records, committer)).build();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                engine.close();
            } catch (java.io.IOException error) {
                System.err.println(error);
            }
        }));
        engine.run();
    }

    /** As Kafka Connect does it: an offset counts when Kafka has what came before it. */
    private void deliver(KafkaProducer<byte[], byte[]> producer, List<RecordChangeEvent<SourceRecord>> records,
            DebeziumEngine.RecordCommitter<RecordChangeEvent<SourceRecord>> committer) throws InterruptedException {
        while (Files.exists(folder.resolve("hold"))) {
            Thread.sleep(20);
        }
        for (var record : records) {
            if (record.record().topic().equals(topic)) {
                producer.send(message(record.record()));
            }
        }
        producer.flush();
        for (var record : records) {
            committer.markProcessed(record);
        }
        committer.markBatchFinished();
    }

    private static ProducerRecord<byte[], byte[]> message(SourceRecord record) {
        StringConverter text = new StringConverter();
        text.configure(Map.of(), false);
        var message = new ProducerRecord<>(record.topic(), null, record.timestamp(),
                text.fromConnectData(record.topic(), record.keySchema(), record.key()),
                text.fromConnectData(record.topic(), record.valueSchema(), record.value()));
        SimpleHeaderConverter headers = new SimpleHeaderConverter();
        record.headers().forEach(header -> message.headers().add(header.key(),
                headers.fromConnectHeader(record.topic(), header.key(), header.schema(), header.value())));
        return message;
    }

    // ---- the judge

    /** Each key's events carry 1, 2, 3 ... in the order of their commits. */
    private void check() throws Exception {
        Map<String, List<String>> sent = new HashMap<>();
        Set<String> ids = new HashSet<>();
        for (var record : read()) {
            sent.computeIfAbsent(utf8(record.key()), key -> new ArrayList<>()).add(utf8(record.value()));
            List<String> names = new ArrayList<>();
            record.headers().forEach(header -> names.add(header.key()));
            if (!names.equals(List.of("id")) || !ids.add(utf8(record.headers().lastHeader("id").value()))) {
                fail("headers " + names + ", or an id that was there before, in partition " + record.partition()
                        + " at " + record.offset());
            }
        }
        int total = 0;
        for (String line : Files.readAllLines(folder.resolve("expected"))) {
            String[] words = line.split(" ");
            List<String> wanted = new ArrayList<>();
            for (int n = 1; n <= Integer.parseInt(words[1]); n++) {
                wanted.add("{\"n\": " + n + "}");
            }
            total += wanted.size();
            List<String> found = Optional.ofNullable(sent.remove(words[0])).orElse(List.of());
            if (!found.equals(wanted)) {
                fail(words[0] + ": " + wanted.size() + " wanted in order, found " + found);
            }
        }
        if (!sent.isEmpty()) {
            fail("nobody wrote events of " + sent.keySet());
        }
        System.out.println(total + " events, " + failures + " failures");
        System.exit(failures == 0 && total > 0 ? 0 : 1);
    }

    private List<ConsumerRecord<byte[], byte[]>> read() {
        Map<String, Object> settings = Map.of("bootstrap.servers", brokers, "isolation.level", "read_committed",
                "enable.auto.commit", false);
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(each -> new TopicPartition(topic, each.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
                consumer.poll(Duration.ofMillis(200)).forEach(records::add);
            }
        }
        return records;
    }

    private void fail(String what) {
        failures++;
        System.out.println(what);
    }

    private static String utf8(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
