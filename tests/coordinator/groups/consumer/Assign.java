import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.ConsumerGroupPartitionAssignor;
import org.apache.kafka.coordinator.group.api.assignor.GroupAssignment;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;
import org.apache.kafka.coordinator.group.modern.TopicIds;

/** Runs Kafka's assignors on the groups that come in, one word per line; "go" ends a group. */
public class Assign {
    static Map<String, Uuid> ids = new HashMap<>();
    static Map<Uuid, String> names = new HashMap<>();
    static Map<Uuid, Integer> counts = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        Map<String, MemberSubscriptionAndAssignmentImpl> members = new HashMap<>();
        Map<Uuid, Map<Integer, String>> owners = new HashMap<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            if (words[0].equals("topic")) {
                Uuid id = new Uuid(Long.parseLong(words[2]), Long.parseLong(words[3]));
                ids.put(words[1], id);
                names.put(id, words[1]);
                counts.put(id, Integer.parseInt(words[4]));
            } else if (words[0].equals("member")) {
                Set<String> topics = new HashSet<>(words[3].isEmpty() ? java.util.List.of() : java.util.List.of(words[3].split(",")));
                members.put(words[1], new MemberSubscriptionAndAssignmentImpl(Optional.empty(),
                    words[2].isEmpty() ? Optional.empty() : Optional.of(words[2]),
                    new TopicIds(topics, resolver()), new Assignment(Collections.unmodifiableMap(read(words[1], words[4], owners)))));
            } else {
                ConsumerGroupPartitionAssignor assignor = words[1].equals("range") ? new RangeAssignor() : new UniformAssignor();
                GroupAssignment made = assignor.assign(new GroupSpecImpl(members,
                    words[2].equals("1") ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS, owners), describer());
                for (String member : new TreeSet<>(members.keySet())) {
                    System.out.println(member + " " + (made.members().containsKey(member) ? write(made.members().get(member).partitions()) : ""));
                }
                System.out.println();
                members = new HashMap<>();
                owners = new HashMap<>();
                ids.clear();
                names.clear();
                counts.clear();
            }
        }
    }

    static Map<Uuid, Set<Integer>> read(String member, String text, Map<Uuid, Map<Integer, String>> owners) {
        Map<Uuid, java.util.List<Integer>> lists = new LinkedHashMap<>();
        for (String word : text.split(",")) {
            if (word.isEmpty()) continue;
            String[] parts = word.split(":");
            Uuid id = ids.get(parts[0]);
            if (id == null) continue;
            int partition = Integer.parseInt(parts[1]);
            lists.computeIfAbsent(id, ignored -> new java.util.ArrayList<>()).add(partition);
            owners.computeIfAbsent(id, ignored -> new HashMap<>()).put(partition, member);
        }
        Map<Uuid, Set<Integer>> found = new HashMap<>();
        lists.forEach((id, list) -> found.put(id, new HashSet<>(list)));
        return found;
    }

    static String write(Map<Uuid, Set<Integer>> partitions) {
        TreeMap<String, Set<Integer>> sorted = new TreeMap<>();
        partitions.forEach((id, some) -> { if (!some.isEmpty()) sorted.put(names.get(id), new TreeSet<>(some)); });
        StringBuilder text = new StringBuilder();
        sorted.forEach((name, some) -> some.forEach(index -> text.append(text.length() > 0 ? "," : "").append(name).append(":").append(index)));
        return text.toString();
    }

    static TopicIds.TopicResolver resolver() {
        return new TopicIds.TopicResolver() {
            public org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage image() { return null; }
            public String name(Uuid id) { return names.get(id); }
            public Uuid id(String name) { return ids.get(name); }
            public void clear() { }
        };
    }

    static SubscribedTopicDescriber describer() {
        return new SubscribedTopicDescriber() {
            public int numPartitions(Uuid id) { return counts.getOrDefault(id, -1); }
            public Set<String> racksForPartition(Uuid id, int partition) { return Set.of(); }
        };
    }
}
