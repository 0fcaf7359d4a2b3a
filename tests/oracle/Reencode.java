import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Apache Kafka's own serializers as a filter, for test_java_bytes.py: `java -cp JARS Reencode.java IN OUT`.
 *
 * IN is a sequence of cases: class name (writeUTF), version (short), bytes of the message (int length), JSON of the
 * same message (int length). For each, OUT has three runs of bytes (int length): the bytes read and written again,
 * the JSON that Kafka makes of what it read, and the bytes Kafka makes of our JSON. A failure leaves -1 for a length,
 * then the message of the exception (writeUTF). OUT starts with the error codes as text.
 */
public class Reencode {
    static final ObjectMapper JSON = new ObjectMapper();

    interface Step {
        byte[] run() throws Exception;
    }

    static Message read(Class<?> kind, byte[] bytes, short version) throws Exception {
        Message message = (Message) kind.getDeclaredConstructor().newInstance();
        ByteBufferAccessor buffer = new ByteBufferAccessor(ByteBuffer.wrap(bytes));
        message.read(buffer, version);
        if (buffer.remaining() > 0) throw new IllegalStateException(buffer.remaining() + " bytes were left");
        return message;
    }

    static byte[] write(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        if (buffer.hasRemaining()) throw new IllegalStateException("wrote less than it announced");
        return buffer.array();
    }

    static void answer(DataOutputStream out, Step step) throws Exception {
        byte[] bytes;
        try {
            bytes = step.run();
        } catch (Throwable problem) {
            Throwable cause = problem.getCause() == null ? problem : problem.getCause();
            out.writeInt(-1);
            out.writeUTF(String.valueOf(cause));
            return;
        }
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    static void oneCase(DataInputStream in, DataOutputStream out, String name) throws Exception {
        short version = in.readShort();
        byte[] bytes = in.readNBytes(in.readInt());
        byte[] json = in.readNBytes(in.readInt());
        Class<?> kind = Class.forName(name);
        Class<?> converter = Class.forName(name + "JsonConverter");
        answer(out, () -> write(read(kind, bytes, version), version));
        // "false": tell the size of record batches, for their bytes Kafka's converter would leave out in any case. Read
        // once more, because writing moves the position in the buffers of record batches.
        answer(out, () -> JSON.writeValueAsBytes(converter.getMethod("write", kind, short.class, boolean.class)
            .invoke(null, read(kind, bytes, version), version, false)));
        answer(out, () -> {
            JsonNode tree = JSON.readTree(json);
            return write((Message) converter.getMethod("read", JsonNode.class, short.class).invoke(null, tree, version), version);
        });
    }

    public static void main(String[] arguments) throws Exception {
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(new FileInputStream(arguments[0])));
             DataOutputStream out = new DataOutputStream(new BufferedOutputStream(new FileOutputStream(arguments[1])))) {
            StringBuilder codes = new StringBuilder();
            for (Errors error : Errors.values())
                codes.append(error.code()).append(' ').append(error.name()).append(' ')
                    .append(error.exception() instanceof RetriableException).append('\n');
            byte[] text = codes.toString().getBytes(StandardCharsets.UTF_8);
            out.writeInt(text.length);
            out.write(text);
            while (true) {
                String name;
                try {
                    name = in.readUTF();
                } catch (EOFException end) {
                    return;
                }
                oneCase(in, out, name);
            }
        }
    }
}
