import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/** Reads cases of assignors line by line and says what Apache Kafka's own assign.
 *
 *  case:   name ; topic=count,... ; member/instance/generation/rack:topic+topic:topic-partition+... | ... ; topic-partition=rack+rack,...
 *  answer: member:topic-partition,... | ...   members and partitions sorted
 */
public class Assignors {
    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] parts = line.split(";");
            Map<String, List<PartitionInfo>> topics = new HashMap<>();
            for (String each : parts[1].split(",")) {
                String[] pair = each.split("=");
                List<PartitionInfo> infos = new ArrayList<>();
                for (int i = 0; i < Integer.parseInt(pair[1]); i++) {
                    String where = parts.length > 3 ? parts[3] : "";
                    List<Node> replicas = new ArrayList<>();
                    for (String one : where.split(","))
                        if (one.startsWith(pair[0] + "-" + i + "="))
                            for (String rack : one.substring(one.indexOf('=') + 1).split("\\+"))
                                replicas.add(new Node(replicas.size() + 1, "host", 1, rack));
                    Node[] nodes = replicas.toArray(new Node[0]);
                    infos.add(new PartitionInfo(pair[0], i, nodes.length > 0 ? nodes[0] : Node.noNode(), nodes, nodes));
                }
                topics.put(pair[0], infos);
            }
            Map<String, Subscription> members = new HashMap<>();
            for (String each : parts[2].split("\\|")) {
                String[] fields = each.split(":", -1);
                String[] who = fields[0].split("/", -1);
                List<TopicPartition> owned = new ArrayList<>();
                for (String one : fields[2].isEmpty() ? new String[0] : fields[2].split("\\+"))
                    owned.add(new TopicPartition(one.split("-")[0], Integer.parseInt(one.split("-")[1])));
                Subscription said = new Subscription(
                    Arrays.asList(fields[1].split("\\+")), null, owned, Integer.parseInt(who[2]),
                    who.length < 4 || who[3].isEmpty() ? Optional.empty() : Optional.of(who[3]));
                said.setGroupInstanceId(who[1].isEmpty() ? Optional.empty() : Optional.of(who[1]));
                members.put(who[0], said);
            }
            AbstractPartitionAssignor assignor = switch (parts[0]) {
                case "range" -> new RangeAssignor();
                case "roundrobin" -> new RoundRobinAssignor();
                case "sticky" -> new StickyAssignor();
                default -> new CooperativeStickyAssignor();
            };
            Map<String, List<TopicPartition>> given = assignor.assignPartitions(topics, members);
            List<String> rows = new ArrayList<>();
            for (Map.Entry<String, List<TopicPartition>> row : new TreeMap<>(given).entrySet()) {
                List<String> names = new ArrayList<>();
                for (TopicPartition one : row.getValue())
                    names.add(one.topic() + "-" + one.partition());
                Collections.sort(names);
                rows.add(row.getKey() + ":" + String.join(",", names));
            }
            System.out.println(String.join("|", rows));
        }
    }
}
