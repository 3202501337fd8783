"""What a config needs beyond being free of errors: something to route to, and a key where one is asked for."""

from llr.config.schema import Config, Issue


def required_issues(config: Config, *, provider: bool = False, master_key: bool = False) -> tuple[Issue, ...]:
    """Returns what is missing for this use: a provider that serves, a master key."""
    found = []
    if provider and not config.providers:
        found.append(Issue("$.providers", "provider-required", "at least one enabled provider is required"))
    if master_key and config.master_key is None:
        hint = "llr config --operation=set-master-key --generate-master-key=true"
        found.append(
            Issue("$.masterKey", "master-key-required", "masterKey required while auth is required", hint=hint)
        )
    return tuple(found)
