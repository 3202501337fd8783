"""Rows of the operations table: providers, and what can be asked of them."""

from llr.control.operation import Operation
from llr.control.params import Kind, Param
from llr.control.rows_models import NEW_ID, PROVIDER_ID, PRUNE

ENDPOINTS = Param(
    "endpoints", "Base URLs, also pasted ones.", Kind.LIST, example="https://api.example.com/v1,http://localhost:8000"
)
BASE_URL = Param("base-url", "Base URL.", example="https://api.example.com/v1")
OPENAI_URL = Param("openai-base-url", "Base URL of the OpenAI format.", example="https://api.example.com/v1")
CLAUDE_URL = Param(
    "claude-base-url",
    "Base URL of the Anthropic format.",
    aliases=("anthropic-base-url",),
    example="https://api.example.com/anthropic",
)
API_KEY = Param("api-key", "The provider's key; - reads it from stdin (arguments are visible to others).", Kind.SECRET)
API_KEY_ENV = Param("api-key-env", "Environment variable that holds the key.", example="OPENROUTER_API_KEY")
HEADERS = Param("headers", "Further request headers as a JSON object.", Kind.JSON, keep_empty=True)
MODELS = Param("models", "Model ids.", Kind.LIST, aliases=("model",), example="gpt-5.5,gpt-5-mini")
PLAIN_HTTP = Param(
    "allow-plain-http", "Let a probe send the key unencrypted to another machine.", Kind.BOOL, default=False
)
PROBE_RPM = Param(
    "probe-rpm",
    "Probe requests per minute (default 30).",
    Kind.INT,
    aliases=("probe-requests-per-minute",),
    default=30,
    minimum=1,
    maximum=1_000_000,
    loose=True,
)

UPSERT_PARAMS = (
    Param(
        "provider-id",
        "Provider to change, or the id of a new one (default: made of the name).",
        example="openrouter",
        names="provider",
    ),
    Param(
        "preset",
        "A vendor whose addresses, formats and starter models are taken.",
        example="openrouter",
        names="preset",
    ),
    Param("name", "Display name (Provider Friendly Name).", example="OpenRouter"),
    Param("type", "standard or subscription.", aliases=("provider-type",)),
    Param("subscription-type", "chatgpt-codex or claude-code."),
    Param("subscription-profile", "Token profile of a subscription (default: the provider id)."),
    Param("device-code", "Log a subscription in without a browser.", Kind.BOOL, default=False),
    ENDPOINTS,
    BASE_URL,
    OPENAI_URL,
    CLAUDE_URL,
    Param("gemini-base-url", "Base URL of the Gemini format."),
    API_KEY,
    API_KEY_ENV,
    Param("auth", "How the key travels.", Kind.CHOICE, choices=("bearer", "x-api-key", "none")),
    Param("models", "Model ids; they replace the provider's list.", Kind.LIST, example="gpt-5.5,gpt-5-mini"),
    Param("models-add", "Model ids to add to the list.", Kind.LIST),
    Param("models-remove", "Model ids to take out of the list; references to them go too.", Kind.LIST),
    Param("model-context-windows", "Tokens per model, as model=number or JSON.", example="gpt-5.5=400000"),
    Param("fill-model-context-windows", "Take missing context windows from the catalogue.", Kind.BOOL, default=False),
    Param(
        "format",
        "Preferred wire format.",
        Kind.CHOICE,
        choices=("openai", "claude", "openai-chat", "openai-responses", "gemini"),
    ),
    Param("formats", "All wire formats.", Kind.LIST, example="openai,claude"),
    HEADERS,
    Param("enabled", "false keeps the provider in the file and does not use it.", Kind.BOOL),
    Param("skip-probe", "Save what the flags say without asking the provider.", Kind.BOOL, default=False),
    PROBE_RPM,
    PLAIN_HTTP,
    Param("set-master-key", "Store --master-key (default true when it is given).", Kind.BOOL),
    Param("master-key", "Master key of the gateway; - reads it from stdin.", Kind.SECRET),
)

PROVIDER_ROWS = (
    Operation(
        "upsert-provider",
        "Add a provider or change one; the provider is probed unless told otherwise.",
        "llr.control.ops.providers:UPSERT_PROVIDER",
        UPSERT_PARAMS,
        aliases=("add-provider", "edit-provider"),
        examples=(
            ("A known vendor", "llr config upsert-provider --preset=openrouter --api-key-env=OPENROUTER_API_KEY"),
            (
                "Anything else, without asking it",
                "llr config upsert-provider --name=Demo --base-url=https://api.demo.test/v1 --api-key-env=DEMO_KEY"
                " --models=demo-1 --skip-probe",
            ),
            ("One more model", "llr config upsert-provider --provider-id=openai --models-add=gpt-5-mini --skip-probe"),
            ("Switch it off", "llr config upsert-provider --provider-id=openai --enabled=false"),
        ),
        writes=True,
    ),
    Operation(
        "remove-provider",
        "Remove a provider; references into it go too.",
        "llr.control.ops.providers:REMOVE_PROVIDER",
        (PROVIDER_ID, PRUNE),
        examples=(
            ("Gone", "llr config remove-provider --provider-id=openrouter"),
            ("What would change", "llr config remove-provider --provider-id=openrouter --dry-run"),
        ),
        writes=True,
    ),
    Operation(
        "rename-provider",
        "Give a provider another id; references follow.",
        "llr.control.ops.providers:RENAME_PROVIDER",
        (PROVIDER_ID, NEW_ID),
        examples=(("A shorter id", "llr config rename-provider --provider-id=openrouter --new-id=or"),),
        writes=True,
    ),
)

_ASKED = (ENDPOINTS, BASE_URL, OPENAI_URL, CLAUDE_URL, API_KEY, API_KEY_ENV, HEADERS, PLAIN_HTTP)
SAVED = Param("provider-id", "A saved provider, asked with its stored key.", example="openrouter", names="provider")

DIAGNOSTIC_ROWS = (
    Operation(
        "list-presets",
        "List the vendors that upsert-provider knows by name: addresses, formats, key variables, starter models.",
        "llr.control.ops.presets:LIST",
        (Param("preset", "Only this vendor.", example="openrouter", names="preset"),),
        aliases=("presets",),
        examples=(("All of them", "llr config presets"), ("One", "llr config list-presets --preset=openrouter")),
    ),
    Operation(
        "discover-provider-models",
        "Ask a provider which formats it speaks and which models it lists; nothing is written.",
        "llr.control.ops.diagnostics:DISCOVER",
        (SAVED, *_ASKED),
        examples=(
            (
                "Before adding it",
                "llr config discover-provider-models --endpoints=https://api.example.com/v1 --api-key-env=EXAMPLE_KEY",
            ),
            ("A saved one", "llr config discover-provider-models --provider-id=openrouter"),
        ),
    ),
    Operation(
        "test-provider",
        "Ask a provider's models for one token each, on every endpoint and format; nothing is written.",
        "llr.control.ops.diagnostics:TEST",
        (SAVED, *_ASKED, MODELS, PROBE_RPM),
        examples=(("A saved one", "llr config test-provider --provider-id=openrouter"),),
    ),
    Operation(
        "litellm-context-lookup",
        "Look context windows up in the catalogue that comes with this program.",
        "llr.control.ops.contexts:LOOKUP",
        (
            MODELS,
            Param("refresh-from", "First take the catalogue anew from this file or address; nothing else is fetched."),
            Param(
                "limit", "Suggestions per model (default 3).", Kind.INT, default=3, minimum=1, maximum=20, loose=True
            ),
        ),
        examples=(
            ("Two models", "llr config litellm-context-lookup --models=gpt-5.2,claude-sonnet-4-6"),
            ("A newer catalogue", "llr config litellm-context-lookup --refresh-from=./model_prices.json"),
        ),
    ),
)
