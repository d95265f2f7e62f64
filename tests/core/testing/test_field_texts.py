"""The texts under fields are shown to people, those that a class inherits too."""

import attrs

from edgebench.testing.field_texts import read_field_texts


@attrs.frozen(kw_only=True)
class Wide:
    columns: str = ""
    """The columns."""
    rows: int = 0
    """The rows."""


@attrs.frozen(kw_only=True)
class Narrow(Wide):
    rows: int = 1
    """How many of
    them."""
    silent: int = 2


def test_texts_of_bases_are_read_and_may_be_replaced():
    assert read_field_texts(Narrow) == {"columns": "The columns.", "rows": "How many of them."}


def test_what_has_no_source_has_no_texts():
    assert read_field_texts(type("Made", (), {})) == {}
