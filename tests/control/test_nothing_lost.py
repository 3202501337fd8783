"""Any config, any operation that saves: what the operation is not about comes out as it went in, to the last digit.

Every config of the corpus is filled with unknown keys, odd numbers and lone surrogates in every object first.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llr.config.document import WrittenFloat, WrittenInt, read_document, write_document
from llr.config.locate import aliases, model_refs, providers
from llr.config.migrate import upgrade
from llr.config.schema import Doc
from tests.control.desk import Desk

CORPUS = sorted((Path(__file__).parents[1] / "config" / "corpus").glob("*.json"))
STRAY = {
    "zz-stray": read_document(
        b'{"n": [1.50, 1e3, -0, 1E+2, 123456789012345678901234567890, 1e999], "u": "\\ud800 \\u00e9", "z": null}'
    ).value
}
# Objects whose members are names or data, where a stray member would be an entry.
MAPS = ("modelAliases", "model-aliases", "headers", "zz-stray", "routes", "subagentMappings")


@dataclass(frozen=True)
class Names:
    """What of a config the operations are about: the first model that serves, another one, and the last alias."""

    doc: Doc
    owner: str
    model: str
    other: str
    alias: str
    at: int


@dataclass(frozen=True)
class Edit:
    """One operation: its flags, and which places of the document it may touch."""

    line: tuple[str, ...]
    about: tuple[str, ...]
    renamed: tuple[str, ...] = field(default=())


DEFAULT = (r"\$\.(defaultModel|default-model)", r"\$\.(modelAliases|model-aliases)(\.default.*)?")
NEW = ("--base-url=https://d.example", "--format=openai", "--skip-probe")


def edits(this: Names) -> dict[str, Edit]:
    """Returns the operations for one config."""
    owner, entry = f"--provider-id={this.owner}", rf"\$\.providers(\[{this.at}\])?"
    listed = this.doc["providers"]
    count = len(listed) if isinstance(listed, list) else 1
    return {
        "set-master-key": Edit(("--master-key=gw_abcdefghijklmnopqrstuvwxyz0A1-",), (r"\$\.master-?[kK]ey",)),
        "set-default-model": Edit((f"--model={this.owner}/{this.model}",), DEFAULT),
        "upsert-model-alias": Edit(
            ("--alias-id=newone", f"--targets={this.owner}/{this.model}"), (r"\$\.model-?[aA]liases(\.newone.*)?",)
        ),
        "set-provider-rate-limits": Edit(
            (owner, "--bucket-name=Nu", "--bucket-models=all", "--bucket-requests=7", "--bucket-window=2w"),
            (entry + r"\.rate-?[lL]imits(\[\d+\].*)?",),
        ),
        "set-model-fallbacks": Edit(
            (owner, f"--model={this.model}", f"--fallback-models={this.other}" if this.other else "--clear-fallbacks"),
            (entry + r"\.models\[\d+\](\.(id|fallback|silent).*)?",),
        ),
        "upsert-provider": Edit(
            ("--name=Nu", "--api-key=sk-demo-0123456789", "--models=m1", *NEW),
            (r"\$\.providers(\[0\])?", rf"\$\.providers\[{count}\].*", *DEFAULT),
        ),
        "upsert-provider --api-key-env": Edit(
            (owner, "--api-key-env=SOME_KEY", "--skip-probe"),
            (entry + r"\.(apiKey|apiKeyEnv|credential|name|headers(\.User-Agent)?)", *DEFAULT),
        ),
        "rename-provider": Edit((owner, "--new-id=zzz"), (entry + r"\.id",), (this.owner,)),
        "rename-model": Edit((owner, f"--model={this.model}", "--new-id=zzz"), (), (this.model,)),
        "migrate-config": Edit((), ()),
    }


def stray(value: Any, name: str = "") -> Any:
    """Returns the value with a stray member at the end of every object."""
    if isinstance(value, dict):
        filled = {key: stray(item, key) for key, item in value.items()}
        return filled if name in MAPS else {**filled, **STRAY}
    return [stray(item) for item in value] if isinstance(value, list) else value


def flat(value: Any, path: str = "$") -> Iterator[tuple[str, object]]:
    """Yields every place with what it holds: numbers as they are spelled, keys of objects as places below."""
    if isinstance(value, dict):
        yield path, "{}"
        for key, item in value.items():
            yield from flat(item, f"{path}.{key}")
    elif isinstance(value, list):
        yield path, "[]"
        for index, item in enumerate(value):
            yield from flat(item, f"{path}[{index}]")
    else:
        yield path, value.text if isinstance(value, WrittenInt | WrittenFloat) else value


def document(data: bytes) -> Doc:
    value = read_document(data).value
    assert isinstance(value, dict)
    return value


def listing(doc: Doc) -> Doc:
    """Returns the document as it is written, a single provider as a list of one."""
    found = document(write_document(doc))
    return found if isinstance(found["providers"], list) else {**found, "providers": [found["providers"]]}


def reordered(before: Any, after: Any) -> bool:
    """Returns whether members that both have come in another order anywhere."""
    if isinstance(before, dict) and isinstance(after, dict):
        shared = [key for key in before if key in after]
        return shared != [key for key in after if key in before] or any(
            reordered(before[key], after[key]) for key in shared
        )
    if isinstance(before, list) and isinstance(after, list):
        return any(reordered(*pair) for pair in zip(before, after, strict=False))
    return False


def named(doc: Doc) -> Names:
    """Returns the names in a document that serves something."""
    local = {own for own, entry in providers(doc) if entry.get("type") in ("local-runtime", "subscription")}
    refs = [ref for ref in model_refs(doc, serving_only=True) if ref.partition("/")[0] not in local]
    owner, _, model = refs[0].partition("/")
    at = next(at for at, (own, _) in enumerate(providers(doc)) if own == owner)
    alias = [key.strip() for key in aliases(doc) or {}] or ["default"]
    return Names(doc, owner, model, refs[-1] if refs[-1] != refs[0] else "", alias[-1], at)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_an_operation_touches_only_what_it_is_about(desk: Desk, path: Path) -> None:
    doc = stray(document(path.read_bytes()))
    for name, edit in edits(named(doc)).items():
        desk.file.write_bytes(write_document(doc))
        code, _, err = desk.run(name.partition(" ")[0], *edit.line)
        assert code == 0, (name, err)
        before, after = listing(upgrade(document(write_document(doc)))), listing(document(desk.file.read_bytes()))
        places, now = dict(flat(before)), dict(flat(after))
        for place in places.keys() | now.keys():
            old, new = places.get(place), now.get(place)
            if (old, place in places) == (new, place in now) or any(re.fullmatch(one, place) for one in edit.about):
                continue
            follows = isinstance(old, str) and isinstance(new, str) and any(word in old for word in edit.renamed)
            assert follows, (name, place, old, new)
            assert "zzz" in str(new), (name, place, old, new)
        assert not reordered(before, after), name
