import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command line tools one after the other in this one JVM, which starts once instead of eighty times.
 *
 * Each line of input is a command: its words in base 64, separated by blanks; the first is the tool's main class, the
 * second what stands on its standard input. Each line of output is the answer: exit code, standard output and standard
 * error, the latter two in base 64.
 */
public final class Tools {
    private static final class Ended extends RuntimeException {
        final int code;

        Ended(int code) {
            super(null, null, false, false);
            this.code = code;
        }
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        InputStream questions = System.in;
        Exit.setExitProcedure((code, message) -> end(code));
        Exit.setHaltProcedure((code, message) -> end(code));
        BufferedReader lines = new BufferedReader(new InputStreamReader(questions, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            List<String> words = new ArrayList<>();
            for (String word : line.split(" ", -1)) {
                words.add(new String(Base64.getDecoder().decode(word), StandardCharsets.UTF_8));
            }
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            int code = run(words, new PrintStream(out, true), new PrintStream(err, true));
            Base64.Encoder encoder = Base64.getEncoder();
            answers.println(code + " " + encoder.encodeToString(out.toByteArray()) + " "
                + encoder.encodeToString(err.toByteArray()));
            answers.flush();
        }
    }

    /** The exit code that a tool gave first: some catch what ends them and then end again. */
    private static Integer ended;

    private static void end(int code) {
        if (ended == null) {
            ended = code;
        }
        throw new Ended(code);
    }

    private static int run(List<String> words, PrintStream out, PrintStream err) {
        PrintStream oldOut = System.out;
        PrintStream oldErr = System.err;
        InputStream oldIn = System.in;
        System.setOut(out);
        System.setErr(err);
        System.setIn(new ByteArrayInputStream(words.get(1).getBytes(StandardCharsets.UTF_8)));
        String[] arguments = words.subList(2, words.size()).toArray(new String[0]);
        try {
            // Scala's console keeps the stream it first saw, so what it prints is redirected by its own means.
            int[] code = {0};
            ended = null;
            Runnable call = () -> code[0] = call(words.get(0), arguments, err);
            scala.Console.withOut(out, () -> scala.Console.withErr(err, () -> { call.run(); return null; }));
            return ended == null ? code[0] : ended;
        } finally {
            System.setOut(oldOut);
            System.setErr(oldErr);
            System.setIn(oldIn);
        }
    }

    private static int call(String tool, String[] arguments, PrintStream err) {
        try {
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) arguments);
            return 0;
        } catch (java.lang.reflect.InvocationTargetException e) {
            Throwable cause = e.getCause();
            if (cause instanceof Ended) {
                return ((Ended) cause).code;
            }
            cause.printStackTrace(err);
            return 1;
        } catch (ReflectiveOperationException e) {
            e.printStackTrace(err);
            return 127;
        }
    }
}
