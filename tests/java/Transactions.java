import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;

/**
 * Transactions as an application writes them: produce, transform and read, one after the other, one line of result each.
 * Arguments: bootstrap, a name of its own, transactions to produce. Compiles against the Java client from 2.8 on.
 */
public class Transactions {
    static Properties base(String bootstrap) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        return p;
    }
    static KafkaProducer<String, String> producer(String bootstrap, String id) {
        Properties p = base(bootstrap);
        p.put("transactional.id", id);
        return new KafkaProducer<>(p, new StringSerializer(), new StringSerializer());
    }
    static KafkaConsumer<String, String> consumer(String bootstrap, String group) {
        Properties p = base(bootstrap);
        if (group != null) p.put("group.id", group);
        p.put("isolation.level", "read_committed");
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        p.put("max.poll.records", "50");
        return new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
    }
    public static void main(String[] a) throws Exception {
        String bootstrap = a[0], in = a[1] + "-in", out = a[1] + "-out";
        int count = Integer.parseInt(a[2]);
        int committed = produce(bootstrap, a[1] + "-producer", in, count);
        read(bootstrap, "produced", in);
        transform(bootstrap, a[1] + "-transformer", in, out, a[1] + "-group", committed);
        read(bootstrap, "transformed", out);
    }

    /** Every fourth transaction is aborted. */
    static int produce(String bootstrap, String id, String topic, int count) {
        int committed = 0;
        try (KafkaProducer<String, String> p = producer(bootstrap, id)) {
            p.initTransactions();
            for (int t = 0; t < count; t++) {
                boolean abort = t % 4 == 0;
                p.beginTransaction();
                for (int r = 0; r < 6; r++)
                    p.send(new ProducerRecord<>(topic, r % 3, id, (abort ? "A" : "C") + t + "." + r));
                if (abort) {
                    p.flush();
                    p.abortTransaction();
                } else {
                    p.commitTransaction();
                    committed += 6;
                }
            }
        }
        return committed;
    }

    /** Consume, transform, produce: every third round is aborted and done again. */
    static void transform(String bootstrap, String id, String in, String out, String group, int want) {
        try (KafkaProducer<String, String> p = producer(bootstrap, id);
                KafkaConsumer<String, String> c = consumer(bootstrap, group)) {
            p.initTransactions();
            c.subscribe(List.of(in));
            for (int done = 0, round = 0; done < want; ) {
                ConsumerRecords<String, String> got = c.poll(Duration.ofSeconds(1));
                if (got.isEmpty()) continue;
                p.beginTransaction();
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                for (ConsumerRecord<String, String> r : got) {
                    p.send(new ProducerRecord<>(out, r.partition(), r.key(), r.value()));
                    offsets.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
                }
                p.sendOffsetsToTransaction(offsets, c.groupMetadata());
                if (round++ % 3 == 1) {
                    p.abortTransaction();
                    Map<TopicPartition, OffsetAndMetadata> back = c.committed(c.assignment());
                    for (TopicPartition tp : c.assignment()) c.seek(tp, back.get(tp) == null ? 0 : back.get(tp).offset());
                } else {
                    p.commitTransaction();
                    done += got.count();
                }
            }
        }
    }

    static void read(String bootstrap, String what, String topic) {
        try (KafkaConsumer<String, String> c = consumer(bootstrap, null)) {
            List<TopicPartition> tps = new ArrayList<>();
            for (PartitionInfo i : c.partitionsFor(topic)) tps.add(new TopicPartition(topic, i.partition()));
            c.assign(tps);
            c.seekToBeginning(tps);
            Map<TopicPartition, Long> ends = c.endOffsets(tps);
            int got = 0, aborted = 0;
            Set<String> distinct = new HashSet<>();
            for (boolean done = false; !done; ) {
                for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(500))) {
                    got++;
                    if (r.value().startsWith("A")) aborted++;
                    distinct.add(r.value());
                }
                done = true;
                for (TopicPartition tp : tps) if (c.position(tp) < ends.get(tp)) done = false;
            }
            System.out.println(what + ": " + got + " read, " + aborted + " of them aborted, " + distinct.size() + " distinct");
        }
    }
}
