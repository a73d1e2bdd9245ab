"""Python source of any length to test with, the same for the same seed."""

from __future__ import annotations

import random

_NAMES = ("count", "value", "path", "items", "größe", "total", "key")


def listing(length: int, seed: int = 0) -> str:
    """Classes, functions, tables and docstrings without syntax errors, at least `length` characters."""
    chosen, size = random.Random(seed), 0
    parts = ['"""A module.\n\ndef and class in it say nothing.\n"""\n\n']
    while size < length:
        parts.append(chosen.choice((_function, _class, _table))(chosen))
        size += len(parts[-1])
    return "".join(parts)


def _function(chosen: random.Random, indent: str = "", first: str = "") -> str:
    names = chosen.sample(_NAMES, 3)
    lines = [f"def do_{chosen.randrange(999)}({first}{', '.join(names)}=None):"]
    if chosen.random() < 0.5:
        lines += ['    """What it does.', "", "    def as_in(an, example):", "        pass", '    """']
    for name in names * chosen.randrange(1, 5):
        lines += chosen.choice(
            (
                [f"    {name} = [{name}, (1, 'two'), {{3: {name}}}]"],
                [f"    if {name} and not {names[0]}[0]:", f"        return {name}.get('{name}')  # {name}"],
                [f"    for each in {name}:", f"        print(f'{{each}} of {name}',", "              each)"],
                ["", f"    with open({name}) as file:", "        file.read()"],
            )
        )
    if chosen.random() < 0.2:
        lines.insert(0, "@cache")
    return "".join(f"{indent}{line}\n" if line else "\n" for line in [*lines, ""]) + ("" if indent else "\n")


def _class(chosen: random.Random) -> str:
    methods = (_function(chosen, "    ", "self, ") for _ in range(chosen.randrange(1, 30)))
    return f"class Of{chosen.randrange(999)}(Base):\n" + "".join(methods) + "\n"


def _table(chosen: random.Random) -> str:
    opening, closing, row = chosen.choice(
        (("{", "}", "'{0}': {1}"), ("[", "]", "({1}, '{0}')"), ("dict(", ")", "{0}_{1}=[{1}]"))
    )
    rows = (f"    {row.format(chosen.choice(_NAMES), n)},\n" for n in range(chosen.choice((5, 20, 1500))))
    return f"TABLE = {opening}\n" + "".join(rows) + f"{closing}\n\n\n"
