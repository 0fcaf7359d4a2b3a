import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.errors.UnsupportedSaslMechanismException;
import org.apache.kafka.common.serialization.StringSerializer;

/** Kafka's own client logs in: each line of input is a case, each line of output what came of it (sasl/drivers.py). */
public final class Sasl {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err);  // where logs go that nobody configured
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode asked = JSON.readTree(line);
            Map<String, Object> answer;
            try {
                answer = run(asked);
            } catch (ExecutionException | RuntimeException problem) {
                Throwable cause = problem instanceof ExecutionException ? problem.getCause() : problem;
                String kind = cause instanceof SaslAuthenticationException ? "refused"
                    : cause instanceof UnsupportedSaslMechanismException ? "mechanism" : "other";
                answer = Map.of("outcome", kind, "detail", String.valueOf(cause), "sent", 0, "failed", 0);
            }
            answers.println(JSON.writeValueAsString(answer));
        }
    }

    private static Properties settings(JsonNode asked) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", asked.get("bootstrap").asText());
        settings.put("security.protocol", "SASL_PLAINTEXT");
        String mechanism = asked.get("mechanism").asText();
        settings.put("sasl.mechanism", mechanism);
        String module = mechanism.equals("PLAIN") ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
        String more = asked.get("tokenauth").asBoolean() ? " tokenauth=\"true\"" : "";
        settings.put("sasl.jaas.config", "org.apache.kafka.common.security." + module + " required username=\""
            + asked.get("user").asText() + "\" password=\"" + asked.get("password").asText() + "\"" + more + ";");
        settings.put("default.api.timeout.ms", "20000");
        settings.put("request.timeout.ms", "10000");
        if (asked.has("properties")) {
            asked.get("properties").fields().forEachRemaining(e -> settings.put(e.getKey(), e.getValue().asText()));
        }
        return settings;
    }

    private static Map<String, Object> run(JsonNode asked) throws Exception {
        Properties settings = settings(asked);
        try (Admin admin = Admin.create(settings)) {
            admin.describeCluster().nodes().get(30, TimeUnit.SECONDS);
        }
        double seconds = asked.get("seconds").asDouble();
        AtomicLong sent = new AtomicLong();
        AtomicLong failed = new AtomicLong();
        if (seconds > 0) {
            settings.put("linger.ms", "0");
            try (KafkaProducer<String, String> producer =
                    new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
                long end = System.nanoTime() + (long) (seconds * 1e9);
                for (int i = 0; System.nanoTime() < end; i++) {
                    producer.send(new ProducerRecord<>(asked.get("topic").asText(), String.valueOf(i)), (m, problem) -> {
                        if (problem == null) {
                            sent.incrementAndGet();
                        } else {
                            failed.incrementAndGet();
                        }
                    });
                    Thread.sleep(2);
                }
                producer.flush();
            }
        }
        return Map.of("outcome", "ok", "detail", "", "sent", sent.get(), "failed", failed.get());
    }
}
