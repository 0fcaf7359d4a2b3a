import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What KafkaShareConsumer does with a broker, one line per case: BOOTSTRAP
 *
 * The broker's group.share.min.record.lock.duration.ms must allow locks of 2 s.
 */
public class ShareCases {
    static final int LOCK_MS = 2000;
    static String bootstrap;
    static Admin admin;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        implicit();
        limit();
        reject();
        renew();
        crash();
        admin.close();
    }

    /** Everything that was polled is accepted by the next poll or commit (not by closing). */
    static void implicit() throws Exception {
        prepare("implicit", 20);
        try (var one = member("implicit", "implicit")) {
            System.out.println("implicit: " + offsets(read(one, 20)));
            one.commitSync();
        }
        produce("implicit", 20, 22);
        try (var two = member("implicit", "implicit")) {
            System.out.println("implicit, after: " + offsets(read(two, 2)));
        }
    }

    /** A record that is always released comes as often as the limit says. */
    static void limit() throws Exception {
        prepare("limit", 1);
        List<Integer> counts = new ArrayList<>();
        try (var one = member("limit", "explicit")) {
            for (int turn = 0; turn < 5; turn++) {
                for (var record : read(one, 1)) {
                    counts.add((int) record.deliveryCount().orElse((short) -1));
                    one.acknowledge(record, AcknowledgeType.RELEASE);
                }
                one.commitSync();
            }
            System.out.println("limit: " + counts + ", then " + one.poll(Duration.ofSeconds(1)).count());
        }
    }

    /** A record that is rejected does not come again; the others do. */
    static void reject() throws Exception {
        prepare("reject", 4);
        try (var one = member("reject", "explicit")) {
            for (var record : read(one, 4))
                one.acknowledge(record, record.offset() % 2 == 0 ? AcknowledgeType.REJECT : AcknowledgeType.RELEASE);
            var errors = one.commitSync().values().stream().filter(problem -> problem.isPresent()).count();
            System.out.println("reject: " + errors + " errors, again " + offsets(read(one, 2)));
        }
    }

    /** A record that is renewed stays with its holder longer than a lock lasts. */
    static void renew() throws Exception {
        prepare("renew", 1);
        try (var one = member("renew", "explicit"); var two = member("renew", "explicit")) {
            var record = read(one, 1).get(0);
            int others = 0;
            for (int turn = 0; turn < 4; turn++) {
                one.acknowledge(record, AcknowledgeType.RENEW);
                one.commitSync();
                others += two.poll(Duration.ofMillis(LOCK_MS * 3 / 4)).count();
                one.poll(Duration.ofMillis(1)).forEach(same -> { });
            }
            one.acknowledge(record, AcknowledgeType.ACCEPT);
            var errors = one.commitSync().values().stream().filter(problem -> problem.isPresent()).count();
            System.out.println("renew: others got " + others + ", accepted with " + errors + " errors");
        }
    }

    /** A record whose holder says nothing goes to another when its lock ends. */
    static void crash() throws Exception {
        prepare("crash", 1);
        try (var one = member("crash", "explicit"); var two = member("crash", "explicit")) {
            read(one, 1);
            var record = read(two, 1).get(0);
            two.acknowledge(record, AcknowledgeType.ACCEPT);
            var errors = two.commitSync().values().stream().filter(problem -> problem.isPresent()).count();
            System.out.println("crash: another got it, delivery " + record.deliveryCount().orElse((short) -1) + ", " + errors + " errors");
        }
    }

    static void prepare(String name, int records) throws Exception {
        admin.createTopics(Set.of(new NewTopic(name, 1, (short) 1))).all().get();
        var group = new ConfigResource(ConfigResource.Type.GROUP, name);
        admin.incrementalAlterConfigs(Map.of(group, List.of(
            new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("share.record.lock.duration.ms", "" + LOCK_MS), AlterConfigOp.OpType.SET)))).all().get();
        produce(name, 0, records);
    }

    static void produce(String topic, int first, int end) throws Exception {
        try (var producer = new KafkaProducer<>(Map.<String, Object>of("bootstrap.servers", bootstrap), new StringSerializer(), new StringSerializer())) {
            for (int n = first; n < end; n++) producer.send(new ProducerRecord<>(topic, "" + n)).get();
        }
    }

    static KafkaShareConsumer<String, String> member(String name, String mode) {
        Properties config = new Properties();
        config.put("bootstrap.servers", bootstrap);
        config.put("group.id", name);
        config.put("share.acknowledgement.mode", mode);
        var consumer = new KafkaShareConsumer<>(config, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(name));
        return consumer;
    }

    /** Polls until there are so many records, 60 s at most. */
    static List<ConsumerRecord<String, String>> read(KafkaShareConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> found = new ArrayList<>();
        long end = System.currentTimeMillis() + 60_000;
        while (found.size() < count && System.currentTimeMillis() < end)
            consumer.poll(Duration.ofMillis(200)).forEach(found::add);
        return found;
    }

    static String offsets(List<ConsumerRecord<String, String>> records) {
        return records.size() + " from " + records.get(0).offset() + " to " + records.get(records.size() - 1).offset();
    }
}
