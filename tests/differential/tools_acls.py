"""Kafka's command line tools and ACLs: kafka-acls in all its options, and what other tools say to who may not.

Run as part of `test_authorization`, against brokers with an authorizer; the commands of who may not go to the listener
where everybody has a name.
"""

from __future__ import annotations

from collections.abc import Iterator

from .authorization import NOBODY, PASSWORD
from .tools import Command, Outcome, Tools, _file

_B = "--bootstrap-server {b}"
_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"
_LOGIN = "\n".join([
    "security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN",
    f'sasl.jaas.config={_MODULE} required username="{NOBODY}" password="{PASSWORD}";',
])  # fmt: skip
_AS_NOBODY = f"{_B} --command-config {_file(_LOGIN)}"

#: Asked by a super user.
COMMANDS = [
    Command(f"kafka-acls {_B} --add --allow-principal User:tom --operation Read --topic acl-a"),
    Command(f"kafka-acls {_B} --add --allow-principal User:tom --operation Read --topic acl-a"),
    Command(f"kafka-acls {_B} --add --allow-principal User:tom --allow-principal User:ann --allow-host 10.0.0.1 "
            "--allow-host 10.0.0.2 --operation Read --operation Write --topic acl-a --topic acl-b"),
    Command(f"kafka-acls {_B} --add --deny-principal User:eve --deny-host 10.0.0.9 --operation All --topic *"),
    Command(f"kafka-acls {_B} --add --allow-principal User:* --operation Describe --topic acl- --resource-pattern-type prefixed"),
    Command(f"kafka-acls {_B} --add --allow-principal User:tom --producer --topic acl-p"),
    Command(f"kafka-acls {_B} --add --allow-principal User:tom --producer --idempotent --transactional-id acl-x --topic acl-p"),
    Command(f"kafka-acls {_B} --add --allow-principal User:tom --consumer --topic acl-p --group acl-g"),
    Command(f"kafka-acls {_B} --add --allow-principal User:tom --operation ClusterAction --cluster"),
    Command(f"kafka-acls {_B} --add --allow-principal User:tom --operation Describe --delegation-token acl-token"),
    Command(f"kafka-acls {_B} --add --allow-principal User:tom --operation CreateTokens --user-principal User:ann"),
    Command(f"kafka-acls {_B} --add --allow-principal User:tom --operation Write --transactional-id acl-x"),
    Command(f"kafka-acls {_B} --add --allow-principal User:tom --operation Write --group acl-g"),
    Command(f"kafka-acls {_B} --add --allow-principal tom --operation Read --topic acl-a"),
    Command(f"kafka-acls {_B} --add --allow-principal User:tom --operation Read"),
    Command(f"kafka-acls {_B} --list"),
    Command(f"kafka-acls {_B} --list --topic acl-a"),
    Command(f"kafka-acls {_B} --list --topic acl-a --resource-pattern-type match"),
    Command(f"kafka-acls {_B} --list --topic acl-a --resource-pattern-type any"),
    Command(f"kafka-acls {_B} --list --topic acl- --resource-pattern-type prefixed"),
    Command(f"kafka-acls {_B} --list --topic *"),
    Command(f"kafka-acls {_B} --list --group acl-g"),
    Command(f"kafka-acls {_B} --list --cluster"),
    Command(f"kafka-acls {_B} --list --transactional-id acl-x"),
    Command(f"kafka-acls {_B} --list --delegation-token acl-token"),
    Command(f"kafka-acls {_B} --list --user-principal User:ann"),
    Command(f"kafka-acls {_B} --list --principal User:ann"),
    Command(f"kafka-acls {_B} --list --principal User:tom --topic acl-p"),
    Command(f"kafka-acls {_B} --list --topic no-such-topic"),
    Command(f"kafka-acls {_B} --remove --allow-principal User:tom --operation Read --topic acl-a --force"),
    Command(f"kafka-acls {_B} --remove --consumer --allow-principal User:tom --topic acl-p --group acl-g --force"),
    Command(f"kafka-acls {_B} --remove --topic acl-p --force"),
    Command(f"kafka-acls {_B} --remove --topic acl- --resource-pattern-type match --force"),
    Command(f"kafka-acls {_B} --remove --topic acl- --resource-pattern-type prefixed --force"),
    Command(f"kafka-acls {_B} --remove --cluster --force"),
    Command(f"kafka-acls {_B} --remove --topic no-such-topic --force"),
    Command(f"kafka-acls {_B} --list --principal User:tom"),
]  # fmt: skip

#: Asked by who may do nothing.
REFUSED = [
    Command(f"kafka-acls {_AS_NOBODY} --list"),
    Command(f"kafka-acls {_AS_NOBODY} --add --allow-principal User:{NOBODY} --operation All --topic *"),
    Command(f"kafka-acls {_AS_NOBODY} --remove --topic acl-a --force"),
    Command(f"kafka-topics {_AS_NOBODY} --list"),
    Command(f"kafka-topics {_AS_NOBODY} --describe --topic auth-f"),
    Command(f"kafka-topics {_AS_NOBODY} --create --topic acl-new --partitions 1"),
    Command(f"kafka-configs {_AS_NOBODY} --describe --entity-type brokers --entity-name 1"),
    Command(f"kafka-configs {_AS_NOBODY} --alter --entity-type topics --entity-name auth-f --add-config retention.ms=1000"),
    Command(f"kafka-configs {_AS_NOBODY} --alter --entity-type users --entity-name x --add-config request_percentage=5"),
    Command(f"kafka-groups {_AS_NOBODY} --list"),
    Command(f"kafka-consumer-groups {_AS_NOBODY} --describe --group auth-g"),
    Command(f"kafka-consumer-groups {_AS_NOBODY} --delete --group auth-g"),
    Command(f"kafka-transactions {_AS_NOBODY} list"),
    Command(f"kafka-log-dirs {_AS_NOBODY} --describe"),
]  # fmt: skip


def compare(kafka: tuple[str, str], ottla: tuple[str, str]) -> Iterator[Outcome]:
    """Run all, given the addresses of each broker's listener for the administrator and of that with SASL."""
    with Tools() as tools:
        for place, commands in enumerate((COMMANDS, REFUSED)):
            for command in commands:
                yield Outcome(command, tools.run(command, kafka[place]), tools.run(command, ottla[place]))
