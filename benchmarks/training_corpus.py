"""Make the corpus that the embedded model learns from: one small file of tokens, the same on any machine.

    python -m benchmarks.training_corpus --out FILE [--cache FOLDER] [--vocabulary N | --tokenizer FILE]

Each distribution of the recipe (`data/corpus.toml`) is fetched with pip at the version named there and
compared with the hash named there; archives stay in the cache. Of its Python files those count that are
neither generated nor copied nor tables. Files that repeat lines of held-out projects, or of files before
them, are dropped: the projects of `data/projects.toml`, of dev and test, and those that the recipe marks. Its
projects of fit may not stand in the recipe, but files are not compared with theirs. Nothing is made again if
FILE was made by this recipe.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from platformdirs import user_cache_dir
from tokenizers import Tokenizer
from tqdm import tqdm

from benchmarks import projects
from benchmarks.archives import Clients, FetchError, Source, members, sha256
from benchmarks.projects import LARGEST, Project, RecipeError, source
from model_runtime.training import corpus, token_file
from model_runtime.training.corpus import Document, Repeats
from model_runtime.training.token_file import Contents, Origin
from model_runtime.training.vocabulary import Ids, train_tokenizer, with_special_names

RECIPE = Path(__file__).parent / "data" / "corpus.toml"
VOCABULARY = 6144
SAMPLE = 12_000_000  # characters that a tokenizer is made of
AT_ONCE = 256  # documents tokenized between two signs of progress


@dataclass(frozen=True)
class Distribution:
    """One row of the recipe."""

    name: str
    version: str
    licence: str
    sha256: str
    source: Source = "wheel"
    held_out: bool = False

    @property
    def project(self) -> Project:
        return Project(self.name, self.version, "python", "dev", self.source, self.licence, self.sha256)


@dataclass(frozen=True)
class Recipe:
    most: int  # characters of a project that are learnt from
    distributions: Sequence[Distribution]


def read(path: Path = RECIPE) -> Recipe:
    """A recipe, in its order; nothing of it is tested or fitted on."""
    try:
        known = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = [Distribution(**row) for row in known["distribution"]]
        recipe = Recipe(known["most"], rows)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from None
    apart = {project.name for project in projects.read()} | corpus.HELD_OUT
    for row in rows:
        if row.name in apart and not row.held_out:
            raise RecipeError(f"{path.name}: {row.name} is tested or fitted on")
        if not corpus.PERMISSIVE.search(row.licence) or corpus.RESTRICTED.search(row.licence):
            raise RecipeError(f"{path.name}: the licence of {row.name} is not permissive")
    return recipe


def archive(row: Project, clients: Clients) -> Path:
    """The project's archive, from the cache if it is there."""
    kept = clients.folder / f"{row.name}-{row.version}-{row.sha256[:12]}"
    for found in kept.parent.glob(kept.name + ".*"):
        return found
    fetched = clients.fetch(row.source, row.package or row.name, row.version)
    if (found := sha256(fetched)) != row.sha256:
        raise FetchError(f"{row.name} {row.version}: the archive's sha256 is {found}, not the recipe's")
    suffix = ".whl" if fetched.suffix == ".whl" else ".tar.gz"
    return fetched.rename(kept.with_name(kept.name + suffix))


def documents(row: Project, clients: Clients) -> Iterator[Document]:
    """The project's files that may be learnt from, folder by folder: files that stand together stay so,
    and which come first says nothing of what is in them."""

    def place(path: PurePosixPath) -> tuple[bytes, PurePosixPath]:
        return hashlib.sha256(str(path.parent).encode()).digest(), path

    files = {path: data for path, size, data in members(archive(row, clients)) if size <= LARGEST}
    for path in sorted(files, key=place):
        text = None if corpus.SKIP_PARTS & set(path.parts) else source(path, files[path], row)
        if text is not None and corpus.suits(text):
            yield Document(row.name, row.licence, str(path), text)


def collected(recipe: Recipe, clients: Clients) -> tuple[list[Document], list[Document]]:
    """(to learn from, held out) documents. What is tested on is only compared with: of it, dev stays, since
    training looks at its loss there. With fit, which came later, nothing is compared: the corpus stays."""
    python = (project for project in projects.read() if project.language == "python")
    tested = [project for project in python if project.split != "fit"]
    apart = [*tested, *(row.project for row in recipe.distributions if row.held_out)]
    repeats = Repeats()
    held_out: list[Document] = []
    for project in tqdm(apart, "held out"):
        found = [document for document in documents(project, clients) if repeats.hold_out(document.text)]
        held_out += found if project in tested and project.split == "dev" else []
    train: list[Document] = []
    for row in tqdm([row for row in recipe.distributions if not row.held_out], "files"):
        room = recipe.most
        for document in documents(row.project, clients):
            if len(document.text) > room:
                break
            if repeats.admit(document.text):
                room -= len(document.text)
                train.append(document)
    return train, held_out


def tokenizer_of(train: Sequence[Document], vocabulary: int) -> Tokenizer:
    """Made of every so-manieth document."""
    step = max(1, sum(len(document.text) for document in train) // SAMPLE)
    return train_tokenizer((document.text for document in train[::step]), vocabulary)


def tokenized(found: Sequence[Document], ids: Ids) -> Iterator[np.ndarray]:
    for first in tqdm(range(0, len(found), AT_ONCE), "tokens"):
        texts = [
            each.text if each.text.endswith("\n") else each.text + "\n"
            for each in found[first : first + AT_ONCE]
        ]
        yield from (np.asarray(each, dtype=token_file.IDS) for each in ids.encode_all(texts))


def make(out: Path, recipe: Recipe, clients: Clients, made_by: str, tokenizer: Tokenizer | int) -> str:
    """Write the file; returns the sha256 of its ids. `tokenizer`, or the size of one to be made."""
    train, held_out = collected(recipe, clients)
    if isinstance(tokenizer, int):
        tokenizer = tokenizer_of(train, tokenizer)
    arrays = list(tokenized([*train, *held_out], Ids(tokenizer)))
    names = {row.name: (row.name, row.version, row.licence) for row in recipe.distributions}
    names |= {p.name: (p.name, p.version, p.licence) for p in projects.read() if p.name not in names}
    used = [names[name] for name in dict.fromkeys(each.project for each in (*train, *held_out))]
    number = {name: i for i, (name, _, _) in enumerate(used)}
    origins = [
        Origin(number[each.project], each.path, len(ids), i >= len(train))
        for i, (each, ids) in enumerate(zip((*train, *held_out), arrays, strict=True))
    ]
    found = token_file.write(out, Contents(made_by, used, origins, tokenizer.to_str()), arrays)
    learnt = sum(origin.tokens for origin in origins if not origin.held_out)
    characters = sum(len(document.text) for document in train)
    print(
        f"{len(train)} files of {len(used)} projects, {characters / 1e6:.1f}M characters, "
        f"{learnt / 1e6:.2f}M tokens to learn from, {out.stat().st_size / 1e6:.1f} MB; "
        f"{characters / learnt:.3f} characters a token; ids {found}"
    )
    return found


def fingerprint(recipe: Path, tokenizer: bytes) -> str:
    return hashlib.sha256(recipe.read_bytes() + projects.RECIPE.read_bytes() + tokenizer).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_corpus")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--cache", type=Path, default=Path(user_cache_dir("infill-ls")) / "corpus")
    parser.add_argument("--vocabulary", type=int, default=VOCABULARY, help="tokens of the tokenizer to make")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json of an exported model, to use instead")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    given = options.tokenizer.read_bytes() if options.tokenizer else str(options.vocabulary).encode()
    made_by = fingerprint(options.recipe, given)
    if token_file.recipe_of(options.out) == made_by:
        print(f"{options.out} was made by this recipe")
        return 0
    for folder in (options.cache, options.out.parent):  # now, and not after minutes of work
        folder.mkdir(parents=True, exist_ok=True)
    tokenizer = (
        Tokenizer.from_str(with_special_names(given.decode())) if options.tokenizer else options.vocabulary
    )
    try:
        make(options.out, read(options.recipe), Clients(options.cache), made_by, tokenizer)
    except (FetchError, RecipeError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
