"""Texts as written, patterns included, into the names that they stand for."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import attrs

from edgebench.cases.case import BackendChoice
from edgebench.cases.chain import parse_backend, parse_options, structure, write_differing
from edgebench.cases.operations import Chains
from edgebench.catalogue.listing import Listed
from edgebench.catalogue.plugins import Plugins
from edgebench.parts.changes import Operator
from edgebench.parts.errors import ChainError, Missing, NameClash, UnknownName
from edgebench.parts.part import NAME, Part
from edgebench.parts.places import Backend
from edgebench.parts.subjects import Model, Weights


@attrs.frozen(kw_only=True)
class Subject:
    """What a case is of: a model, a variant, its weights, and what was said of a file."""

    model: str
    variant: str
    weights: Weights
    options: tuple[tuple[str, str], ...] = ()
    dataset: str = ""
    data: Path | None = None
    """What the user gave for its inputs."""
    data_options: tuple[tuple[str, str], ...] = ()
    """What was said of that."""


_PATTERN = re.compile(r"[*?\[]")
_TIER = re.compile(r"([a-z0-9_.]+)=")


def is_pattern(text: str) -> bool:
    """Say whether a text is a pattern (`*:small`) rather than a name."""
    return _PATTERN.search(text) is not None


def match_names(kind: str, pattern: str, names: Iterable[str]) -> list[str]:
    """Return the names that a pattern matches.

    Raises:
        UnknownName: It matches none.
    """
    known = list(names)
    found = [name for name in known if fnmatchcase(name, pattern)]
    if not found:
        raise UnknownName(f"no {kind} matches {pattern!r}; known are: {', '.join(known[:12])}")
    return found


def expand_subjects(text: str, plugins: Plugins, weights: str, seed: int) -> list[Subject]:
    """Return the models that `model`, `model:variant`, a pattern, or the path of a file stands for.

    *weights* is a kind (`file:PATH` for a file or directory), or empty for each variant's first.

    Raises:
        UnknownName: No model, variant or file is called so.
        ChainError: A variant does not offer those weights.
    """
    if claimed := _subject_of_file(text, plugins):
        if weights:
            raise ChainError(f"{text} brings its own weights; leave out --weights {weights}")
        return [claimed]
    wanted = [text]
    if is_pattern(text):
        # A model that is a file stands for none until its path is given.
        models = [one for one in plugins.all(Model).values() if one.from_file is None]
        every = [f"{model.name}:{variant.name}" for model in models for variant in model.variants]
        wanted = match_names("model", text if ":" in text else f"{text}:*", every)
    return [_subject(each, plugins, weights, seed) for each in wanted]


def find_model(name: str, plugins: Plugins) -> Model:
    """Return a model, also one whose requirements are missing: its cases are skipped for it.

    Raises:
        UnknownName: No plugin offers it.
        Missing: Nothing is known of it but its name.
    """
    try:
        return plugins.get(Model, name)
    except Missing:
        for line in plugins.listed(Model):
            if line.name == name and isinstance(line.part, Model):
                return line.part
        raise


def _subject(text: str, plugins: Plugins, weights: str, seed: int) -> Subject:
    name, _, wanted = text.partition(":")
    model = find_model(name, plugins)
    if model.from_file is not None:
        patterns = ", ".join(model.files)
        raise ChainError(f"{name} is a model that is a file; give the path of one ({patterns})")
    variant = model.variant(wanted)
    kind, _, path = (weights or variant.weights[0]).partition(":")
    if kind not in variant.weights:
        offered = ", ".join("file:PATH" if kind == "file" else kind for kind in variant.weights)
        raise ChainError(f"{name}:{variant.name} has no weights {kind!r}; it has {offered}")
    return Subject(model=name, variant=variant.name, weights=_weights(kind, path, seed))


def _weights(kind: str, path: str, seed: int) -> Weights:
    if kind != "file":
        if path:
            raise ChainError(f"weights {kind!r} take no path; only file:PATH does")
        return Weights(kind=kind, seed=seed)
    if not path:
        raise ChainError("weights from a file are written file:PATH")
    if not is_there(path):
        raise UnknownName(f"--weights file: there is no file or directory {path!r}")
    return Weights(kind=kind, path=Path(path).resolve(), seed=seed)


def _subject_of_file(text: str, plugins: Plugins) -> Subject | None:
    named, options = split_options(text)
    path = Path(named)
    if "/" not in named and "." not in named and not names_directory(named, plugins):
        return None
    model = _find_claimant(path, plugins)
    if not is_there(path) and (model or "/" in named or named.startswith(".")):
        raise UnknownName(f"there is no file or directory {named!r}; give the path of a model")
    if model is None:
        return None
    said = structure(model.options, options, path.name)
    whole = path.resolve()
    return Subject(
        model=model.name,
        variant=_slug(whole.name if path.is_dir() else path.stem) or model.variants[0].name,
        weights=Weights(kind="file", path=whole),
        # As the options class understood them: a path of a file is whole from here on.
        options=write_differing(said),
    )


def names_directory(name: str, plugins: Plugins) -> bool:
    """Say whether a name without a dot or slash is a directory's, and no model's.

    A model that is known goes before a directory of its name, which is then written `./name`.
    """
    known = name.partition(":")[0] in {line.name for line in plugins.listed(Model)}
    return bool(name) and is_there(name) and Path(name).is_dir() and not known


def _find_claimant(path: Path, plugins: Plugins) -> Model | None:
    """Return the model that claims a file or directory, also one whose requirements are missing.

    None where nothing claims it and it is not there: the text is then another name.

    Raises:
        NameClash: Two models claim it.
        UnknownName: It is there, and none does.
    """
    listed = plugins.listed(Model)
    claims = [line for line in listed if _claims(line.part, path)]
    if len(claims) > 1:
        one, other = (f"{line.name} (of the plugin {line.plugin.name})" for line in claims[:2])
        raise NameClash(
            f"two models claim files like {path.name!r}: {one} and {other}; "
            f"pass --without {claims[1].plugin.name}"
        )
    if claims:
        return find_model(claims[0].name, plugins)
    if is_there(path):
        # What cannot be imported claims what nobody knows: it may be this.
        lost = [line.why_not for line in listed if line.part is None and line.why_not]
        why = f"no installed model claims {_describe(path, listed)}"
        raise UnknownName("; ".join([why, *dict.fromkeys([*lost, *map(str, plugins.faults)])]))
    return None


def _describe(path: Path, listed: Iterable[Listed]) -> str:
    """Name what nothing claims; of a directory also what would make it a model."""
    if not path.is_dir():
        return f"files like {path.name!r}"
    models = [line.part for line in listed if isinstance(line.part, Model)]
    wanted = [one for model in models for one in _patterns_inside(model)]
    return f"the directory {path}: it holds no {' or '.join(wanted) or 'file that one looks for'}"


def _claims(model: Part | None, path: Path) -> bool:
    if not isinstance(model, Model) or model.from_file is None:
        return False
    if is_there(path) and path.is_dir():
        return any(next(path.glob(pattern), None) for pattern in _patterns_inside(model))
    return any(fnmatchcase(path.name, one) for one in model.files if "/" not in one)


def _patterns_inside(model: Model) -> list[str]:
    """Return what a directory must hold one of to be such a model."""
    return [one.rpartition("/")[2] for one in model.files if "/" in one]


def split_options(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Take the options off the end of a path, which may hold brackets itself."""
    if is_there(text) or not text.endswith(")"):
        return text, ()
    brackets = [at for at, letter in enumerate(text) if letter == "("]
    there = [at for at in brackets if is_there(text[:at])]
    # Of `photos(1)(label=x)` the options are the last, whether or not there is `photos` too.
    end = (there[-1:] or brackets or [len(text)])[0]
    return text[:end], parse_options(text[end:], text[:end])


def is_there(path: str | Path) -> bool:
    """Say whether there is such a file or directory.

    Raises:
        UnknownName: That cannot be told, as within a directory that may not be searched.
    """
    try:
        return Path(path).exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # nothing can be called so
            return False
        raise UnknownName(f"{str(path)!r} cannot be looked at: {error.strerror}") from error


def _slug(stem: str) -> str:
    """Return a file's stem as the name of a variant; empty if nothing is left of it."""
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    return name if NAME.fullmatch(name) else ""


def expand_chains(text: str, chains: Chains) -> list[str]:
    """Return the chains that a chain or a pattern of operators stands for, as cases keep them.

    Raises:
        UnknownName, ChainError, OptionError: What is written is not a chain of known operators.
    """
    if not text.strip():
        raise ChainError("the chain is empty; name an operator")
    if is_pattern(text) and "(" not in text:
        names = [*chains.plugins.all(Operator), *chains.plugins.registry.hybrids]
        return match_names("operator", text, names)
    return [chains.spell(text)]


def expand_backends(
    text: str, plugins: Plugins
) -> list[Mapping[str, BackendChoice] | BackendChoice]:
    """Return the backends that a text stands for: one for all tiers, or one for each named tier.

    Raises:
        UnknownName, ChainError, OptionError: What is written is not a known backend.
    """
    if _TIER.match(text):
        items = re.split(r",(?![^(]*\))", text)  # at the commas outside brackets
        return [dict(_choose_for_tier(item, plugins) for item in items)]
    if is_pattern(text) and "(" not in text:
        return [BackendChoice(name) for name in match_names("backend", text, plugins.all(Backend))]
    return [_check_options(parse_backend(text), plugins)]


def _choose_for_tier(item: str, plugins: Plugins) -> tuple[str, BackendChoice]:
    found = _TIER.match(item)
    if found is None:
        raise ChainError(f"{item!r} names no tier; write tier=backend for each, joined by ','")
    return found.group(1), _check_options(parse_backend(item[found.end() :]), plugins)


def _check_options(choice: BackendChoice, plugins: Plugins) -> BackendChoice:
    try:
        backend = plugins.get(Backend, choice.name)
    except Missing:
        # Known and not installed is a reason to skip its cases, not a mistake in writing.
        return choice
    structure(backend.options, choice.options, choice.name)
    return choice
