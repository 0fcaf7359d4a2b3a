/*
 * Apache Kafka's own batch classes as a program, for tests/records (run: java -cp JARS Batches.java COMMAND ...).
 *
 *   golden DIR    write NAME.batch for every kind of batch, and NAME.txt as `read` prints it (not for many-*)
 *   read          stdin: int32 size, batches; stdout: "batch ..." and "record ..." lines as Kafka reads them
 *   validate      stdin: many of (int8 compacted, int32 size, batches); stdout: one line each, "ok MAX_TIMESTAMP CRC"
 *                 or "refused ERROR", as a partition leader judges a Produce request of version 9
 */

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.message.LeaderChangeMessage.Voter;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.CloseableIterator;
import org.apache.kafka.common.utils.PrimitiveRef;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;
import org.apache.kafka.storage.internals.log.RecordValidationException;

public class Batches {
    static final byte V2 = RecordBatch.MAGIC_VALUE_V2;

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "golden" -> golden(Path.of(args[1]));
            case "read" -> {
                DataInputStream in = new DataInputStream(System.in);
                byte[] bytes = new byte[in.readInt()];
                in.readFully(bytes);
                print(MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)), System.out);
            }
            case "validate" -> validate();
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    static MemoryRecordsBuilder builder(byte magic, Compression compression, TimestampType type, long baseOffset,
            long producerId, short epoch, int sequence, boolean transactional) {
        return new MemoryRecordsBuilder(ByteBuffer.allocate(1 << 20), magic, compression, type, baseOffset, 1700000000999L,
            producerId, epoch, sequence, transactional, false, 7, 1 << 20);
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static MemoryRecords three(byte magic, Compression compression, TimestampType type) {
        MemoryRecordsBuilder b = builder(magic, compression, type, 100, -1, (short) -1, -1, false);
        b.append(1700000000000L, utf8("key-1"), utf8("value one"));
        b.append(1700000000500L, utf8("key-2"), utf8("value two, a little longer than the first"));
        b.append(1700000000250L, utf8("key-3"), utf8(""));
        return b.build();
    }

    static MemoryRecords many(Compression compression) {
        MemoryRecordsBuilder b = builder(V2, compression, TimestampType.CREATE_TIME, 5000, -1, (short) -1, -1, false);
        for (int i = 0; i < 500; i++)
            b.append(1700000000000L + i, i % 7 == 0 ? null : utf8("key-" + i % 10), utf8("line " + i + " of a log ".repeat(12)));
        return b.build();
    }

    static void golden(Path folder) throws Exception {
        Map<String, MemoryRecords> all = new TreeMap<>();
        for (CompressionType type : CompressionType.values()) {
            Compression compression = Compression.of(type).build();
            all.put("three-" + type.name, three(V2, compression, TimestampType.CREATE_TIME));
            if (type != CompressionType.NONE)
                all.put("many-" + type.name, many(compression));
        }
        all.put("log-append-time", three(V2, Compression.NONE, TimestampType.LOG_APPEND_TIME));
        all.put("old-magic-0", three((byte) 0, Compression.NONE, TimestampType.CREATE_TIME));
        all.put("old-magic-1", three((byte) 1, Compression.NONE, TimestampType.CREATE_TIME));
        all.put("old-magic-1-gzip", three((byte) 1, Compression.gzip().build(), TimestampType.CREATE_TIME));

        MemoryRecordsBuilder b = builder(V2, Compression.NONE, TimestampType.CREATE_TIME, 0, -1, (short) -1, -1, false);
        b.append(0L, (byte[]) null, (byte[]) null);
        b.append(1L, utf8("k"), (byte[]) null);
        b.append(2L, (byte[]) null, utf8("v"));
        b.append(-1L, new byte[0], new byte[0]);
        all.put("nulls", b.build());

        b = builder(V2, Compression.NONE, TimestampType.CREATE_TIME, 1L << 40, -1, (short) -1, -1, false);
        b.append(1L << 42, utf8("k"), utf8("v"), new Header[] {
            new RecordHeader("trace", new byte[] {0, 1, 2}), new RecordHeader("", (byte[]) null),
            new RecordHeader("grüße", utf8("zäh")), new RecordHeader("trace", new byte[0])});
        b.append(5L, utf8("k2"), utf8("x".repeat(300)), new Header[] {new RecordHeader("long", new byte[200])});
        all.put("headers", b.build());

        b = builder(V2, Compression.NONE, TimestampType.CREATE_TIME, 3, 4242, (short) 3, Integer.MAX_VALUE - 1, false);
        for (int i = 0; i < 4; i++)
            b.append(1000L + i, utf8("k" + i), utf8("v" + i));
        all.put("idempotent", b.build());

        b = builder(V2, Compression.zstd().build(), TimestampType.CREATE_TIME, 9, 4243, (short) 0, 17, true);
        b.append(1000L, utf8("k"), utf8("v"));
        all.put("transactional", b.build());

        b = builder(V2, Compression.NONE, TimestampType.CREATE_TIME, 10, -1, (short) -1, -1, false);
        b.appendWithOffset(10L, 100L, utf8("a"), utf8("1"));
        b.appendWithOffset(14L, 300L, utf8("b"), utf8("2"));
        b.overrideLastOffset(19L);
        all.put("compacted", b.build());

        all.put("commit", MemoryRecords.withEndTransactionMarker(77L, 1700000000000L, 7, 4243L, (short) 1,
            new EndTransactionMarker(ControlRecordType.COMMIT, 12)));
        all.put("abort", MemoryRecords.withEndTransactionMarker(78L, 1700000000001L, 7, 4243L, (short) 1,
            new EndTransactionMarker(ControlRecordType.ABORT, 13)));
        LeaderChangeMessage change = new LeaderChangeMessage().setVersion((short) 0).setLeaderId(1)
            .setVoters(List.of(new Voter().setVoterId(1), new Voter().setVoterId(2)))
            .setGrantingVoters(List.of(new Voter().setVoterId(1), new Voter().setVoterId(2)));
        all.put("leader-change", MemoryRecords.withLeaderChangeMessage(0L, 1700000000002L, 5, ByteBuffer.allocate(256), change));

        ByteBuffer empty = ByteBuffer.allocate(61);
        DefaultRecordBatch.writeEmptyHeader(empty, V2, 4242L, (short) 3, 20, 30L, 34L, 7, TimestampType.CREATE_TIME,
            RecordBatch.NO_TIMESTAMP, false, false);
        empty.flip();
        all.put("empty", MemoryRecords.readableRecords(empty));

        for (Map.Entry<String, MemoryRecords> entry : all.entrySet()) {
            ByteBuffer buffer = entry.getValue().buffer().duplicate();
            byte[] bytes = new byte[buffer.remaining()];
            buffer.get(bytes);
            Files.write(folder.resolve(entry.getKey() + ".batch"), bytes);
            if (entry.getKey().startsWith("many"))
                continue; // what is in them stands in the test
            try (PrintStream out = new PrintStream(folder.resolve(entry.getKey() + ".txt").toFile(), "UTF-8")) {
                print(entry.getValue(), out);
            }
        }
    }

    static String hex(ByteBuffer buffer) {
        if (buffer == null)
            return "null";
        StringBuilder text = new StringBuilder("x");
        for (ByteBuffer b = buffer.duplicate(); b.hasRemaining();)
            text.append(String.format("%02x", b.get()));
        return text.toString();
    }

    static void print(Records records, PrintStream out) throws Exception {
        for (RecordBatch batch : records.batches()) {
            batch.ensureValid();
            out.printf("batch base_offset=%d last_offset=%d magic=%d compression=%s timestamp_type=%s max_timestamp=%d "
                    + "leader_epoch=%d producer_id=%d producer_epoch=%d base_sequence=%d last_sequence=%d count=%s "
                    + "transactional=%b control=%b%n",
                batch.magic() < V2 ? -1L : batch.baseOffset(), batch.lastOffset(), batch.magic(), batch.compressionType().name,
                batch.timestampType(), batch.maxTimestamp(), batch.partitionLeaderEpoch(), batch.producerId(),
                batch.producerEpoch(), batch.baseSequence(), batch.lastSequence(), batch.countOrNull(), batch.isTransactional(),
                batch.isControlBatch());
            List<String> lines = new ArrayList<>();
            try (CloseableIterator<Record> iterator = batch.streamingIterator(BufferSupplier.create())) {
                while (iterator.hasNext()) {
                    Record record = iterator.next();
                    record.ensureValid();
                    StringBuilder line = new StringBuilder(String.format("record offset=%d timestamp=%d key=%s value=%s",
                        record.offset(), record.timestamp(), hex(record.key()), hex(record.value())));
                    for (Header header : record.headers())
                        line.append(' ').append(hex(ByteBuffer.wrap(utf8(header.key())))).append('=')
                            .append(hex(header.value() == null ? null : ByteBuffer.wrap(header.value())));
                    lines.add(line.toString());
                }
            }
            for (String line : lines)
                out.println(line);
        }
    }

    static class NoMetrics implements LogValidator.MetricsRecorder {
        public void recordInvalidMagic() { }
        public void recordInvalidOffset() { }
        public void recordInvalidSequence() { }
        public void recordInvalidChecksums() { }
        public void recordNoKeyCompactedTopic() { }
    }

    static void validate() throws Exception {
        DataInputStream in = new DataInputStream(System.in);
        PrintStream out = new PrintStream(System.out, false);
        while (true) {
            boolean compacted;
            try {
                compacted = in.readByte() != 0;
            } catch (EOFException end) {
                break;
            }
            byte[] bytes = new byte[in.readInt()];
            in.readFully(bytes);
            out.println(judge(bytes, compacted));
        }
        out.flush();
    }

    /** What UnifiedLog does with a produced partition before it writes: outer form, size, checksum, then LogValidator. */
    static String judge(byte[] bytes, boolean compacted) {
        try {
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
            ProduceRequest.validateRecords((short) 9, records);
            for (RecordBatch batch : records.batches())
                batch.ensureValid();
            CompressionType source = records.batches().iterator().next().compressionType();
            LogValidator validator = new LogValidator(records, new TopicPartition("t", 0), Time.SYSTEM, source,
                Compression.of(source).build(), compacted, V2, TimestampType.CREATE_TIME, Long.MAX_VALUE, Long.MAX_VALUE, 0,
                AppendOrigin.CLIENT);
            LogValidator.ValidationResult result = validator.validateMessagesAndAssignOffsets(PrimitiveRef.ofLong(0),
                new NoMetrics(), BufferSupplier.NO_CACHING);
            return "ok " + result.maxTimestampMs();
        } catch (RecordValidationException e) {
            return "refused " + Errors.forException(e.invalidException());
        } catch (ApiException e) {
            return "refused " + Errors.forException(e);
        } catch (Exception | Error e) { // snappy-java throws an Error
            return "refused UNKNOWN_SERVER_ERROR " + e;
        }
    }
}
