// Compares what the relay sent with what others make of the same rows: Debezium's outbox event router, and the
// CloudEvents SDK.  java -cp JARS Formats.java BROKERS ROWS
//
// ROWS: one JSON object a line with the columns of outbox_events, the format, and where it was sent.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.cloudevents.CloudEvent;
import io.cloudevents.kafka.CloudEventDeserializer;
import io.debezium.transforms.outbox.EventRouter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;
import org.apache.kafka.connect.storage.StringConverter;

public class Formats {
    private static int failures = 0;

    public static void main(String[] arguments) throws Exception {
        List<JsonNode> rows = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(arguments[1]))) {
            rows.add(new ObjectMapper().readTree(line));
        }
        Map<String, ConsumerRecord<byte[], byte[]>> sent = new HashMap<>();
        for (JsonNode row : rows) {
            for (var record : read(arguments[0], row.get("sent_to").asText())) {
                sent.put(record.topic() + "/" + idOf(record), record);
            }
        }
        for (JsonNode row : rows) {
            var record = sent.get(row.get("sent_to").asText() + "/" + row.get("id").asText());
            if (record == null) {
                differ(row, "message", "one", "none");
            } else if (row.get("format").asText().equals("debezium")) {
                compareWithRouter(row, record);
            } else {
                compareWithSdk(row, record);
            }
        }
        System.out.println(rows.size() + " rows, " + failures + " differences");
        System.exit(failures == 0 && !rows.isEmpty() ? 0 : 1);
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(String brokers, String topic) {
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

    private static String idOf(ConsumerRecord<byte[], byte[]> record) {
        for (String name : List.of("id", "ce_id")) {
            if (record.headers().lastHeader(name) != null) {
                return new String(record.headers().lastHeader(name).value(), StandardCharsets.UTF_8);
            }
        }
        var event = new CloudEventDeserializer().deserialize(record.topic(), record.headers(), record.value());
        return event.getId();
    }

    // ---- Debezium

    /** The row as the connector for PostgreSQL hands it to the router: an insert. */
    private static SourceRecord change(JsonNode row) {
        Schema rowSchema = SchemaBuilder.struct().name("outbox_events.Value")
                .field("id", SchemaBuilder.string().name("io.debezium.data.Uuid").build())
                .field("aggregatetype", Schema.STRING_SCHEMA)
                .field("aggregateid", Schema.STRING_SCHEMA)
                .field("type", Schema.STRING_SCHEMA)
                .field("payload", SchemaBuilder.string().name("io.debezium.data.Json").build())
                .field("timestamp", SchemaBuilder.int64().name("io.debezium.time.MicroTimestamp").build()).build();
        Struct after = new Struct(rowSchema)
                .put("id", row.get("id").asText())
                .put("aggregatetype", row.get("aggregate_type").asText())
                .put("aggregateid", row.get("aggregate_id").asText())
                .put("type", row.get("event_type").asText())
                .put("payload", row.get("event_data_text").asText())
                .put("timestamp", row.get("created_us").asLong());
        Schema envelopeSchema = SchemaBuilder.struct().name("outbox_events.Envelope")
                .field("before", rowSchema)
                .field("after", rowSchema)
                .field("source", SchemaBuilder.struct().name("source").build())
                .field("op", Schema.STRING_SCHEMA)
                .field("ts_ms", Schema.INT64_SCHEMA).build();
        Struct envelope = new Struct(envelopeSchema).put("after", after).put("op", "c").put("ts_ms", 1L);
        return new SourceRecord(Map.of(), Map.of(), "server.public.outbox_events", null, null, envelopeSchema,
                envelope);
    }

    private static void compareWithRouter(JsonNode row, ConsumerRecord<byte[], byte[]> record)
            throws java.io.IOException {
        try (var router = new EventRouter<SourceRecord>(); var text = new StringConverter();
                var headerConverter = new SimpleHeaderConverter()) {
            router.configure(Map.of("table.field.event.timestamp", "timestamp"));
            text.configure(Map.of(), false);
            SourceRecord routed = router.apply(change(row));
            byte[] key = text.fromConnectData(routed.topic(), routed.keySchema(), routed.key());
            byte[] value = text.fromConnectData(routed.topic(), routed.valueSchema(), routed.value());
            List<String> headers = new ArrayList<>();
            routed.headers().forEach(header -> headers.add(header.key() + "=" + new String(
                    headerConverter.fromConnectHeader(routed.topic(), header.key(), header.schema(), header.value()),
                    StandardCharsets.UTF_8)));
            List<String> sentHeaders = new ArrayList<>();
            record.headers().forEach(header -> sentHeaders.add(
                    header.key() + "=" + new String(header.value(), StandardCharsets.UTF_8)));
            same(row, "topic", routed.topic(), record.topic());
            same(row, "key", utf8(key), utf8(record.key()));
            same(row, "value", utf8(value), utf8(record.value()));
            same(row, "headers", headers, sentHeaders);
            same(row, "timestamp", routed.timestamp(), record.timestamp());
            same(row, "partition", Utils.toPositive(Utils.murmur2(key)) % row.get("partitions").asInt(),
                    record.partition());
        }
    }

    // ---- CloudEvents

    private static void compareWithSdk(JsonNode row, ConsumerRecord<byte[], byte[]> record) {
        CloudEvent event = new CloudEventDeserializer().deserialize(record.topic(), record.headers(), record.value());
        String key = row.get("partition_key").isNull() ? row.get("aggregate_id").asText()
                : row.get("partition_key").asText();
        same(row, "specversion", "1.0", event.getSpecVersion().toString());
        same(row, "id", row.get("id").asText(), event.getId());
        same(row, "source", row.get("source").asText(), event.getSource().toString());
        same(row, "type", row.get("event_type").asText(), event.getType());
        same(row, "subject", row.get("aggregate_id").asText(), event.getSubject());
        same(row, "time", OffsetDateTime.parse(row.get("created_at_text").asText()).toInstant(),
                event.getTime().toInstant());
        same(row, "datacontenttype", "application/json", event.getDataContentType());
        same(row, "partitionkey", key, event.getExtension("partitionkey"));
        same(row, "extensions", 1, event.getExtensionNames().size());
        same(row, "key", key, utf8(record.key()));
        try {
            var data = new ObjectMapper().readTree(event.getData().toBytes());
            same(row, "data", new ObjectMapper().readTree(row.get("event_data_text").asText()), data);
        } catch (java.io.IOException error) {
            differ(row, "data", "JSON", error);
        }
        if (row.get("format").asText().equals("cloudevents")) {
            same(row, "data's bytes", row.get("event_data_text").asText(), utf8(event.getData().toBytes()));
        } else {
            String embedded = ",\"data\":" + row.get("event_data_text").asText() + "}";
            same(row, "data's bytes", true, utf8(record.value()).endsWith(embedded));
        }
    }

    private static String utf8(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static void same(JsonNode row, String what, Object wanted, Object found) {
        if (!Objects.equals(wanted, found)) {
            differ(row, what, wanted, found);
        }
    }

    private static void differ(JsonNode row, String what, Object wanted, Object found) {
        failures++;
        System.out.println(row.get("format").asText() + " " + row.get("aggregate_id") + ": " + what + " is " + found
                + ", the other says " + wanted);
    }
}
