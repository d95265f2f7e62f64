"""The rows of a registry, as frozen records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import attrs

from edgebench.parts.changes import Converter, Format, Operator, Trainer
from edgebench.parts.datasets import Dataset
from edgebench.parts.part import Part
from edgebench.parts.places import Backend, Fabric, Importer, Link, Reporter, Tier
from edgebench.parts.subjects import Model

_RECORDS: tuple[type[Part], ...] = (
    Model, Dataset, Operator, Tier, Fabric, Backend, Format, Converter, Trainer, Reporter,
    Importer,
)  # fmt: skip
KINDS: Mapping[str, type[Part]] = MappingProxyType({one.__name__.lower(): one for one in _RECORDS})
"""The record of each kind of part, in the order in which people are shown them."""
WORDS: Mapping[type[Part], str] = MappingProxyType({kind: word for word, kind in KINDS.items()})
"""The word for each record; its hook is `edgebench_` and the plural."""

BLOCKS = 5
"""Blocks a case is measured in, unless its suite says otherwise."""
MAX_BLOCKS = 20
"""As many blocks a case at most where blocks are added until enough is known."""
REQUESTS = 100
"""Measured requests a block, unless its suite says otherwise."""
BOUND_S = 5.0
"""Seconds after which no request of a block is begun, where nobody said how many there are."""
ACCURACY_MARGIN = 1.0
"""Points of accuracy whose loss counts as none, unless a suite says otherwise."""
SCENARIO = "single-stream"
"""How a suite offers requests, unless it says otherwise."""


def _packages(_: object, __: object, names: tuple[str, ...]) -> None:
    for name in names:
        # Looking for a submodule would import its parent.
        if "." in name:
            raise ValueError(f"name the package alone, not {name!r}")


def _tier_name(_: object, __: object, name: str) -> None:
    if "-" in name:
        raise ValueError("a tier's name may hold no '-', which joins tiers in a placement")


def _address(_: object, __: object, url: str) -> None:
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.netloc or re.search(r"\s", url):
        raise ValueError(f"must be an address of a file, http:// or https://, not {url!r}")


def _digits(_: object, __: object, sha256: str) -> None:
    if not re.fullmatch("[0-9a-f]{8,64}", sha256):
        raise ValueError(
            "must be 64 hexadecimal digits in lower case, or the first of them, at least 8"
        )


def _distribution(_: object, __: object, name: str) -> None:
    # It becomes a word of a command; the rule is PEP 508's.
    if name and not re.fullmatch(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", name, re.ASCII):
        raise ValueError(f"must be the name of a distribution, not {name!r}")


def _homepage(_: object, __: object, url: str) -> None:
    if url:
        _address(_, __, url)


def _versions(_: object, __: object, versions: str) -> None:
    if not re.fullmatch(r"(\s*(==|!=|~=|<=|>=|<|>)\s*[\w.!+*-]+\s*(,(?=.)|$))*", versions):
        raise ValueError(f"must be versions as pip takes them (`>=1.2,<2`), not {versions!r}")


def _whole_digests(_: object, __: object, digests: tuple[str, ...]) -> None:
    for one in digests:
        if not re.fullmatch("[0-9a-f]{64}", one):
            raise ValueError(f"must be 64 hexadecimal digits in lower case, not {one!r}")


def _share(_: object, __: object, value: float) -> None:
    if value > 1:
        raise ValueError(f"must be a share, at most 1, not {value}")


def _points(_: object, __: object, value: float) -> None:
    if value > 100:
        raise ValueError(f"must be points, at most 100, not {value}")


@attrs.frozen(kw_only=True)
class PluginRow:
    """A plugin that is known, whether or not what it stands on is installed."""

    name: str
    module: str = ""
    """What it is imported from; empty where a distribution of others brings it."""
    distribution: str = attrs.field(default="", validator=_distribution)
    """The distribution of others that brings it, as the package index knows that."""
    version: str = attrs.field(default="", validator=_versions)
    """The versions of the distribution that are known to work (`>=1.2,<2`)."""
    homepage: str = attrs.field(default="", validator=_homepage)
    sha256: tuple[str, ...] = attrs.field(default=(), validator=_whole_digests)
    """Of the files that are accepted, of one version; empty where any may be installed."""
    offers: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, converter=MappingProxyType)
    """The names of the parts that its module yields, all of them, by kind (a key of `KINDS`)."""
    events: bool = False
    """Whether its module has event hooks, and is imported when a run begins."""
    requires: tuple[str, ...] = attrs.field(default=(), validator=_packages)
    """Packages that must be importable, by the names they are imported by."""
    install: str = ""
    """The command that brings them."""
    silence: Mapping[str, str] = attrs.field(factory=dict, converter=MappingProxyType)
    """Environment variables that keep its libraries from calling home."""
    file: Path
    """The registry file it stands in."""

    def __attrs_post_init__(self) -> None:
        """Refuse a row that is good for nothing."""
        if not self.offers and not self.events:
            raise ValueError("needs the key 'offers', or `events = true`")
        if bool(self.module) == bool(self.distribution):
            raise ValueError("needs the key 'module', or for a plugin of others 'distribution'")
        if not self.distribution and (self.version or self.homepage or self.sha256):
            raise ValueError("says what only a row with the key 'distribution' may say")


@attrs.frozen(kw_only=True)
class TierRow:
    """Facts of a tier."""

    name: str = attrs.field(validator=_tier_name)
    cpus: int
    memory_gib: float
    accelerator: str = ""
    speed: float | None = None
    """That of one of its threads over one thread of this machine."""
    gflops: float | None = None
    """In place of `speed`: what one of its threads does in a product of float32 matrices, in 10^9
    operations a second. With this machine's own figure it becomes a speed."""
    threads: int = 1
    price_per_hour: float | None = None
    """What an hour of it costs, in the one currency of all prices; None where nobody states it."""
    summary: str
    source: str
    """Where the facts come from."""
    file: Path
    """The registry file it stands in."""

    def __attrs_post_init__(self) -> None:
        """Refuse threads that no processor is there for."""
        if self.threads > self.cpus:
            raise ValueError(f"has {self.cpus} cpus, so it cannot have {self.threads} threads")

    @property
    def memory(self) -> int:
        """Bytes of memory."""
        return int(self.memory_gib * 2**30)


@attrs.frozen(kw_only=True)
class Product:
    """Cases of a suite: every combination of what is named, each written as on the command line."""

    models: tuple[str, ...]
    operators: tuple[str, ...]
    """Chains."""
    placements: tuple[str, ...]
    backends: tuple[str, ...]
    fabric: str = ""
    """Empty for the registry's default; `Defaults.complete` fills it in."""
    scenario: str = SCENARIO


@attrs.frozen(kw_only=True)
class Defaults:
    """What is taken where a user names none; empty where no registry file says."""

    operator: str = ""
    placement: str = ""
    input_at: str = ""
    """The tier that holds the input."""
    fabric: str = ""
    reporter: str = ""
    json_reporter: str = ""
    """The reporter of `--json`."""
    templates: str = ""
    """The package that `plugins new` finds its templates in."""

    def complete(self, product: Product) -> Product:
        """Return a product of cases with what it leaves open filled in."""
        return attrs.evolve(
            product,
            operators=product.operators or (self.operator,),
            placements=product.placements or (self.placement,),
            fabric=product.fabric or self.fabric,
        )


@attrs.frozen(kw_only=True)
class Skip:
    """Cases of a suite to leave out: those that match every pattern list that is not empty."""

    models: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    placements: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    why: str
    """The reason that reports show."""

    def __attrs_post_init__(self) -> None:
        """Refuse to leave everything out."""
        if not (self.models or self.operators or self.placements or self.backends):
            raise ValueError("skips everything: name models, operators, placements or backends")


@attrs.frozen(kw_only=True)
class Suite:
    """Cases worth running together."""

    name: str
    summary: str
    blocks: int = BLOCKS
    requests: int = REQUESTS
    """Measured requests a block."""
    until: str = attrs.field(default="", validator=attrs.validators.in_(("", "decided")))
    """`decided` where blocks are added until the best of each model is known; else empty."""
    max_blocks: int = MAX_BLOCKS
    """As many at most, where blocks are added."""
    input_at: str = ""
    """The tier that holds the input; empty for the registry's default."""
    accuracy_margin: float = attrs.field(default=ACCURACY_MARGIN, validator=_points)
    """Points of accuracy, 0 to 100: a loss of less counts as none."""
    links: tuple[Link, ...] = ()
    """Its own links, which come before the registry's."""
    products: tuple[Product, ...] = attrs.field(default=(), metadata={"key": "cases"})
    skips: tuple[Skip, ...] = attrs.field(default=(), metadata={"key": "skip"})

    def __attrs_post_init__(self) -> None:
        """Refuse a suite of nothing; one without a name is measured, not written in a registry."""
        if self.name and not self.products:
            raise ValueError("needs [[cases]], the combinations to run")


@attrs.frozen(kw_only=True)
class Asset:
    """A file from elsewhere, pinned."""

    name: str
    summary: str
    url: str = attrs.field(validator=_address)
    sha256: str = attrs.field(validator=_digits)
    """Of the file, 64 hexadecimal digits; as many of the first as its owner publishes."""
    size: int | None = None
    """Bytes of the file; None where its owner does not say."""
    licence: str
    score: float | None = attrs.field(default=None, validator=attrs.validators.optional(_share))
    """What the model in it is expected to reach on its dataset's first metric, 0 to 1."""
