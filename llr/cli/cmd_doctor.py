"""`llr doctor`: what stands between this machine and an answer, each finding with its fix."""

import asyncio
from argparse import Namespace
from collections import Counter

from llr.base.jsonio import JSON
from llr.cli.context import Context, config_path
from llr.control.doctor import Finding, Grade, Patient, examine
from llr.control.params import Kind, Param
from llr.control.report import FAILED, OK, Fields, Outcome, Problem, Report, Section, Table

PARAMS: tuple[Param, ...] = (
    Param("config", "Config file to examine (default ~/.llm-router.json).", Kind.PATH),
    Param("offline", "Look at this machine only; no provider is contacted.", Kind.BOOL, default=False),
    Param("provider-id", "Contact only this provider.", example="openrouter", names="provider"),
    Param("timeout", "Seconds to wait for each provider.", Kind.INT, default=8, minimum=1, maximum=120),
    Param("strict", "Exit 1 for warnings too.", Kind.BOOL, default=False),
)


def run(args: Namespace, context: Context) -> Outcome:
    """Returns the findings; exit code 1 when one of them is an error."""
    path = config_path(args)
    patient = Patient(path, context.env, bool(args.offline), args.provider_id or "", float(args.timeout))
    found = asyncio.run(examine(patient))
    counts = Counter(one.grade for one in found)
    bad = counts[Grade.ERROR] + (counts[Grade.WARNING] if args.strict else 0)
    numbers = f"{counts[Grade.ERROR]} error(s), {counts[Grade.WARNING]} warning(s)"
    rows = (("Config File", path), ("Network", "Not used" if args.offline else "Used"), ("Result", numbers))
    data: dict[str, JSON] = {
        "configFile": path,
        "offline": bool(args.offline),
        "errors": counts[Grade.ERROR],
        "warnings": counts[Grade.WARNING],
        "findings": [one.form() for one in found],
    }
    problem = Problem("doctor", f"The doctor found {numbers}.", "Each has its fix beside it.") if bad else None
    report = Report("LLM Router Doctor", (Fields("Overview", rows), *_sections(found)))
    return Outcome(FAILED if bad else OK, report=report, data=data, problem=problem)


def _sections(found: tuple[Finding, ...]) -> tuple[Section, ...]:
    columns = ("Check", "Result", "Finding", "Fix")
    return (Table("Findings", columns, tuple((one.subject, one.grade.value, one.message, one.fix) for one in found)),)
