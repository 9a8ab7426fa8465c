"""Every page of this repository names only commands and files that are there."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from gateway.cli.main import COMMANDS, application

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?<=\n\n)(?:    .*\n)+")
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COMMAND = re.compile(r"(?:^|[\s(])((?:make|concord|(?:\.venv/bin/)?(?:concord|pytest|python)) [^|;)]*)")
"""What follows the name up to the end of a line, a pipe, or the substitution that it stands in."""


def commands(page: str) -> Iterator[list[str]]:
    """The commands that a page shows, in words: those in its blocks and in its code spans."""
    text = (ROOT / page).read_text()
    shown = [block for language, block in _FENCE.findall(text) if language in ("", "sh")]
    shown += _INDENTED.findall(text)
    shown += _SPAN.findall(_FENCE.sub("", text).replace("\n", " "))
    for part in shown:
        for line in part.replace("\\\n", " ").splitlines():
            for found in _COMMAND.findall(line.partition(" # ")[0]):
                yield shlex.split(found.replace("'", "").replace('"', "") if found.count('"') % 2 else found)


@cache
def targets() -> frozenset[str]:
    """What `make help` lists."""
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return frozenset(re.findall(r"^  make (\S+)", listed, re.MULTILINE))


@cache
def command_line() -> TyperGroup:
    group = get_command(application(COMMANDS))
    assert isinstance(group, TyperGroup)
    return group


def problem_of_make(words: list[str]) -> str | None:
    (target, *_) = words
    return None if target in targets() or target.endswith("…") else f"`make help` lists no {target}"


def problem_of_python(words: list[str]) -> str | None:
    if "-m" in words:
        module = words[words.index("-m") + 1]
        return None if find_spec(module) else f"there is no module {module}"
    paths = [word.partition("::")[0] for word in words if "/" in word or word.endswith(".py")]
    return next((f"there is no {path}" for path in paths if not (ROOT / path).exists()), None)


def problem_of_concord(words: list[str]) -> str | None:
    command: Any = command_line()
    for word in (each.strip("[]") for each in words):
        if word.startswith("--"):
            name = word.partition("=")[0]
            if name != "--help" and not any(name in [*each.opts, *each.secondary_opts] for each in command.params):
                return f"{command.name} has no {name}"
        elif isinstance(command, TyperGroup) and re.fullmatch("[a-z][a-z-]+", word):
            if word not in command.commands:
                return f"{command.name} has no {word}"
            command = command.commands[word]
        elif re.match("(schema|tests|subgraphs|gateway|bench)/", word) and not (ROOT / word).exists():
            return f"there is no {word}"
    return None


def problem_of(words: list[str]) -> str | None:
    """What is wrong with a command, or None."""
    program, *arguments = words
    match program.rpartition("/")[2]:
        case "make":
            return problem_of_make(arguments)
        case "concord":
            return problem_of_concord(arguments)
        case _:
            return problem_of_python(arguments)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_there(page):
    found = {" ".join(words): problem_of(words) for words in commands(page)}
    assert {command: problem for command, problem in found.items() if problem} == {}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page):
    links = [link.partition("#")[0] for link in _LINK.findall(_FENCE.sub("", (ROOT / page).read_text()))]
    inside = [link for link in links if link and "://" not in link]
    assert [link for link in inside if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_commands_of_the_front_page_are_found_as_they_are_written():
    found = [" ".join(words) for words in commands("README.md")]
    assert found[:2] == ["make up", "make test"]
    assert "concord workflows --watch" in found
    assert ".venv/bin/pytest tests/clients" in found
    assert len(found) > 30


def test_the_front_page_names_every_sub_command():
    text = (ROOT / "README.md").read_text()
    (listed,) = re.findall(r"`concord (\w+(?: \| \w+)+)`", text)
    assert listed.split(" | ") == list(COMMANDS)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("make nonsense", "`make help` lists no nonsense"),
        (".venv/bin/pytest tests/nowhere/test_x.py::test_y", "there is no tests/nowhere/test_x.py"),
        (".venv/bin/python -m gateway.nowhere", "there is no module gateway.nowhere"),
        ("concord events talk", "events has no talk"),
        ("concord serve --wrokers 4", "serve has no --wrokers"),
        ("concord plan schema/documents/nothing.graphql", "there is no schema/documents/nothing.graphql"),
    ],
)
def test_a_command_that_is_not_there_is_found(command, problem):
    assert problem_of(command.split()) == problem
