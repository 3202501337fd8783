"""Rate-limit buckets of one provider, and the failure rules: rows the user writes that routing obeys."""

import re
from collections.abc import Collection

from llr.config.cursor import Cursor
from llr.config.grammar import slug
from llr.config.schema import Bucket, FailureRule, TimeoutSpec
from llr.config.windows import ZoneLookup, read_window

FAILURE_ACTIONS = ("stop", "retry", "next", "next-and-cool")
FAILURE_PHASES = ("prepare", "connect", "headers", "body", "stream")
MAX_FAILURE_RULES = 100


def bucket_ids(items: list[Cursor]) -> list[str]:
    """Returns the id of each bucket: its own, else made from its name or position and unique in the provider."""
    explicit = [item.key("id").text() for item in items]
    taken = {found for found in explicit if found}
    ids = []
    for position, (item, own) in enumerate(zip(items, explicit, strict=True), start=1):
        if own:
            ids.append(own)
            continue
        name = item.key("name").text()
        base = slug(name, "bucket") if name else f"bucket-{position}"
        found, suffix = base, 2
        while found in taken:
            found, suffix = f"{base}-{suffix}", suffix + 1
        taken.add(found)
        ids.append(found)
    return ids


def read_buckets(
    owner: str, rate_limits: Cursor, models: Collection[str], disabled: Collection[str], *, zone: ZoneLookup
) -> tuple[Bucket, ...]:
    """Returns the usable buckets of provider `owner`; `disabled` are model ids that exist but are switched off."""
    items = [item.of("bucket") for item in rate_limits.only_objects("a rate-limit bucket")]
    seen: set[str] = set()
    found = []
    for item, bucket_id in zip(items, bucket_ids(items), strict=True):
        label = f"provider {owner}, rate-limit bucket {bucket_id}"
        item.check_keys(label)
        if not item.key("id").present and not item.key("name").present:
            item.warn("bucket-id-missing", f"{label}: bucket missing id, {bucket_id} is used")
        bucket = _bucket(label, bucket_id, item, _selectors(label, item.key("models"), models, disabled), zone)
        if bucket_id in seen:
            item.key("id").error("bucket-duplicate", f"provider {owner}: duplicate rate-limit bucket id {bucket_id}")
        elif bucket is not None:
            found.append(bucket)
        seen.add(bucket_id)
    return tuple(found)


def _bucket(label: str, bucket_id: str, item: Cursor, selectors: tuple[str, ...], zone: ZoneLookup) -> Bucket | None:
    requests = item.key("requests").posint()
    if requests is None:
        item.key("requests").error("bucket-requests", f"{label} must define requests as a positive integer")
    window = read_window(label, item, zone)
    tokens = item.llr("tokens").bounded(1)
    if not selectors or requests is None or window is None:
        return None
    return Bucket(bucket_id, selectors, requests, window, item.key("name").text() or None, tokens)


def _selectors(label: str, place: Cursor, models: Collection[str], disabled: Collection[str]) -> tuple[str, ...]:
    words = place.texts()
    if not words:
        place.error("bucket-models", f"{label} must define models", 'use ["all"] or model ids of the provider')
        return ()
    if "all" in words:
        if len(words) > 1:
            place.error("bucket-models-mixed", f"{label} cannot combine 'all' with specific models")
            return ()
        return words
    for item in place.each():
        word = item.text()
        if word in disabled:
            item.warn("bucket-model-disabled", f"{label}: model {word} is disabled")
        elif word and word not in models:
            item.error("bucket-model-unknown", f"{label}: unknown model selector {word}")
    return tuple(word for word in words if word in models)


def read_failure_rules(place: Cursor) -> tuple[FailureRule, ...]:
    """Returns the usable failure rules in order; at most 100 count."""
    rules = [rule for item in place.only_objects("a failure rule") if (rule := _failure_rule(item.of("failureRule")))]
    if len(rules) > MAX_FAILURE_RULES:
        place.warn("too-many-rules", f"only the first {MAX_FAILURE_RULES} failure rules count")
    return tuple(rules[:MAX_FAILURE_RULES])


def _failure_rule(item: Cursor) -> FailureRule | None:
    item.check_keys("failure rule")
    action, pattern = item.key("action").text(), item.key("regex").string()
    if action not in FAILURE_ACTIONS:
        item.key("action").error(
            "failure-rule-action", f"failure rule has unknown action {action or '(none)'}", ", ".join(FAILURE_ACTIONS)
        )
        return None
    if pattern is not None:
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as exc:
            item.key("regex").error("failure-rule-regex", f"failure rule has an invalid regex: {exc}")
            return None
    phase = item.key("phase")
    if phase.present and phase.text() not in FAILURE_PHASES:
        phase.error("failure-rule-phase", f"failure rule has unknown phase {phase.text()}", ", ".join(FAILURE_PHASES))
        return None
    status = item.key("status")
    if status.present and status.posint() is None:
        status.error("failure-rule-status", "failure rule status must be a number")
        return None
    return FailureRule(
        action=action,
        status=status.posint(),
        contains=item.key("contains").string(),
        regex=pattern,
        phase=phase.text() or None,
        cooldown_s=item.key("cooldownMs").seconds(0, 86_400_000),
    )


def read_timeouts(place: Cursor) -> TimeoutSpec:
    """Returns `timeouts.*` of one object in seconds, moved into their bounds."""
    item = place.of("timeouts")
    if place.present:
        item.check_keys("timeouts")
    return TimeoutSpec(
        connect_s=item.key("connectMs").seconds(100, 120_000),
        first_byte_s=item.key("firstByteMs").seconds(1_000, 3_600_000),
        idle_s=item.key("idleMs").seconds(1_000, 3_600_000),
    )
