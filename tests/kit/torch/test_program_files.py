"""A program that somebody else made is read without torch, and nothing of it is executed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch._export.serde import schema

from edgebench import EdgebenchError
from edgebench_kit.torch import program_files
from edgebench_kit.torch.flat_programs import open_flat
from edgebench_kit.torch.program_checks import is_expression
from edgebench_kit.torch.program_ends import look_into
from edgebench_kit.torch.program_sizes import compute_size, list_symbols, name_symbol

LINEAR = "torch.ops.aten.linear.default"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A program as `torch.export.save` writes it: with example inputs, which are a pickle."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    batch = torch.export.Dim("batch", max=16)
    program = torch.export.export(module, (torch.ones(3, 4),), dynamic_shapes=({0: batch},))
    path = tmp_path_factory.mktemp("whole") / "net.pt2"
    torch.export.save(program, str(path))
    return path


@pytest.fixture(scope="module")
def members(whole):
    with zipfile.ZipFile(whole) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def written(members, tmp_path):
    """Write the program again with members added, replaced, or (None) left out."""

    def write(changes, method=zipfile.ZIP_STORED):
        path = tmp_path / "foreign.pt2"
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, body in {**members, **changes}.items():
                if body is not None:
                    archive.writestr(f"net/{name}", body)
        return path

    return write


@pytest.fixture
def edited(members, written):
    """Write the program again with another graph."""

    def edit(change):
        document = json.loads(members["models/model.json"])
        change(document, document["graph_module"]["graph"])
        return written({"models/model.json": json.dumps(document)})

    return edit


def refusal(path):
    with pytest.raises(EdgebenchError) as caught:
        look_into(path, {})
    said = str(caught.value)
    assert path.name in said
    assert "\n" not in said
    return said


def test_the_versions_are_those_that_torch_reads():
    assert schema.SCHEMA_VERSION[0] == program_files.SCHEMA
    assert {kind.value for kind in schema.ScalarType} - {0} == set(program_files_dtypes())


def program_files_dtypes():
    from edgebench_kit.torch.program_payloads import DTYPES

    return DTYPES


def test_example_inputs_are_noted_and_left_out_of_the_copy(whole, monkeypatch, tmp_path):
    program, ends = look_into(whole, {})
    assert program.examples
    program_files.copy_program(program, program.document, tmp_path / "copy.pt2")
    with zipfile.ZipFile(tmp_path / "copy.pt2") as archive:
        assert archive.read("program/data/sample_inputs/model.pt") == b""
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("a pickle was opened"))
    run = open_flat(program, ends).module(check_guards=False)
    monkeypatch.undo()
    own = torch.export.load(str(whole)).module()
    for batch in (1, 2, 16):
        x = torch.randn(batch, 4)
        torch.testing.assert_close(run(x)[0], own(x), rtol=0, atol=1e-6)


def set_target(text):
    return lambda _, graph: graph["nodes"][0].update(target=text)


def set_size(text):
    def change(_, graph):
        graph["tensor_values"]["input"]["sizes"][0]["as_expr"]["expr_str"] = text

    return change


def name_node(text):
    return lambda _, graph: graph["nodes"][0].update(name=text)


def name_parameter(text):
    def change(document, _):
        spec = document["graph_module"]["signature"]["input_specs"][0]["parameter"]
        spec["parameter_name"] = text

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_target("torch.os.system"), "calls 'torch.os.system', which is no operator"),
        (set_target("torch.ops.load_library"), "calls 'load_library'"),
        (set_target("torch.ops.aten.save.default"), "calls 'aten.save.default'"),
        (set_target("torch.ops.aten.from_file.default"), "calls 'aten.from_file.default'"),
        (set_target("torch.ops.mine.foo.default"), "export the model without it"),
        (set_target("_operator.methodcaller"), "calls '_operator.methodcaller'"),
        (set_target("#mine:foo"), "calls '#mine:foo'"),
        (set_target("torch.ops.higher_order.triton_kernel_wrapper_mutation"), "higher_order"),
        (set_size("__import__('os').system('true')"), "is no expression of sizes"),
        (set_size("Symbol('s0').__class__"), "is no expression of sizes"),
        (set_size("Pow(Integer(9), 9**9**9)"), "is no expression of sizes"),
        (name_node("x; import os"), "names a value 'x; import os', as torch names none"),
        (name_node("lambda"), "names a value 'lambda'"),
        (name_parameter('0"];import os;["'), "names a tensor"),
        (lambda document, _: document["schema_version"].update(major=7), "schema 7 (torch 2."),
        (lambda document, _: document.pop("schema_version"), "has a graph of schema None"),
        (lambda document, _: document.pop("graph_module"), "is damaged"),
        (lambda document, _: document["graph_module"].pop("signature"), "is damaged"),
        (lambda _, graph: graph["tensor_values"].pop("input"), "says nothing of its input 'input'"),
        (lambda _, graph: graph["nodes"][0].pop("target"), "is damaged"),
    ],
)
def test_a_graph_that_says_more_than_torch_writes_is_refused(edited, change, words):
    assert words in refusal(edited(change))


def weights(change):
    def edit(members):
        document = json.loads(members["data/weights/model_weights_config.json"])
        change(document["config"]["0.weight"])
        return {"data/weights/model_weights_config.json": json.dumps(document)}

    return edit


def constant(file):
    entry = {"path_name": file, "is_param": False, "use_pickle": True, "tensor_meta": None}
    body = json.dumps({"config": {"c": entry}})
    return lambda _: {"data/constants/model_constants_config.json": body}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: {"data/aotinductor/model/net.wrapper.so": b"x"}, "compiled code, data/aotind"),
        (lambda _: {"extra/kernel.cubin": b"x"}, "holds compiled code, extra/kernel.cubin"),
        (lambda _: {"data/weights/model.pt": b"x"}, "holds a pickle, data/weights/model.pt"),
        (constant("custom_obj_0"), "the custom object 'c', which is a pickle"),
        (constant("opaque_obj_0"), "the custom object 'c', which is a pickle"),
        (weights(lambda one: one.update(use_pickle=True)), "the tensor '0.weight' as a pickle"),
        (weights(lambda one: one.update(tensor_meta=None)), "is damaged: what it says of its ten"),
        (weights(lambda one: one.update(path_name="../x")), "is not called or laid out"),
        (lambda _: {"data/weights/weight_0": b"x"}, "takes 128 bytes, and 1 are there"),
        (lambda _: {"../../evil": b"x"}, "whose name leads out of it"),
        (lambda _: {"archive_version": b"9"}, "is of archive version '9'"),
        (lambda _: {"archive_format": b"zip"}, "is no archive of the format pt2"),
        (lambda _: {"byteorder": b"big"}, "little-endian"),
        (lambda _: {"models/model.json": b"{"}, "is no JSON text"),
        (lambda _: {"models/model.json": b"[]"}, "holds no object of JSON"),
        (lambda _: {"models/model.json": b"[" * 100_000}, "is no JSON text"),
        (lambda _: {"models/model.json": None}, "it has no graph (models/*.json)"),
        (lambda _: {"data/weights/model_weights_config.json": None}, "it lacks data/weights"),
        (lambda members: {"models/model.json": None, **{
            f"models/{name}.json": members["models/model.json"] for name in "ab"
        }}, "holds 2 programs (a, b)"),
    ],
)  # fmt: skip
def test_an_archive_that_holds_more_than_raw_tensors_is_refused(members, written, change, words):
    assert words in refusal(written(change(members)))


def test_a_compressed_archive_is_refused_before_anything_of_it_is_unpacked(written):
    path = written({"extra/bomb": b"\0" * 10_000_000}, zipfile.ZIP_DEFLATED)
    assert "has a compressed or encrypted member" in refusal(path)


def test_the_layout_of_old_versions_is_refused_by_name(tmp_path):
    path = tmp_path / "old.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("version", "serialized_exported_program.json", "serialized_state_dict.pt"):
            archive.writestr(name, b"x")
    assert "of the layout that torch wrote before 2.9" in refusal(path)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.9, 0.998])
def test_a_truncated_file_is_refused(whole, tmp_path, share):
    body = whole.read_bytes()
    (tmp_path / "cut.pt2").write_bytes(body[: int(len(body) * share)])
    assert "is no program of torch.export, or is truncated" in refusal(tmp_path / "cut.pt2")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_damaged_is_one_line_or_harmless(whole, tmp_path, data):
    body = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.pt2"
    path.write_bytes(bytes(body))
    try:
        look_into(path, {})
    except EdgebenchError as error:
        assert "damaged.pt2" in str(error)  # some damage does not show


def paths_of(value, within=()):
    """Yield where each value in a document stands."""
    pairs = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    for key, one in pairs:
        yield (*within, key)
        yield from paths_of(one, (*within, key))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_a_graph_says_is_one_line_or_harmless(members, written, data):
    document = json.loads(members["models/model.json"])
    where = data.draw(st.sampled_from(list(paths_of(document))))
    *before, last = where
    place = document
    for key in before:
        place = place[key]
    place[last] = data.draw(st.sampled_from([None, -1, "", "x y", [], {}, [[]], {"a": {}}, True]))
    path = written({"models/model.json": json.dumps(document)})
    try:
        look_into(path, {})
    except EdgebenchError as error:
        assert "foreign.pt2" in str(error)  # some changes change nothing


@given(st.text(max_size=40))
def test_an_expression_calls_nothing_but_functions_of_sizes(text):
    if is_expression(text):
        assert "." not in text.replace("'", '"').split('"')[0] or text[0].isdigit()
        assert "__" not in text
        assert "import" not in text


@pytest.mark.parametrize(
    "text",
    [
        "Symbol('s77', positive=True, integer=True)",
        "Add(FloorDiv(Add(Symbol('s53', integer=True), Integer(-1)), Integer(2)), Integer(1))",
        "Mul(Float('1.5', precision=53), ToFloat(Symbol('s0', positive=True, integer=True)))",
        "GreaterThan(Symbol('u0', integer=True), Integer(0))",
        "2*s0 + 1",
        "Add(Pow(Symbol('s0', integer=True), Integer(2)), Pow(Symbol('s1'), Integer(-1)))",
        "Pow(Symbol('s0', integer=True), Rational(1, 2))",
        "LShift(Symbol('s0', integer=True), Integer(3))",
    ],
)
def test_what_torch_writes_is_an_expression(text):
    assert is_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "Pow(Integer(9), Integer(999999999))",
        "Pow(Pow(Pow(Integer(9), Integer(60)), Integer(60)), Integer(60))",
        "Pow(Add(Pow(Integer(9), Integer(60)), Integer(1)), Integer(-60))",
        "PowByNatural(Integer(2), Pow(Integer(9), Integer(9)))",
        "Pow(Integer(2), Symbol('s0', integer=True))",
        "Pow(Integer(2), s0)",
        "Pow(base=Integer(9), exp=Integer(999999999))",
        "Pow(Integer(9), Float('inf'))",
        f"Pow(Integer(9), {10**400})",
        "LShift(Integer(1), Integer(999999999))",
        "LShift(Integer(1), Mul(Integer(60), Integer(60)))",
    ],
)
def test_powers_that_nobody_can_hold_are_no_expressions(text):
    assert not is_expression(text)


def test_what_is_no_number_is_no_size():
    for text in ("Float('inf')", "Float('nan')", "Mul(Float('1e999'), Symbol('s0'))"):
        assert compute_size(text, {"s0": 2}) is None


def test_sizes_follow_from_the_symbols_in_them():
    text = "Add(FloorDiv(Add(Symbol('s5', integer=True), Integer(-1)), Integer(2)), Integer(1))"
    assert (name_symbol(text), list_symbols(text)) == (None, {"s5"})
    assert compute_size(text, {"s5": 31}) == 16
    assert compute_size(text, {}) is None
    assert name_symbol("Symbol('s5', integer=True)") == "s5"


def test_sizes_as_older_versions_write_them_are_the_same():
    assert (name_symbol("s5"), list_symbols("s5"), compute_size("s5", {"s5": 3})) == (
        "s5",
        {"s5"},
        3,
    )
    text = "Max(1, 2*s5 - s0//2 + 7 % 4) / 1"
    assert (name_symbol(text), list_symbols(text)) == (None, {"s0", "s5"})
    assert compute_size(text, {"s0": 5, "s5": 4}) == 9
    assert compute_size(text, {"s0": 5}) is None
    assert (name_symbol("oo"), list_symbols("Max(oo, s0)")) == (None, {"s0"})


@pytest.mark.parametrize(
    "text", ["'a' * 10000000000000", "Mul('a', 10000000000000)", "Integer('5')"]
)
def test_a_text_is_no_size_however_often(text):
    assert compute_size(text, {}) is None


def test_a_batch_that_is_spread_over_another_dimension_is_refused(members, written):
    document = json.loads(members["models/model.json"])
    graph = document["graph_module"]["graph"]
    batch = graph["tensor_values"]["input"]["sizes"][0]
    batch["as_expr"]["expr_str"] = name_symbol(batch["as_expr"]["expr_str"])
    (answer,) = [one["as_tensor"]["name"] for one in graph["outputs"]]
    graph["tensor_values"][answer]["sizes"] = [batch, batch]
    path = written({"models/model.json": json.dumps(document)})
    assert "of shape (batch, batch), do not lie along its first dimension" in refusal(path)


def test_the_file_itself_stays_as_it_was(whole):
    before = Path(whole).read_bytes()
    program, ends = look_into(whole, {})
    open_flat(program, ends)
    assert Path(whole).read_bytes() == before
