"""What ships of a source, as text and as bytecode: the lines stay true, and every Python of a minor makes the same."""

import ast
import dis
import hashlib
import marshal
import shutil
import subprocess
import sys
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType

import build_zipapp

ROOT = Path(__file__).resolve().parents[2]

READ = b'''"""What a module says."""
# A comment
#!and one more


def f(a: int, *rest: "dict[str, int]", \xc3\xa9: str = "\xc3\xa9", b: list[
    int
]) -> dict[str, int]:
    """One line."""
    text = """
# no comment
    """
    return text + f"""
# nor this {a}
"""


class Alone(Exception):
    """Says
    much.
    """


def g(a: int) -> tuple[
    int, str
]: ...
'''
UNREAD = b'''




def f(a, *rest, \xc3\xa9 = "\xc3\xa9", b

):

    text = """
# no comment
    """
    return text + f"""
# nor this {a}
"""


class Alone(Exception):
    pass




def g(a) -> tuple[
    int, str
]: ...
'''


def test_what_only_people_read_is_cut_out_of_every_shape() -> None:
    assert build_zipapp.bare(READ, package=False) == UNREAD
    assert build_zipapp.bare(READ, package=True).startswith(b'"""What a module says."""\n\n\n\n\ndef f(a, *rest')


def unread(source: bytes, name: str) -> list[tuple[int, str]]:
    """Returns line and text of every statement of a module, without docstrings and annotations of functions."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            kept = isinstance(node, ast.Module) and name.endswith("__init__.py")
            if ast.get_docstring(node) is not None and not kept:
                del node.body[0]
            node.body = node.body or [ast.Pass()]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not isinstance(node, ast.Pass))
    return [(node.lineno, ast.dump(node)) for node in nodes]


def test_shipped_sources_lack_only_what_people_read_and_keep_their_lines(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "llr", tmp_path / "llr")
    shipped = {name: data for name, data in build_zipapp.source_files(tmp_path).items() if name.endswith(".py")}
    assert len(shipped) > 100
    for name, data in shipped.items():
        source = (tmp_path / name).read_bytes()
        assert unread(data, name) == unread(source, name), name
        assert data.count(b"\n") == source.count(b"\n"), name


# Each function is one that 3.11.2 and 3.11.7 compile differently as it stands: the jump out of a case leads to another.
FALLING_OUT = b"""
def in_a_loop(things):
    for thing in things:
        match thing:
            case int():
                number = thing
            case str():
                word = thing

def a_case_that_ends_in_an_if(thing):
    match thing:
        case int():
            if thing:
                number = thing
            elif other:
                word = thing
        case str():
            word = thing
        case _:
            pass
    return word

def both(things):
    while things:
        match things:
            case [int() as number] if number:
                if number > 1:
                    word = number
            case {"a": _}:
                for word in things:
                    number = word
"""
# What both of them make of it, by the magic number of their bytecode.
FELL_OUT = {3495: "478f26ae542411185ebf1382d65bdba3dee9752dd71720c24334a0de98d3025f"}


def folded(code: CodeType) -> list[int]:
    """Returns the lines of the jumps out of a case that go straight back to the loop's head."""
    jumps = (line for line in dis.get_instructions(code) if line.opname == "JUMP_BACKWARD" and line.positions)
    return [line.positions.lineno or 0 for line in jumps if line.positions]


def test_match_compiles_alike_in_every_release_of_a_minor() -> None:
    compiled = build_zipapp.bytecode({"llr/sample.py": FALLING_OUT})["llr/sample.pyc"]
    found = hashlib.sha256(compiled[16:]).hexdigest()
    assert found == FELL_OUT.get(int.from_bytes(MAGIC_NUMBER[:2], "little"), found)
    functions = [code for code in marshal.loads(compiled[16:]).co_consts if isinstance(code, CodeType)]
    # Only the loop's own jump goes back; those out of the cases lead to the `pass` after the whole.
    assert [len(folded(code)) for code in functions] == [1, 0, 1]


def test_every_python_of_this_minor_here_builds_the_same_bytes(pyz: Path, tmp_path: Path) -> None:
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    found = {sys.executable, shutil.which(name), shutil.which(name, path="/usr/bin:/usr/local/bin")} - {None}
    root = tmp_path / "tree"
    shutil.copytree(ROOT / "llr", root / "llr", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "build_zipapp.py", root)
    built = set()
    for python in found:
        output = tmp_path / "llr.pyz"
        command = [str(python), str(root / "build_zipapp.py"), "--wheelhouse", str(ROOT / "build" / "wheels")]
        done = subprocess.run([*command, "--output", str(output)], capture_output=True, text=True, check=False)
        assert done.stderr == "", python
        built.add(hashlib.sha256(output.read_bytes()).hexdigest())
    assert len(built) == 1, found
