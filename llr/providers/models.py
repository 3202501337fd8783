"""What is publicly known of models: how much they read, how much they write, what a million tokens cost.

Law: pure; nothing is guessed. A model that nobody documented has no facts, and a fact that is not documented is None.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache

from llr.base.jsonio import JSON
from llr.base.records import dataclass

# Endings by which routers and clients choose a way to serve, not another model.
_VARIANT = re.compile(r"(?:\[1m\]|:(?:free|nitro|floor|online|exacto|beta|extended))$")
# Fireworks writes "kimi-k2p6" for Kimi K2.6.
_POINT = re.compile(r"(?<=\d)p(?=\d)")
# Bedrock writes "us.anthropic.claude-sonnet-4-5-20250929-v1:0".
_BEDROCK = re.compile(
    r"^(?:[a-z]{2,6}\.)?(?:anthropic|openai|meta|mistral|amazon|cohere|deepseek|qwen|google|xai|moonshotai|zai|minimax)\."
)
_REVISION = re.compile(r"-v\d+(?::\d+)?$")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model. `context_window` is the most input it is documented to read, in tokens; prices are US dollars per

    million tokens at the list price of the vendor that makes it. None where nobody says.
    """

    id: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    input_price: float | None = None
    cached_price: float | None = None
    output_price: float | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """What a catalogue has for a name: the model itself, and near ones, the nearest first."""

    exact: ModelFacts | None
    suggestions: tuple[ModelFacts, ...] = ()


def canonical(model_id: str) -> str:
    """Returns the form in which spellings of one model agree: no vendor before it, lower case, dashes for points."""
    name = model_id.strip().lower()
    fireworks = "fireworks" in name
    name = _VARIANT.sub("", name.rpartition("/")[2].removesuffix("@latest"))
    if fireworks:
        name = _POINT.sub("-", name)
    name, bedrock = _BEDROCK.subn("", name)
    if bedrock:
        name = _REVISION.sub("", name)
    return name.replace(".", "-").replace("_", "-")


class Catalogue:
    """Facts by model id; ids that differ only in spelling are one, the first given counts."""

    __slots__ = ("_by_name",)

    def __init__(self, facts: Iterable[ModelFacts]) -> None:
        self._by_name: dict[str, ModelFacts] = {}
        for one in facts:
            self._by_name.setdefault(canonical(one.id), one)

    def __len__(self) -> int:
        return len(self._by_name)

    def all(self) -> tuple[ModelFacts, ...]:
        """Returns every entry, in the order given."""
        return tuple(self._by_name.values())

    def lookup(self, model_id: str) -> ModelFacts | None:
        """Returns the facts of a model, None when it is not known."""
        return self._by_name.get(canonical(model_id))

    def match(self, model_id: str, limit: int) -> Match:
        """Returns the model of this name and at most `limit` near ones, itself not among them."""
        return Match(self.lookup(model_id), self._near(canonical(model_id), limit) if limit > 0 else ())

    def over(self, other: "Catalogue") -> "Catalogue":
        """Returns both together; what is known here wins."""
        return Catalogue((*self.all(), *other.all()))

    def _near(self, name: str, limit: int) -> tuple[ModelFacts, ...]:
        words = set(_words(name))
        ranked: list[tuple[int, int, int, str]] = []
        for other in self._by_name:
            theirs = set(_words(other))
            # A shared word weighs by its length: "claude" says more than "5".
            shared = sum(len(word) for word in words & theirs)
            if other != name and shared >= 3:
                every = sum(len(word) for word in words | theirs)
                ranked.append((-shared, -len(_start(name, other)), every, other))
        return tuple(self._by_name[other] for _, _, _, other in sorted(ranked)[:limit])


def _start(one: str, other: str) -> str:
    """Returns what two names begin with alike."""
    same = next((at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), None)
    return one[:same] if same is not None else min(one, other, key=len)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[-:\s]+|(?<=[a-z])(?=\d)", name) if word]


@cache
def builtin() -> Catalogue:
    """Returns the catalogue that comes with this program."""
    from llr.providers.models_data import ROWS

    return Catalogue(read_rows(ROWS))


def lookup(model_id: str) -> ModelFacts | None:
    """Returns what this program knows of a model by itself, None when nothing."""
    return builtin().lookup(model_id)


# The compact form: "window output input-price cached-price output-price id id …" a line, "-" for what is not known.


def read_rows(text: str) -> list[ModelFacts]:
    """Returns the entries of the compact form; a line that begins with a blank goes on with ids."""
    found: list[ModelFacts] = []
    facts: tuple[str, ...] = ()
    for line in text.splitlines():
        words = line.split()
        if line and not line[0].isspace():
            facts, words = tuple(words[:5]), words[5:]
        found += [_row(facts, name) for name in words]
    return found


def _row(facts: tuple[str, ...], name: str) -> ModelFacts:
    window, output, *prices = facts
    read, cached, written = (None if text == "-" else float(text) for text in prices)
    return ModelFacts(name, _tokens(window), _tokens(output), read, cached, written)


def _tokens(text: str) -> int | None:
    return None if text == "-" else int(text)


# What `--refresh-from` may bring: LiteLLM's price file, a model list as OpenRouter gives it, or our own.


def read_public(value: JSON) -> list[ModelFacts]:
    """Returns the entries of a public catalogue.

    Known are LiteLLM's `model_prices_and_context_window.json`, `{"data": [{"id", "context_length", "pricing"}]}` as
    OpenRouter lists models, and `{"models": {id: {"contextWindow", "maxOutputTokens", "price"}}}`. Raises ValueError.
    """
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    models, data = value.get("models"), value.get("data")
    if isinstance(models, dict):
        return [one for name, entry in models.items() if (one := _own(name, entry)) is not None]
    if isinstance(data, list):
        return [one for entry in data if (one := _listed(entry)) is not None]
    return _litellm(value)


def _own(name: str, entry: JSON) -> ModelFacts | None:
    if not isinstance(entry, dict):
        return None
    price = entry.get("price")
    prices: Mapping[str, JSON] = price if isinstance(price, dict) else {}
    return ModelFacts(
        name,
        _whole(entry.get("contextWindow")),
        _whole(entry.get("maxOutputTokens")),
        *(_number(prices.get(key)) for key in ("input", "cached", "output")),
    )


def own_form(facts: Iterable[ModelFacts]) -> JSON:
    """Returns the entries as our own JSON form, `read_public` in reverse."""
    models: dict[str, JSON] = {}
    for one in facts:
        prices = {"input": one.input_price, "cached": one.cached_price, "output": one.output_price}
        price: JSON = {key: value for key, value in prices.items() if value is not None}
        entry = {"contextWindow": one.context_window, "maxOutputTokens": one.max_output_tokens, "price": price}
        models[one.id] = {key: value for key, value in entry.items() if value}
    return {"version": 1, "models": models}


def _listed(entry: JSON) -> ModelFacts | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        return None
    pricing, top = entry.get("pricing"), entry.get("top_provider")
    prices: Mapping[str, JSON] = pricing if isinstance(pricing, dict) else {}
    limits: Mapping[str, JSON] = top if isinstance(top, dict) else {}
    window = _whole(entry.get("context_length")) or _whole(entry.get("context_window"))
    output = _whole(limits.get("max_completion_tokens")) or _whole(entry.get("max_completion_tokens"))
    costs = (_million(prices.get(key)) for key in ("prompt", "input_cache_read", "completion"))
    return ModelFacts(str(entry["id"]), window, output, *costs)


# LiteLLM's names of the vendors that make the models they sell; their prices are the list prices.
_MAKERS = (
    *("anthropic", "openai", "gemini", "deepseek", "xai", "mistral", "moonshot", "zai", "dashscope", "minimax"),
    *("cohere_chat", "perplexity", "meta_llama", "amazon_nova", "ai21", "codestral", "inception"),
)
_MODES = ("chat", "responses", "completion")


def _litellm(table: Mapping[str, JSON]) -> list[ModelFacts]:
    """Returns makers' entries first, then models of others on whose window most of their hosts agree, without price."""
    made: dict[str, ModelFacts] = {}
    hosted: dict[str, list[ModelFacts]] = {}
    for key, entry in table.items():
        if not isinstance(entry, dict) or entry.get("mode") not in _MODES:
            continue
        maker = entry.get("litellm_provider")
        name = key.removeprefix(f"{maker}/")
        facts = ModelFacts(
            name, _whole(entry.get("max_input_tokens")), _whole(entry.get("max_output_tokens")), *_costs(entry)
        )
        if maker in _MAKERS and "/" not in name:
            made.setdefault(canonical(name), facts)
        elif "/" in key and ":" not in name:
            hosted.setdefault(canonical(name), []).append(facts)
    return [*made.values(), *(one for name in hosted if name not in made and (one := _agreed(hosted[name])))]


def _costs(entry: Mapping[str, JSON]) -> tuple[float | None, float | None, float | None]:
    """Returns the prices of a LiteLLM entry. Where both are 0 nobody has entered one: vendors give nothing away."""
    read, written = _million(entry.get("input_cost_per_token")), _million(entry.get("output_cost_per_token"))
    if not read and not written:
        return None, None, None
    return read, _million(entry.get("cache_read_input_token_cost")), written


def _agreed(found: list[ModelFacts]) -> ModelFacts | None:
    windows = [one.context_window for one in found if one.context_window]
    for window in dict.fromkeys(windows):
        # Hosts cut windows to their hardware; what most of them offer is the model's own.
        if windows.count(window) >= 2 and windows.count(window) * 2 > len(windows):
            name = found[0].id.rpartition("/")[2]
            return ModelFacts(name, window)
    return None


def _whole(value: JSON) -> int | None:
    found = _number(value)
    return int(found) if found is not None and found >= 1 else None


def _number(value: JSON) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return float(value)


def _million(value: JSON) -> float | None:
    found = _number(value)
    return None if found is None else round(found * 1_000_000, 6)
