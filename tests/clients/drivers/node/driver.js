// kafkajs behind the drivers' command line (../python/driver.py describes it). KAFKAJS=kafkajs-old takes the old line.
'use strict';
const fs = require('fs');
const which = process.env.KAFKAJS || 'kafkajs';
const kafkajs = require(which);
const { Kafka, logLevel, CompressionTypes, CompressionCodecs, AssignerProtocol } = kafkajs;

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
CompressionCodecs[CompressionTypes.LZ4] = () => {
  const lz4 = require('lz4-napi');  // frames of independent blocks, as Kafka demands
  return { compress: (encoder) => lz4.compressFrame(encoder.buffer), decompress: (buffer) => lz4.decompressFrame(buffer) };
};
CompressionCodecs[CompressionTypes.ZSTD] = () => {
  const { Encoder, Decoder } = require('@toondepauw/node-zstd');
  const [encoder, decoder] = [new Encoder(3), new Decoder()];
  return { compress: ({ buffer }) => encoder.encode(buffer), decompress: (buffer) => decoder.decode(buffer) };
};
const CODECS = { none: 0, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD };
const DEADLINE_MS = 20000;
const BATCH_RECORDS = 2000;

const event = (fields) => fs.writeSync(1, JSON.stringify(fields) + '\n');
const connect = (bootstrap) => new Kafka({ clientId: 'driver', brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 8 } });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function* batches(path) {
  const whole = fs.readFileSync(path);
  let batch = [];
  for (let from = 0, to = whole.indexOf(10, 0); to >= 0; from = to + 1, to = whole.indexOf(10, from)) {
    batch.push({ value: whole.subarray(from, to) });
    if (batch.length === BATCH_RECORDS) { yield batch; batch = []; }
  }
  if (batch.length) yield batch;
}

async function produce(bootstrap, path, codec, topic) {
  const producer = connect(bootstrap).producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: true });
  await producer.connect();
  for (const messages of batches(path)) await producer.send({ topic, messages, compression: CODECS[codec], acks: -1 });
  await producer.disconnect();
  event({ produced: topic });
}

// kafkajs reads only as a member of a group.
async function consume(bootstrap, topic, count, path) {
  const out = fs.openSync(path, 'w');
  const consumer = connect(bootstrap).consumer({ groupId: `driver-${process.pid}-${Date.now()}`, sessionTimeout: 30000, maxWaitTimeInMs: 500 });
  await consumer.connect();
  await consumer.subscribe(topicFromBeginning(topic));
  let last = Date.now();
  await new Promise((resolve, reject) => {
    const watch = setInterval(() => {
      if (Date.now() - last > DEADLINE_MS) { clearInterval(watch); reject(new Error(`${count} records missing in ${topic}`)); }
    }, 1000);
    consumer.on(consumer.events.CRASH, ({ payload }) => { clearInterval(watch); reject(payload.error); });
    consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: true,
      eachBatch: async ({ batch }) => {
        const parts = [];
        for (const message of batch.messages) {
          if (count <= 0) break;
          parts.push(message.value, Buffer.from('\n'));
          count -= 1;
        }
        fs.writeSync(out, Buffer.concat(parts));
        last = Date.now();
        if (count <= 0) { clearInterval(watch); resolve(); }
      },
    }).catch(reject);
  });
  await consumer.disconnect();
  fs.closeSync(out);
  event({ consumed: topic });
}

function topicFromBeginning(topic) {
  return which === 'kafkajs' ? { topics: [topic], fromBeginning: true } : { topic, fromBeginning: true };
}

// kafkajs has only an assignor of its own; a mixed group needs one that every client knows: "range", as Kafka defines it.
const rangeAssigner = ({ cluster }) => ({
  name: 'range',
  version: 0,
  async assign({ members, topics }) {
    const ids = members.map((m) => m.memberId).sort();
    const result = Object.fromEntries(ids.map((id) => [id, {}]));
    for (const topic of topics) {
      const partitions = cluster.findTopicPartitionMetadata(topic).map((p) => p.partitionId).sort((a, b) => a - b);
      const each = Math.floor(partitions.length / ids.length);
      const extra = partitions.length % ids.length;
      let at = 0;
      ids.forEach((id, i) => {
        const n = each + (i < extra ? 1 : 0);
        result[id][topic] = partitions.slice(at, at + n);
        at += n;
      });
    }
    return ids.map((id) => ({ memberId: id, memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 0, assignment: result[id], userData: Buffer.alloc(0) }) }));
  },
  protocol({ topics }) {
    return { name: 'range', metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }) };
  },
});

async function group(bootstrap, topic, groupId) {
  const consumer = connect(bootstrap).consumer({
    groupId, partitionAssigners: [rangeAssigner], sessionTimeout: 10000, heartbeatInterval: 500, maxWaitTimeInMs: 100,
  });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => event({ assigned: payload.memberAssignment[topic] || [] }));
  consumer.on(consumer.events.CRASH, ({ payload }) => { if (!payload.restart) { console.error(payload.error); process.exit(1); } });
  await consumer.connect();
  await consumer.subscribe(topicFromBeginning(topic));
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, heartbeat }) => {
      const next = (BigInt(batch.lastOffset()) + 1n).toString();
      await consumer.commitOffsets([{ topic, partition: batch.partition, offset: next }]); // on a rebalance it throws, and kafkajs rejoins
      for (const m of batch.messages) event({ record: [batch.partition, Number(m.offset)] });
      await heartbeat();
    },
  });
  await new Promise((resolve) => process.stdin.once('data', resolve).once('end', resolve));
  await consumer.disconnect();
  event({ closed: true });
  process.exit(0);
}

async function until(what, condition) {
  for (let i = 0; i < 150; i += 1) {
    if (await condition()) return;
    await sleep(100);
  }
  throw new Error(`timeout: ${what}`);
}

async function admin(bootstrap, topic) {
  const client = connect(bootstrap).admin();
  await client.connect();
  const resource = { type: kafkajs.ConfigResourceTypes ? kafkajs.ConfigResourceTypes.TOPIC : 2, name: topic };
  const retention = async () => {
    const { resources } = await client.describeConfigs({ resources: [{ ...resource, configNames: ['retention.ms'] }], includeSynonyms: false });
    return resources[0].configEntries[0].configValue;
  };
  const partitions = async () => {
    if (!(await client.listTopics()).includes(topic)) return 0;
    return (await client.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length;
  };
  const expect = (what, got, wanted) => { if (got !== wanted) throw new Error(`${what}: got ${got}, wanted ${wanted}`); };
  const steps = {
    create: () => client.createTopics({ topics: [{ topic, numPartitions: 3, configEntries: [{ name: 'retention.ms', value: '3600000' }] }] }),
    describe: async () => {
      await until('3 partitions', async () => (await partitions()) === 3);
      expect('retention.ms', await retention(), '3600000');
      await client.describeCluster();
    },
    alter: async () => {
      await client.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '7200000' }] }] });
      await until('retention.ms 7200000', async () => (await retention()) === '7200000');
    },
    grow: async () => {
      await client.createPartitions({ topicPartitions: [{ topic, count: 5 }] });
      await until('5 partitions', async () => (await partitions()) === 5);
    },
    groups: () => client.listGroups(),
    delete: async () => {
      await client.deleteTopics({ topics: [topic] });
      await until('gone', async () => !(await client.listTopics()).includes(topic));
    },
  };
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
    } catch (error) {
      event({ step: name, error: String(error) });
      process.exit(1);
    }
    event({ step: name });
  }
  await client.disconnect();
}

async function main([command, bootstrap, ...rest]) {
  if (command === 'version') console.log(require(`${which}/package.json`).version);
  else if (command === 'produce') for (let i = 1; i < rest.length; i += 2) await produce(bootstrap, rest[0], rest[i], rest[i + 1]);
  else if (command === 'consume') for (let i = 0; i < rest.length; i += 3) await consume(bootstrap, rest[i], Number(rest[i + 1]), rest[i + 2]);
  else if (command === 'group') await group(bootstrap, ...rest);
  else if (command === 'admin') await admin(bootstrap, ...rest);
  else throw new Error(`unknown command ${command}`);
}

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1';
main(process.argv.slice(2)).catch((error) => { console.error(error); process.exit(1); });
