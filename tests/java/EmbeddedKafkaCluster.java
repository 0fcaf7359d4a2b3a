package org.apache.kafka.streams.integration.utils;

import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupListing;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.server.util.MockTime;

/**
 * The cluster that the integration tests of Kafka Streams believe they start: here it is the broker at OUTSIDE_BOOTSTRAP.
 *
 * It stands before their own class of this name in the class path, with the same methods. "Start" and "stop" take away what
 * topics and groups there are; what settings and how many brokers a test wants is not heard: there is one, with one replica.
 */
public class EmbeddedKafkaCluster {
    private static final long WAIT_MS = 60_000;
    private static final Set<String> INTERNAL = Set.of("__consumer_offsets", "__transaction_state");
    public final MockTime time;
    private Admin admin;

    public EmbeddedKafkaCluster(int brokers) {
        this(brokers, new Properties());
    }

    public EmbeddedKafkaCluster(int brokers, Properties settings) {
        this(brokers, settings, System.currentTimeMillis());
    }

    public EmbeddedKafkaCluster(int brokers, Properties settings, long nowMs) {
        this(brokers, settings, List.of(), nowMs, System.nanoTime());
    }

    public EmbeddedKafkaCluster(int brokers, Properties settings, List<Properties> each) {
        this(brokers, settings, each, System.currentTimeMillis());
    }

    public EmbeddedKafkaCluster(int brokers, Properties settings, List<Properties> each, long nowMs) {
        this(brokers, settings, each, nowMs, System.nanoTime());
    }

    public EmbeddedKafkaCluster(int brokers, Properties settings, List<Properties> each, long nowMs, long nowNs) {
        time = new MockTime(nowMs, nowNs);
    }

    public void start() {
        admin = Admin.create(Map.of("bootstrap.servers", bootstrapServers()));
        clean();
    }

    public void stop() {
        if (admin != null) {
            clean();
            admin.close();
            admin = null;
        }
    }

    private void clean() {
        try {
            deleteAllTopicsAndWait(WAIT_MS);
            List<String> groups = admin.listConsumerGroups().all().get().stream().map(ConsumerGroupListing::groupId).toList();
            for (KafkaFuture<Void> deleted : admin.deleteConsumerGroups(groups).deletedGroups().values()) {
                deleted.whenComplete((nothing, stillHasMembers) -> { });
            }
        } catch (InterruptedException | ExecutionException error) {
            throw new IllegalStateException(error);
        }
    }

    public String zKConnectString() {
        throw new UnsupportedOperationException("there is no ZooKeeper");
    }

    public String bootstrapServers() {
        return System.getenv("OUTSIDE_BOOTSTRAP");
    }

    public void createTopics(String... topics) throws InterruptedException {
        for (String topic : topics) {
            createTopic(topic, 1, 1);
        }
    }

    public void createTopic(String topic) throws InterruptedException {
        createTopic(topic, 1, 1);
    }

    public void createTopic(String topic, int partitions, int replicas) throws InterruptedException {
        createTopic(topic, partitions, replicas, Map.of());
    }

    public void createTopic(String topic, int partitions, int replicas, Map<String, String> config) throws InterruptedException {
        try {
            admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(config))).all().get();
        } catch (ExecutionException error) {
            throw new IllegalStateException(error.getCause());
        }
    }

    public void deleteTopic(String topic) throws InterruptedException {
        deleteTopics(topic);
    }

    public void deleteTopics(String... topics) throws InterruptedException {
        for (String topic : topics) {
            try {
                admin.deleteTopics(List.of(topic)).all().get();
            } catch (ExecutionException error) {
                if (!(error.getCause() instanceof UnknownTopicOrPartitionException)) {
                    throw new IllegalStateException(error.getCause());
                }
            }
        }
    }

    public void deleteTopicAndWait(String topic) throws InterruptedException {
        deleteTopicsAndWait(topic);
    }

    public void deleteTopicsAndWait(String... topics) throws InterruptedException {
        deleteTopicsAndWait(WAIT_MS, topics);
    }

    public void deleteTopicsAndWait(long ms, String... topics) throws InterruptedException {
        deleteTopics(topics);
        until(ms, () -> Collections.disjoint(getAllTopicsInCluster(), Arrays.asList(topics)));
    }

    public void deleteAllTopicsAndWait(long ms) throws InterruptedException {
        Set<String> topics = getAllTopicsInCluster();
        topics.removeAll(INTERNAL);
        deleteTopicsAndWait(ms, topics.toArray(new String[0]));
    }

    public void waitForRemainingTopics(long ms, String... topics) throws InterruptedException {
        until(ms, () -> {
            Set<String> others = getAllTopicsInCluster();
            others.removeAll(Arrays.asList(topics));
            return INTERNAL.containsAll(others);
        });
    }

    public Properties getLogConfig(String topic) {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Properties found = new Properties();
        try {
            for (ConfigEntry entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
                if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                    found.put(entry.name(), entry.value());
                }
            }
        } catch (InterruptedException | ExecutionException error) {
            throw new IllegalStateException(error);
        }
        return found;
    }

    public Set<String> getAllTopicsInCluster() {
        try {
            return new HashSet<>(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
        } catch (InterruptedException | ExecutionException error) {
            throw new IllegalStateException(error);
        }
    }

    private static void until(long ms, Callable<Boolean> condition) throws InterruptedException {
        long end = System.currentTimeMillis() + ms;
        try {
            while (!condition.call()) {
                if (System.currentTimeMillis() > end) {
                    throw new AssertionError("not within " + ms + " ms");
                }
                Thread.sleep(20);
            }
        } catch (InterruptedException error) {
            throw error;
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }
}
