"""Writes `llr/providers/models_data.py` from LiteLLM's price file: `python tests/generate_models.py FILE VERSION`.

FILE is `model_prices_and_context_window.json` of https://github.com/BerriAI/litellm, or the same file under its backup
name inside the wheel of the `litellm` package. Only well-known text models are taken, so that the result stays small.
"""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from llr.providers.models import ModelFacts, canonical, read_public, read_rows

TARGET = Path(__file__).resolve().parent.parent / "llr" / "providers" / "models_data.py"
MOST_BYTES = 60_000
KNOWN = re.compile(
    r"claude|gpt|chatgpt|o[134](?:-|$)|codex|computer-use|gemini|gemma|deepseek|qwen|qwq|kimi|moonshot|glm|grok|mistral"
    r"|ministral|magistral|codestral|devstral|mixtral|pixtral|llama|minimax|mimo|command|sonar|nova|phi|nemotron|hermes"
    r"|jamba|granite|ernie|seed|step|mercury|olmo|trinity|longcat|hunyuan|kat-coder|lfm|muse|inkling|north"
)
# Speech, pictures, moderation, fine-tuning templates, experiments of a month.
LEFT_OUT = re.compile(
    r"^ft:|audio|realtime|tts|image|embed|guard|ocr|rerank|robotics|lyria|omni|live|transcribe|search-api|-exp-|-exp$"
    r"|experimental|beta|safeguard|learnlm|preview-tts|deep-research|vision-preview|gv2|/|\s|@|^[a-z0-9-]+\.[a-z]"
)
HEAD = '''"""Context windows, output limits and list prices of well-known models, as `llr.providers.models` reads them.

Made by `tests/generate_models.py`; edit that, not this. Facts are those of LiteLLM's public price file
(https://github.com/BerriAI/litellm, model_prices_and_context_window.json, {version}), whose entries cite
the vendors' own pages. A line: most input tokens, most output tokens, US dollars per million input, cached input and
output tokens, model ids.
"""

ROWS = """\\
'''


def chosen(facts: list[ModelFacts]) -> list[ModelFacts]:
    """Returns the entries worth their bytes, sorted by what they share."""
    kept = [one for one in facts if KNOWN.search(canonical(one.id)) and not LEFT_OUT.search(one.id.lower())]
    kept = [one for one in kept if one.context_window]
    return sorted(kept, key=lambda one: (canonical(one.id).partition("-")[0], canonical(one.id)))


def write_rows(facts: Iterable[ModelFacts], *, width: int = 118) -> str:
    """Returns the compact form, models of equal facts on one line, no line longer than `width`."""
    groups: dict[str, list[str]] = {}
    for one in facts:
        prices = (one.input_price, one.cached_price, one.output_price)
        head = [str(one.context_window or "-"), str(one.max_output_tokens or "-")]
        head += ["-" if price is None else f"{price:g}" for price in prices]
        groups.setdefault(" ".join(head), []).append(one.id)
    lines: list[str] = []
    for head_text, names in groups.items():
        line = head_text
        for name in names:
            if len(line) + 1 + len(name) > width:
                lines.append(line)
                line = ""
            line += f" {name}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def main(source: str, version: str) -> int:
    """Returns the exit code; writes the module."""
    facts = chosen(read_public(json.loads(Path(source).read_text(encoding="utf-8"))))
    rows = write_rows(facts)
    text = HEAD.format(version=version) + rows + '"""\n'
    assert sorted(map(repr, read_rows(rows))) == sorted(map(repr, facts))
    assert len(text) <= MOST_BYTES, len(text)
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.name}: {len(facts)} models, {len(text):,} bytes, {len(text.splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
