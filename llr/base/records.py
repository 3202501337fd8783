"""Records: the standard library's dataclasses as far as this program uses them, made without compiling anything.

`dataclass(frozen=True, slots=True)` of the standard library compiles six methods, 0.6 ms for each class, and a short
command imports a hundred of them to make instances of ten. Here nothing is compiled but `__init__`, and that when the
first instance is made. To a type checker these *are* the standard library's, so what differs must fail: only `frozen`
and `slots` are known, a record has no record among its bases, and every field is an argument.
"""

import sys
from _operator import attrgetter
from _thread import get_ident
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass, field, fields, replace
else:
    _MISSING = object()
    _SHOWING = set()

    class _Field:
        """What `field` was told about one field."""

        __slots__ = ("compare", "default", "factory", "repr")

        def __init__(self, default, factory, shown, compare):
            self.default = default
            self.factory = factory
            self.repr = shown
            self.compare = compare

    def field(*, default=_MISSING, default_factory=_MISSING, repr=True, compare=True):
        """Returns a field with a default, or one that is left out of the text or of comparisons."""
        if default is not _MISSING and default_factory is not _MISSING:
            raise ValueError("cannot specify both default and default_factory")
        return _Field(default, default_factory, repr, compare)

    def dataclass(*, frozen=False, slots=False):
        """Returns what makes a class a record. Raises TypeError for one that this module cannot make."""
        if not slots:
            raise TypeError("a record has slots")
        return lambda cls: _record(cls, frozen)

    def replace(record, /, **changes):
        """Returns a copy with these fields changed."""
        for name in record.__match_args__:
            if name not in changes:
                changes[name] = getattr(record, name)
        return record.__class__(**changes)

    def fields(record):
        """Returns the standard library's description of every field."""
        from dataclasses import fields

        return fields(record)

    if sys.version_info >= (3, 14):

        def _annotations(cls):
            from annotationlib import Format, get_annotations

            return get_annotations(cls, format=Format.FORWARDREF)

    else:

        def _annotations(cls):
            # Not inspect.get_annotations: this module is there to do without `inspect`.
            return cls.__dict__.get("__annotations__", {})  # noqa: RUF063

    def _spec(cls, name):
        """Returns the field of this name, its default taken from the class body."""
        found = cls.__dict__.get(name, _MISSING)
        if isinstance(found, _Field):
            spec = found
        elif hasattr(found, "__get__") and hasattr(found, "__set__"):
            # An attribute of slots or a property: no default of a field.
            raise TypeError(f"{cls.__name__}.{name} is no default")
        else:
            spec = _Field(found, _MISSING, True, True)
        if spec.default is not _MISSING and spec.default.__class__.__hash__ is None:
            raise ValueError(f"mutable default {type(spec.default)} for field {name}: use default_factory")
        return spec

    def _record(cls, frozen):
        for base in cls.__mro__[1:]:
            if "__dataclass_fields__" in base.__dict__:
                raise TypeError(f"{cls.__name__} has a record among its bases")
        specs = {name: _spec(cls, name) for name in _annotations(cls)}
        optional = False
        for name, spec in specs.items():
            given = spec.default is not _MISSING or spec.factory is not _MISSING
            if optional and not given:
                raise TypeError(f"non-default argument {name!r} follows default argument")
            optional = given
        body = {name: value for name, value in cls.__dict__.items() if name not in specs}
        body.pop("__dict__", None)
        body.pop("__weakref__", None)
        names = tuple(specs)
        body["__slots__"] = body["__match_args__"] = names
        body["__dataclass_fields__"] = _Fields(specs)
        made = type(cls)(cls.__name__, cls.__bases__, body)
        made.__qualname__ = cls.__qualname__
        made.__init__ = _first_init(made, specs, body if frozen else None)
        made.__repr__ = body.get("__repr__") or _repr(tuple(name for name in names if specs[name].repr))
        _compare(made, body, tuple(name for name in names if specs[name].compare), frozen)
        if frozen:
            _freeze(made, names)
        return made

    class _Fields:
        """The standard library's own description of the fields, made when somebody asks for it."""

        __slots__ = ("specs",)

        def __init__(self, specs):
            self.specs = specs

        def __get__(self, record, owner):
            import dataclasses

            rows = []
            types = _annotations(owner)
            for name, spec in self.specs.items():
                how = {"repr": spec.repr, "compare": spec.compare}
                if spec.default is not _MISSING:
                    how["default"] = spec.default
                if spec.factory is not _MISSING:
                    how["default_factory"] = spec.factory
                rows.append((name, types[name], dataclasses.field(**how)))
            found = dataclasses.make_dataclass(owner.__name__, rows).__dataclass_fields__
            owner.__dataclass_fields__ = found
            return found

    def _first_init(cls, specs, frozen):
        """Returns an `__init__` that compiles the real one, puts it in its own place, and calls it.

        `frozen` is the class's body, None for a record that may be changed.
        """

        def __init__(self, /, *args, **kwargs):
            real = _init(cls, specs, frozen)
            cls.__init__ = real
            real(self, *args, **kwargs)

        return __init__

    def _init(cls, specs, frozen):
        scope = {"_MISSING": _MISSING}
        params, lines = [], []
        for at, (name, spec) in enumerate(specs.items()):
            value = name
            if spec.factory is not _MISSING:
                scope[f"_f{at}"] = spec.factory
                params.append(f"{name}=_MISSING")
                value = f"_f{at}() if {name} is _MISSING else {name}"
            elif spec.default is not _MISSING:
                scope[f"_d{at}"] = spec.default
                params.append(f"{name}=_d{at}")
            else:
                params.append(name)
            lines.append(f"_self.{name} = {value}")
        if frozen is not None and lines:
            # While its fields are set it is of a class like its own that is not frozen: `object.__setattr__` for each
            # field takes twice as long, and a long conversation is thousands of records.
            scope["_become"] = object.__dict__["__class__"].__set__
            scope["_open"] = type(cls)(cls.__name__, cls.__bases__, frozen)
            scope["_cls"] = cls
            lines = ["_become(_self, _open)", *lines, "_self.__class__ = _cls"]
        if hasattr(cls, "__post_init__"):
            lines.append("_self.__post_init__()")
        source = f"def __init__({', '.join(['_self', *params])}):\n " + "\n ".join(lines or ["pass"])
        exec(source, scope)
        made = scope["__init__"]
        made.__qualname__ = f"{cls.__qualname__}.__init__"
        made.__module__ = cls.__module__
        return made

    def _repr(names):
        def __repr__(self):
            key = id(self), get_ident()
            if key in _SHOWING:
                return "..."
            _SHOWING.add(key)
            try:
                shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
            finally:
                _SHOWING.discard(key)
            return f"{self.__class__.__qualname__}({shown})"

        return __repr__

    def _compare(cls, body, names, frozen):
        """Gives the class equality by its fields, and a hash where it is frozen."""
        if len(names) > 1:
            values = attrgetter(*names)
        elif names:
            get = attrgetter(*names)

            def values(self):
                return (get(self),)
        else:

            def values(self):
                return ()

        def __eq__(self, other):
            if other.__class__ is self.__class__:
                return values(self) == values(other)
            return NotImplemented

        def __hash__(self):
            return hash(values(self))

        own = "__eq__" in body
        if not own:
            cls.__eq__ = __eq__
        if body.get("__hash__") is None:
            # As the standard library decides: a class that has its own equality only has no hash.
            cls.__hash__ = __hash__ if frozen else None

    def _freeze(cls, names):
        known = frozenset(names)

        def __setattr__(self, name, value):
            if type(self) is cls or name in known:
                from dataclasses import FrozenInstanceError

                raise FrozenInstanceError(f"cannot assign to field {name!r}")
            super(cls, self).__setattr__(name, value)

        def __delattr__(self, name):
            if type(self) is cls or name in known:
                from dataclasses import FrozenInstanceError

                raise FrozenInstanceError(f"cannot delete field {name!r}")
            super(cls, self).__delattr__(name)

        cls.__setattr__ = __setattr__
        cls.__delattr__ = __delattr__
        if "__getstate__" not in cls.__dict__:
            cls.__getstate__ = _getstate
            cls.__setstate__ = _setstate

    def _getstate(self):
        return [getattr(self, name) for name in self.__match_args__]

    def _setstate(self, state):
        for name, value in zip(self.__match_args__, state, strict=True):
            object.__setattr__(self, name, value)


def asdict(record: Any) -> dict[str, Any]:
    """Returns the standard library's `asdict`."""
    from dataclasses import asdict

    return asdict(record)


__all__ = ["asdict", "dataclass", "field", "fields", "replace"]
