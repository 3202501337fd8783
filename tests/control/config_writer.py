"""Writers in processes of their own, on one config file.

Usage: config_writer.py kills PATH COUNT     forks a writer, kills it with -9 in the middle of its saves, looks at the
                                             file and its backups; COUNT times. Exit 1 when one is not whole.
       config_writer.py edits PATH NAME COUNT     adds COUNT keys, each in an edit of its own.
"""

import itertools
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from llr.control.configfile import backups, edit, save

FILLER = 60_000


def write_forever(path: str, ready: int) -> NoReturn:
    """Saves a document over and over whose two ends tell whether it is whole."""
    for n in itertools.count(int(read(path)["first"]) + 1):
        save(path, {"version": 2, "first": n, "filler": "x" * FILLER, "last": n})
        os.write(ready, b".")
    os._exit(0)


def read(path: str) -> dict[str, int]:
    """Returns the document in a file. Raises ValueError when it is not whole."""
    doc: dict[str, int] = json.loads(Path(path).read_bytes())
    if doc["first"] != doc["last"] or len(str(doc.get("filler"))) != FILLER:
        raise ValueError(f"{path} is not whole")
    return doc


def kill_writers(path: str, count: int) -> None:
    """Kills `count` writers, one after the other, each at a moment of its own."""
    dice = random.Random(5)
    save(path, {"version": 2, "first": 0, "filler": "x" * FILLER, "last": 0})
    for _ in range(count):
        ready, child_ready = os.pipe()
        child = os.fork()
        if child == 0:
            write_forever(path, child_ready)
        os.read(ready, 1)
        for _ in range(dice.randrange(200_000)):  # a while of no fixed length, ending somewhere inside a save
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(child_ready)
        for name in (path, *backups(path)):
            read(name)


def add_keys(path: str, name: str, count: int) -> None:
    """Adds `count` keys that start with `name`."""
    for n in range(count):
        edit(path, lambda doc, key=f"{name}{n}": {**doc, key: 1})  # type: ignore[misc]


if __name__ == "__main__":
    if sys.argv[1] == "kills":
        kill_writers(sys.argv[2], int(sys.argv[3]))
    else:
        add_keys(sys.argv[2], sys.argv[3], int(sys.argv[4]))
