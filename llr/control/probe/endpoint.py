"""One endpoint: which formats it speaks, with which auth, and what it lists. A nonsense model costs nothing."""

import asyncio
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from llr.base.errors import GatewayError
from llr.base.jsonio import JSON
from llr.base.names import ProviderFormat
from llr.base.records import dataclass, field
from llr.control.probe.addresses import generate_url, may_be_gemini, models_url, responses_url
from llr.control.probe.ask import Access, Asker, address_of, auth_entry, with_query
from llr.control.probe.replies import ListedModel, Reply, listed_models, lists, looks, next_page, takes_key
from llr.control.probe.verdict import told

OPENAI, CLAUDE, GEMINI = ProviderFormat.OPENAI, ProviderFormat.CLAUDE, ProviderFormat.GEMINI
# In the order of results: the preferred one first.
ORDER = (CLAUDE, OPENAI, GEMINI)
NONSENSE = "__llm_router_probe__"
_MOST_PAGES = 20
_NOTHING_THERE = (404, 405, 501)
_STEPS: Mapping[ProviderFormat, str] = {OPENAI: "chat", CLAUDE: "messages", GEMINI: "generate"}


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a detection, as `details` shows it; `said` is what a refusal told."""

    step: str
    auth: str
    status: int
    error: str = ""
    said: str = ""

    def form(self) -> dict[str, JSON]:
        """Returns the JSON form."""
        return {"step": self.step, "auth": self.auth, "status": self.status, "error": self.error or None}


@dataclass(frozen=True, slots=True)
class Detection:
    """What was found of one format: `auth` is the variant that worked, `latency_s` that of the generating call."""

    format: ProviderFormat
    supported: bool = False
    working: bool = False
    models: tuple[ListedModel, ...] = ()
    auth: str | None = None
    checks: tuple[Step, ...] = ()
    latency_s: float = 0.0
    responses: bool | None = None

    @property
    def answered(self) -> bool:
        """Returns whether anybody answered at all."""
        return any(step.status for step in self.checks)

    def form(self) -> dict[str, JSON]:
        """Returns the JSON form."""
        return {
            "format": self.format.value,
            "supported": self.supported,
            "working": self.working,
            "models": [one.id for one in self.models],
            "auth": auth_entry(self.auth) if self.auth else None,
            "checks": [step.form() for step in self.checks],
        }


@dataclass(frozen=True, slots=True)
class Found:
    """What was found at one endpoint, by format."""

    base_url: str
    detections: Mapping[ProviderFormat, Detection] = field(default_factory=dict)
    by_format: Mapping[str, str] = field(default_factory=dict)

    @property
    def supported(self) -> tuple[ProviderFormat, ...]:
        """Returns the formats it speaks, whether or not it takes the key."""
        return tuple(one for one in ORDER if one in self.detections and self.detections[one].supported)

    @property
    def working(self) -> tuple[ProviderFormat, ...]:
        """Returns the formats in which it takes the key."""
        return tuple(one for one in ORDER if one in self.detections and self.detections[one].working)

    @property
    def preferred(self) -> ProviderFormat | None:
        """Returns the format to use."""
        return next(iter((*self.working, *self.supported)), None)

    @property
    def models(self) -> tuple[ListedModel, ...]:
        """Returns what it lists, each id once; lists of the formats that work, in their order."""
        every = [one for name in (OPENAI, CLAUDE, GEMINI) for one in self._of(name).models]
        return tuple({one.id: one for one in reversed(every)}[own] for own in dict.fromkeys(one.id for one in every))

    @property
    def why(self) -> str:
        """Returns why nothing works here, "" where something does: a refused key before silence before the rest."""
        steps = [] if self.working else [step for one in self.detections.values() for step in one.checks]
        failed = [step for step in steps if step.status not in (200, 0) or step.error]
        if not failed:
            return ""
        told = min(failed, key=lambda step: (step.status not in (401, 403), not step.error))
        return told.error or f"{told.status}: {told.said}".rstrip(": ")

    def _of(self, name: ProviderFormat) -> Detection:
        return self.detections.get(name) or Detection(name)

    def form(self) -> dict[str, JSON]:
        """Returns the result of a single-endpoint probe as JSON."""
        auths: dict[str, JSON] = {}
        for name in self.working:
            auths[name.value] = auth_entry(self._of(name).auth or "none")
        preferred = self.preferred
        made: dict[str, JSON] = {
            "ok": bool(self.working),
            "baseUrl": self.base_url,
            **({"baseUrlByFormat": dict(self.by_format)} if self.by_format else {}),
            "formats": [name.value for name in self.supported],
            "workingFormats": [name.value for name in self.working],
            "preferredFormat": preferred.value if preferred else None,
            "authByFormat": auths,
            "auth": auths.get(preferred.value) if preferred else None,
            "models": [one.id for one in self.models],
            "details": {name.value: one.form() for name, one in self.detections.items()},
        }
        responses = self._of(OPENAI).responses
        if responses is not None:
            made["openaiResponses"] = {"supported": responses}
        return made


@dataclass(frozen=True, slots=True)
class Prober:
    """Asks single endpoints."""

    asker: Asker
    access: Access
    timeout_s: float = 10.0

    async def probe(
        self,
        base_url: str,
        *,
        by_format: Mapping[str, str] | None = None,
        tell: Callable[[Mapping[str, JSON]], None] = lambda _event: None,
    ) -> Found:
        """Returns what speaks there. OpenAI and Claude are asked at once; Gemini where address or silence hint so."""
        named = {("claude" if name == "anthropic" else name): url for name, url in (by_format or {}).items() if url}
        shown = base_url or next(iter(named.values()), "")
        tell({"phase": "provider-probe-start", "baseUrl": shown})
        both = (OPENAI, CLAUDE)
        detected = await gather(*(self.detect(named.get(name.value) or base_url, name) for name in both))
        found = dict(zip(both, detected, strict=True))
        gemini_url = named.get("gemini") or base_url
        silent = not any(one.supported for one in detected) and any(one.answered for one in detected)
        if "gemini" in named or may_be_gemini(gemini_url) or silent:
            asked = await self.detect(gemini_url, GEMINI)
            if asked.supported or "gemini" in named or may_be_gemini(gemini_url):
                found[GEMINI] = asked
        result = Found(shown, found, named)
        tell(
            {
                "phase": "provider-probe-done",
                "baseUrl": shown,
                "supportedFormats": [name.value for name in result.supported],
                "workingFormats": [name.value for name in result.working],
            }
        )
        return result

    async def detect(self, base_url: str, target: ProviderFormat) -> Detection:
        """Returns what is found of one format: each auth variant lists models and asks a model that does not exist."""
        checks: list[Step] = []
        supported, models = False, tuple[ListedModel, ...]()
        latency_s = 0.0
        for variant in self.access.variants(target):
            listing, pages = await self._list(base_url, target, variant)
            reply = await self._generate(base_url, target, variant)
            checks += [self._step("models", variant, listing), self._step(_STEPS[target], variant, reply)]
            listed = takes_key(listing) and lists(target, listing.json)
            speaks = looks(target, reply.json)
            supported = supported or speaks or listed
            latency_s = reply.latency_s or latency_s
            if listed:
                models = pages
            if takes_key(reply) if speaks else listed:
                responses = await self._responses(base_url, variant, checks) if target is OPENAI else None
                return Detection(target, True, True, models, variant, tuple(checks), latency_s, responses)
            nowhere = listing.status in _NOTHING_THERE and reply.status in _NOTHING_THERE and not speaks
            if nowhere or (listing.error and reply.error):
                break  # another header would not find more
        return Detection(target, supported, False, models, None, tuple(checks), latency_s)

    async def _list(self, base_url: str, target: ProviderFormat, variant: str) -> tuple[Reply, tuple[ListedModel, ...]]:
        url = models_url(base_url, target)
        first = reply = await self._call("GET", url, target, variant)
        found = listed_models(reply.json)
        for _ in range(_MOST_PAGES):
            more = next_page(reply.json) if reply.ok else None
            if more is None:
                break
            reply = await self._call("GET", with_query(url, *more), target, variant)
            found += listed_models(reply.json)
        return first, tuple({one.id: one for one in found}.values())

    async def _generate(self, base_url: str, target: ProviderFormat, variant: str) -> Reply:
        body = generation(target, NONSENSE)
        if target is not OPENAI:
            body.pop("stream", None)
        return await self._call("POST", generate_url(base_url, target, NONSENSE), target, variant, body)

    async def _responses(self, base_url: str, variant: str, checks: list[Step]) -> bool:
        """Returns whether the Responses endpoint is there: asked for a nonsense model, it complains in its way."""
        body: JSON = {"model": NONSENSE, "input": "ping", "max_output_tokens": 16, "store": False}
        reply = await self._call("POST", responses_url(base_url), OPENAI, variant, body)
        checks.append(self._step("responses", variant, reply))
        if reply.error or reply.status in (405, 501) or not takes_key(reply):
            return False
        # "Not found" may be the path or the model; only the model's has the shape of an error of this API.
        return looks(OPENAI, reply.json) and (reply.status != 404 or "model" in told(reply, ()).lower())

    async def _call(self, method: str, url: str, target: ProviderFormat, variant: str, body: JSON = None) -> Reply:
        try:
            place = address_of(url, proxy=self.access.proxy, ca_file=self.access.ca_file)
        except GatewayError as exc:
            return Reply(0, {}, error=exc.fault.message)
        fields = self.access.fields(target, variant)
        return await self.asker.call(method, place, fields, body, timeout_s=self.timeout_s)

    async def ask_model(
        self, base_url: str, target: ProviderFormat, model: str, variant: str, body: dict[str, JSON]
    ) -> Reply:
        """Returns the answer of a generating call."""
        return await self._call("POST", generate_url(base_url, target, model), target, variant, body)

    async def ask_responses(self, base_url: str, model: str, variant: str) -> Reply:
        """Returns the answer of a Responses call."""
        body: JSON = {"model": model, "input": "ping", "max_output_tokens": 16, "store": False}
        return await self._call("POST", responses_url(base_url), OPENAI, variant, body)

    def _step(self, name: str, variant: str, reply: Reply) -> Step:
        said = told(reply, (self.access.key,))
        return Step(name, variant, reply.status, said if reply.error else "", said)


def generation(target: ProviderFormat, model: str) -> dict[str, JSON]:
    """Returns the smallest body that makes a model answer: one word in, one token out."""
    if target is GEMINI:
        return {"contents": [{"role": "user", "parts": [{"text": "ping"}]}], "generationConfig": {"maxOutputTokens": 1}}
    return {"model": model, "messages": [{"role": "user", "content": "ping"}], "max_tokens": 1, "stream": False}


def host_of(base_url: str) -> str:
    """Returns the host a base URL names, for pacing."""
    try:
        return urlsplit(base_url).netloc.lower()
    except ValueError:
        return base_url


async def gather(*jobs: "asyncio._CoroutineLike[Detection]") -> list[Detection]:
    """Returns all results; when one fails or the caller is cancelled, the others end too."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(job) for job in jobs]
    return [task.result() for task in tasks]
