"""`llr update`: a newer program file in place of this one, from a named file or address only."""

import os
import sys
from argparse import Namespace
from collections.abc import Mapping

from llr import __version__
from llr.base.jsonio import JSON
from llr.base.records import dataclass
from llr.cli.context import Context
from llr.control.params import Kind, Param
from llr.control.report import FAILED, Fields, Outcome, Problem, Report, refuse, yes
from llr.daemon import instance, spawn
from llr.daemon.update import kind, place
from llr.daemon.update.fetch import fetch
from llr.daemon.update.kind import Kind as Installation
from llr.daemon.update.release import (
    MAX_BYTES,
    MAX_MANIFEST_BYTES,
    Release,
    UpdateError,
    checked_url,
    is_url,
    newer,
    read_manifest,
    runs_on,
    sha256_of,
    version_key,
)
from llr.daemon.update.swap import Swapped, same_file, swap

PARAMS: tuple[Param, ...] = (
    Param("from", "Program file to take: a path, or an https address.", example="./llr.pyz"),
    Param("sha256", "Its SHA-256 (default: what stands in the same name with `.sha256` after it)."),
    Param("check", "Only tell whether there is a newer version.", Kind.BOOL, aliases=("check-only",), default=False),
    Param("exit-code", "With --check: exit 10 when there is one.", Kind.BOOL, default=False),
    Param("install", "true: also when it is not newer; false: never, as --check.", Kind.BOOL),
    Param("version", "Version to take from the manifest; an older one too.", example="0.2.0"),
    Param("rollback", "Go back to the program file before the last update.", Kind.BOOL, default=False),
    Param("reload", "Have the running gateway take the new file up.", Kind.BOOL, default=True),
)

URL = "LLM_ROUTER_UPDATE_URL"
PUBKEY = "LLM_ROUTER_UPDATE_PUBKEY"
NEWER_EXISTS = 10


@dataclass(frozen=True, slots=True)
class _Run:
    """One update on its way. `path` is the program file that is replaced."""

    args: Namespace
    context: Context
    path: str

    @property
    def env(self) -> Mapping[str, str]:
        """Returns the environment."""
        return self.context.env


def run(args: Namespace, context: Context) -> Outcome:
    """Returns what was found or done. Exit code 1: not updated, and nothing changed; 10 as `--exit-code` says."""
    only_look = args.check or args.install is False
    try:
        if args.rollback:
            _check_alone(args, only_look)
            this = _Run(args, context, _path(kind.own()))
            with place.only_one(os.path.expanduser("~")):
                return _install(this, place.backup_of(this.path), None)
        release = _find(args, context)
        if only_look:
            return _looked(args, release)
        this = _Run(args, context, _path(kind.own()))
        if release.version is not None and not _wanted(args, release.version):
            return _unchanged(release.version)
        place.check_writable(this.path)
        if not context.prompts.confirm(f"Replace {this.path} ({__version__})?", default=True):
            raise refuse("cancelled", "Cancelled.", exit_code=FAILED)
        with place.only_one(os.path.expanduser("~")):
            data = fetch(release.source, context.env, min(release.size or MAX_BYTES, MAX_BYTES))
            place.check_bytes(data, release)
            return _install(this, data, release)
    except UpdateError as exc:
        raise refuse("update-failed", exc.message, exc.fix, exit_code=FAILED) from exc


def _check_alone(args: Namespace, only_look: bool) -> None:
    """Raises `Refused` where a way back was asked for together with what it would not do."""
    others = {"--from": getattr(args, "from"), "--version": args.version, "--check": only_look}
    if any(others.values()):
        named = ", ".join(name for name, given in others.items() if given)
        raise refuse("bad-flag", f"--rollback goes back to the kept file at once; leave out {named}.")


def _path(found: Installation) -> str:
    """Returns the program file. Raises `Refused` for an installation that others update."""
    if found.name == "archive":
        return found.path
    if found.name == "checkout":
        text = f"This program runs from its sources in {found.path}."
        raise refuse("not-updatable", text, "Update them with git, and build with build_zipapp.py.", exit_code=FAILED)
    text = f"This program was installed as a package in {found.path}; what installed it must update it."
    raise refuse("not-updatable", text, f"Run: {found.command}", exit_code=FAILED)


def _find(args: Namespace, context: Context) -> Release:
    """Returns the release that is meant. Raises `Refused` when no source was named, `UpdateError`."""
    source = getattr(args, "from")
    if source:
        if args.version:
            raise refuse("bad-flag", "--from names one file, and so one version.", "Leave --version out.")
        source = checked_url(source) if is_url(source) else os.path.abspath(os.path.expanduser(source))
        if not is_url(source) and not os.path.isfile(source):
            raise UpdateError(f"There is no file {source}.")
        text = args.sha256 or _beside(source, context)
        return Release(source, sha256_of(text), signature=f"{source}.minisig")
    url = context.env.get(URL, "").strip()
    if not url:
        raise refuse(
            "no-update-source",
            "Where an update should come from is not known; no address is built in.",
            f"Use --from FILE|URL, or set {URL} to a release manifest.",
        )
    context.out.line("Checking for updates...")
    manifest = fetch(checked_url(url) if is_url(url) else url, context.env, MAX_MANIFEST_BYTES)
    release = read_manifest(manifest, url, args.version)
    if not runs_on(release.min_python, sys.version_info[:2]):
        text = (
            f"Version {release.version} needs Python {release.min_python} or newer; this is {sys.version.split()[0]}."
        )
        raise UpdateError(text)
    return release


def _beside(source: str, context: Context) -> str:
    try:
        return fetch(f"{source}.sha256", context.env, 4096).decode("utf-8", "replace")
    except UpdateError as exc:
        raise UpdateError(
            f"A file is taken only with its hash, and there is none: {exc.message}",
            "Give it with --sha256=…, from where the file is from.",
        ) from exc


def _wanted(args: Namespace, version: str) -> bool:
    """Returns whether this version is to be installed: a newer one, or another one that was asked for."""
    if args.install:
        return True
    return version_key(version) != version_key(__version__) if args.version else newer(version, __version__)


def _facts(latest: str | None) -> dict[str, JSON]:
    # An empty version is that of a file nobody ran yet.
    available = newer(latest, __version__) if latest else None
    return {"currentVersion": __version__, "latestVersion": latest, "updateAvailable": available}


def _looked(args: Namespace, release: Release) -> Outcome:
    facts = _facts(release.version)
    available = facts["updateAvailable"] is True
    rows = (
        ("Current Version", __version__),
        ("Latest Version", release.version or "(known once the file is run)"),
        ("Update Available", yes(available) if release.version else "(known once the file is run)"),
        ("Source", release.source),
    )
    code = NEWER_EXISTS if available and args.exit_code else 0
    return Outcome(code, report=Report("Update Check", (Fields("Overview", rows),)), data={**facts, "changed": False})


def _unchanged(version: str) -> Outcome:
    text = f"Already on the latest version ({__version__})."
    if newer(__version__, version):
        text = f"Version {version} is older than this one ({__version__}); nothing was changed."
    return Outcome(text=text, data={**_facts(version), "changed": False})


def _install(this: _Run, data: bytes, release: Release | None) -> Outcome:
    """Returns what came of it. `release` None is the way back, to bytes that were checked when they came."""
    place.check_writable(this.path)
    launcher = spawn.launcher()
    with place.part_file(this.path, data) as part:
        if release is not None:
            _check_signature(this, part, release)
        version = place.version_of(launcher, part)
        if release is not None and release.version is not None and version_key(version) != version_key(release.version):
            raise UpdateError(f"The new file says it is {version}, the manifest says {release.version}.")
        if release is not None and not _wanted(this.args, version):
            return _unchanged(version)
        place.self_test(launcher, part)
        try:
            backup = place.switch(part, this.path)
        except OSError as exc:
            raise UpdateError(f"{this.path} could not be replaced: {exc.strerror or exc}.") from exc
    return _take_up(this, version, backup)


def _check_signature(this: _Run, part: str, release: Release) -> None:
    key = this.env.get(PUBKEY, "").strip()
    if not key:
        return
    if release.signature is None:
        raise UpdateError("A signing key is configured and the manifest names no signature.")
    given = release.signature
    signature = given.encode() if "\n" in given else fetch(given, this.env, 64 * 1024)
    place.check_signature(part, signature, key)


def _take_up(this: _Run, version: str, backup: str) -> Outcome:
    """Returns the report, after the running gateway took the file up; where it could not, the old file is back."""
    state_path = instance.state_path(this.env)
    running = instance.active(state_path)
    done = Swapped("not-running")
    if running is not None:
        if not this.args.reload:
            done = Swapped("left", "it goes on as it is (--reload=false)")
        elif not same_file(running, this.path):
            done = Swapped("left", f"it runs from {running.cli_path or 'elsewhere'}")
        else:
            done = swap(running, version, state_path)
    facts: dict[str, JSON] = {
        **_facts(version),
        "changed": done.state != "refused",
        "installedVersion": version if done.state != "refused" else __version__,
        "path": this.path,
        "backup": backup if done.state != "refused" else None,
        "gateway": done.state,
        "detail": done.detail or None,
    }
    if done.state == "refused":
        place.restore(this.path)
        text = f"Version {version} did not come up, so {this.path} is {__version__} again: {done.detail}"
        return Outcome(FAILED, data=facts, problem=Problem("update-failed", text))
    watching = " It takes the file up by itself." if running is not None and running.watch_binary else ""
    told = {
        "swapped": f"It took over without a break (process {running.pid})." if running is not None else "",
        "not-running": "None runs; the next start uses the new version.",
        "left": f"Left alone: {done.detail}.",
        "unknown": f"It did not confirm: {done.detail}.{watching} Else: `llr restart`.",
    }
    rows = (
        ("Version Before", __version__),
        ("Version Now", version),
        ("Program File", this.path),
        ("Kept Before", backup),
        ("Running Gateway", told[done.state]),
    )
    return Outcome(report=Report("Update Installed", (Fields("Overview", rows),)), data=facts)
