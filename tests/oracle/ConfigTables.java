import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;

/** Prints Apache Kafka's config tables as JSON, for test_config_tables.py. */
public class ConfigTables {
    static List<Object> rows(ConfigDef table) {
        List<Object> rows = new ArrayList<>();
        for (ConfigDef.ConfigKey key : table.configKeys().values()) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("name", key.name);
            row.put("type", key.type.name());
            row.put("required", !key.hasDefault());
            row.put("default", key.hasDefault() ? ConfigDef.convertToString(key.defaultValue, key.type) : null);
            row.put("validator", key.validator == null ? null : key.validator.toString());
            row.put("importance", key.importance.name().toLowerCase());
            row.put("internal", key.internalConfig);
            rows.add(row);
        }
        return rows;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> tables = new LinkedHashMap<>();
        tables.put("broker", rows(kafka.server.KafkaConfig.configDef()));
        tables.put("topic", rows(LogConfig.configDefCopy()));
        tables.put("group", rows(GroupConfig.configDef()));
        tables.put("client_metrics", rows(ClientMetricsConfigs.configDef()));
        Object companion = Class.forName("kafka.server.DynamicBrokerConfig$").getField("MODULE$").get(null);
        tables.put("update_modes", companion.getClass().getMethod("dynamicConfigUpdateModes").invoke(companion));
        Map<String, Object> synonyms = new TreeMap<>();
        ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.forEach((name, list) -> {
            List<Object> pairs = new ArrayList<>();
            list.forEach(synonym -> pairs.add(List.of(synonym.name(), synonym.converter().apply("1"))));
            synonyms.put(name, pairs);
        });
        tables.put("synonyms", synonyms);
        System.out.println(new ObjectMapper().writeValueAsString(tables));
    }
}
