"""Tables are read as they are meant, or refused with the line at which they are not."""

import codecs
import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import DataError, Unreadable
from edgebench_kit.own_data import tables
from edgebench_kit.own_data.tables import Table


def written(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(path, encoding="", header=True):
    """Return the cells of rows, and the reasons of what is none."""
    return [
        one.reason if isinstance(one, Unreadable) else list(one.cells)
        for one in Table(path=path, encoding=encoding).read_rows(header=header)
    ]


PLAIN = [["a b", "x"], ["c", "y"]]


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("t.csv", "text,label\na b,x\nc,y\n", PLAIN),
        ("t.csv", "text,label\r\na b,x\r\nc,y", PLAIN),
        ("t.csv", "text;label\na, b;x\nc, d;y\n", [["a, b", "x"], ["c, d", "y"]]),
        ("t.csv", "text\tlabel\na, b\tx\nc\ty\n", [["a, b", "x"], ["c", "y"]]),
        ("t.csv", "text|label\na b|x\nc|y\n", PLAIN),
        ("T.CSV", "text,label\na b,x\nc,y\n", PLAIN),
        ("t.csv", "sep=;\r\ntext;label\r\na b;x\r\nc;y\r\n", PLAIN),
        ("t.csv", '"text","label"\n"a ""q"" b","x"\n"c\nd,e","y"\n', [['a "q" b', "x"], ["c\nd,e", "y"]]),
        ("t.csv", 'text,label\n"Good" film,x\nBad "film",y\n', [['"Good" film', "x"], ['Bad "film"', "y"]]),
        ("t.csv", "text,label\n\na b,x\n,\n \nc,y\n\n", PLAIN),
        ("t.csv", "text,label\na b,x,z\nc,y\n", ["it has 3 columns, not 2; put quotes around a cell that holds ','", ["c", "y"]]),
        ("t.csv", "text,label\na b\nc,y\n", ["it has 1 columns, not 2", ["c", "y"]]),
        ("t.tsv", "text\tlabel\na b\tx\nc\ty\n", PLAIN),
        ("t.tsv", 'text\tlabel\n"a b"\tx\n"c"\ty\n', PLAIN),
        # Lone quotes between tabs are plain characters, and lines stay lines.
        ("t.tsv", 'text\tlabel\n"a b\tx\nc\ty\n', [['"a b', "x"], ["c", "y"]]),
        ("t.tsv", 'text\tlabel\n"a b\tx\nc"\ty\n', [['"a b', "x"], ['c"', "y"]]),
        ("t.tsv", 'text\tlabel\n"a\nb"\tx\nc\ty\n', [["a\nb", "x"], ["c", "y"]]),
        # Quotes may open in one plain cell and close in the next.
        ("t.tsv", 'text\tlabel\n"a b\tx"\nc\ty\n', [['"a b', 'x"'], ["c", "y"]]),
        ("t.jsonl", '{"text": "a b", "label": "x"}\n\n{"label": "y", "text": "c"}\n', PLAIN),
        ("t.json", '[{"text": "a b", "label": "x"}, {"label": "y", "text": "c"}]', PLAIN),
        ("t.ndjson", '{"text": "a\u2028b", "label": 1}\n[1]\nx\n{"label": 2}\n',
         [["a\u2028b", 1], "it is no object of JSON, {...}", "it is no object of JSON, {...}", [None, 2]]),
    ],
)  # fmt: skip
def test_a_table_is_read_as_it_is_meant(tmp_path, name, content, found):
    path = written(tmp_path, content, name)
    assert Table(path=path).first == ("text", "label")
    assert rows(path) == found


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-mark", "utf-16-be-mark", "utf-32"]
)
def test_a_mark_says_the_encoding(tmp_path, encoding):
    text = "text;label\nGrüße, schön;x\n"
    marks = {"utf-16-le-mark": codecs.BOM_UTF16_LE, "utf-16-be-mark": codecs.BOM_UTF16_BE}
    name = encoding.removesuffix("-mark")
    path = written(tmp_path, marks.get(encoding, b"") + text.encode(name))
    assert Table(path=path).first == ("text", "label")
    assert rows(path) == [["Grüße, schön", "x"]]
    assert rows(path, "utf8" if encoding == "utf-8-sig" else "") == [["Grüße, schön", "x"]]


def test_a_table_in_another_encoding_is_read_as_is_said(tmp_path):
    path = written(tmp_path, "text,label\nGrüße,x\n".encode("cp1252"))
    assert rows(path, "cp1252") == [["Grüße", "x"]]


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        (b"text,label\nok,x\n" + "Grüße,x\n".encode("cp1252"), "",
         r"line 3 is not UTF-8 \(byte 0xfc\); say which encoding it is, as encoding=cp1252"),
        ("text,label\nok,x\nschön,y\n".encode() + "Grüße,x\n".encode("cp1252"), "", "line 4 is not"),
        ("text,label\nГ,x\n".encode(), "ascii", r"line 2 is not ASCII .*; give another encoding"),
        ("text,label\nok,x\n".encode("utf-16-le"), "", "say encoding=utf-16-le"),
        (b"text,label\nok,x\n", "klingon", "encoding=klingon: no encoding of texts is called so"),
        (b"text,label\nok,x\n", "hex", "encoding=hex: no encoding of texts is called so"),
        (b"text,label\nok,x\n", "rot13", "encoding=rot13: no encoding of texts is called so"),
        (b"text,label\nok,x\n", "a\0b", r"encoding='a\\x00b': no encoding of texts is called so"),
        (b"\xff\xfet\0,", "utf-8", "line 1 is not UTF-8"),
        (b"", "", "holds no row"),
        (b"\n \n", "", "holds no row"),
        (b'text,label\n"a,x\nb,b,y\n"c,z\n', "", "the row from line 2 on: "),
        (b'text,label\na,x\n"b"c,d,y\n', "", "the row from line 3 on: .*written twice"),
        # Taken for plain characters, quotes would stay around the cells of all other rows.
        (b'text,label\n"a b",x\n"The "best" one",y\n', "", "the row from line 3 on: .*written twice"),
        (b'text,label\n"a \\"b\\" c",x\n', "", "the row from line 2 on: .*written twice"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_its_line(tmp_path, content, encoding, said):
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=said) as error:
        rows(path, encoding)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.jsonl", '\n{"text": \n{"text": }\n', r"holds no row: line 2 is no JSON \(Expecting value\); each"),
        ("t.jsonl", "text\tlabel\n", r"line 1 is no JSON \(Expecting value\); each line must be an object"),
        ("t.jsonl", "1\n2\n", "line 1 is none; each line must be an object with keys"),
        ("t.jsonl", "{}\n", "line 1 is none; each line must be an object with keys"),
        ("t.jsonl", "[" * 100_000, "line 1 cannot be read as JSON"),
        ("t.json", '[\n{"text": "a"},\n{"text": }]', r"line 3 is no JSON \(Expecting value\)"),
        ("t.json", '{\n"a": 1\n}', r"line 1 is no JSON \(Expecting property name .*\); each line must"),
        ("t.jsonl", " \n", "holds no row$"),
    ],
)  # fmt: skip
def test_of_json_without_a_row_the_first_fault_is_said(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=said) as error:
        _ = Table(path=tmp_path / name).first
    assert len(str(error.value).splitlines()) == 1


def test_a_cell_without_end_is_refused_and_a_long_one_is_read(tmp_path, monkeypatch):
    before = csv.field_size_limit()
    long = "x" * 200_000
    assert rows(written(tmp_path, f"text,label\n{long},y\n")) == [[long, "y"]]
    monkeypatch.setattr(tables, "LONGEST", 1000)
    path = written(tmp_path, 'text,label\n"' + "xx\n" * 1000)
    with pytest.raises(DataError, match=r"from line 2 on: a cell has more than 1000 characters"):
        rows(path)
    assert csv.field_size_limit() == before


def test_columns_are_found_in_the_beginning_of_a_large_table(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "HEAD", 30)
    path = written(tmp_path, "text,label\n" + "größe,x\n" * 50)
    assert Table(path=path).first == ("text", "label")
    assert len(rows(path)) == 50
    # The first row alone may be longer.
    path = written(tmp_path, f"{'text' * 20},label\n" + "ö,x\n" * 50)
    assert Table(path=path).first == ("text" * 20, "label")


def test_lines_are_those_of_the_file(tmp_path):
    path = written(tmp_path, 'sep=,\ntext,label\n"a\nb",x\n\nc,y\nd\n')
    found = list(Table(path=path).read_rows())
    assert [one.name for one in found] == [f"line {n} of t.csv" for n in (3, 6, 7)]


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="nowhere.csv cannot be read: No such file"):
        _ = Table(path=tmp_path / "nowhere.csv").first


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


@given(
    st.lists(st.tuples(CELLS, st.sampled_from(["x", "y y", 'z "z"'])), min_size=1),
    st.sampled_from(",;|\t"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.booleans(),
)
def test_what_a_writer_of_tables_wrote_is_read(
    tmp_path_factory, cells, separator, end, encoding, all_quoted
):
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting)
    writer.writerows([("text", "label"), *cells])
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    assert rows(path) == [list(row) for row in cells]


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.text() | st.integers() | st.none()), min_size=1
    )
)
def test_lines_of_json_are_read(tmp_path_factory, objects):
    path = tmp_path_factory.mktemp("t") / "t.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in objects))
    table = Table(path=path)
    if not any(objects):
        with pytest.raises(DataError, match="holds no row"):
            _ = table.first
        return
    found = [dict(zip(table.first, row.cells, strict=True)) for row in table.read_rows()]
    assert found == [{key: one.get(key) for key in table.first} for one in objects]


@given(st.binary(max_size=200), st.sampled_from(["t.csv", "t.tsv", "t.jsonl", "t.json"]))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory, content, name):
    path = written(tmp_path_factory.mktemp("t"), content, name)
    try:
        width = len(Table(path=path).first)
        found = list(Table(path=path).read_rows())
    except DataError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert all(isinstance(one, Unreadable) or len(one.cells) == width for one in found)
