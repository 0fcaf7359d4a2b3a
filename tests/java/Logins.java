import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;

/**
 * Logs in to brokers with Java's client, one case after the other in one JVM.
 *
 * Each line of input is a case: for how many milliseconds it goes on, and the client's properties in base 64. Each line of output is how it went: "ok", or the class
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

    private static String login(Properties properties, long holdMs) {
        try (Admin admin = Admin.create(properties)) {
            long until = System.currentTimeMillis() + holdMs;
            do {
                admin.listTopics().names().get();
                Thread.sleep(holdMs > 0 ? 10 : 0);
            } while (System.currentTimeMillis() < until);
            return "ok";
        } catch (Throwable problem) {
            StringBuilder text = new StringBuilder();
            for (Throwable at = problem; at != null; at = at.getCause()) {
                text.append(at.getClass().getSimpleName()).append(": ").append(at.getMessage()).append(" | ");
            }
            return text.toString().replace('\n', ' ');
        }
    }
}
