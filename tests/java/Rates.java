import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.metrics.MetricConfig;
import org.apache.kafka.common.metrics.Quota;
import org.apache.kafka.common.metrics.stats.Rate;
import org.apache.kafka.common.metrics.stats.TokenBucket;

/**
 * Kafka's own rates: for each line "time value" on standard input the rate after it, the window it was taken over and the
 * tokens left. Arguments: samples, window in ms, quota.
 */
public final class Rates {
    public static void main(String[] arguments) throws Exception {
        MetricConfig config = new MetricConfig()
            .samples(Integer.parseInt(arguments[0]))
            .timeWindow(Long.parseLong(arguments[1]), TimeUnit.MILLISECONDS)
            .quota(new Quota(Double.parseDouble(arguments[2]), true));
        Rate rate = new Rate();
        TokenBucket bucket = new TokenBucket();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            long now = Long.parseLong(words[0]);
            double value = Double.parseDouble(words[1]);
            rate.record(config, value, now);
            bucket.record(config, value, now);
            System.out.println(rate.measure(config, now) + " " + rate.windowSize(config, now) + " " + bucket.measure(config, now));
        }
    }
}
