"""Scenarios of a Python client: a name each, and what is known to happen in it.

`program list` prints the names; `program run NAME FILE` runs one and writes
its labels. N is reckoned from the rows, by whoever wrote the loop.
"""

import asyncio
import inspect
import os
import sys

URL = os.environ.get("DATABASE_URL", "")
THRESHOLD = 5
_scenarios = {}
_labels = []


def scenario(function):
    _scenarios[function.__name__] = function
    return function


def expect_loop(parent, child, n):
    """The child is asked n times for rows of the parent; both are pieces of their texts."""
    if n >= THRESHOLD:
        _labels.append(f"loop\t{parent}\t{child}\t{n}")


def expect_repeat(kind, n):
    _labels.append(f"repeat\t{kind}\t{n}")


def main(versions):
    if sys.argv[1] == "list":
        print("version\t" + versions)
        for name in _scenarios:
            print("scenario\t" + name)
        return
    function = _scenarios[sys.argv[2]]
    if inspect.iscoroutinefunction(function):
        asyncio.run(function())
    else:
        function()
    with open(sys.argv[3], "w") as file:
        file.write("".join(line + "\n" for line in _labels))
