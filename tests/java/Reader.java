import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A member of a group that says what it did: BOOTSTRAP KIND GROUP TOPIC [key=value ...]
 *
 * KIND consumer: KIP-848, commits synchronously after each poll. Prints `read P OFFSET VALUE`, then `done P NEXT` for what is
 * committed.
 * KIND share: acknowledges each record: REJECT if the value ends in "7" and the delivery is the first, RELEASE if it ends in
 * "3" and it is the first, else ACCEPT. Prints `done P OFFSET accept|reject` for what the broker confirmed, `again P OFFSET`
 * for what it did not.
 *
 * KIND offsets: prints `settled N` each second, N the sum of the share group's start offsets as the broker tells them.
 *
 * They end on SIGTERM, the members after leaving the group.
 */
public class Reader {
    static volatile boolean over = false;

    public static void main(String[] arguments) throws Exception {
        Properties config = new Properties();
        config.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        config.put(ConsumerConfig.GROUP_ID_CONFIG, arguments[2]);
        config.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class);
        config.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class);
        config.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 100);
        boolean share = arguments[1].equals("share");
        if (arguments[1].equals("offsets")) {
            watch(arguments[0], arguments[2]);
            return;
        }
        if (share) {
            config.put("share.acknowledgement.mode", "explicit");
        } else {
            config.put(ConsumerConfig.GROUP_PROTOCOL_CONFIG, "consumer");
            config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
            config.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        }
        for (int i = 4; i < arguments.length; i++) {
            String[] pair = arguments[i].split("=", 2);
            config.put(pair[0], pair[1]);
        }
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            over = true;
            try {
                main.join(10_000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
        if (share) readShared(config, arguments[3]); else read(config, arguments[3]);
    }

    static void watch(String bootstrap, String group) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            for (; ; Thread.sleep(1000)) {
                try {
                    var offsets = admin.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec()))
                        .partitionsToOffsetInfo(group).get();
                    System.out.println("settled " + offsets.values().stream()
                        .filter(o -> o != null).mapToLong(o -> Math.max(o.startOffset(), 0)).sum());
                } catch (ExecutionException error) {
                    System.out.println("unknown " + error.getCause());
                }
            }
        }
    }

    static void read(Properties config, String topic) {
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(config)) {
            consumer.subscribe(List.of(topic));
            while (!over) {
                StringBuilder said = new StringBuilder();
                var records = consumer.poll(Duration.ofMillis(200));
                for (ConsumerRecord<String, String> r : records)
                    said.append("read ").append(r.partition()).append(' ').append(r.offset()).append(' ').append(r.value()).append('\n');
                if (records.isEmpty()) continue;
                System.out.print(said);
                try {
                    consumer.commitSync(records.nextOffsets(), Duration.ofSeconds(30));
                    records.nextOffsets().forEach((p, o) -> System.out.println("done " + p.partition() + " " + o.offset()));
                } catch (KafkaException error) {
                    System.out.println("uncommitted " + error.getClass().getSimpleName() + ": " + error.getMessage());
                }
                System.out.flush();
            }
        }
    }

    static void readShared(Properties config, String topic) {
        try (KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(config)) {
            consumer.subscribe(List.of(topic));
            while (!over) {
                List<ConsumerRecord<String, String>> settled = new ArrayList<>();
                List<String> said = new ArrayList<>();
                for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(200))) {
                    boolean first = r.deliveryCount().map(c -> c == 1).orElse(true);
                    AcknowledgeType type = AcknowledgeType.ACCEPT;
                    if (first && r.value().endsWith("7")) type = AcknowledgeType.REJECT;
                    if (first && r.value().endsWith("3")) type = AcknowledgeType.RELEASE;
                    consumer.acknowledge(r, type);
                    System.out.println("got " + r.partition() + " " + r.offset() + " " + r.deliveryCount().orElse((short) -1) + " " + r.value());
                    if (type == AcknowledgeType.RELEASE) continue;
                    settled.add(r);
                    said.add(r.partition() + " " + r.offset() + " " + type.toString().toLowerCase());
                }
                if (settled.isEmpty()) { consumer.commitSync(Duration.ofSeconds(30)); continue; }
                Map<TopicIdPartition, Optional<KafkaException>> result = consumer.commitSync(Duration.ofSeconds(30));
                for (int i = 0; i < settled.size(); i++) {
                    int partition = settled.get(i).partition();
                    boolean confirmed = result.entrySet().stream()
                        .anyMatch(e -> e.getKey().partition() == partition && e.getValue().isEmpty());
                    System.out.println((confirmed ? "done " : "again ") + said.get(i));
                }
                System.out.flush();
            }
        } catch (RetriableException error) {
            System.out.println("EXCEPTION " + error);
            throw error;
        }
    }
}
