import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.coordinator.group.streams.assignor.AssignmentMemberSpec;
import org.apache.kafka.coordinator.group.streams.assignor.GroupAssignment;
import org.apache.kafka.coordinator.group.streams.assignor.GroupSpecImpl;
import org.apache.kafka.coordinator.group.streams.assignor.StickyTaskAssignor;
import org.apache.kafka.coordinator.group.streams.assignor.TopologyDescriber;

/** Runs Kafka's sticky task assignor on the groups that come in, one word per line; "go" ends a group. */
public class Assign {
    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        Map<String, AssignmentMemberSpec> members = new HashMap<>();
        TreeMap<String, Integer> tasks = new TreeMap<>();
        Set<String> stateful = new HashSet<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            if (words[0].equals("sub")) {
                tasks.put(words[1], Integer.parseInt(words[2]));
                if (words[3].equals("1")) stateful.add(words[1]);
            } else if (words[0].equals("member")) {
                members.put(words[1], new AssignmentMemberSpec(Optional.empty(), Optional.empty(), read(words[3]),
                    read(words[4]), Map.of(), words[2], Map.of(), Map.of(), Map.of()));
            } else {
                GroupAssignment made = new StickyTaskAssignor().assign(
                    new GroupSpecImpl(members, Map.of("num.standby.replicas", words[1])), describer(tasks, stateful));
                for (String member : new TreeSet<>(members.keySet())) {
                    System.out.println(member + " " + write(made.members().get(member).activeTasks()) + " "
                        + write(made.members().get(member).standbyTasks()));
                }
                System.out.println();
                members = new HashMap<>();
                tasks = new TreeMap<>();
                stateful = new HashSet<>();
            }
        }
    }

    static TopologyDescriber describer(TreeMap<String, Integer> tasks, Set<String> stateful) {
        return new TopologyDescriber() {
            public List<String> subtopologies() {
                return new ArrayList<>(tasks.keySet());
            }

            public int maxNumInputPartitions(String subtopologyId) {
                return tasks.get(subtopologyId);
            }

            public boolean isStateful(String subtopologyId) {
                return stateful.contains(subtopologyId);
            }
        };
    }

    static Map<String, Set<Integer>> read(String text) {
        Map<String, Set<Integer>> tasks = new HashMap<>();
        for (String task : text.split(",")) {
            if (task.isEmpty()) continue;
            String[] parts = task.split(":");
            tasks.computeIfAbsent(parts[0], key -> new HashSet<>()).add(Integer.parseInt(parts[1]));
        }
        return tasks;
    }

    static String write(Map<String, Set<Integer>> tasks) {
        List<String> parts = new ArrayList<>();
        for (String key : new TreeSet<>(tasks.keySet())) {
            for (int partition : new TreeSet<>(tasks.get(key))) parts.add(key + ":" + partition);
        }
        return String.join(",", parts);
    }
}
