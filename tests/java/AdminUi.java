import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What web consoles ask of a broker through Kafka's admin client, page by page, and what they are told, a line per thing.
 *
 * Cluster, brokers, configs with synonyms and documentation, log dirs, topics, groups, offsets, quotas, ACLs, users,
 * producers, transactions, features, quorum; and what their buttons do: create, edit, empty, copy, grow and delete topics,
 * reset and delete groups, set quotas and ACLs.
 */
public final class AdminUi {
    private static Admin admin;

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "request.timeout.ms", "60000"));
        fill(bootstrap);
        cluster();
        configs();
        topics();
        groups();
        security();
        buttons();
        admin.close();
    }

    /** A topic with records, a committed group with no members, one that lives, and a transaction that is open. */
    private static void fill(String bootstrap) throws Exception {
        say("create", () -> {
            CreateTopicsResult made = admin.createTopics(List.of(
                new NewTopic("ui-orders", 3, (short) 1).configs(Map.of("retention.ms", "-1", "cleanup.policy", "compact,delete")),
                new NewTopic("ui-plain", Optional.empty(), Optional.empty()),
                new NewTopic("ui-placed", Map.of(0, List.of(1), 1, List.of(1)))));
            made.all().get();
            return List.of(made.config("ui-orders").get().entries().stream().filter(e -> !e.isDefault()).sorted((a, b) -> a.name().compareTo(b.name())).toList(),
                made.numPartitions("ui-plain").get(), made.replicationFactor("ui-plain").get());
        });
        Map<String, Object> client = Map.of("bootstrap.servers", bootstrap);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(client, new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < 30; i++) {
                producer.send(new ProducerRecord<>("ui-orders", i % 3, 1000L * i, "k" + i, "v" + i));
            }
        }
        Map<String, Object> reader = new HashMap<>(client);
        reader.putAll(Map.of("group.id", "ui-group", "auto.offset.reset", "earliest", "client.id", "ui-reader", "enable.auto.commit", "false"));
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(reader, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("ui-orders"));
            for (int got = 0; got < 30;) {
                got += consumer.poll(java.time.Duration.ofMillis(500)).count();
            }
            consumer.commitSync();
            groups();
        }
        reader.put("group.protocol", "consumer");
        reader.put("group.id", "ui-group-new");
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(reader, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("ui-orders"));
            for (int got = 0; got < 30;) {
                got += consumer.poll(java.time.Duration.ofMillis(500)).count();
            }
            consumer.commitSync();
            groups();
        }
    }

    private static void cluster() throws Exception {
        say("cluster", () -> {
            DescribeClusterResult it = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
            return List.of(it.nodes().get(), it.controller().get(), sorted(it.authorizedOperations().get()));
        });
        say("cluster, fenced too", () -> admin.describeCluster(new DescribeClusterOptions().includeFencedBrokers(true)).nodes().get());
        say("features", () -> {
            FeatureMetadata it = admin.describeFeatures().featureMetadata().get();
            return List.of(new TreeMap<>(it.finalizedFeatures()), new TreeMap<>(it.supportedFeatures()));
        });
        say("quorum", () -> admin.describeMetadataQuorum().quorumInfo().get().voters().size());
        say("log dirs", () -> {
            List<String> lines = new ArrayList<>();
            admin.describeLogDirs(List.of(1)).allDescriptions().get().get(1).forEach((dir, it) -> it.replicaInfos().forEach(
                (partition, replica) -> lines.add(partition.topic().startsWith("__") ? "" : partition + " " + replica.offsetLag() + " " + replica.isFuture()
                    + " " + (replica.size() > 0) + " " + it.error() + " " + it.totalBytes().isPresent() + " " + it.usableBytes().isPresent())));
            Collections.sort(lines);
            return lines;
        });
        say("replica log dirs", () -> admin.describeReplicaLogDirs(List.of(new TopicPartitionReplica("ui-orders", 0, 1))).all().get().values().stream()
            .map(it -> it.getFutureReplicaLogDir() + " " + it.getCurrentReplicaOffsetLag()).toList());
        say("reassignments", () -> admin.listPartitionReassignments().reassignments().get());
        say("config resources", () -> sorted(admin.listConfigResources().all().get()));
        say("client metrics", () -> admin.listClientMetricsResources().all().get());
        say("metrics resource", () -> config(new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "ui-metrics")));
    }

    private static void configs() throws Exception {
        say("config: broker", () -> config(new ConfigResource(ConfigResource.Type.BROKER, "1")));
        say("config: all brokers", () -> config(new ConfigResource(ConfigResource.Type.BROKER, "")));
        say("config: topic", () -> config(new ConfigResource(ConfigResource.Type.TOPIC, "ui-orders")));
        say("config: no topic", () -> config(new ConfigResource(ConfigResource.Type.TOPIC, "ui-nothing")));
        say("config: offsets topic", () -> config(new ConfigResource(ConfigResource.Type.TOPIC, "__consumer_offsets")));
        say("config: group", () -> config(new ConfigResource(ConfigResource.Type.GROUP, "ui-group-new")));
        say("config: loggers", () -> {
            Config it = admin.describeConfigs(List.of(new ConfigResource(ConfigResource.Type.BROKER_LOGGER, "1"))).all().get().values().iterator().next();
            ConfigEntry root = it.get("root");
            return it.entries().size() > 1 ? String.valueOf(root) : "none";
        });
    }

    private static Object config(ConfigResource resource) throws Exception {
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        List<Object> lines = new ArrayList<>(admin.describeConfigs(List.of(resource), options).all().get().get(resource).entries());
        lines.sort((a, b) -> a.toString().compareTo(b.toString()));
        return lines;
    }

    private static void topics() throws Exception {
        say("topics", () -> sorted(admin.listTopics().names().get()));
        say("topics, internal too", () -> sorted(admin.listTopics(new ListTopicsOptions().listInternal(true)).listings().get().stream()
            .map(it -> it.name() + " " + it.isInternal()).toList()));
        say("describe", () -> {
            List<String> lines = new ArrayList<>();
            admin.describeTopics(List.of("ui-orders", "ui-plain", "ui-placed", "__consumer_offsets"), new DescribeTopicsOptions().includeAuthorizedOperations(true)).allTopicNames().get()
                .values().forEach(it -> lines.add(it.name() + " " + it.isInternal() + " " + it.partitions().size() + " " + it.partitions().get(0) + " " + sorted(it.authorizedOperations())));
            return sorted(lines);
        });
        say("describe nothing", () -> admin.describeTopics(List.of("ui-nothing")).allTopicNames().get());
        TopicPartition one = new TopicPartition("ui-orders", 0);
        for (OffsetSpec spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.maxTimestamp(), OffsetSpec.forTimestamp(5000), OffsetSpec.forTimestamp(99999999999999L),
                OffsetSpec.earliestLocal(), OffsetSpec.latestTiered(), OffsetSpec.earliestPendingUpload())) {
            say("offsets " + spec.getClass().getSimpleName(), () -> admin.listOffsets(Map.of(one, spec)).all().get());
        }
        say("offsets of nothing", () -> admin.listOffsets(Map.of(new TopicPartition("ui-orders", 9), OffsetSpec.latest()), new ListOffsetsOptions().timeoutMs(3000)).all().get());
        say("producers", () -> admin.describeProducers(List.of(one)).all().get().values().stream().map(it -> it.activeProducers().size()).toList());
        say("transactions", () -> admin.listTransactions().all().get());
        say("no transaction", () -> admin.describeTransactions(List.of("ui-nothing")).all().get());
    }

    private static void groups() throws Exception {
        say("list consumer groups", () -> sorted(admin.listConsumerGroups().all().get()));
        say("list groups", () -> sorted(admin.listGroups().all().get()));
        say("list groups by state", () -> sorted(admin.listGroups(new ListGroupsOptions().inGroupStates(Set.of(org.apache.kafka.common.GroupState.STABLE))).all().get()));
        say("list groups by type", () -> sorted(admin.listGroups(new ListGroupsOptions().withTypes(Set.of(org.apache.kafka.common.GroupType.CONSUMER))).all().get()));
        for (String group : List.of("ui-group", "ui-group-new", "ui-nothing")) {
            say("group " + group, () -> admin.describeConsumerGroups(List.of(group), new DescribeConsumerGroupsOptions().includeAuthorizedOperations(true)).all().get());
            say("classic group " + group, () -> admin.describeClassicGroups(List.of(group)).all().get());
            say("share group " + group, () -> admin.describeShareGroups(List.of(group)).all().get());
            say("streams group " + group, () -> admin.describeStreamsGroups(List.of(group)).all().get());
            say("offsets of group " + group, () -> admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet().stream().map(Object::toString).sorted().toList());
            say("one offset of group " + group, () -> admin.listConsumerGroupOffsets(Map.of(group, new ListConsumerGroupOffsetsSpec().topicPartitions(List.of(
                new TopicPartition("ui-orders", 0), new TopicPartition("ui-orders", 9), new TopicPartition("ui-nothing", 0))))).all().get()
                .values().stream().map(it -> new TreeMap<String, Object>(strings(it))).toList());
        }
    }

    private static Map<String, Object> strings(Map<?, ?> map) {
        Map<String, Object> found = new HashMap<>();
        map.forEach((key, value) -> found.put(key.toString(), String.valueOf(value)));
        return found;
    }

    private static void security() throws Exception {
        say("acls", () -> sorted(admin.describeAcls(AclBindingFilter.ANY).values().get()));
        AclBinding acl = new AclBinding(new ResourcePattern(ResourceType.TOPIC, "ui-", PatternType.PREFIXED),
            new AccessControlEntry("User:ui", "*", AclOperation.READ, AclPermissionType.ALLOW));
        say("create acl", () -> admin.createAcls(List.of(acl)).all().get());
        say("acls now", () -> sorted(admin.describeAcls(new AclBindingFilter(ResourcePatternFilter.ANY, AccessControlEntryFilter.ANY)).values().get()));
        say("acls that match", () -> sorted(admin.describeAcls(new AclBindingFilter(
            new ResourcePatternFilter(ResourceType.TOPIC, "ui-orders", PatternType.MATCH), AccessControlEntryFilter.ANY)).values().get()));
        say("delete acl", () -> sorted(admin.deleteAcls(List.of(acl.toFilter())).all().get()));
        say("users", () -> admin.describeUserScramCredentials().all().get());
        say("user", () -> admin.describeUserScramCredentials(List.of("ui")).all().get());
        say("set user", () -> admin.alterUserScramCredentials(List.of(
            new UserScramCredentialUpsertion("ui", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret"))).all().get());
        while (admin.describeUserScramCredentials().all().get().isEmpty()) {
            Thread.sleep(20); // Kafka's controller answers before its broker knows
        }
        say("users now", () -> admin.describeUserScramCredentials().all().get());
        say("tokens", () -> admin.describeDelegationToken().delegationTokens().get());
        say("quotas", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get());
        ClientQuotaEntity user = new ClientQuotaEntity(Map.of("user", "ui", "client-id", "app"));
        Map<String, String> nobody = new HashMap<>();
        nobody.put("client-id", null);
        say("set quotas", () -> admin.alterClientQuotas(List.of(
            new ClientQuotaAlteration(user, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1024.0), new ClientQuotaAlteration.Op("request_percentage", 50.0))),
            new ClientQuotaAlteration(new ClientQuotaEntity(nobody), List.of(new ClientQuotaAlteration.Op("consumer_byte_rate", 2048.5))),
            new ClientQuotaAlteration(new ClientQuotaEntity(Map.of("ip", "10.0.0.1")), List.of(new ClientQuotaAlteration.Op("connection_creation_rate", 10.0))))).all().get());
        while (admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().size() < 2) {
            Thread.sleep(20); // Kafka's controller answers before its broker knows
        }
        say("quotas now", () -> sorted(admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().entrySet().stream()
            .map(it -> new TreeMap<>(it.getKey().entries()) + " " + new TreeMap<>(it.getValue())).toList()));
        say("quota of a user", () -> admin.describeClientQuotas(ClientQuotaFilter.contains(List.of(ClientQuotaFilterComponent.ofEntity("user", "ui")))).entities().get().size());
        say("quota of a default", () -> admin.describeClientQuotas(ClientQuotaFilter.containsOnly(List.of(ClientQuotaFilterComponent.ofDefaultEntity("client-id")))).entities().get().size());
        say("unset quota", () -> admin.alterClientQuotas(List.of(new ClientQuotaAlteration(user, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", null))))).all().get());
        say("wrong quota", () -> admin.alterClientQuotas(List.of(new ClientQuotaAlteration(user, List.of(new ClientQuotaAlteration.Op("rubbish", 1.0))))).all().get());
    }

    @SuppressWarnings("deprecation")
    private static void buttons() throws Exception {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, "ui-orders");
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
        ConfigResource brokers = new ConfigResource(ConfigResource.Type.BROKER, "");
        say("log dirs of broker 7", () -> admin.describeLogDirs(List.of(7), new DescribeLogDirsOptions().timeoutMs(3000)).allDescriptions().get());
        say("config of broker 7", () -> admin.describeConfigs(List.of(new ConfigResource(ConfigResource.Type.BROKER, "7")),
            new DescribeConfigsOptions().timeoutMs(3000)).all().get());
        say("edit topic", () -> edit(topic, AlterConfigOp.OpType.SET, "max.message.bytes", "777777"));
        say("append", () -> edit(topic, AlterConfigOp.OpType.APPEND, "leader.replication.throttled.replicas", "0:1"));
        say("subtract", () -> edit(topic, AlterConfigOp.OpType.SUBTRACT, "cleanup.policy", "compact"));
        say("unset", () -> edit(topic, AlterConfigOp.OpType.DELETE, "retention.ms", ""));
        say("edit wrong", () -> edit(topic, AlterConfigOp.OpType.SET, "retention.ms", "soon"));
        say("edit unknown", () -> edit(topic, AlterConfigOp.OpType.SET, "no.such.config", "1"));
        say("edit broker", () -> edit(broker, AlterConfigOp.OpType.SET, "log.cleaner.threads", "2"));
        say("edit brokers", () -> edit(brokers, AlterConfigOp.OpType.SET, "log.retention.bytes", "99999999"));
        say("edit read-only", () -> edit(broker, AlterConfigOp.OpType.SET, "log.dirs", "/tmp"));
        say("edit logger", () -> edit(new ConfigResource(ConfigResource.Type.BROKER_LOGGER, "1"), AlterConfigOp.OpType.SET, "root", "INFO"));
        say("edit metrics", () -> edit(new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "ui-metrics"), AlterConfigOp.OpType.SET, "interval.ms", "5000"));
        say("edit group", () -> edit(new ConfigResource(ConfigResource.Type.GROUP, "ui-group-new"), AlterConfigOp.OpType.SET, "consumer.session.timeout.ms", "50000"));
        configs();
        cluster();
        say("more partitions", () -> admin.createPartitions(Map.of("ui-orders", NewPartitions.increaseTo(5))).all().get());
        say("fewer partitions", () -> admin.createPartitions(Map.of("ui-orders", NewPartitions.increaseTo(2))).all().get());
        say("as many partitions", () -> admin.createPartitions(Map.of("ui-orders", NewPartitions.increaseTo(5))).all().get());
        say("more replicas", () -> admin.alterPartitionReassignments(Map.of(new TopicPartition("ui-orders", 0), Optional.of(new NewPartitionReassignment(List.of(1, 2))))).all().get());
        say("the same replicas", () -> admin.alterPartitionReassignments(Map.of(new TopicPartition("ui-orders", 0), Optional.of(new NewPartitionReassignment(List.of(1))))).all().get());
        say("elect", () -> admin.electLeaders(org.apache.kafka.common.ElectionType.PREFERRED, Set.of(new TopicPartition("ui-orders", 0))).partitions().get());
        say("elect all", () -> admin.electLeaders(org.apache.kafka.common.ElectionType.PREFERRED, null).partitions().get());
        say("empty", () -> admin.deleteRecords(Map.of(new TopicPartition("ui-orders", 0), RecordsToDelete.beforeOffset(-1),
            new TopicPartition("ui-orders", 1), RecordsToDelete.beforeOffset(3))).lowWatermarks().values().stream().map(AdminUi::low).sorted().toList());
        say("empty too much", () -> admin.deleteRecords(Map.of(new TopicPartition("ui-orders", 1), RecordsToDelete.beforeOffset(300))).all().get());
        say("empty plain", () -> admin.deleteRecords(Map.of(new TopicPartition("ui-plain", 0), RecordsToDelete.beforeOffset(0))).all().get());
        say("clone", () -> admin.createTopics(List.of(new NewTopic("ui-copy", 2, (short) 1).configs(Map.of("segment.ms", "8000", "default.api.timeout.ms", "15000")))).all().get());
        say("create again", () -> admin.createTopics(List.of(new NewTopic("ui-copy", 2, (short) 1))).all().get());
        say("create with three replicas", () -> admin.createTopics(List.of(new NewTopic("ui-three", 2, (short) 3))).all().get());
        say("create with a bad config", () -> admin.createTopics(List.of(new NewTopic("ui-bad", 2, (short) 1).configs(Map.of("no.such", "1")))).all().get());
        say("create with a bad name", () -> admin.createTopics(List.of(new NewTopic("ui bad", 2, (short) 1))).all().get());
        say("validate only", () -> admin.createTopics(List.of(new NewTopic("ui-never", 2, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get());
        say("reset group", () -> admin.alterConsumerGroupOffsets("ui-group", Map.of(new TopicPartition("ui-orders", 0), new OffsetAndMetadata(2), new TopicPartition("ui-nothing", 0), new OffsetAndMetadata(2))).all().get());
        say("delete offsets", () -> admin.deleteConsumerGroupOffsets("ui-group", Set.of(new TopicPartition("ui-orders", 1), new TopicPartition("ui-orders", 77))).all().get());
        say("delete offsets of nothing", () -> admin.deleteConsumerGroupOffsets("ui-nothing", Set.of(new TopicPartition("ui-orders", 1))).all().get());
        say("remove members", () -> admin.removeMembersFromConsumerGroup("ui-group", new RemoveMembersFromConsumerGroupOptions()).all().get());
        groups();
        say("delete group", () -> admin.deleteConsumerGroups(List.of("ui-group")).all().get());
        say("delete no group", () -> admin.deleteConsumerGroups(List.of("ui-nothing")).all().get());
        say("delete topics", () -> admin.deleteTopics(List.of("ui-copy", "ui-placed")).all().get());
        say("delete nothing", () -> admin.deleteTopics(List.of("ui-copy")).all().get());
        topics();
        groups();
    }

    private static Object edit(ConfigResource resource, AlterConfigOp.OpType operation, String name, String value) throws Exception {
        return admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(name, value), operation)))).all().get();
    }

    private static String low(KafkaFuture<DeletedRecords> future) {
        try {
            return String.valueOf(future.get().lowWatermark());
        } catch (Exception error) {
            return String.valueOf(error.getCause());
        }
    }

    private static List<String> sorted(Collection<?> things) {
        return things == null ? List.of("null") : things.stream().map(String::valueOf).sorted().toList();
    }

    /** One answer: a line, or a line for each of many. */
    private static void say(String what, Callable<?> question) throws Exception {
        Object answer;
        try {
            answer = question.call();
        } catch (ExecutionException error) {
            answer = error.getCause();
        }
        Collection<?> lines = answer instanceof Collection<?> many && many.size() > 3 ? many : Collections.singleton(answer);
        for (Object line : lines) {
            System.out.println(what + ": " + String.valueOf(line).replace('\n', ' '));
        }
    }
}
