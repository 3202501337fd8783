"""Records behave as the standard library's dataclasses do, each of them that this program has."""

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import sys
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pytest

import llr
from llr.base import records

T = TypeVar("T")


@records.dataclass(frozen=True, slots=True)
class Point:
    """Has all kinds of fields."""

    x: int
    y: int = 2
    tags: tuple[str, ...] = records.field(default=(), compare=False)
    notes: dict[str, int] = records.field(default_factory=dict, repr=False)

    @property
    def sum(self) -> int:
        return self.x + self.y


@records.dataclass(slots=True)
class Box(Generic[T]):
    """May be changed."""

    value: T
    others: list[T] = records.field(default_factory=list)

    def __post_init__(self) -> None:
        self.others.append(self.value)


@records.dataclass(frozen=True, slots=True)
class Empty:
    """Has no field."""


def all_records() -> list[type[Any]]:
    found: dict[str, type[Any]] = {}
    for module in pkgutil.walk_packages(llr.__path__, "llr."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, type) and hasattr(value, "__dataclass_fields__"):
                found[f"{value.__module__}.{name}"] = value
    return list(found.values())


@pytest.mark.parametrize("cls", all_records(), ids=lambda cls: cls.__qualname__)
def test_every_record_is_what_dataclasses_would_have_made(cls: type[Any]) -> None:
    shown = list(dataclasses.fields(cls))
    rows = [
        (
            one.name,
            one.type,
            dataclasses.field(
                default=one.default, default_factory=one.default_factory, repr=one.repr, compare=one.compare
            ),
        )
        for one in shown
    ]
    frozen = cls.__hash__ is not None
    twin = dataclasses.make_dataclass(
        cls.__name__,
        rows,
        frozen=frozen,
        slots=True,
        namespace={"__post_init__": lambda _self: None} if hasattr(cls, "__post_init__") else {},
    )
    names: tuple[str, ...] = cls.__dict__["__match_args__"]
    assert names == twin.__dict__["__match_args__"]
    values = [object() for _ in rows]
    ours, theirs = object.__new__(cls), twin(*values)
    for name, value in zip(names, values, strict=True):
        object.__setattr__(ours, name, value)
    own_text = "__repr__" in inspect.getsource(cls)
    assert own_text or repr(ours).partition("(")[2] == repr(theirs).partition("(")[2]
    assert (ours == ours) is True
    assert not hasattr(ours, "__dict__")
    if frozen:
        assert hash(ours) == hash(theirs) or "__hash__" in inspect.getsource(cls)
        with pytest.raises(dataclasses.FrozenInstanceError):
            ours.anything = 1
    if not hasattr(cls, "__post_init__"):
        required = {one.name: object() for one in shown if one.default is one.default_factory}
        made = cls(**required)
        assert all(getattr(made, name) is value for name, value in required.items())
        assert [(p.name, p.default is not p.empty) for p in parameters(cls)] == [
            (p.name, p.default is not p.empty) for p in parameters(twin)
        ]


def parameters(cls: type[Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(cls.__init__).parameters.values())[1:]


def test_defaults_text_and_equality() -> None:
    point = Point(1)
    assert repr(point) == "Point(x=1, y=2, tags=())"
    assert point == Point(1, 2, ("a",))
    assert point != Point(1, 3)
    other: object = (1, 2)
    assert point != other
    assert hash(Empty()) == hash(())
    assert Empty() == Empty()
    assert Point(1).notes is not Point(1).notes
    assert point.sum == 3


def test_what_is_frozen_cannot_be_changed() -> None:
    point = Point(1)
    change: Callable[[Any], None] = lambda it: setattr(it, "x", 2)  # noqa: E731
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        change(point)
    with pytest.raises(dataclasses.FrozenInstanceError):
        del point.x
    with pytest.raises(AttributeError):
        change(Empty())


def test_what_is_not_frozen_can() -> None:
    box = Box(1)
    box.value = 2
    assert box.others == [1]
    assert box.__hash__ is None
    with pytest.raises(AttributeError):
        box.more = 1
    box.others.append(box)
    assert repr(box) == "Box(value=2, others=[1, ...])"


def test_patterns_copies_and_the_standard_library() -> None:
    match Point(1, 5):
        case Point(1, y):
            assert y == 5
        case _:
            pytest.fail("no match")
    assert records.replace(Point(1), y=4) == dataclasses.replace(Point(1), y=4) == Point(1, 4)
    with pytest.raises(TypeError):
        records.replace(Point(1), z=1)  # type: ignore[call-arg]
    assert records.asdict(Point(1)) == {"x": 1, "y": 2, "tags": (), "notes": {}}
    assert [one.name for one in records.fields(Point(1))] == ["x", "y", "tags", "notes"]
    assert copy.copy(Point(1)) == copy.deepcopy(Point(1)) == pickle.loads(pickle.dumps(Point(1))) == Point(1)
    assert copy.copy(Box(1)) == Box(1)


@pytest.mark.parametrize("missing", [(), (1, 2, (), {}, 5)])
def test_wrong_arguments_are_refused(missing: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        Point(*missing)
    with pytest.raises(TypeError, match="no_such"):
        Point(1, no_such=2)  # type: ignore[call-arg]


def test_what_this_module_cannot_make_fails() -> None:
    make = records.dataclass(frozen=True, slots=True)
    with pytest.raises(TypeError, match="slots"):
        records.dataclass(frozen=True)
    with pytest.raises(TypeError, match="among its bases"):
        make(type("Child", (Point,), {"__annotations__": {"z": int}}))
    with pytest.raises(ValueError, match="mutable default"):
        make(type("Shared", (), {"__annotations__": {"z": list}, "z": []}))
    with pytest.raises(TypeError, match="follows default"):
        make(type("Order", (), {"__annotations__": {"a": int, "b": int}, "a": 1}))
    with pytest.raises(ValueError, match="both"):
        records.field(default=1, default_factory=int)  # type: ignore[call-overload]


def test_no_module_goes_around_it() -> None:
    """One such import and every command pays for `inspect` again."""
    for module in pkgutil.walk_packages(llr.__path__, "llr."):
        if module.name.endswith("__main__"):
            continue
        source = inspect.getsource(sys.modules.get(module.name) or importlib.import_module(module.name))
        assert "\nfrom dataclasses import" not in source, module.name
