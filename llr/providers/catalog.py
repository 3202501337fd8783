"""Well-known vendors: where they are, how they want the key, what they speak. One row is all a vendor needs.

Facts come from the vendors' public API references (`keys_at` and the host lead there) and, for addresses, from what
LiteLLM ships for them: litellm/constants.py and litellm/litellm_core_utils/get_llm_provider_logic.py in
https://github.com/BerriAI/litellm. Cohere: https://docs.cohere.com/docs/compatibility-api. Azure:
https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle. Bedrock:
https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html.
Starter models are only suggestions for a first config. An address with a name in braces is a template: whoever takes
the preset says the address.
"""

from collections.abc import Mapping

from llr.base.names import ProviderFormat
from llr.base.records import dataclass
from llr.config.schema import AuthKind, AuthSpec

_OPENAI, _CLAUDE, _GEMINI = ProviderFormat.OPENAI, ProviderFormat.CLAUDE, ProviderFormat.GEMINI
_CHAT = ProviderFormat.OPENAI_CHAT
_BEARER = AuthSpec(AuthKind.BEARER)


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor: the first of `base_urls` is the preferred format. `auth` are exceptions from a format's default.

    `key_env` is the environment variable its own tools read, "" when it needs no key; `models` are starters.
    """

    id: str
    name: str
    base_urls: Mapping[ProviderFormat, str]
    key_env: str
    models: tuple[str, ...] = ()
    auth: Mapping[ProviderFormat, AuthSpec] | None = None
    keys_at: str = ""

    @property
    def formats(self) -> tuple[ProviderFormat, ...]:
        """Returns the formats it speaks, the preferred one first."""
        return tuple(self.base_urls)

    @property
    def template(self) -> str:
        """Returns the address to fill in, "" where the addresses are usable as they stand."""
        return next((url for url in self.base_urls.values() if "{" in url), "")


_ROWS = (
    Vendor(
        "openai",
        "OpenAI",
        {_OPENAI: "https://api.openai.com/v1"},
        "OPENAI_API_KEY",
        ("gpt-5.5", "gpt-5.4-mini", "gpt-4.1"),
        keys_at="https://platform.openai.com/api-keys",
    ),
    Vendor(
        "anthropic",
        "Anthropic",
        {_CLAUDE: "https://api.anthropic.com"},
        "ANTHROPIC_API_KEY",
        ("claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5"),
        keys_at="https://console.anthropic.com/settings/keys",
    ),
    Vendor(
        "gemini",
        "Google Gemini",
        {_GEMINI: "https://generativelanguage.googleapis.com/v1beta"},
        "GEMINI_API_KEY",
        ("gemini-3.1-pro-preview", "gemini-2.5-pro", "gemini-2.5-flash"),
        keys_at="https://aistudio.google.com/apikey",
    ),
    Vendor(
        "openrouter",
        "OpenRouter",
        {_CHAT: "https://openrouter.ai/api/v1", _CLAUDE: "https://openrouter.ai/api"},
        "OPENROUTER_API_KEY",
        ("anthropic/claude-sonnet-4.6", "openai/gpt-5.2", "google/gemini-2.5-pro"),
        {_CLAUDE: _BEARER},
        "https://openrouter.ai/keys",
    ),
    Vendor(
        "deepseek",
        "DeepSeek",
        {_CHAT: "https://api.deepseek.com", _CLAUDE: "https://api.deepseek.com/anthropic"},
        "DEEPSEEK_API_KEY",
        ("deepseek-chat", "deepseek-reasoner"),
        keys_at="https://platform.deepseek.com/api_keys",
    ),
    Vendor(
        "moonshot",
        "Moonshot AI (Kimi)",
        {_CHAT: "https://api.moonshot.ai/v1", _CLAUDE: "https://api.moonshot.ai/anthropic"},
        "MOONSHOT_API_KEY",
        ("kimi-k3", "kimi-k2.6"),
        {_CLAUDE: _BEARER},
        "https://platform.moonshot.ai/console/api-keys",
    ),
    Vendor(
        "zai",
        "Z.ai (GLM)",
        {_CHAT: "https://api.z.ai/api/paas/v4", _CLAUDE: "https://api.z.ai/api/anthropic"},
        "ZAI_API_KEY",
        ("glm-5.2", "glm-4.5-air"),
        {_CLAUDE: _BEARER},
        "https://z.ai/manage-apikey/apikey-list",
    ),
    Vendor(
        "zai-coding",
        "Z.ai coding plan",
        {_CHAT: "https://api.z.ai/api/coding/paas/v4", _CLAUDE: "https://api.z.ai/api/anthropic"},
        "ZAI_API_KEY",
        ("glm-4.6",),
        {_CLAUDE: _BEARER},
        "https://z.ai/manage-apikey/apikey-list",
    ),
    Vendor(
        "minimax",
        "MiniMax",
        {_CHAT: "https://api.minimax.io/v1", _CLAUDE: "https://api.minimax.io/anthropic"},
        "MINIMAX_API_KEY",
        ("MiniMax-M3", "MiniMax-M2.5"),
        {_CLAUDE: _BEARER},
        "https://platform.minimax.io",
    ),
    Vendor(
        "alibaba",
        "Alibaba Model Studio (Qwen)",
        {
            _CHAT: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            _CLAUDE: "https://dashscope-intl.aliyuncs.com/apps/anthropic",
        },
        "DASHSCOPE_API_KEY",
        ("qwen3-coder-plus", "qwen3-max"),
        keys_at="https://modelstudio.console.alibabacloud.com",
    ),
    Vendor(
        "xai",
        "xAI",
        {_OPENAI: "https://api.x.ai/v1"},
        "XAI_API_KEY",
        ("grok-4.5", "grok-code-fast-1"),
        keys_at="https://console.x.ai",
    ),
    Vendor(
        "groq",
        "Groq",
        {_CHAT: "https://api.groq.com/openai/v1"},
        "GROQ_API_KEY",
        ("openai/gpt-oss-120b", "openai/gpt-oss-20b"),
        keys_at="https://console.groq.com/keys",
    ),
    Vendor(
        "cerebras",
        "Cerebras",
        {_CHAT: "https://api.cerebras.ai/v1"},
        "CEREBRAS_API_KEY",
        ("gpt-oss-120b", "gemma-4-31b"),
        keys_at="https://cloud.cerebras.ai",
    ),
    Vendor(
        "mistral",
        "Mistral AI",
        {_CHAT: "https://api.mistral.ai/v1"},
        "MISTRAL_API_KEY",
        ("mistral-large-latest", "devstral-medium-latest"),
        keys_at="https://console.mistral.ai/api-keys",
    ),
    Vendor(
        "together",
        "Together AI",
        {_CHAT: "https://api.together.xyz/v1"},
        "TOGETHER_API_KEY",
        ("moonshotai/Kimi-K2-Instruct-0905", "openai/gpt-oss-120b"),
        keys_at="https://api.together.ai/settings/api-keys",
    ),
    Vendor(
        "fireworks",
        "Fireworks AI",
        {_OPENAI: "https://api.fireworks.ai/inference/v1"},
        "FIREWORKS_API_KEY",
        ("accounts/fireworks/models/kimi-k2-instruct-0905", "accounts/fireworks/models/deepseek-v3p1"),
        keys_at="https://app.fireworks.ai/settings/users/api-keys",
    ),
    Vendor(
        "deepinfra",
        "DeepInfra",
        {_CHAT: "https://api.deepinfra.com/v1/openai"},
        "DEEPINFRA_API_KEY",
        ("deepseek-ai/DeepSeek-V3.1", "openai/gpt-oss-120b"),
        keys_at="https://deepinfra.com/dash/api_keys",
    ),
    Vendor(
        "novita",
        "Novita AI",
        {_CHAT: "https://api.novita.ai/v3/openai", _CLAUDE: "https://api.novita.ai/anthropic"},
        "NOVITA_API_KEY",
        ("deepseek/deepseek-v3.1", "moonshotai/kimi-k2-0905"),
        {_CLAUDE: _BEARER},
        "https://novita.ai/settings/key-management",
    ),
    Vendor(
        "siliconflow",
        "SiliconFlow",
        {_CHAT: "https://api.siliconflow.com/v1", _CLAUDE: "https://api.siliconflow.com"},
        "SILICONFLOW_API_KEY",
        ("deepseek-ai/DeepSeek-V3.1", "zai-org/GLM-4.6"),
        {_CLAUDE: _BEARER},
        "https://cloud.siliconflow.com/account/ak",
    ),
    Vendor(
        "huggingface",
        "Hugging Face Inference Providers",
        {_CHAT: "https://router.huggingface.co/v1"},
        "HF_TOKEN",
        ("openai/gpt-oss-120b", "moonshotai/Kimi-K2-Instruct-0905"),
        keys_at="https://huggingface.co/settings/tokens",
    ),
    Vendor(
        "nvidia",
        "NVIDIA NIM",
        {_CHAT: "https://integrate.api.nvidia.com/v1"},
        "NVIDIA_API_KEY",
        ("openai/gpt-oss-120b", "qwen/qwen3-coder-480b-a35b-instruct"),
        keys_at="https://build.nvidia.com",
    ),
    Vendor(
        "perplexity",
        "Perplexity",
        {_CHAT: "https://api.perplexity.ai"},
        "PERPLEXITY_API_KEY",
        ("sonar-pro", "sonar"),
        keys_at="https://www.perplexity.ai/settings/api",
    ),
    Vendor(
        "vercel",
        "Vercel AI Gateway",
        {_OPENAI: "https://ai-gateway.vercel.sh/v1", _CLAUDE: "https://ai-gateway.vercel.sh"},
        "AI_GATEWAY_API_KEY",
        ("anthropic/claude-sonnet-4.6", "openai/gpt-5.2"),
        keys_at="https://vercel.com/dashboard/ai-gateway/api-keys",
    ),
    Vendor(
        "github-models",
        "GitHub Models",
        {_CHAT: "https://models.github.ai/inference"},
        "GITHUB_TOKEN",
        ("openai/gpt-4.1", "meta/llama-3.3-70b-instruct"),
        keys_at="https://github.com/settings/personal-access-tokens",
    ),
    Vendor(
        "cohere",
        "Cohere",
        {_CHAT: "https://api.cohere.ai/compatibility/v1"},
        "COHERE_API_KEY",
        ("command-a-03-2025", "command-r7b-12-2024"),
        keys_at="https://dashboard.cohere.com/api-keys",
    ),
    Vendor(
        "sambanova",
        "SambaNova Cloud",
        {_CHAT: "https://api.sambanova.ai/v1"},
        "SAMBANOVA_API_KEY",
        ("Meta-Llama-3.3-70B-Instruct",),
        keys_at="https://cloud.sambanova.ai/apis",
    ),
    Vendor(
        "baseten",
        "Baseten Model APIs",
        {_CHAT: "https://inference.baseten.co/v1"},
        "BASETEN_API_KEY",
        ("openai/gpt-oss-120b",),
        keys_at="https://app.baseten.co/settings/api_keys",
    ),
    Vendor(
        "azure",
        "Azure OpenAI (v1 API)",
        {_OPENAI: "https://{resource}.openai.azure.com/openai/v1"},
        "AZURE_OPENAI_API_KEY",
        keys_at="https://portal.azure.com",
    ),
    Vendor(
        "bedrock",
        "Amazon Bedrock (OpenAI-compatible endpoint)",
        {_OPENAI: "https://bedrock-mantle.{region}.api.aws/v1"},
        "AWS_BEARER_TOKEN_BEDROCK",
        ("openai.gpt-oss-120b",),
        keys_at="https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html",
    ),
    Vendor(
        "ollama",
        "Ollama (this machine)",
        {_OPENAI: "http://localhost:11434/v1", _CLAUDE: "http://localhost:11434"},
        "",
        ("qwen3-coder:30b", "gpt-oss:20b"),
    ),
    Vendor("lmstudio", "LM Studio (this machine)", {_OPENAI: "http://localhost:1234/v1"}, "", ()),
    Vendor("llamacpp", "llama.cpp server (this machine)", {_CHAT: "http://localhost:8080/v1"}, "", ()),
    Vendor("vllm", "vLLM server (this machine)", {_OPENAI: "http://localhost:8000/v1"}, "", ()),
)
VENDORS: Mapping[str, Vendor] = {row.id: row for row in _ROWS}

# Other names under which people look for a vendor.
ALIASES: Mapping[str, str] = {
    "claude": "anthropic",
    "google": "gemini",
    "kimi": "moonshot",
    "glm": "zai",
    "zhipu": "zai",
    "qwen": "alibaba",
    "dashscope": "alibaba",
    "grok": "xai",
    "hf": "huggingface",
    "azure-openai": "azure",
    "aws": "bedrock",
    "lm-studio": "lmstudio",
    "llama.cpp": "llamacpp",
}


def find_vendor(name: str) -> Vendor | None:
    """Returns the vendor of this id or other name, in any case."""
    wanted = name.strip().lower()
    return VENDORS.get(ALIASES.get(wanted, wanted))
