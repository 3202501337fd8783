"""Rows of the operations table: models, aliases, limits, the default."""

from llr.control.operation import Operation
from llr.control.params import Kind, Param

PROVIDER_ID = Param("provider-id", "Provider to work on.", example="openrouter", names="provider")
MODEL = Param("model", "Model of the provider, by id or alias.", example="gpt-4o-mini", names="model")
ALIAS_ID = Param("alias-id", "Alias to work on.", aliases=("alias",), example="fast", names="alias")
NEW_ID = Param("new-id", "The new id; every reference follows it.", aliases=("to",))
PRUNE = Param(
    "prune-references",
    "Remove references to it too (default true); false leaves them dangling.",
    Kind.BOOL,
)

MODEL_ROWS = (
    Operation(
        "remove-model",
        "Remove one model of a provider; references to it go too.",
        "llr.control.ops.models:REMOVE_MODEL",
        (PROVIDER_ID, MODEL, PRUNE),
        examples=(("A model that is gone", "llr config remove-model --provider-id=openrouter --model=gpt-4o-mini"),),
        writes=True,
    ),
    Operation(
        "rename-model",
        "Give a model another id; aliases, fallbacks and limits follow.",
        "llr.control.ops.models:RENAME_MODEL",
        (PROVIDER_ID, MODEL, NEW_ID),
        examples=(("A new release", "llr config rename-model --provider-id=openai --model=gpt-5.1 --new-id=gpt-5.2"),),
        writes=True,
    ),
    Operation(
        "upsert-model-alias",
        "Add an alias or change one: where a name leads, in which order.",
        "llr.control.ops.aliases:UPSERT_ALIAS",
        (
            ALIAS_ID,
            Param(
                "strategy",
                "auto, ordered, round-robin, weighted-rr or quota-aware-weighted-rr (default ordered).",
                example="weighted-rr",
            ),
            Param(
                "targets",
                "Routes of the first tier, with weights, or a JSON list.",
                Kind.LIST,
                aliases=("alias-targets",),
                keep_empty=True,
                example="openrouter/gpt-4o-mini@3,anthropic/claude-haiku-4-5@2",
            ),
            Param("fallback-targets", "Routes of the second tier.", Kind.LIST, keep_empty=True, example="local/qwen3"),
            Param("clear-fallback-targets", "Remove all routes of the second tier.", Kind.BOOL, default=False),
            Param("alias-metadata", "JSON object that replaces the alias's metadata.", Kind.JSON, keep_empty=True),
        ),
        aliases=("set-model-alias",),
        examples=(
            (
                "Two models by weight",
                "llr config upsert-model-alias --alias-id=fast --targets=openai/gpt-5.5@3,local/qwen3@1",
            ),
            ("Another strategy", "llr config upsert-model-alias --alias-id=fast --strategy=auto"),
        ),
        writes=True,
    ),
    Operation(
        "remove-model-alias",
        "Remove an alias (`default` is emptied); references to it go too.",
        "llr.control.ops.aliases:REMOVE_ALIAS",
        (ALIAS_ID, PRUNE),
        examples=(("No longer asked for", "llr config remove-model-alias --alias-id=fast"),),
        writes=True,
    ),
    Operation(
        "rename-model-alias",
        "Give an alias another id; references follow.",
        "llr.control.ops.aliases:RENAME_ALIAS",
        (ALIAS_ID, NEW_ID),
        examples=(("A better name", "llr config rename-model-alias --alias-id=fast --new-id=quick"),),
        writes=True,
    ),
    Operation(
        "set-model-fallbacks",
        "Set where a request for one model goes when that model fails.",
        "llr.control.ops.models:SET_FALLBACKS",
        (
            PROVIDER_ID,
            MODEL,
            Param(
                "fallback-models",
                "provider/model entries in order; empty clears them.",
                Kind.LIST,
                aliases=("fallbacks",),
                keep_empty=True,
                example="anthropic/claude-haiku-4-5",
            ),
            Param("clear-fallbacks", "Remove all fallbacks.", Kind.BOOL, default=False),
        ),
        aliases=("set-model-fallback",),
        examples=(
            (
                "One fallback",
                "llr config set-model-fallbacks --provider-id=openai --model=gpt-5.5 --fallback-models=local/qwen3",
            ),
            ("None", "llr config set-model-fallbacks --provider-id=openai --model=gpt-5.5 --clear-fallbacks"),
        ),
        writes=True,
    ),
    Operation(
        "set-default-model",
        "Set where requests go that name no model, or the model `default`.",
        "llr.control.ops.models:SET_DEFAULT",
        (
            Param(
                "model", "provider/model or an alias.", aliases=("default-model", "ref"), example="fast", names="route"
            ),
        ),
        examples=(("An alias", "llr config set-default-model --model=fast"),),
        writes=True,
    ),
    Operation(
        "set-provider-rate-limits",
        "Add, change or remove the rate limits that the gateway keeps for a provider.",
        "llr.control.ops.limits:SET_RATE_LIMITS",
        (
            PROVIDER_ID,
            Param(
                "bucket-id",
                "Bucket to change or remove; made of the name for a new one.",
                example="monthly",
                names="bucket",
            ),
            Param("bucket-name", "Label of the bucket.", example="Monthly cap"),
            Param(
                "bucket-models", "`all`, or model ids of the provider.", Kind.LIST, aliases=("models",), example="all"
            ),
            Param("bucket-requests", "Requests per window.", aliases=("requests",), example="20000"),
            Param(
                "bucket-window",
                "The window; as JSON also `timezone` and `anchor`.",
                aliases=("window",),
                example="month:1",
            ),
            Param("remove-bucket", "Remove the bucket named by --bucket-id.", Kind.BOOL, default=False),
            Param("replace-rate-limits", "Drop all old buckets first.", Kind.BOOL, default=False),
            Param("rate-limits", "One bucket or a list of them as JSON.", Kind.JSON, keep_empty=True),
        ),
        aliases=("set-rate-limits",),
        examples=(
            (
                "A monthly cap",
                "llr config set-provider-rate-limits --provider-id=openai --bucket-name='Monthly cap'"
                " --bucket-models=all --bucket-requests=20000 --bucket-window=month:1",
            ),
            (
                "Remove it",
                "llr config set-provider-rate-limits --provider-id=openai --bucket-id=monthly-cap --remove-bucket",
            ),
        ),
        writes=True,
    ),
)
