import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.SimpleAssignor;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;
import org.apache.kafka.coordinator.group.modern.TopicIds;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;

/** Runs Kafka's simple assignor on the groups that come in, one word per line; "go" ends a group. */
public class Assign {
    static Map<String, Uuid> ids = new HashMap<>();
    static Map<Uuid, String> names = new HashMap<>();
    static Map<Uuid, Integer> counts = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        Map<String, MemberSubscriptionAndAssignmentImpl> members = new HashMap<>();
        Map<Uuid, Set<Integer>> assignable = new HashMap<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            if (words[0].equals("topic")) {
                Uuid id = new Uuid(Long.parseLong(words[2]), Long.parseLong(words[3]));
                ids.put(words[1], id);
                names.put(id, words[1]);
                counts.put(id, Integer.parseInt(words[4]));
                assignable.put(id, numbers(words[5]));
            } else if (words[0].equals("member")) {
                List<String> subscribed = words[2].isEmpty() ? List.of() : List.of(words[2].split(","));
                members.put(words[1], new MemberSubscriptionAndAssignmentImpl(Optional.empty(), Optional.empty(),
                    new TopicIds(new HashSet<>(subscribed), resolver()), new Assignment(read(words[3]))));
            } else {
                SubscriptionType type = words[1].equals("1") ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
                var made = new SimpleAssignor().assign(
                    new GroupSpecImpl(Collections.unmodifiableMap(members), type, Map.of(), Optional.of(assignable)),
                    describer());
                for (String member : new TreeSet<>(members.keySet())) {
                    var assignment = made.members().get(member);
                    System.out.println(member + " " + (assignment == null ? "" : write(assignment.partitions())));
                }
                System.out.println();
                members = new HashMap<>();
                assignable = new HashMap<>();
                ids.clear();
                names.clear();
                counts.clear();
            }
        }
    }

    static TopicIds.TopicResolver resolver() {
        Map<String, Uuid> idOf = ids;
        Map<Uuid, String> nameOf = names;
        return new TopicIds.TopicResolver() {
            public CoordinatorMetadataImage image() {
                return null;
            }

            public String name(Uuid id) {
                return nameOf.get(id);
            }

            public Uuid id(String name) {
                return idOf.get(name);
            }

            public void clear() {
            }
        };
    }

    static SubscribedTopicDescriber describer() {
        return new SubscribedTopicDescriber() {
            public int numPartitions(Uuid topicId) {
                return counts.getOrDefault(topicId, -1);
            }

            public Set<String> racksForPartition(Uuid topicId, int partition) {
                return Set.of();
            }
        };
    }

    static Set<Integer> numbers(String text) {
        List<Integer> found = new ArrayList<>();
        for (String number : text.split(",")) if (!number.isEmpty()) found.add(Integer.parseInt(number));
        return new HashSet<>(found);
    }

    /** name:p+p+p,name:p+p as the replay of a record builds it. */
    static Map<Uuid, Set<Integer>> read(String text) {
        List<Map.Entry<Uuid, List<Integer>>> entries = new ArrayList<>();
        for (String topic : text.split(",")) {
            if (topic.isEmpty()) continue;
            String[] parts = topic.split(":");
            List<Integer> partitions = new ArrayList<>();
            for (String partition : parts[1].split("\\+")) partitions.add(Integer.parseInt(partition));
            entries.add(Map.entry(ids.get(parts[0]), partitions));
        }
        return entries.stream().collect(Collectors.toMap(Map.Entry::getKey, entry -> new HashSet<>(entry.getValue())));
    }

    static String write(Map<Uuid, Set<Integer>> assignment) {
        TreeMap<String, String> topics = new TreeMap<>();
        assignment.forEach((id, partitions) -> {
            if (!partitions.isEmpty()) {
                topics.put(names.get(id), new TreeSet<>(partitions).stream().map(String::valueOf).collect(Collectors.joining("+")));
            }
        });
        return topics.entrySet().stream().map(entry -> entry.getKey() + ":" + entry.getValue()).collect(Collectors.joining(","));
    }
}
