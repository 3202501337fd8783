"""The demo's configuration document, and the lines that a user copies from the terminal."""

from llr.base.jsonio import JSON
from llr.config.schema import Doc
from llr.control.demo.turn import MODELS

# No secret: nobody checks it. Clients refuse to start without some key.
# Not a word that log lines hold: whatever equals a key is blacked out there.
DEMO_KEY = "no-key-needed"
# The alias fails over: three models that cannot answer, then one that does.
FAILOVER = ("overloaded", "rate-limited", "error-in-200", "ok")


def demo_doc(port: int) -> Doc:
    """Returns a configuration whose only provider is the embedded upstream on `port`; aliases `demo` and `default`."""
    origin = f"http://127.0.0.1:{port}"
    models: list[JSON] = [{"id": model} for model in MODELS]
    targets: list[JSON] = [{"ref": f"demo/{model}"} for model in FAILOVER]
    provider: JSON = {
        "id": "demo",
        "name": "Demo upstream",
        "baseUrl": f"{origin}/v1",
        "baseUrlByFormat": {"openai": f"{origin}/v1", "claude": origin, "gemini": f"{origin}/v1beta"},
        "format": "openai",
        "formats": ["openai", "claude", "gemini"],
        "apiKey": DEMO_KEY,
        "models": models,
    }
    return {
        "version": 2,
        "providers": [provider],
        "modelAliases": {
            "demo": {"strategy": "ordered", "targets": targets},
            "default": {"strategy": "ordered", "targets": [{"ref": "demo"}]},
        },
    }


def demo_help(base_url: str) -> str:
    """Returns what `start --demo` prints: a request and the client settings per format; `base_url` ends in no slash."""
    hello = '"messages":[{"role":"user","content":"Hello"}]'
    models = "\n".join(f"  demo/{model:<14} {what}" for model, what in MODELS.items())
    return f"""\
Demo models:
{models}
  demo                fails over: {" -> ".join(FAILOVER)}

Try it (each line is whole):

  curl -s {base_url}/v1/chat/completions -H 'content-type: application/json' -d '{{"model":"demo",{hello}}}'
  curl -s {base_url}/v1/messages -H 'content-type: application/json' -d '{{"model":"demo","max_tokens":100,{hello}}}'
  curl -s {base_url}/v1/responses -H 'content-type: application/json' -d '{{"model":"demo","input":"Hello"}}'
  curl -s {base_url}/v1beta/models/demo:generateContent -H 'content-type: application/json' \
-d '{{"contents":[{{"parts":[{{"text":"Hello"}}]}}]}}'
  curl -sN {base_url}/v1/messages -H 'content-type: application/json' \
-d '{{"model":"demo/thinking","max_tokens":100,"stream":true,{hello}}}'
  curl -s {base_url}/v1/models

OpenAI SDK:     export OPENAI_BASE_URL={base_url}/v1 OPENAI_API_KEY={DEMO_KEY}
Anthropic SDK:  export ANTHROPIC_BASE_URL={base_url} ANTHROPIC_API_KEY={DEMO_KEY}
Gemini SDK:     export GOOGLE_GEMINI_BASE_URL={base_url} GEMINI_API_KEY={DEMO_KEY}
Claude Code:    ANTHROPIC_BASE_URL={base_url} ANTHROPIC_AUTH_TOKEN={DEMO_KEY} ANTHROPIC_MODEL=demo claude
Codex CLI, in ~/.codex/config.toml:
  model = "demo"
  model_provider = "llr"
  [model_providers.llr]
  name = "llr"
  base_url = "{base_url}/v1"
  wire_api = "responses"
"""
