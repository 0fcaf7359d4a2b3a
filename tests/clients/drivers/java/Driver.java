import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.AppInfoParser;

/** The Java client behind the drivers' command line (../python/driver.py describes it). Compiles against 2.8 and 4.2. */
public class Driver {
    static final long DEADLINE_MS = 20_000;

    static Properties properties(String bootstrap, String... pairs) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < pairs.length; i += 2) p.put(pairs[i], pairs[i + 1]);
        return p;
    }

    static synchronized void event(String json) {
        System.out.println(json);
        System.out.flush();
    }

    static void produce(String bootstrap, String path, String codec, String topic) throws Exception {
        Properties p = properties(bootstrap, "compression.type", codec, "enable.idempotence", "true", "acks", "all", "linger.ms", "5");
        Exception[] failed = new Exception[1];
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
                InputStream in = new BufferedInputStream(Files.newInputStream(Paths.get(path)), 1 << 20)) {
            ByteArrayOutputStream line = new ByteArrayOutputStream();
            for (int b = in.read(); b >= 0; b = in.read()) {
                if (b != '\n') {
                    line.write(b);
                    continue;
                }
                producer.send(new ProducerRecord<>(topic, line.toByteArray()), (m, e) -> { if (e != null) failed[0] = e; });
                line.reset();
            }
            producer.flush();
        }
        if (failed[0] != null) throw failed[0];
        event("{\"produced\": \"" + topic + "\"}");
    }

    static void consume(String bootstrap, String topic, long count, String path) throws Exception {
        Properties p = properties(bootstrap, "enable.auto.commit", "false", "auto.offset.reset", "earliest");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
                OutputStream out = new BufferedOutputStream(Files.newOutputStream(Paths.get(path)), 1 << 20)) {
            TopicPartition tp = new TopicPartition(topic, 0);
            consumer.assign(List.of(tp));
            consumer.seek(tp, 0);
            long moved = System.currentTimeMillis();
            while (count > 0) {
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofSeconds(1))) {
                    if (count-- > 0) {
                        out.write(r.value());
                        out.write('\n');
                    }
                    moved = System.currentTimeMillis();
                }
                if (System.currentTimeMillis() - moved > DEADLINE_MS) throw new TimeoutException(count + " records missing in " + topic);
            }
        }
        event("{\"consumed\": \"" + topic + "\"}");
    }

    static void assigned(Consumer<?, ?> consumer) {
        List<Integer> all = new ArrayList<>();
        for (TopicPartition p : consumer.assignment()) all.add(p.partition());
        event("{\"assigned\": " + all + "}");
    }

    static void group(String bootstrap, String topic, String group, String assignor) throws Exception {
        String[] strategies = assignor.equals("range") ? new String[] {"RangeAssignor"} : assignor.equals("roundrobin")
            ? new String[] {"RoundRobinAssignor"} : new String[] {"CooperativeStickyAssignor"};
        Properties p = properties(bootstrap, "group.id", group, "enable.auto.commit", "false", "auto.offset.reset", "earliest",
            "session.timeout.ms", "10000", "heartbeat.interval.ms", "500",
            "partition.assignment.strategy", "org.apache.kafka.clients.consumer." + strategies[0]);
        if (assignor.equals("consumer")) {  // the protocol of KIP-848
            p.keySet().removeAll(List.of("partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms"));
            p.put("group.protocol", "consumer");
        }
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.subscribe(List.of(topic), new ConsumerRebalanceListener() {
            public void onPartitionsRevoked(Collection<TopicPartition> c) { }
            public void onPartitionsAssigned(Collection<TopicPartition> c) { assigned(consumer); }
        });
        while (System.in.available() == 0) {
            ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
            if (records.isEmpty()) continue;
            try {
                consumer.commitSync();
            } catch (CommitFailedException | org.apache.kafka.common.errors.RebalanceInProgressException e) {
                continue;  // a rebalance came between; the records come again, to whoever owns them then
            }
            for (ConsumerRecord<byte[], byte[]> r : records) event("{\"record\": [" + r.partition() + ", " + r.offset() + "]}");
        }
        consumer.close();
        event("{\"closed\": true}");
    }

    interface Step { void run() throws Exception; }

    static void until(String what, Callable<Boolean> condition) throws Exception {
        for (int i = 0; i < 150; i++) {
            if (condition.call()) return;
            Thread.sleep(100);
        }
        throw new TimeoutException(what);
    }

    static void step(String name, Step step) {
        try {
            step.run();
            event("{\"step\": \"" + name + "\"}");
        } catch (Exception e) {
            event("{\"step\": \"" + name + "\", \"error\": \"" + e.toString().replaceAll("[\"\\\\\n]", "'") + "\"}");
            System.exit(1);
        }
    }

    /** The futures of describeTopics: `values` became `topicNameValues` on the way from 2.8 to 4. */
    @SuppressWarnings("unchecked")
    static Map<String, Future<TopicDescription>> describe(Admin admin, String topic) throws Exception {
        DescribeTopicsResult result = admin.describeTopics(List.of(topic));
        boolean old = Arrays.stream(DescribeTopicsResult.class.getMethods()).noneMatch(m -> m.getName().equals("topicNameValues"));
        return (Map<String, Future<TopicDescription>>) DescribeTopicsResult.class.getMethod(old ? "values" : "topicNameValues").invoke(result);
    }

    static int partitions(Admin admin, String topic) throws Exception {
        try {
            return describe(admin, topic).get(topic).get().partitions().size();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) return 0;
            throw e;
        }
    }

    static void admin(String bootstrap, String topic) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        try (Admin admin = Admin.create(properties(bootstrap))) {
            Callable<String> retention = () -> admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms").value();
            step("create", () -> {
                NewTopic t = new NewTopic(topic, Optional.of(3), Optional.empty()).configs(Map.of("retention.ms", "3600000"));
                admin.createTopics(List.of(t)).all().get();
            });
            step("describe", () -> {
                until("3 partitions", () -> partitions(admin, topic) == 3);
                if (!retention.call().equals("3600000")) throw new IllegalStateException("retention.ms is " + retention.call());
                admin.describeCluster().nodes().get();
            });
            step("alter", () -> {
                AlterConfigOp op = new AlterConfigOp(new ConfigEntry("retention.ms", "7200000"), AlterConfigOp.OpType.SET);
                admin.incrementalAlterConfigs(Map.of(resource, List.of(op))).all().get();
                until("retention.ms 7200000", () -> retention.call().equals("7200000"));
            });
            step("grow", () -> {
                admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
                until("5 partitions", () -> partitions(admin, topic) == 5);
            });
            step("groups", () -> admin.listConsumerGroups().all().get());
            step("delete", () -> {
                admin.deleteTopics(List.of(topic)).all().get();
                until("gone", () -> !admin.listTopics().names().get().contains(topic));
            });
        }
    }

    public static void main(String[] a) throws Exception {
        switch (a[0]) {
            case "version": System.out.println(AppInfoParser.getVersion()); break;
            case "produce": for (int i = 3; i < a.length; i += 2) produce(a[1], a[2], a[i], a[i + 1]); break;
            case "consume": for (int i = 2; i < a.length; i += 3) consume(a[1], a[i], Long.parseLong(a[i + 1]), a[i + 2]); break;
            case "group": group(a[1], a[2], a[3], a.length > 4 ? a[4] : "range"); break;
            case "admin": admin(a[1], a[2]); break;
            default: throw new IllegalArgumentException(a[0]);
        }
    }
}
