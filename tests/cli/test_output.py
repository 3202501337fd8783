import io
import json

import pytest

from llr.base.jsonio import JSON
from llr.cli import output
from llr.cli.output import Output
from llr.control.report import FAILED, INVALID, Fields, Items, Outcome, Problem, Refused, Report, Table, refuse

REPORT = Report(
    "Title",
    (
        Fields("Overview", (("Name", "a\n b"), ("Empty", ""))),
        Table("Rows", ("A", "Bee"), (("1", "2"), ("33", "4"))),
        Table("None Here", ("A",), (), "Nothing configured."),
        Items("List", ("x", "y")),
        Items("Empty List", ()),
    ),
)

TEXT = """\
Title

Overview
+-------+-------+
| Field | Value |
+-------+-------+
| Name  | a b   |
| Empty | -     |
+-------+-------+

Rows
+----+-----+
| A  | Bee |
+----+-----+
| 1  | 2   |
| 33 | 4   |
+----+-----+

None Here
Nothing configured.

List
- x
- y

Empty List
None."""


def test_render() -> None:
    assert output.render(REPORT) == TEXT


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [("x" * 181, 180, "x" * 177 + "..."), ("x" * 180, 180, "x" * 180), ("x" * 500, None, "x" * 500)],
)
def test_long_cells(text: str, limit: int | None, shown: str) -> None:
    assert output.cell(text, limit) == shown


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Ascii(io.StringIO):
    encoding = "ascii"

    def write(self, text: str) -> int:
        text.encode("ascii")
        return super().write(text)


COLOURS = [
    (Terminal(), {}, True),
    (Terminal(), {"NO_COLOR": "1"}, False),
    (Terminal(), {"TERM": "dumb"}, False),
    (io.StringIO(), {}, False),
    (io.StringIO(), {"FORCE_COLOR": "1"}, True),
    (io.StringIO(), {"FORCE_COLOR": "0"}, False),
    (Terminal(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
]


@pytest.mark.parametrize(("stream", "env", "wanted"), COLOURS)
def test_colours(stream: io.StringIO, env: dict[str, str], wanted: bool) -> None:
    assert output.colours_wanted(stream, env) is wanted


def finish(outcome: Outcome, *, as_json: bool = False) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = Output(out, err, {}, as_json=as_json).finish("op", outcome)
    return code, out.getvalue(), err.getvalue()


def test_success_goes_to_stdout() -> None:
    assert finish(Outcome(text="Done.")) == (0, "Done.\n", "")


def test_failing_report_goes_to_stderr() -> None:
    code, out, err = finish(Outcome(INVALID, report=Report("Bad")))
    assert (code, out, err) == (2, "", "Bad\n")


def test_problem_names_its_fix() -> None:
    code, _, err = finish(Outcome(FAILED, problem=Problem("c", "It broke", "Mend it.")))
    assert (code, err) == (1, "✖ It broke. Mend it.\n")


def test_json_is_one_object_whatever_happens() -> None:
    code, out, err = finish(Outcome(FAILED, data={"a": 1}, problem=Problem("c", "It broke", "Mend it.")), as_json=True)
    assert (code, err) == (1, "")
    assert json.loads(out) == {
        "ok": False,
        "exitCode": 1,
        "operation": "op",
        "data": {"a": 1},
        "error": {"code": "c", "message": "It broke", "fix": "Mend it."},
    }
    assert json.loads(finish(Outcome(data={"b": "ü"}), as_json=True)[1])["ok"] is True


def test_progress_leaves_stdout_alone_in_json_mode() -> None:
    out, err = io.StringIO(), io.StringIO()
    talk = Output(out, err, {}, as_json=True)
    talk.line("one")
    talk.note("warn", "two")
    assert (out.getvalue(), err.getvalue()) == ("", "one\n⚠ two\n")


def test_streams_that_cannot_say_it() -> None:
    out = Ascii()
    talk = Output(out, out, {})
    talk.note("success", "fine")
    talk.line("ü")
    assert out.getvalue() == "+ fine\n?\n"


def test_refused_carries_its_exit_code() -> None:
    with pytest.raises(Refused) as caught:
        raise refuse("c", "No", exit_code=FAILED)
    assert caught.value.outcome() == Outcome(FAILED, problem=Problem("c", "No"))


LOGIN = "http://me:hidden@acme.example/v1?key=hidden&x=1"
SHOWN = "http://[redacted]@acme.example/v1?key=[redacted]&x=1"


@pytest.mark.parametrize("as_json", [False, True])
def test_no_login_of_an_address_is_written(as_json: bool) -> None:
    out, err = io.StringIO(), io.StringIO()
    talk = Output(out, err, {}, as_json=as_json)
    talk.line(f"asking {LOGIN}")
    talk.note("error", LOGIN)
    rows = Report("T", (Fields("F", (("URL", LOGIN),)), Items("I", (LOGIN,)), Table("T", ("U",), ((LOGIN,),))))
    data: dict[str, JSON] = {"url": LOGIN, "more": [{"urls": [LOGIN]}, 1, None]}
    talk.finish("op", Outcome(FAILED, report=rows, data=data, problem=Problem("c", LOGIN, LOGIN)))
    talk.finish("op", Outcome(text=LOGIN))
    said = out.getvalue() + err.getvalue()
    assert "hidden" not in said
    assert said.count(SHOWN) == (6 if as_json else 8)


def test_a_login_inside_a_table_keeps_the_border_straight() -> None:
    report = Report("Title", (Fields("Overview", (("Url", "redis://user:secret@host/0"), ("Other", "x"))),))
    out = io.StringIO()
    Output(out, io.StringIO(), {}).finish("list", Outcome(report=report))
    lines = [line for line in out.getvalue().splitlines() if line.startswith(("|", "+"))]
    assert len(set(map(len, lines))) == 1
    assert "[redacted]@host" in out.getvalue()


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", '"ü"'), ("ascii", '"\\u00fc"'), ("cp1252", '"\\u00fc"')])
def test_json_is_whole_in_every_encoding(encoding: str, shown: str) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    Output(out, io.StringIO(), {}, as_json=True).finish("list", Outcome(data={"name": "ü"}))
    assert f'"name": {shown}' in raw.getvalue().decode(encoding)
