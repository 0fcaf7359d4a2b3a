"""The table of the commands that talk to a cluster, any Kafka from 2.8 on: what each takes, in the words of kcat and Kafka's tools."""

from __future__ import annotations

import argparse

from . import values
from .spec import JSON, YES, Action, Noun, action, flag, pair

ROWS_NUMBER = {"type": int, "metavar": "N"}
TOPIC = flag("topic", metavar="TOPIC", help="the topic")
TOPICS = flag("topics", metavar="TOPIC", nargs="*", help="topics; none: all")
GROUP = flag("group", metavar="GROUP", help="the group")
PARTITIONS = flag("-p", "--partition", "--partitions", dest="partitions", metavar="LIST", type=values.numbers,
                  help="these partitions: 0,3-5 (default all)")  # fmt: skip
SET = flag("--set", dest="configs", metavar="KEY=VALUE", type=pair, action="append", default=[],
           help="a config, such as retention.ms=7d; repeatable")  # fmt: skip
EXECUTE = flag("--execute", action="store_true", help="do it; without, only show what would be done")


def compression(text: str) -> str:
    """A codec's name."""
    if text not in ("none", "gzip", "snappy", "lz4", "zstd"):
        raise argparse.ArgumentTypeError(f"{text!r} is no codec: none, gzip, snappy, lz4, zstd")
    return text


TOPIC_NOUN = Noun("topics: list, describe, create, alter, delete, offsets, replicas", "topic", {
    "list": action("list the topics", flag("--internal", action="store_true", help="internal topics too")),
    "describe": action(
        "partitions, leaders, replicas and changed configs", TOPICS,
        flag("--under-replicated", action="store_true", help="only partitions that lack replicas in sync"),
        flag("--under-min-isr", action="store_true", help="only partitions with fewer in sync than min.insync.replicas"),
        flag("--at-min-isr", action="store_true", help="only partitions with no more in sync than that"),
        flag("--unavailable", action="store_true", help="only partitions without a leader"),
    ),
    "create": action(
        "make topics",
        flag("names", metavar="NAME", nargs="+", help="names of the new topics"),
        flag("-p", "--partitions", **ROWS_NUMBER, default=-1, help="how many partitions (default: the broker's)"),
        flag("-r", "--replication-factor", **ROWS_NUMBER, default=-1, help="how many replicas (default: the broker's)"),
        flag("--assign", metavar="1:2,2:3", type=values.replica_lists, help="the replicas of each partition, instead of both"),
        SET,
        flag("--if-not-exists", action="store_true", help="what is there already is fine"),
        flag("--dry-run", action="store_true", help="let the broker check it only"),
    ),
    "alter": action(
        "give a topic more partitions", TOPIC,
        flag("-p", "--partitions", **ROWS_NUMBER, required=True, help="how many in all; keys go to other partitions then"),
    ),
    "delete": action(
        "delete topics with all that is in them",
        flag("topics", metavar="TOPIC", nargs="+", help="the topics"),
        flag("--if-exists", action="store_true", help="what is not there is fine"), YES,
    ),
    "offsets": action(
        "where each partition begins and ends", TOPICS, PARTITIONS,
        flag("--time", metavar="TIME", type=values.offset_time,
             help="also the first offset from this moment on: 10m (ago), ISO 8601, ms; or max-timestamp, earliest-local, latest-tiered"),
    ),
    "delete-records": action(
        "delete the oldest records of a topic", TOPIC, PARTITIONS,
        flag("--before", metavar="OFFSET", type=int, help="those before this offset; -1: all"),
        flag("--older-than", metavar="TIME", type=values.moment_ms, help="those before this moment: 7d (ago), ISO 8601, ms"), YES,
    ),
    "reassign": action(
        "give partitions other replicas", TOPIC, PARTITIONS,
        flag("--replicas", metavar="1:2,2:3", type=values.replica_lists, help="the replicas of each partition, the first one preferred; one list for all"),
        flag("--brokers", metavar="LIST", type=values.numbers, help="spread over these brokers, as many replicas as before; without --execute only shown"),
        EXECUTE,
        flag("--cancel", action="store_true", help="end what is under way"),
        flag("--wait", action="store_true", help="until it is done"),
    ),
    "elect": action(
        "let the preferred replicas lead", TOPICS, PARTITIONS,
        flag("--unclean", action="store_true", help="where no replica in sync lives: one that is behind; records are lost"),
    ),
})  # fmt: skip

_FORMAT = (
    "FORMAT has kcat's words: %s value, %S its length, %k key, %K its length, %t topic, %p partition, %o offset, %T timestamp "
    "(ms), %h headers, %R length of the value as 4 bytes; \\n \\t \\xHH. Without a terminal, values come a line each."
)
PRODUCE = Noun("send records, from lines or files", "produce", {"": Action("send records", (
    flag("topic", metavar="TOPIC", help="where to"),
    flag("files", metavar="FILE", nargs="*", help="each file is one record, or with -l has one in each line; none: lines of stdin"),
    flag("-l", "--lines", action="store_true", help="files have a record in each line"),
    flag("-K", "--key-delimiter", metavar="DELIM", help="a line is KEY DELIM VALUE, as in -K:"),
    flag("-D", "--delimiter", metavar="DELIM", default="\\n", help="what ends a record (default a line's end)"),
    flag("-k", "--key", metavar="KEY", help="the key of all records"),
    flag("-Z", "--null", action="store_true", help="an empty value is null (a tombstone), an empty key is none"),
    flag("-H", "--header", dest="headers", metavar="KEY=VALUE", type=pair, action="append", help="a header of all records; repeatable"),
    flag("-p", "--partition", **ROWS_NUMBER, help="to this partition (default: by key)"),
    flag("--partitioner", metavar="NAME", choices=["default", "round_robin"],
         help="default: by key as Java does; round_robin: in turn"),
    flag("-z", "--compression", metavar="CODEC", type=compression, help="none, gzip, snappy, lz4 or zstd"),
    flag("-c", "--count", "--max-messages", dest="count", **ROWS_NUMBER, help="end after so many records"),
    flag("--acks", metavar="ACKS", help="all (default), 1 or 0"),
    flag("--property", dest="properties", metavar="KEY=VALUE", type=pair, action="append", default=[],
         help="as kafka-console-producer: parse.key, key.separator, null.marker"),
    *action("", json=False).flags,
    flag("--json", action="store_true", help="each line is an object, as ottla consume --json writes it"),
), "Sends each line of stdin as a record, or files. Ends when all is acknowledged; exit code 1 if something was not.")})  # fmt: skip

CONSUME = Noun("read records, live or from any place", "consume", {"": Action("read records", (
    flag("topics", metavar="TOPIC", nargs="+", help="what to read"),
    flag("-g", "--group", "-G", dest="group", metavar="GROUP", help="as a member of this group, which commits what was shown"),
    flag("--from-beginning", action="store_true", help="what is there already, too; with --group: where it committed nothing"),
    flag("-o", "--offset", metavar="OFFSET", type=values.place, action="append", default=[],
         help="beginning, end (default), 17, -5 (so many before the end of each partition), s@TIME (from), e@TIME (until)"),
    flag("-n", "--last", **ROWS_NUMBER, help="begin with the last N records of all partitions together"),
    flag("--since", metavar="TIME", type=values.moment_ms, help="from this moment on: 10m (ago), 2026-11-21T10:00, or ms"),
    flag("--until", metavar="TIME", type=values.moment_ms, help="end at this moment"),
    PARTITIONS,
    flag("-e", "--exit", action="store_true", help="end when what was there has been read"),
    flag("-c", "--count", "--max-messages", dest="count", **ROWS_NUMBER, help="end after showing so many records"),
    flag("--timeout-ms", **ROWS_NUMBER, help="end when nothing comes for so long"),
    flag("--grep", metavar="REGEX", help="only records whose value matches"),
    flag("--key", metavar="KEY", help="only records of this key"),
    flag("-H", "--header", dest="headers", metavar="KEY[=VALUE]", action="append", default=[], help="only records with this header; repeatable"),
    flag("-f", "--format", metavar="FORMAT", help="how a record is printed: '%%t %%p %%o %%k %%s\\n'"),
    flag("-K", "--key-delimiter", metavar="DELIM", help="print key, DELIM, value"),
    flag("-D", "--delimiter", metavar="DELIM", default="\\n", help="what ends a record (default a line's end)"),
    flag("-Z", "--null", action="store_true", help="print NULL for null keys and values"),
    flag("--property", dest="properties", metavar="KEY=VALUE", type=pair, action="append", default=[],
         help="as kafka-console-consumer: print.key, print.timestamp, print.partition, print.offset, print.headers, key.separator"),
    flag("-q", "--quiet", action="store_true", help="no remarks on stderr"),
    *action("").flags,
), "Prints records as they come, until Ctrl-C. " + _FORMAT)})  # fmt: skip

_RESET = (
    "Shows where the group would go on, and with --execute lets it. The group must have no members. One of --to-earliest, --to-latest, "
    "--to-offset, --to-datetime, --by-duration, --shift-by, --to-current, --from-file. Share groups too."
)
_RESET_TOPIC = flag("--topic", dest="which", metavar="TOPIC[:LIST]", type=values.topic_partitions, action="append", default=[],
                    help="a topic, or some of its partitions: orders:0,1; repeatable")  # fmt: skip
GROUP_NOUN = Noun("groups: list, describe with lag, reset offsets, delete", "group", {
    "list": action(
        "list the groups",
        flag("--type", dest="types", metavar="TYPE", action="append", default=[], help="classic, consumer, share or streams; repeatable"),
        flag("--state", dest="states", metavar="STATE", action="append", default=[], help="Stable, Empty, Dead, ...; repeatable"),
    ),
    "describe": action("state, and how far it is behind in each partition", flag("groups", metavar="GROUP", nargs="*", help="the groups; none: all")),
    "members": action("who is in it and reads what", GROUP),
    "reset": action(
        "let a group go on elsewhere", GROUP, _RESET_TOPIC,
        flag("--all-topics", action="store_true", help="all topics that it committed offsets of"),
        flag("--to-earliest", action="store_true", help="to the oldest record"),
        flag("--to-latest", action="store_true", help="to the end"),
        flag("--to-offset", metavar="OFFSET", type=int, help="to this offset"),
        flag("--to-datetime", metavar="TIME", type=values.moment_ms, help="to the first record from this moment on"),
        flag("--by-duration", metavar="DURATION", type=values.duration_ms, help="to so long ago: 10m, PT1H"),
        flag("--shift-by", **ROWS_NUMBER, help="forward, or back if negative"),
        flag("--to-current", action="store_true", help="to what it has committed, or the end"),
        flag("--from-file", metavar="FILE", help="to what a file says in lines TOPIC,PARTITION,OFFSET, as --export prints it"),
        flag("--export", action="store_true", help="print such lines, and nothing else"),
        EXECUTE, flag("--dry-run", action="store_true", help="show only, as without --execute"),
        more=_RESET,
    ),
    "delete": action("delete groups without members", flag("groups", metavar="GROUP", nargs="+", help="the groups"), YES),
    "delete-offsets": action("forget what a group committed of topics that it no longer reads", GROUP, _RESET_TOPIC),
    "remove-members": action(
        "take members out of a classic group", GROUP,
        flag("--instance", dest="instances", metavar="ID", action="append", default=[], help="a static member; repeatable"),
        flag("--member", dest="members", metavar="ID", action="append", default=[], help="a member by its id; repeatable"),
        flag("--all", action="store_true", help="all of them"),
    ),
})  # fmt: skip

_KINDS = ["topic", "broker", "group", "client-metrics"]
_KIND = flag("kind", metavar="TYPE", choices=_KINDS, help=", ".join(_KINDS))
_NAME = flag("name", metavar="NAME", help="its name; a broker's id, or 'default' for all brokers")
CONFIG_NOUN = Noun("configs of topics, brokers, groups and metrics subscriptions", "config", {
    "get": action(
        "show what was changed", _KIND, _NAME,
        flag("keys", metavar="KEY", nargs="*", help="these configs"),
        flag("--all", action="store_true", help="defaults too"),
        flag("--docs", action="store_true", help="with what they mean"),
    ),
    "set": action("change configs", _KIND, _NAME, flag("pairs", metavar="KEY=VALUE", type=pair, nargs="+", help="such as retention.ms=7d")),
    "unset": action("go back to the defaults", _KIND, _NAME, flag("keys", metavar="KEY", nargs="+", help="these configs")),
    "list": action("list what has configs of its own (Kafka 4.1 and newer)"),
})  # fmt: skip

_RULES = "OPERATION[,OPERATION]:TYPE:NAME, such as read,describe:topic:orders; NAME ends in * for a prefix, * alone is every name"
_ACL_FLAGS = (
    flag("principal", metavar="PRINCIPAL", help="who: User:alice, or alice"),
    flag("--allow", metavar="RULE", action="append", default=[], help=_RULES + "; repeatable"),
    flag("--deny", metavar="RULE", action="append", default=[], help="what is forbidden whatever else is allowed; repeatable"),
    flag("--host", metavar="HOST", default="*", help="from this address only"),
)  # fmt: skip
ACL_NOUN = Noun("rules: who may do what", "acl", {
    "list": action(
        "list the rules",
        flag("--principal", metavar="PRINCIPAL", help="of this one: User:alice, or alice"),
        flag("--type", metavar="TYPE", default="any", help="about topic, group, cluster, transactional-id, delegation-token or user"),
        flag("--name", metavar="NAME", help="about this name; also by a prefix or *"),
    ),
    "create": action("allow or forbid", *_ACL_FLAGS),
    "delete": action("take rules away; without --allow and --deny all of the principal's", *_ACL_FLAGS, YES),
})  # fmt: skip

_WHOSE = (
    flag("--user", metavar="USER", help="of this user"),
    flag("--user-defaults", action="store_true", help="of users without a quota of their own"),
    flag("--client", metavar="CLIENT-ID", help="of this client id; with --user: of that user's"),
    flag("--client-defaults", action="store_true", help="of client ids without a quota of their own"),
    flag("--ip", metavar="ADDRESS", help="of this address"),
    flag("--ip-defaults", action="store_true", help="of addresses without a quota of their own"),
)  # fmt: skip
_QUOTAS = (
    "producer_byte_rate, consumer_byte_rate, request_percentage, controller_mutation_rate, connection_creation_rate"
)
QUOTA_NOUN = Noun("quotas: how fast users, clients and addresses may go", "quota", {
    "list": action("list the quotas; with --user and the like those that concern them", *_WHOSE,
                   flag("--strict", action="store_true", help="only what has no other part besides")),
    "set": action("set quotas", *_WHOSE, flag("pairs", metavar="QUOTA=VALUE", type=pair, nargs="+", help=_QUOTAS),
                  flag("--dry-run", action="store_true", help="let the broker check it only")),
    "unset": action("take quotas away", *_WHOSE, flag("keys", metavar="QUOTA", nargs="*", help="these; none: all of them")),
})  # fmt: skip

_TOKEN = flag("token", metavar="TOKEN", help="its id, or its HMAC in base64")
TOKEN_NOUN = Noun("delegation tokens: names and passwords for a time", "token", {
    "create": action(
        "make a token for oneself: prints id and HMAC, which are name and password",
        flag("--owner", metavar="PRINCIPAL", help="for another: User:alice, or alice"),
        flag("--renewer", dest="renewers", metavar="PRINCIPAL", action="append", default=[], help="who besides the owner may renew it; repeatable"),
        flag("--max-lifetime", metavar="DURATION", type=values.duration_ms, help="how long it can live with all renewals (default: the broker's)"),
    ),
    "list": action(
        "list the tokens that one may see",
        flag("--owner", dest="owners", metavar="PRINCIPAL", action="append", default=[], help="of this owner or renewer; repeatable"),
        flag("--secrets", action="store_true", help="with their HMACs"),
    ),
    "renew": action("let a token live longer", _TOKEN, flag("--for", dest="period", metavar="DURATION", type=values.duration_ms, help="so long from now (default: the broker's)")),
    "expire": action("end a token", _TOKEN, flag("--after", metavar="DURATION", type=values.duration_ms, help="not now but after so long"), YES),
})  # fmt: skip

CLUSTER_NOUN = Noun("brokers, quorum, features, disks", "cluster", {
    "describe": action("id, controller, brokers"),
    "features": action("what the cluster has switched on, and what the broker can"),
    "quorum": action("who keeps the metadata, and how far behind they are"),
    "set-feature": action(
        "switch features to another level",
        flag("pairs", metavar="FEATURE=LEVEL", type=pair, nargs="+", help="such as transaction.version=2; 0 switches it off"),
        flag("--downgrade", choices=["safe", "unsafe"], default="no", help="let a level fall; unsafe: even if metadata is lost"),
        flag("--dry-run", action="store_true", help="let the controller check it only"),
    ),
    "api-versions": action("which APIs a broker serves, in which versions", flag("--broker", dest="node", **ROWS_NUMBER, help="this broker (default: any)")),
    "disks": action(
        "log dirs and their sizes",
        flag("--broker", dest="brokers", metavar="LIST", type=values.numbers, help="of these brokers: 1,2"),
        flag("--topic", dest="topics", metavar="TOPIC", action="append", default=[], help="the replicas of this topic, one by one; repeatable"),
        flag("--all", action="store_true", help="all replicas, one by one"),
    ),
    "move": action(
        "move replicas of a broker into another of its log dirs", TOPIC, PARTITIONS,
        flag("--broker", dest="node", **ROWS_NUMBER, required=True, help="the broker"),
        flag("--to", dest="path", metavar="DIR", required=True, help="the log dir: as ottla cluster disks names it"),
    ),
    "unregister": action("forget a broker that will not come back", flag("node", metavar="BROKER", type=int, help="its id"), YES),
    "reassignments": action("replicas that are on the move"),
})  # fmt: skip

TXN_NOUN = Noun("transactions: list, describe, find and end those that hang", "txn", {
    "list": action(
        "list the transactional ids",
        flag("--state", dest="states", metavar="STATE", action="append", default=[], help="Ongoing, Empty, CompleteCommit, ...; repeatable"),
        flag("--longer-than", metavar="DURATION", type=values.duration_ms, help="open for longer (Kafka 3.7 and newer)"),
    ),
    "describe": action("state, producer and partitions", flag("ids", metavar="ID", nargs="+", help="transactional ids")),
    "producers": action("who writes to a topic", TOPIC, PARTITIONS),
    "hanging": action(
        "find transactions that no coordinator will end", TOPICS,
        flag("--older-than", metavar="DURATION", type=values.duration_ms, default=900_000,
             help="silent for longer (default 15m, the broker's transaction.max.timeout.ms)"),
    ),
    "abort": action(
        "end a transaction that hangs in a partition", TOPIC,
        flag("-p", "--partition", **ROWS_NUMBER, required=True, help="the partition"),
        flag("--start-offset", metavar="OFFSET", type=int, required=True, help="where it begins there: as ottla txn hanging says"), YES,
    ),
    "fence": action("end what an id has open, and let its producer write no more", flag("id", metavar="ID", help="the transactional id"), YES),
})  # fmt: skip

_BENCH_TOPIC = flag(
    "topic", metavar="TOPIC", nargs="?", help="the topic (default: one is made, and deleted at the end)"
)
_BENCH = (
    _BENCH_TOPIC,
    flag("-n", "--records", **ROWS_NUMBER, default=None, help="how many records"),
    flag("-s", "--size", metavar="BYTES", type=values.size, default=100, help="the size of a value (default 100)"),
    flag("-p", "--partitions", **ROWS_NUMBER, default=1, help="partitions of the topic that is made (default 1)"),
    flag("-z", "--compression", metavar="CODEC", type=compression, help="none, gzip, snappy, lz4 or zstd"),
)
BENCH_NOUN = Noun("measure a cluster: throughput and latency", "bench", {
    "produce": action("records sent as fast as they go (default 1 million)", *_BENCH,
                      flag("--one-by-one", action="store_true", help="each record by a call of its own, instead of many at once")),
    "consume": action("records read as fast as they come (default 1 million; a topic that is made is filled first)", *_BENCH),
    "latency": action("from send to its acknowledgement, and to the consumer, one at a time (default 1000)", *_BENCH),
})  # fmt: skip

COMPLETION = Noun("print the completion script of a shell", "completion", {"": Action("complete", (
    flag("shell", metavar="SHELL", choices=["bash", "zsh", "fish", "words"], help="bash, zsh or fish; words: what follows, for the scripts"),
    flag("words", metavar="WORD", nargs="*", help="the words so far, the last one unfinished"),
), "Prints the completion script of a shell. bash: eval \"$(ottla completion bash)\" in ~/.bashrc; zsh: the same in ~/.zshrc; "
   "fish: ottla completion fish > ~/.config/fish/completions/ottla.fish.")})  # fmt: skip

NOUNS: dict[str, Noun] = {
    "topic": TOPIC_NOUN,
    "produce": PRODUCE,
    "consume": CONSUME,
    "group": GROUP_NOUN,
    "config": CONFIG_NOUN,
    "acl": ACL_NOUN,
    "quota": QUOTA_NOUN,
    "token": TOKEN_NOUN,
    "cluster": CLUSTER_NOUN,
    "txn": TXN_NOUN,
    "bench": BENCH_NOUN,
    "completion": COMPLETION,
}
__all__ = ["JSON", "NOUNS"]
