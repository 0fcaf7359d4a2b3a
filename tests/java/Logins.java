import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Logs in to brokers with Java's client, one case after the other in one JVM.
 *
 * Each line of input is a case: for how many milliseconds it produces after it is in (all records must arrive), and the
 * client's properties in base 64. Each line of output is how it went: "ok", or the class
 * and message of the exception.
 */
public final class Logins {
    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Properties properties = new Properties();
            String[] words = line.split(" ");
            properties.load(new StringReader(new String(Base64.getDecoder().decode(words[1]), StandardCharsets.UTF_8)));
            answers.println(login(properties, Long.parseLong(words[0])));
            answers.flush();
        }
    }

    private static String produce(Properties properties, long holdMs) throws Exception {
        AtomicLong sent = new AtomicLong();
        AtomicLong failed = new AtomicLong();
        Properties own = new Properties();
        own.putAll(properties);
        own.put("linger.ms", "0");
        own.remove("default.api.timeout.ms");
        own.put("request.timeout.ms", "20000");
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(own, new StringSerializer(), new StringSerializer())) {
            for (long until = System.currentTimeMillis() + holdMs; System.currentTimeMillis() < until;) {
                producer.send(new ProducerRecord<>("load", "x"), (metadata, problem) ->
                    (problem == null ? sent : failed).incrementAndGet());
                Thread.sleep(5);
            }
            producer.flush();
        }
        return failed.get() == 0 && sent.get() > 0 ? "ok" : failed + " records lost, " + sent + " arrived";
    }

    private static String login(Properties properties, long holdMs) {
        try (Admin admin = Admin.create(properties)) {
            admin.listTopics().names().get();
            return holdMs == 0 ? "ok" : produce(properties, holdMs);
        } catch (Throwable problem) {
            StringBuilder text = new StringBuilder();
            for (Throwable at = problem; at != null; at = at.getCause()) {
                text.append(at.getClass().getSimpleName()).append(": ").append(at.getMessage()).append(" | ");
            }
            return text.toString().replace('\n', ' ');
        }
    }
}
