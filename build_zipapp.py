#!/usr/bin/env python3
"""Writes `llr.pyz`: the package and what it needs in one file that any Python 3.11+ runs.

Law: the bytes depend on the sources, the pinned wheels, this Python's compiler and zlib, on nothing else: no clock,
no path, no umask, no file order. Needs the standard library, and pip only to fetch wheels that are not at hand.
"""

import sys

# Before anything that an older Python lacks, and nothing below is in a grammar that 3.6 cannot parse.
if sys.version_info < (3, 11):
    sys.exit("build_zipapp: llr needs Python 3.11 or newer, and this is Python %d.%d." % sys.version_info[:2])

import argparse
import ast
import base64
import hashlib
import importlib.util
import io
import json
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
CACHE = ROOT / "build" / "wheels"
# The oldest instant that a zip can hold; any fixed one would do.
EPOCH = (1980, 1, 1, 0, 0, 0)
SHEBANG = b"#!/usr/bin/env python3\n"
# What never ships: the fakes that tests use.
LEFT_OUT = {"llr/testing.py"}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
SCOPES = (ast.ClassDef, *FUNCTION)


@dataclass(frozen=True, slots=True)
class Wheel:
    """One pinned wheel: `package` is the folder in it that ships, `licence` an SPDX id."""

    name: str
    version: str
    package: str
    sha256: str
    licence: str

    @property
    def file(self) -> str:
        """Returns the wheel's file name."""
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"


BASE = (
    Wheel("certifi", "2026.10.19.post1", "certifi",
          "1324c476b4811eff41a8bc2122cd0bbd4d9c7234c725446d99ab1612b3a7fdd2", "MPL-2.0"),
    Wheel("h11", "0.16.0", "h11",
          "63cf8bbe7522de3bf65932fda1d9c2772064ffb3dae62d55932da54b31cb6c86", "MIT"),
)  # fmt: skip
# redis needs async-timeout before Python 3.11.3; one archive serves every 3.11, so it always comes along.
EXTRAS: Mapping[str, tuple[Wheel, ...]] = {
    "redis": (
        Wheel("async-timeout", "5.0.1", "async_timeout",
              "39e3809566ff85354557ec2398b55e096c8364bacac9405a7a1fa429e77fe76c", "Apache-2.0"),
        Wheel("redis", "8.1.0", "redis",
              "a4fe1aac3d3b3cc791d4b3d5931c5a956045dc951ee74d1c913ee3ac4d2ee9fb", "MIT"),
    ),
}  # fmt: skip

# Must be understood by Python 2.7 and 3.4, so that they can say what is missing instead of a syntax error.
MAIN = b'''\
import sys

if sys.version_info < (3, 11):
    sys.stderr.write("llr needs Python 3.11 or newer, and this is Python %d.%d.\\n" % sys.version_info[:2])
    sys.exit(2)

from llr.cli.main import main

sys.exit(main())
'''

# Runs in a fresh interpreter with a fixed hash seed: marshal's back references follow reference counts, and what this
# process has imported must not leak into the bytes. Docstrings are left out (a class keeps a blank one, or the standard
# library's dataclass() would write one at every start).
# `match` is the one statement that releases of 3.11 compile differently: 3.11.2 gives the jump out of a case a line, a
# later one gives it none, and by that it is folded into the jump it leads to or not. A `pass` at the end of every case
# and after the whole gives it the same line everywhere (25,000 random functions came out alike from 3.11.2 and 3.11.7).
COMPILER = """
import ast, base64, json, marshal, sys
SCOPES = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
class Settle(ast.NodeTransformer):
    def visit_Match(self, node):
        self.generic_visit(node)
        for case in node.cases:
            case.body.append(ast.copy_location(ast.Pass(), node))
        return [node, ast.copy_location(ast.Pass(), node)]
def settled(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, *SCOPES)) and ast.get_docstring(node):
            first = node.body[0]
            if isinstance(node, ast.ClassDef):
                first.value.value = " "
            else:
                node.body[:1] = [] if len(node.body) > 1 else [ast.copy_location(ast.Pass(), first)]
    return Settle().visit(tree)
out = {}
for name, source in json.load(sys.stdin).items():
    code = compile(settled(ast.parse(base64.b64decode(source))), name, "exec", dont_inherit=True, optimize=0)
    out[name] = base64.b64encode(marshal.dumps(code)).decode("ascii")
json.dump(out, sys.stdout)
"""


def give_up(message: str) -> NoReturn:
    """Ends the build with one line on stderr and exit code 1."""
    sys.exit(f"build_zipapp: {message}")


def bare(source: bytes, package: bool) -> bytes:
    """Returns a module without what only people and type checkers read, every other thing on the line where it was.

    Gone are lines of comment, docstrings (a package keeps its own: `llr help layout` shows it) and the annotations of
    functions (where "->" takes several lines, it stays). What looks like a comment inside a long string is none.
    """
    lines = source.splitlines(keepends=True)
    start = [0]
    for line in lines:
        start.append(start[-1] + len(line))

    def end(node: ast.stmt | ast.expr) -> int:
        return start[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)

    documented = SCOPES if package else (ast.Module, *SCOPES)
    cuts: list[tuple[int, int, bytes]] = []
    literal: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Constant, ast.JoinedStr)):
            literal.update(range(node.lineno, node.end_lineno or 0))
        if isinstance(node, documented) and ast.get_docstring(node):
            said, alone = node.body[0], not node.body[1:]
            first = start[said.lineno - 1] + (said.col_offset if alone else 0)
            cuts.append((first, end(said), b"pass" if alone else b""))
        if isinstance(node, FUNCTION) and node.returns is not None and node.returns.lineno == node.returns.end_lineno:
            cuts.append((source.rindex(b" ->", 0, end(node.returns)), end(node.returns), b""))
        if isinstance(node, ast.arg) and node.annotation is not None:
            name = start[node.lineno - 1] + node.col_offset + len(node.arg.encode())
            cuts.append((name, end(node.annotation), b""))
    comments = (n for n, line in enumerate(lines) if n not in literal and line.lstrip().startswith(b"#"))
    cuts += ((start[n], start[n + 1] - 1, b"") for n in comments)
    for first, last, filler in sorted(cuts, reverse=True):
        source = source[:first] + filler + b"\n" * source.count(b"\n", first, last) + source[last:]
    return source


def source_files(root: Path) -> dict[str, bytes]:
    """Returns archive name -> bytes of everything in `llr/` that ships; bytecode, hidden and backup files do not."""
    files: dict[str, bytes] = {}
    for path in sorted((root / "llr").rglob("*")):
        name = path.relative_to(root).as_posix()
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.split("/"))
        junk = path.suffix in {".pyc", ".pyo", ".orig", ".rej", ".swp"} or name.endswith("~")
        if path.is_file() and not hidden and not junk and name not in LEFT_OUT:
            data = path.read_bytes()
            files[name] = bare(data, path.name == "__init__.py") if path.suffix == ".py" else data
    if "llr/__init__.py" not in files:
        give_up(f"no llr/ package in {root}")
    return files


def wheel_files(wheel: Wheel, data: bytes) -> dict[str, bytes]:
    """Returns archive name -> bytes of a wheel's package (without its tests) and its licence text."""
    files: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            head, _, rest = name.partition("/")
            if head == wheel.package and not name.endswith("/") and not rest.startswith("tests/"):
                files[name] = archive.read(name)
            elif head.endswith(".dist-info") and rest.rpartition("/")[2].startswith("LICENSE"):
                files[f"{wheel.package}/{rest.rpartition('/')[2]}"] = archive.read(name)
    return files


def checked(wheel: Wheel, path: Path) -> bytes | None:
    """Returns the wheel's bytes, or None where there is no such file. Ends the build when the hash differs."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    digest = hashlib.sha256(data).hexdigest()
    if digest != wheel.sha256:
        give_up(f"{path} has sha256 {digest}, pinned is {wheel.sha256}")
    return data


def fetch(wheels: tuple[Wheel, ...], folder: Path) -> None:
    """Returns when pip has put the wheels into `folder`."""
    if importlib.util.find_spec("pip") is None:
        give_up("pip is missing: apt-get install python3-pip (or pass --wheelhouse DIR with the wheels in it)")
    folder.mkdir(parents=True, exist_ok=True)
    pins = folder / f"pins.{os.getpid()}.txt"
    pins.write_text("".join(f"{w.name}=={w.version} --hash=sha256:{w.sha256}\n" for w in wheels), encoding="ascii")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "--dest", str(folder), "--requirement", str(pins)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    pins.unlink()
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = errors[0].removeprefix("ERROR: ") if errors else f"exit code {done.returncode}"
        give_up(f"pip could not fetch the wheels: {reason} (offline: pass --wheelhouse DIR)")


def vendored(wheels: tuple[Wheel, ...], wheelhouse: Path | None) -> dict[str, bytes]:
    """Returns archive name -> bytes of all wheels, from `wheelhouse`, else the cache, else pip."""
    folder = wheelhouse or CACHE
    missing = tuple(wheel for wheel in wheels if checked(wheel, folder / wheel.file) is None)
    if missing and wheelhouse:
        give_up(f"{wheelhouse} lacks {', '.join(wheel.file for wheel in missing)}")
    if missing:
        fetch(missing, folder)
    files: dict[str, bytes] = {}
    for wheel in wheels:
        data = checked(wheel, folder / wheel.file)
        if data is None:
            give_up(f"pip fetched no {wheel.file}")
        files |= wheel_files(wheel, data)
    return files


def bytecode(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns archive name -> `.pyc` for every module, for this Python minor.

    They lie beside their sources, where zipimport looks first; the header says "unchecked hash" (PEP 552), so no time
    stamp counts, and another minor sees a foreign magic number and takes the source. Column positions are left out: a
    sixth of the whole file, for the carets under a line of a traceback.
    """
    modules = {name: base64.b64encode(data).decode("ascii") for name, data in sources.items() if name.endswith(".py")}
    keep = {key: os.environ[key] for key in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if key in os.environ}
    done = subprocess.run(
        [sys.executable, "-X", "no_debug_ranges", "-s", "-S", "-c", COMPILER],
        input=json.dumps(modules), capture_output=True, text=True, check=False, env={**keep, "PYTHONHASHSEED": "0"},
    )  # fmt: skip
    if done.returncode != 0:
        give_up(f"a source does not compile: {done.stderr.strip().splitlines()[-1]}")
    unchecked = (0b01).to_bytes(4, "little")
    compiled: dict[str, bytes] = {}
    for name, code in json.loads(done.stdout).items():
        header = importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(sources[name])
        compiled[name.removesuffix("py") + "pyc"] = header + base64.b64decode(code)
    return compiled


def entries(files: Mapping[str, bytes]) -> Iterator[tuple[zipfile.ZipInfo, bytes]]:
    """Yields the archive's members in name order, all with the same time and mode."""
    for name in sorted(files):
        info = zipfile.ZipInfo(name, EPOCH)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.create_system = 3  # Unix, wherever it is built
        info.external_attr = 0o100644 << 16
        yield info, files[name]


def archive(files: Mapping[str, bytes]) -> bytes:
    """Returns the whole file: shebang line, then the zip."""
    out = io.BytesIO()
    out.write(SHEBANG)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for info, data in entries(files):
            target.writestr(info, data, compresslevel=9)
    return out.getvalue()


def version_of(files: Mapping[str, bytes]) -> str:
    """Returns `__version__` as `llr/__init__.py` sets it, without running it."""
    found = re.search(rb'^__version__ = "(.+)"$', files["llr/__init__.py"], re.MULTILINE)
    return found[1].decode() if found else give_up("llr/__init__.py sets no __version__")


def bill_of_materials(version: str, wheels: tuple[Wheel, ...], digest: str) -> str:
    """Returns a CycloneDX 1.5 document of what is in the file; no time stamp, so that it repeats too."""
    parts = [
        {
            "type": "library", "bom-ref": f"pkg:pypi/{w.name}@{w.version}", "name": w.name, "version": w.version,
            "purl": f"pkg:pypi/{w.name}@{w.version}", "licenses": [{"license": {"id": w.licence}}],
            "hashes": [{"alg": "SHA-256", "content": w.sha256}],
        }
        for w in wheels
    ]  # fmt: skip
    own = {
        "type": "application", "bom-ref": f"llr@{version}", "name": "llr", "version": version,
        "licenses": [{"license": {"id": "MIT"}}], "hashes": [{"alg": "SHA-256", "content": digest}],
    }  # fmt: skip
    document = {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"component": own},
        "components": parts,
        "dependencies": [{"ref": own["bom-ref"], "dependsOn": [part["bom-ref"] for part in parts]}],
    }  # fmt: skip
    return json.dumps(document, indent=2) + "\n"


def write(path: Path, data: bytes, mode: int) -> None:
    """Returns when `path` holds `data`: a reader sees the old file or the new one, never half of one."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        part.chmod(mode)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def build(root: Path, output: Path, wheels: tuple[Wheel, ...], wheelhouse: Path | None) -> int:
    """Returns the size in bytes of the archive written to `output`; its SBOM and SHA-256 lie beside it."""
    own = source_files(root)
    files = own | vendored(wheels, wheelhouse)
    version = version_of(own)
    files |= bytecode(files)
    files["__main__.py"] = MAIN
    data = archive(files)
    digest = hashlib.sha256(data).hexdigest()
    write(output, data, 0o755)
    write(output.with_name(output.name + ".cdx.json"), bill_of_materials(version, wheels, digest).encode(), 0o644)
    write(output.with_name(output.name + ".sha256"), f"{digest}  {output.name}\n".encode(), 0o644)
    return len(data)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code of the build."""
    parser = argparse.ArgumentParser(description="Build llr.pyz, the whole gateway in one file.")
    parser.add_argument("--output", type=Path, default=ROOT / "llr.pyz", help="where to write (default: ./llr.pyz)")
    parser.add_argument("--wheelhouse", type=Path, help="take the pinned wheels from this folder; no network")
    parser.add_argument("--with", dest="extras", action="append", default=[], choices=sorted(EXTRAS),
                        help="vendor an optional dependency too")  # fmt: skip
    args = parser.parse_args(argv)
    extras = (wheel for name in sorted(set(args.extras)) for wheel in EXTRAS[name])
    wheels = tuple(sorted((*BASE, *extras), key=lambda wheel: wheel.name))
    try:
        size = build(ROOT, args.output, wheels, args.wheelhouse)
    except (OSError, zipfile.BadZipFile) as exc:
        give_up(str(exc))
    print(f"{args.output.name}: {size:,} bytes, Python {sys.version_info[0]}.{sys.version_info[1]} bytecode")
    return 0


if __name__ == "__main__":
    sys.exit(main())
