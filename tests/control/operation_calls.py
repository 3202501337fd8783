"""Calls of every operation, good ones and bad ones: what each says, and what it does to the file."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from llr.control.operations import OPERATIONS
from tests.control.desk import alias, doc, provider


@dataclass(frozen=True)
class Good:
    """A call that succeeds: texts of its report, what it changes of the document, keys of its JSON."""

    line: tuple[str, ...]
    says: tuple[str, ...] = ()
    changed: Callable[[dict[str, Any]], bool] | None = None
    keys: tuple[str, ...] = ()
    start: Callable[[], dict[str, Any]] = field(default=doc)


NEW = ("upsert-provider", "--name=Demo", "--api-key=sk-demo-0123456789", "--models=m1,m2", "--skip-probe")

GOOD: dict[str, Good] = {
    "list": Good(("list",), ("Current Router Configuration", "Provider: Acme", "sk-l...cdef"), None, ("providers",)),
    "list-alias": Good(("list-routing",), ("Model Aliases", "acme/big@3, beta/one")),
    "validate": Good(("validate",), ("Config Validation", "| Passed"), None, ("issues", "valid", "etag")),
    "snapshot": Good(
        ("snapshot",),
        ("Router Snapshot\n\nRuntime\n", "Startup\n", "Overview\n", "Require Auth    | Yes", "(not running)"),
        None,
        ("runtime", "startup", "config", "tools"),
    ),
    "tool-status": Good(("tool-status",), ("Coding Tool Routing Status", "| http://127.0.0.1:8376"), None, ("tools",)),
    "codex": Good(
        ("set-codex-cli-routing", "--default-model=fast", "--thinking-level=high"),
        ("Codex CLI Routing Enabled", "| Model Binding  | fast", "Catalog File"),
        None,
        ("bindings", "files", "routedViaRouter"),
    ),
    "claude": Good(
        ("set-claude-code-routing", "--default-haiku-model=acme/small"),
        ("Claude Code Routing Enabled", "| Primary Model  | acme/big"),
        None,
        ("bindings", "files", "tokenMatches"),
    ),
    "effort": Good(
        ("set-claude-code-effort-level", "--effort-level=xhigh"),
        ("Claude Code Effort Level Set", "| xhigh"),
        None,
        ("effortLevel", "shellProfileUpdated"),
    ),
    "droid": Good(
        ("set-factory-droid-routing", "--mission-model=fast"),
        ("Factory Droid Routing Enabled", "| Mission Worker       | fast", "| Default Model        | acme/big"),
        None,
        ("bindings", "bindingIds"),
    ),
    "list-presets": Good(("list-presets",), ("Vendor Presets", "| openrouter "), None, ("presets",)),
    "new-provider": Good(
        (*NEW, "--endpoints=https://demo.example/v1", "--model-context-windows=m2=128000"),
        ("Provider Saved", "| Demo", "sk-d...6789", "Auto-detection           | Skipped", "128,000"),
        lambda d: (
            provider(d, "demo")
            == {
                "id": "demo",
                "name": "Demo",
                "baseUrl": "https://demo.example/v1",
                "format": "openai",
                "formats": ["openai"],
                "apiKey": "sk-demo-0123456789",
                "headers": provider(d, "demo")["headers"],
                "models": [{"id": "m1"}, {"id": "m2", "contextWindow": 128000}],
            }
            and list(provider(d, "demo")["headers"]) == ["User-Agent"]
        ),
        ("providerId", "provider"),
    ),
    "provider-formats": Good(
        (*NEW, "--openai-base-url=https://d.example/v1", "--anthropic-base-url=https://d.example/anthropic"),
        ("OpenAI Endpoint", "Claude Endpoint"),
        lambda d: set(provider(d, "demo")["formats"]) == {"openai", "claude"},
    ),
    "provider-format": Good(
        (*NEW, "--base-url=localhost:99/v1", "--format=claude"),
        (),
        lambda d: provider(d, "demo")["baseUrlByFormat"] == {"claude": "http://localhost:99/v1"},
    ),
    "provider-preset": Good(
        ("upsert-provider", "--preset=openrouter", "--api-key-env=OPENROUTER_API_KEY", "--skip-probe"),
        ("| OpenRouter", "(from env/hidden)", "OPENROUTER_API_KEY is not set"),
        lambda d: provider(d, "openrouter")["apiKeyEnv"] == "OPENROUTER_API_KEY" and "apiKey" not in d["providers"][2],
    ),
    "provider-preset-keyless": Good(
        ("upsert-provider", "--preset=ollama", "--skip-probe", "--models=qwen3"),
        (),
        lambda d: provider(d, "ollama")["auth"] == {"type": "none"},
    ),
    "provider-edit": Good(
        ("upsert-provider", "--provider-id=acme", "--name=Acme 2"),
        ("| Acme 2",),
        lambda d: (
            provider(d, "acme")
            == {**provider(doc(), "acme"), **{key: provider(d, "acme")[key] for key in ("name", "headers", "models")}}
            and provider(d, "acme")["headers"]["X-Api-Token"] == "token-0123456789"
        ),
    ),
    "provider-models": Good(
        ("upsert-provider", "--provider-id=acme", "--models=big,small,grok", "--skip-probe"),
        (),
        lambda d: provider(d, "acme")["models"] == [*provider(doc(), "acme")["models"], {"id": "grok"}],
    ),
    "provider-models-add": Good(
        ("upsert-provider", "--provider-id=beta", "--models-add=two@v1", "--skip-probe"),
        (),
        lambda d: provider(d, "beta")["models"] == ["one", {"id": "two@v1"}],
    ),
    "provider-models-remove": Good(
        ("upsert-provider", "--provider-id=acme", "--models-remove=small"),
        (),
        lambda d: (
            [one["id"] for one in provider(d, "acme")["models"]] == ["big"] and not alias(d, "fast")["fallbackTargets"]
        ),
    ),
    "provider-env": Good(
        ("upsert-provider", "--provider-id=acme", "--api-key-env=ACME_KEY", "--skip-probe"),
        ("(from env/hidden)",),
        lambda d: provider(d, "acme")["apiKeyEnv"] == "ACME_KEY" and "apiKey" not in provider(d, "acme"),
    ),
    "provider-off": Good(
        ("upsert-provider", "--provider-id=beta", "--enabled=false"),
        ("| Enabled ",),
        lambda d: provider(d, "beta")["enabled"] is False,
        start=lambda: {**doc(), "modelAliases": {}, "defaultModel": "acme/small"},
    ),
    "provider-headers": Good(
        ("upsert-provider", "--provider-id=acme", '--headers={"X-A":"1"}', "--skip-probe"),
        (),
        lambda d: provider(d, "acme")["headers"] == {"X-A": "1"},
    ),
    "provider-master-key": Good(
        (*NEW, "--endpoints=https://demo.example/v1", "--master-key=gw_new-master-key-0123"),
        ("gw_n...0123",),
        lambda d: d["masterKey"] == "gw_new-master-key-0123",
    ),
    "remove-provider": Good(
        ("remove-provider", "--provider-id=acme"),
        ("Removed provider 'acme'.", "- defaultModel: acme/big"),
        lambda d: d["defaultModel"] == "beta/one" and alias(d, "fast")["targets"] == [{"ref": "beta/one"}],
    ),
    "remove-provider-dangling": Good(
        ("remove-provider", "--provider-id=acme", "--prune-references=false"),
        ("Removed provider 'acme'.",),
        lambda d: alias(d, "fast") == alias(doc(), "fast"),
    ),
    "remove-last-provider": Good(
        ("remove-provider", "--provider-id=beta"),
        (),
        lambda d: d["providers"] == [] and "defaultModel" not in d,
        start=lambda: {"version": 2, "providers": [provider(doc(), "beta")], "defaultModel": "beta/one"},
    ),
    "rename-provider": Good(
        ("rename-provider", "--provider-id=acme", "--new-id=a2"),
        ("Provider Renamed", "alias fast targets: acme/big is now a2/big"),
        lambda d: d["defaultModel"] == "a2/big" and alias(d, "fast")["targets"][0] == {"ref": "a2/big", "weight": 3},
        ("followed", "old", "new"),
    ),
    "remove-model": Good(
        ("remove-model", "--provider-id=acme", "--model=large"),
        ("Removed model 'big' from 'acme'.",),
        lambda d: [one["id"] for one in provider(d, "acme")["models"]] == ["small"],
        ("model",),
        start=lambda: {**doc(), "providers": [{**provider(doc(), "acme"), "rateLimits": []}, provider(doc(), "beta")]},
    ),
    "rename-model": Good(
        ("rename-model", "--provider-id=acme", "--model=big", "--new-id=huge"),
        ("Model Renamed", "rate limits of acme: big is now huge"),
        lambda d: d["defaultModel"] == "acme/huge" and provider(d, "acme")["rateLimits"][0]["models"] == ["huge"],
    ),
    "fallbacks": Good(
        ("set-model-fallbacks", "--provider-id=acme", "--model=large", "--fallback-models=beta/one, acme/small"),
        ("Model Silent Fallbacks Updated", "Source Model Route | acme/big", "Fallback Count     | 2"),
        lambda d: provider(d, "acme")["models"][0]["fallbackModels"] == ["beta/one", "acme/small"],
        ("source", "fallbackModels"),
    ),
    "fallbacks-empty": Good(
        ("set-model-fallback", "--provider-id=acme", "--model=big", "--fallbacks="),
        ("Fallback Count     | 0",),
        lambda d: not provider(d, "acme")["models"][0].get("fallbackModels"),
    ),
    "fallbacks-clear": Good(
        ("set-model-fallbacks", "--provider-id=acme", "--model=big", "--clear-fallbacks=true"),
        (),
        lambda d: not provider(d, "acme")["models"][0].get("fallbackModels"),
    ),
    "default": Good(
        ("set-default-model", "--model=fast"),
        ("Default Model Saved", "| fast"),
        lambda d: d["defaultModel"] == "fast" and alias(d, "default")["targets"] == [{"ref": "fast"}],
        ("defaultModel",),
    ),
    "alias": Good(
        (
            "upsert-model-alias",
            "--alias-id=new[1m]",
            "--targets=acme/big@3,beta/one:2",
            "--fallback-targets=acme/small",
        ),
        ("Model Alias Saved", "Routing Strategy | Ordered", "| acme/big    | 3"),
        lambda d: (
            alias(d, "new[1m]")["targets"] == [{"ref": "acme/big", "weight": 3}, {"ref": "beta/one", "weight": 2}]
            and alias(d, "new[1m]")["fallbackTargets"] == [{"ref": "acme/small"}]
        ),
        ("aliasId", "targets", "strategy"),
    ),
    "alias-json": Good(
        ("set-model-alias", "--alias=new", '--targets=[{"ref":"acme/big","weight":3},"beta/one"]', "--strategy=smart"),
        ("Routing Strategy | Auto",),
        lambda d: alias(d, "new")["targets"] == [{"ref": "acme/big", "weight": 3}, {"ref": "beta/one"}],
    ),
    "alias-keep": Good(
        ("upsert-model-alias", "--alias-id=fast", "--strategy=weighted-rr", '--alias-metadata={"a":1}'),
        ("Weighted round-robin",),
        lambda d: (
            alias(d, "fast")["targets"] == alias(doc(), "fast")["targets"] and alias(d, "fast")["metadata"] == {"a": 1}
        ),
    ),
    "alias-clear": Good(
        ("upsert-model-alias", "--alias-id=fast", "--clear-fallback-targets"),
        ("No fallback routes configured.",),
        lambda d: alias(d, "fast")["fallbackTargets"] == [],
    ),
    "remove-alias": Good(
        ("remove-model-alias", "--alias-id=fast"),
        ("Removed model alias 'fast'.",),
        lambda d: list(d["modelAliases"]) == ["default"],
    ),
    "rename-alias": Good(
        ("rename-model-alias", "--alias-id=fast", "--new-id=quick"),
        ("Alias Renamed",),
        lambda d: list(d["modelAliases"]) == ["default", "quick"],
    ),
    "limit-name": Good(
        (
            *("set-rate-limits", "--provider-id=acme", "--bucket-name=Monthly cap", "--models=all"),
            *("--requests=20000", "--window=month:1"),
        ),
        ("Rate-Limit Buckets Updated", "20,000 requests", "| 1 month", "Total Buckets | 2"),
        lambda d: (
            provider(d, "acme")["rateLimits"][1]
            == {
                "id": "monthly-cap",
                "name": "Monthly cap",
                "models": ["all"],
                "requests": 20000,
                "window": {"unit": "month", "size": 1},
            }
        ),
        ("rateLimits",),
    ),
    "limit-id": Good(
        (
            *("set-provider-rate-limits", "--provider-id=acme", "--bucket-id=burst", "--bucket-models=small"),
            *("--bucket-requests=7", "--bucket-window=2w"),
        ),
        (),
        lambda d: (
            provider(d, "acme")["rateLimits"]
            == [{"id": "burst", "models": ["small"], "requests": 7, "window": {"unit": "week", "size": 2}}]
        ),
    ),
    "limit-json": Good(
        (
            "set-provider-rate-limits",
            "--provider-id=acme",
            "--replace-rate-limits=true",
            '--rate-limits=[{"name":"Minute cap","models":"all","requests":1,"window":"1 minute"},'
            '{"name":"Minute cap","models":["big"],"requests":2,"windowUnit":"h","windowSize":6}]',
        ),
        ("6 hours",),
        lambda d: [one["id"] for one in provider(d, "acme")["rateLimits"]] == ["minute-cap", "minute-cap-2"],
    ),
    "limit-remove": Good(
        ("set-provider-rate-limits", "--provider-id=acme", "--bucket-id=burst", "--remove-bucket=true"),
        ("Rate-Limit Bucket Removed: burst",),
        lambda d: provider(d, "acme")["rateLimits"] == [],
    ),
    "limit-beside-a-stale-alias": Good(
        (
            *("set-provider-rate-limits", "--provider-id=acme", "--bucket-id=b2", "--bucket-models=all"),
            *("--bucket-requests=7", "--bucket-window=day1"),
        ),
        (),
        lambda d: len(provider(d, "acme")["rateLimits"]) == 2,
        start=lambda: {**doc(), "modelAliases": {"stale": {"targets": [{"ref": "gone/model"}]}}},
    ),
    "master-key": Good(
        ("set-master-key", "--master-key=gw_my-own-key-0123456789"),
        ("Worker Master Key Updated", "gw_m...6789", "Generated In This Run | No"),
        lambda d: d["masterKey"] == "gw_my-own-key-0123456789",
        ("storedKey",),
    ),
    "master-key-made": Good(
        ("set-master-key", "--generate-master-key=true", "--master-key-length=9", "--master-key-prefix=zz_"),
        ("Generated In This Run | Yes", "Generated Key (Copy Now)\nNot shown"),
        lambda d: d["masterKey"].startswith("zz_") and len(d["masterKey"]) == 27,
    ),
    "history": Good(("history",), ("Config History", "No backups"), None, ("backups",)),
    "migrate-nothing": Good(
        ("migrate-config",), ("Config Already Up To Date", "Backup Created   | No"), None, ("etag",)
    ),
    "migrate": Good(
        ("migrate-config",),
        ("Config Migration Completed", "Previous Version | 1", "Current Version  | 2", "Backup Created   | Yes"),
        lambda d: d["version"] == 2 and "default" in d["modelAliases"],
        ("backupFile",),
        start=lambda: {"version": 1, "providers": [provider(doc(), "beta")], "defaultModel": "beta/one"},
    ),
    "migrate-without-a-backup": Good(
        ("migrate-config", "--create-backup=false"),
        ("Config Migration Completed", "Backup Created   | No", "(not created)"),
        lambda d: d["version"] == 2 and "default" in d["modelAliases"],
        ("backupFile",),
        start=lambda: {"version": 1, "providers": [provider(doc(), "beta")], "defaultModel": "beta/one"},
    ),
    "startup-status": Good(
        ("startup-status",), ("OS Startup Service Status", "Installed"), None, ("installed", "manager")
    ),
}


def operation_of(name: str) -> str:
    word = GOOD[name].line[0]
    return next(row.name for row in OPERATIONS.values() if word in (row.name, *row.aliases))


SAVING = [name for name in GOOD if OPERATIONS[operation_of(name)].writes or GOOD[name].changed is not None]


BAD: list[tuple[tuple[str, ...], int, str, str]] = [
    (("upsert-provider", "--skip-probe"), 2, "provider-name", "Provider Friendly Name is required."),
    (
        ("upsert-provider", "--name=X", "--subscription-type=nope", "--type=subscription"),
        2,
        "subscription-type",
        "nope",
    ),
    (("upsert-provider", "--name=X", "--type=subscription"), 1, "not-built", "not in this build yet"),
    (("upsert-provider", "--name=X", "--models=m"), 2, "provider-incomplete", "provider-id, name, api-key"),
    (("upsert-provider", "--name=X", "--api-key=k", "--endpoints=nonsense", "--models=m"), 2, "bad-endpoint", ""),
    (("upsert-provider", "--name=X", "--api-key=k", "--endpoints=https://x.example"), 2, "provider-models", "model"),
    ((*NEW, "--endpoints=https://x.example", "--provider-id=Bad_Id"), 2, "provider-id", "lower-case"),
    ((*NEW, "--endpoints=https://x.example", "--name=ACME"), 2, "provider-name-taken", "acme"),
    ((*NEW, "--endpoints=https://x.example,https://y.example"), 2, "bad-endpoint", "openai-base-url"),
    ((*NEW, "--endpoints=https://x.example", "--headers=[1]"), 2, "bad-json-flag", "must be a JSON object string"),
    ((*NEW, "--endpoints=https://x.example", "--headers={"), 2, "bad-json-flag", "line 1, column"),
    ((*NEW, "--endpoints=https://x.example", "--set-master-key=true"), 2, "master-key", "master-key"),
    ((*NEW, "--endpoints=https://x.example", "--format=xml"), 2, "bad-flag", "must be one of"),
    (("upsert-provider", "--preset=openruter", "--skip-probe"), 2, "unknown-preset", "Did you mean openrouter?"),
    (("upsert-provider", "--provider-id=acme", "--models-remove=zzz"), 2, "model-not-found", "zzz"),
    (
        ("upsert-provider", "--provider-id=acme", "--models=x", "--skip-probe"),
        2,
        "invalid-config",
        "references unknown",
    ),
    (("remove-provider",), 2, "missing-flag", "provider-id is required"),
    (("remove-provider", "--provider-id=acm"), 2, "provider-not-found", "Did you mean acme?"),
    (("rename-provider", "--provider-id=acme", "--new-id=beta"), 2, "provider-exists", "beta"),
    (("rename-provider", "--provider-id=acme", "--new-id=No"), 2, "provider-id", "lower-case"),
    (("rename-provider", "--provider-id=acme"), 2, "missing-flag", "new-id"),
    (("remove-model", "--provider-id=acme"), 2, "missing-flag", "model is required"),
    (("remove-model", "--provider-id=acme", "--model=bigg"), 2, "model-not-found", "Did you mean big"),
    (("remove-model", "--provider-id=zzz", "--model=big"), 2, "provider-not-found", "acme, beta"),
    (("rename-model", "--provider-id=acme", "--model=big", "--new-id=small"), 2, "model-exists", "small"),
    (("set-model-fallbacks", "--provider-id=acme", "--model=big"), 2, "missing-flag", "fallback-models"),
    (
        ("set-model-fallbacks", "--provider-id=acme", "--model=big", "--fallback-models=acme/big,acme/zzz"),
        2,
        "fallbacks-invalid",
        "Invalid fallback model(s): acme/big, acme/zzz.",
    ),
    (
        ("set-model-fallbacks", "--provider-id=acme", "--model=big", "--fallback-models=acme/smal,acme/big"),
        2,
        "fallbacks-invalid",
        "Invalid fallback model(s): acme/smal, acme/big. Did you mean acme/small",
    ),
    (
        ("set-model-fallbacks", "--provider-id=acme", "--model=big", "--fallback-models=acme/big"),
        2,
        "fallbacks-invalid",
        "acme/big. A fallback must be an existing provider/model other than the model itself.",
    ),
    (("set-model-fallbacks", "--provider-id=acme", "--model=big", "--fallbacks=word"), 2, "fallbacks-invalid", "word"),
    (("set-default-model", "--model=acme/bog"), 2, "default-unknown", "Did you mean acme/big"),
    (("set-default-model",), 2, "missing-flag", "model is required"),
    (("upsert-model-alias",), 2, "missing-flag", "alias-id is required"),
    (("upsert-model-alias", "--alias-id=a b", "--targets=acme/big"), 2, "alias-id", "Invalid alias-id 'a b'."),
    (("upsert-model-alias", "--alias-id=new"), 2, "alias-targets", "Alias targets are required"),
    (("upsert-model-alias", "--alias-id=fast", "--targets="), 2, "alias-targets", "Alias targets are required"),
    (("upsert-model-alias", "--alias-id=fast", "--strategy=best"), 2, "strategy", "auto, ordered, round-robin"),
    (
        ("upsert-model-alias", "--alias-id=fast", "--targets=acme/bog"),
        2,
        "invalid-config",
        "references unknown model 'acme/bog'",
    ),
    (("upsert-model-alias", "--alias-id=fast", "--alias-metadata=1"), 2, "bad-json-flag", "must be a JSON object"),
    (("upsert-model-alias", "--alias-id=fast", "--targets=https://x/y"), 2, "bad-target", "not URLs"),
    (("remove-model-alias",), 2, "missing-flag", "alias-id is required"),
    (("remove-model-alias", "--alias-id=fats"), 2, "alias-not-found", "Did you mean fast?"),
    (("rename-model-alias", "--alias-id=fast", "--new-id=default"), 2, "alias-default", "default"),
    (("set-provider-rate-limits",), 2, "missing-flag", "provider-id is required"),
    (("set-provider-rate-limits", "--provider-id=zzz", "--bucket-id=x"), 2, "provider-not-found", "zzz"),
    (
        ("set-provider-rate-limits", "--provider-id=acme", "--remove-bucket"),
        2,
        "missing-flag",
        "bucket-id is required when remove-bucket=true.",
    ),
    (
        ("set-provider-rate-limits", "--provider-id=acme", "--remove-bucket", "--bucket-id=brust"),
        2,
        "bucket-not-found",
        "Rate-limit bucket 'brust' not found on provider 'acme'. Did you mean burst?",
    ),
    (
        ("set-provider-rate-limits", "--provider-id=acme", "--rate-limits=7"),
        2,
        "bad-json-flag",
        "JSON object or JSON array",
    ),
    (
        (
            *("set-provider-rate-limits", "--provider-id=acme", "--bucket-id=b", "--bucket-models=all"),
            *("--bucket-requests=1", "--bucket-window=fortnightly"),
        ),
        2,
        "bad-bucket",
        "bucket-id or bucket-name, models, requests, and valid window are required. Example: --bucket-window=month:1",
    ),
    (
        ("set-provider-rate-limits", "--provider-id=acme", '--rate-limits={"id":"b","models":"all","requests":0}'),
        2,
        "bad-bucket",
        "requests must be a positive integer",
    ),
    (
        ("set-provider-rate-limits", "--provider-id=acme", '--rate-limits={"models":"all"}'),
        2,
        "bad-bucket",
        "bucket id or bucket name is required",
    ),
    (("set-codex-cli-routing", "--endpoint-url=ftp://x"), 2, "bad-endpoint", "must be a valid http:// or https://"),
    (("set-claude-code-routing", "--thinking-level=huge"), 2, "bad-flag", "low, medium, high, xhigh, max, not 'huge'"),
    (("set-claude-code-effort-level", "--effort-level=huge"), 2, "bad-flag", "low, medium, high, xhigh, max"),
    (("set-claude-code-effort-level",), 2, "missing-flag", "thinking-level is required"),
    (("set-master-key",), 2, "master-key", "master-key is required."),
    (("undo",), 2, "no-backup", "nothing to undo"),
    (("migrate-config", "--target-version=x"), 2, "bad-flag", "positive integer"),
    (("migrate-config", "--target-version=9"), 1, "migration", "migration path from 2 to 9"),
    (("discover-provider-models",), 2, "missing-flag", "endpoints is required"),
    (("discover-provider-models", "--endpoints=https://x.example"), 2, "missing-flag", "api-key"),
    (
        ("discover-provider-models", "--endpoints=https://x.example", "--api-key-env=LLR_UNSET_VARIABLE"),
        2,
        "env-unset",
        "Environment variable 'LLR_UNSET_VARIABLE' is not set. `export LLR_UNSET_VARIABLE=…` first;",
    ),
    (("discover-provider-models", "--endpoints=nope", "--api-key=k"), 2, "bad-endpoint", "No valid"),
    (("discover-provider-models", "--provider-id=zzz"), 2, "provider-not-found", "zzz"),
    (
        ("discover-provider-models", "--endpoints=x.example", "--api-key=k", "--headers=1"),
        2,
        "bad-json-flag",
        "JSON object",
    ),
    (("test-provider", "--endpoints=https://x.example", "--api-key=k"), 2, "missing-flag", "models is required"),
    (("list-presets", "--preset=nobody"), 2, "unknown-preset", "Unknown preset 'nobody'"),
    (("litellm-context-lookup",), 2, "missing-flag", "models is required"),
    (("upsert-provider", "--provder-id=x"), 2, "unknown-flag", "did you mean --provider-id?"),
    (("upsert-provdier",), 2, "unknown-operation", "did you mean upsert-provider?"),
]
