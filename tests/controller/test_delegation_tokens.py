"""The life of a delegation token, decided without a broker: who may do what to it, and when it ends."""

from __future__ import annotations

import hashlib
import hmac as hmac_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.controller import delegation_tokens as rules
from ottla.controller.delegation_tokens import TokenSettings, hmac_of
from ottla.metadata.image import MetadataImage
from ottla.protocol.apis.create_delegation_token import CreatableRenewers, CreateDelegationTokenRequest
from ottla.protocol.apis.expire_delegation_token import ExpireDelegationTokenRequest
from ottla.protocol.apis.renew_delegation_token import RenewDelegationTokenRequest
from ottla.protocol.errors import ErrorCode
from ottla.protocol.stored.metadata import FeatureLevelRecord
from ottla.security.principal import Principal

HOUR = 3_600_000
DAY = 24 * HOUR
SETTINGS = TokenSettings(b"cluster secret", 7 * DAY, DAY)
EMPTY = MetadataImage.empty().apply([FeatureLevelRecord(name="metadata.version", feature_level=29)])
ALICE, BOB, CAROL = (Principal("User", name) for name in ("alice", "bob", "carol"))
NOW = 1_700_000_000_000


class World:
    """Tokens of one cluster and the time."""

    def __init__(self, image=EMPTY, settings=SETTINGS):
        self.image, self.settings, self.now, self.made = image, settings, NOW, 0

    def find(self, hmac):
        return next(
            (token for token in rules.tokens(self.image) if hmac_of(SETTINGS.secret, token.token_id) == hmac), None
        )

    def carry_out(self, decision):
        self.image = self.image.apply(decision.records)
        return decision.response

    def create(self, who=ALICE, owner=None, renewers=(), lifetime=-1):
        self.made += 1
        request = CreateDelegationTokenRequest(
            owner_principal_type=None if owner is None else owner.type,
            owner_principal_name=None if owner is None else owner.name,
            renewers=[CreatableRenewers(principal_type=r.type, principal_name=r.name) for r in renewers],
            max_lifetime_ms=lifetime,
        )
        return self.carry_out(rules.create(self.image, self.settings, request, who, f"token-{self.made}", self.now))

    def renew(self, hmac, period=-1, who=ALICE):
        request = RenewDelegationTokenRequest(hmac=hmac, renew_period_ms=period)
        return self.carry_out(rules.renew(self.image, self.settings, request, who, self.find, self.now))

    def expire(self, hmac, period=-1, who=ALICE):
        request = ExpireDelegationTokenRequest(hmac=hmac, expiry_time_period_ms=period)
        return self.carry_out(rules.expire(self.image, self.settings, request, who, self.find, self.now))

    def sweep(self):
        return self.carry_out(rules.sweep(self.image, self.now))

    def seen_by(self, who, owners=None, may=lambda token: False):
        return [token.token_id for token in rules.visible(self.image, owners, who, may)]


@pytest.fixture
def world():
    return World()


def test_a_new_token(world):
    made = world.create()
    assert made.error_code == ErrorCode.NONE
    assert (made.principal_type, made.principal_name) == ("User", "alice")
    assert (made.token_requester_principal_type, made.token_requester_principal_name) == ("User", "alice")
    assert (made.issue_timestamp_ms, made.expiry_timestamp_ms, made.max_timestamp_ms) == (NOW, NOW + DAY, NOW + 7 * DAY)
    assert made.hmac == hmac_module.digest(b"cluster secret", b"token-1", hashlib.sha512)


def test_what_is_stored_lets_nobody_in(world):
    made = world.create(renewers=[BOB])
    (token,) = rules.tokens(world.image)
    stored = repr(token)
    assert token.owner == "User:alice"
    assert token.renewers == ["User:bob"]
    assert made.hmac.hex() not in stored
    assert repr(made.hmac) not in stored


def test_a_token_survives_a_snapshot(world):
    made = world.create(renewers=[BOB])
    world.image = MetadataImage.empty().apply(world.image.records())
    assert world.renew(made.hmac, who=BOB).error_code == ErrorCode.NONE


def test_the_longest_life_is_the_smaller_one(world):
    assert world.create(lifetime=HOUR).max_timestamp_ms == NOW + HOUR
    assert world.create(lifetime=HOUR).expiry_timestamp_ms == NOW + HOUR
    assert world.create(lifetime=30 * DAY).max_timestamp_ms == NOW + 7 * DAY
    assert world.create(lifetime=0).max_timestamp_ms == NOW + 7 * DAY
    assert world.create(lifetime=-5).max_timestamp_ms == NOW + 7 * DAY


def test_for_another_owner(world):
    made = world.create(who=BOB, owner=ALICE)
    assert (made.principal_name, made.token_requester_principal_name) == ("alice", "bob")
    assert world.renew(made.hmac, who=ALICE).error_code == ErrorCode.NONE
    assert world.renew(made.hmac, who=BOB).error_code == ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH
    assert world.seen_by(BOB) == ["token-1"]  # who asked for it may see it


def test_renewers_are_users(world):
    made = world.create(renewers=[Principal("Group", "admins")])
    assert made.error_code == ErrorCode.INVALID_PRINCIPAL_TYPE
    assert (made.principal_name, made.token_id, made.hmac, made.issue_timestamp_ms) == ("alice", "", b"", 0)
    assert not world.image.delegation_tokens


@pytest.mark.parametrize(
    ("settings", "level", "code"),
    [
        (None, 29, ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED),
        (SETTINGS, 13, ErrorCode.UNSUPPORTED_VERSION),
        (None, 13, ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED),
    ],
)
def test_without_secret_or_with_old_metadata_there_are_no_tokens(settings, level, code):
    image = MetadataImage.empty().apply([FeatureLevelRecord(name="metadata.version", feature_level=level)])
    world = World(image, settings)
    assert world.create().error_code == code
    assert world.renew(b"x").error_code == code
    assert world.expire(b"x").error_code == code


def test_renewing_moves_the_end(world):
    made = world.create()
    world.now += HOUR
    renewed = world.renew(made.hmac)
    assert (renewed.error_code, renewed.expiry_timestamp_ms) == (ErrorCode.NONE, NOW + HOUR + DAY)
    assert world.renew(made.hmac, period=HOUR).expiry_timestamp_ms == NOW + 2 * HOUR  # also nearer
    assert world.renew(made.hmac, period=30 * DAY).expiry_timestamp_ms == NOW + HOUR + DAY


def test_renewing_ends_at_the_longest_life(world):
    made = world.create(lifetime=25 * HOUR)
    world.now += 20 * HOUR
    assert world.renew(made.hmac).expiry_timestamp_ms == NOW + 25 * HOUR


def test_renewers_may_renew_and_expire_and_strangers_may_not(world):
    made = world.create(renewers=[BOB])
    assert world.renew(made.hmac, who=BOB).error_code == ErrorCode.NONE
    assert world.expire(made.hmac, HOUR, who=BOB).error_code == ErrorCode.NONE
    assert world.renew(made.hmac, who=CAROL).error_code == ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH
    assert world.expire(made.hmac, who=CAROL).error_code == ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH


def test_who_shows_a_token_is_still_its_owner_only_by_name(world):
    made = world.create()
    assert world.renew(made.hmac, who=ALICE._replace(by_token=True)).error_code == ErrorCode.NONE


def test_unknown_tokens(world):
    assert world.renew(b"").error_code == ErrorCode.DELEGATION_TOKEN_NOT_FOUND
    assert world.expire(b"nothing").error_code == ErrorCode.DELEGATION_TOKEN_NOT_FOUND


def test_a_token_that_ended_cannot_be_renewed(world):
    made = world.create()
    world.now += DAY
    assert world.renew(made.hmac, HOUR).error_code == ErrorCode.NONE  # in its last millisecond it can
    world.now += HOUR + 1
    assert world.renew(made.hmac).error_code == ErrorCode.DELEGATION_TOKEN_EXPIRED
    assert world.renew(made.hmac, who=CAROL).error_code == ErrorCode.DELEGATION_TOKEN_EXPIRED  # Kafka's order
    assert world.expire(made.hmac, HOUR).error_code == ErrorCode.DELEGATION_TOKEN_EXPIRED
    assert world.expire(made.hmac, who=CAROL).error_code == ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH


def test_expiring_at_once(world):
    made = world.create()
    gone = world.expire(made.hmac)
    assert (gone.error_code, gone.expiry_timestamp_ms) == (ErrorCode.NONE, NOW)
    assert world.expire(made.hmac).error_code == ErrorCode.DELEGATION_TOKEN_NOT_FOUND


def test_a_token_that_ended_can_still_be_removed(world):
    made = world.create()
    world.now += 2 * DAY
    assert world.expire(made.hmac).error_code == ErrorCode.NONE
    assert not world.image.delegation_tokens


def test_expiring_later(world):
    made = world.create()
    assert world.expire(made.hmac, HOUR).expiry_timestamp_ms == NOW + HOUR
    assert world.expire(made.hmac, 0).expiry_timestamp_ms == NOW
    assert world.expire(made.hmac, 30 * DAY).expiry_timestamp_ms == NOW + 7 * DAY
    assert world.expire(made.hmac, (1 << 63) - 1).expiry_timestamp_ms == NOW + 7 * DAY


def test_the_sweep_takes_what_ended_and_nothing_else(world):
    world.create(lifetime=HOUR)
    world.create()
    assert world.sweep() == 0
    world.now += HOUR
    assert world.sweep() == 0  # its last millisecond
    world.now += 1
    assert world.sweep() == 1
    assert list(world.image.delegation_tokens) == ["token-2"]
    world.now += DAY
    assert world.sweep() == 1


def test_a_long_sweep_goes_in_steps(world, monkeypatch):
    monkeypatch.setattr(rules, "SWEPT_MAX", 2)
    for _ in range(5):
        world.create(lifetime=1)
    world.now += 2
    assert [world.sweep() for _ in range(4)] == [2, 2, 1, 0]


def test_who_sees_what(world):
    world.create(who=ALICE)
    world.create(who=BOB, renewers=[CAROL])
    world.create(who=CAROL, owner=ALICE)
    assert world.seen_by(ALICE) == ["token-1", "token-3"]
    assert world.seen_by(BOB) == ["token-2"]
    assert world.seen_by(CAROL) == ["token-2", "token-3"]
    assert world.seen_by(ALICE, owners=[BOB]) == []
    assert world.seen_by(ALICE, owners=[ALICE, BOB]) == ["token-1", "token-3"]
    assert world.seen_by(ALICE, owners=[]) == []
    assert world.seen_by(BOB, owners=[ALICE], may=lambda token: token.owner == "User:alice") == ["token-1", "token-3"]
    assert world.seen_by(Principal("User", "dave")) == []


def test_a_row_for_who_may_see_it(world):
    made = world.create(who=BOB, owner=ALICE, renewers=[CAROL])
    (token,) = rules.tokens(world.image)
    row = rules.described(token, SETTINGS.secret)
    assert (row.principal_name, row.token_requester_principal_name, row.token_id) == ("alice", "bob", "token-1")
    assert row.hmac == made.hmac
    assert [(r.principal_type, r.principal_name) for r in row.renewers] == [("User", "carol")]


def test_names_with_colons(world):
    odd = Principal("User", "a:b:c")
    made = world.create(who=odd)
    assert world.renew(made.hmac, who=odd).error_code == ErrorCode.NONE
    (token,) = rules.tokens(world.image)
    assert rules.described(token, SETTINGS.secret).principal_name == "a:b:c"


def test_there_is_an_end_to_tokens(world, monkeypatch):
    monkeypatch.setattr(rules, "TOKENS_MAX", 2)
    codes = [world.create().error_code for _ in range(3)]
    assert codes == [ErrorCode.NONE, ErrorCode.NONE, ErrorCode.POLICY_VIOLATION]
    monkeypatch.setattr(rules, "RENEWERS_MAX", 1)
    world.image = EMPTY
    assert world.create(renewers=[BOB, CAROL]).error_code == ErrorCode.POLICY_VIOLATION


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "renew", "expire", "sweep"]), st.integers(-1, 8 * DAY), st.integers(0, 2 * DAY)
    ),
    max_size=30,
)


@given(_STEPS)
def test_no_sequence_makes_a_token_outlive_its_longest_life(steps):
    world = World()
    for what, period, wait in steps:
        world.now += wait
        hmacs = [hmac_of(SETTINGS.secret, token.token_id) for token in rules.tokens(world.image)]
        if what == "create":
            world.create(lifetime=period)
        elif what == "sweep":
            world.sweep()
            assert not any(rules.has_ended(token, world.now) for token in rules.tokens(world.image))
        elif hmacs:
            getattr(world, what)(hmacs[period % len(hmacs)], period)
        for token in rules.tokens(world.image):
            assert token.issue_timestamp <= token.expiration_timestamp <= token.max_timestamp
            assert token.max_timestamp <= token.issue_timestamp + SETTINGS.max_lifetime_ms
