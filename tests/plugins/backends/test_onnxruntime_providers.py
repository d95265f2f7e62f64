"""Providers that come as packages: those that are installed, and libraries that are none."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import helper

from edgebench import CaseFailed, TensorSpec
from edgebench.cases.chain import parse_backend, structure
from edgebench.parts.errors import OptionError
from edgebench_kit.onnx import provider_devices, providers
from edgebench_kit.onnx.provider_libraries import ProviderLibrary, find_libraries
from edgebench_plugins.backends import onnxruntime as plugin
from edgebench_plugins.backends.onnxruntime import OnnxruntimeOptions

from .conftest import stage

(BACKEND,) = plugin.edgebench_backends()
OPENVINO = "openvino.cpu"


@pytest.fixture(scope="module")
def openvino(process):
    """The device of onnxruntime-ep-openvino, where it is installed and takes this processor."""
    if OPENVINO not in BACKEND.devices():
        pytest.skip(str(BACKEND.usable(None, OPENVINO)))
    return OPENVINO


@pytest.fixture
def aborting(tmp_path):
    """A library that ends the process which loads it."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: none can be made")
    source = tmp_path / "abort.c"
    source.write_text(
        "#include <stdlib.h>\n__attribute__((constructor)) void load(void) { abort(); }\n"
        "int CreateEpFactories(void) { return 1; }\n"
    )
    made = tmp_path / "libonnxruntime_providers_abort.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, source], check=True)
    return made


def test_libraries_that_fail_cost_their_own_devices_alone(
    facts, aborting, tmp_path, monkeypatch, process
):
    text = tmp_path / "text.so"
    text.write_text("not a library")
    named = {"version": "1.2", "package": "p"}
    libraries = (
        ProviderLibrary(path=text, distribution="onnxruntime-ep-text", **named),
        ProviderLibrary(path=aborting, distribution="onnxruntime-ep-abort", **named),
    )
    monkeypatch.setattr(provider_devices, "find_libraries", lambda: libraries)
    provider_devices.list_offers.cache_clear()
    assert list(BACKEND.devices()) == ["cpu"]
    assert BACKEND.usable(facts, "cpu") is True
    said = BACKEND.usable(facts, "text.cpu")
    assert "onnxruntime-ep-text 1.2 cannot be loaded: " in said
    assert "onnxruntime-ep-abort 1.2 cannot be loaded: loading it ended the process" in said


@pytest.mark.parametrize("kind", ["nowhere", "text", "other"])
def test_a_library_that_is_none_is_one_line(convolutions, tmp_path, kind):
    import onnxruntime

    (tmp_path / "text.so").write_text("not a library")
    other = next(Path(onnxruntime.__file__).parent.glob("capi/*providers_shared*"))
    path = {"nowhere": tmp_path / "no.so", "text": tmp_path / "text.so", "other": other}[kind]
    why = {
        "nowhere": ".*No such file",
        "text": "file too short|invalid ELF",
        "other": ".*CreateEpF",
    }
    with (
        pytest.raises(CaseFailed, match=f"{path} cannot be loaded: ({why[kind]})") as e,
        BACKEND.open(convolutions, "cpu", 1, OnnxruntimeOptions(library=path)),
    ):
        pass
    assert "\n" not in str(e.value)
    provider_devices.list_offers.cache_clear()


@pytest.mark.parametrize("text", ["a", "a=", "=1", "a=1;b", "a=1;a=2"])
def test_what_is_no_pair_is_refused_at_the_door(text):
    written = f'onnxruntime:cpu(provider_options="{text}")'
    with pytest.raises(
        OptionError, match="the backend onnxruntime: provider_options (holds|gives)"
    ):
        structure(OnnxruntimeOptions, parse_backend(written).options, "the backend onnxruntime")


def test_a_device_of_no_library_is_refused_at_the_door():
    with pytest.raises(ValueError, match="there is no library="):
        OnnxruntimeOptions(library_device="x.gpu")


def test_a_library_is_named_from_the_root_on():
    with pytest.raises(ValueError, match="from the root on, not 'libchip.so'"):
        OnnxruntimeOptions(library=Path("libchip.so"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (OnnxruntimeOptions(precision="bf16"), "computes in f32 on cpu, not in bf16"),
        (OnnxruntimeOptions(provider_options="a=1"), "cpu takes no provider_options"),
    ],
)
def test_the_processor_takes_none_of_them(convolutions, options, said):
    with pytest.raises(CaseFailed, match=said), BACKEND.open(convolutions, "cpu", 1, options):
        pass


# --- the real package ----------------------------------------------------------------------------


def test_openvinos_provider_computes_in_f32_unless_asked(openvino, convolutions, images, reference):
    with BACKEND.open(convolutions, openvino, 1, BACKEND.options()) as session:
        got = session.run({"pixels": images})["out"]
        assert session.assignment() == {"OpenVINOExecutionProvider": ["(Conv)", "(Relu)", "(Conv)"]}
        assert not session.doubts()
    np.testing.assert_allclose(got, reference, atol=1e-5)


def odd_graph(directory):
    """A stage of three nodes, the second of which OpenVINO has not."""
    nodes = [
        helper.make_node("Add", ["x", "x"], ["twice"], name="add"),
        helper.make_node("Det", ["twice"], ["det"], name="odd"),
        helper.make_node("Relu", ["det"], ["y"], name="relu"),
    ]
    x = TensorSpec(name="x", dtype="float32", shape=("batch", 3, 3))
    y = TensorSpec(name="y", dtype="float32", shape=("batch",))
    return stage(directory, nodes, (x,), (y,))


def test_nodes_that_the_provider_leaves_are_told(openvino, tmp_path):
    with BACKEND.open(odd_graph(tmp_path), openvino, 1, BACKEND.options()) as session:
        got = session.run({"x": np.eye(3, dtype="f4")[None]})["y"]
        assert session.assignment() == {
            "OpenVINOExecutionProvider": ["add (Add)", "relu (Relu)"],
            "CPUExecutionProvider": ["odd (Det)"],
        }
    np.testing.assert_allclose(got, [8])


def test_what_is_found_here_computes_what_the_graph_says_or_says_why_not(two_by_two, process):
    given = {"x": np.full((1, 4), 5, "f4"), "y": np.full((1, 4), 2, "f4")}
    others = [one for one in BACKEND.devices() if "." in one]
    if not others:
        pytest.skip("no package of a provider that finds a device is installed")
    for device in others:
        try:
            with BACKEND.open(two_by_two, device, 1, BACKEND.options()) as session:
                got = session.run(given)
        except CaseFailed as failure:
            assert "\n" not in str(failure)
        else:
            assert [got["less"][0, 0], got["more"][0, 0]] == [3, 7], device


def test_a_provider_that_gets_no_node_fails_the_case():
    part = SimpleNamespace(ep_name="CPUExecutionProvider", get_nodes=lambda: [node, node])
    node = SimpleNamespace(name="a", op_type="Add")
    session = SimpleNamespace(get_provider_graph_assignment_info=lambda: [part])
    with pytest.raises(CaseFailed, match="ChipExecutionProvider takes none of the 2 nodes"):
        providers.read_assignment(session, "ChipExecutionProvider")


def test_openvinos_provider_computes_in_bf16_where_it_is_asked(
    openvino, convolutions, images, reference
):
    try:
        with BACKEND.open(convolutions, openvino, 1, OnnxruntimeOptions(precision="bf16")) as one:
            got = one.run({"pixels": images})["out"]
    except CaseFailed as failure:
        pytest.skip(str(failure))
    far = np.abs(got - reference).max() / np.abs(reference).max()
    assert 1e-4 < far < 2e-2


def test_two_sessions_of_one_library_at_once(openvino, convolutions, images, reference):
    def compute(_):
        with BACKEND.open(convolutions, openvino, 1, BACKEND.options()) as session:
            return session.run({"pixels": images})["out"]

    with ThreadPoolExecutor(2) as pool:
        for got in pool.map(compute, range(2)):
            np.testing.assert_allclose(got, reference, atol=1e-5)


def test_what_the_provider_refuses_is_one_line(openvino, convolutions):
    options = OnnxruntimeOptions(provider_options="load_config={'CPU': {'NOPE': '1'}}")
    with (
        pytest.raises(CaseFailed, match="refuses: .*Unsupported property NOPE") as failed,
        BACKEND.open(convolutions, openvino, 1, options),
    ):
        pass
    assert "\n" not in str(failed.value)


def test_the_library_may_be_named_by_its_path(openvino, convolutions, images, reference):
    (library,) = (one for one in find_libraries() if one.name == "openvino")
    options = OnnxruntimeOptions(library=library.path, library_device=openvino)
    with BACKEND.open(convolutions, "cpu", 1, options) as session:
        got = session.run({"pixels": images})["out"]
    np.testing.assert_allclose(got, reference, atol=1e-5)
    with pytest.raises(CaseFailed, match="no package brings .* measure without library="):
        BACKEND.program(convolutions, "cpu", 1, options, convolutions.directory)


def test_what_is_exported_runs_on_it_too(openvino, convolutions, images, reference):
    text = BACKEND.program(convolutions, openvino, 1, BACKEND.options(), convolutions.directory)
    names = {}
    exec(compile(text, "program.py", "exec"), names)  # noqa: S102 - it is what is tested
    run = names["open_stage"](convolutions.directory)
    np.testing.assert_allclose(run({"pixels": images})["out"], reference, atol=1e-5)
    assert "import onnxruntime_ep_openvino" in text


def test_it_is_measured_from_the_command_line(openvino, cli, process):
    words = ("--model", "resnet:tiny", "--backend", f"onnxruntime:{openvino}")
    said = cli("run", *words, "--blocks", "1", "--requests", "6", "--json")
    (case,) = said.cases().values()
    assert case["status"] == "ok"
    assert case["device"] == openvino
    assert case["agreement"]["relative_difference"] < 1e-3
    ((shared,),) = (stage["assignment"] for stage in case["stages"])
    assert shared["by"] == "OpenVINOExecutionProvider"
    assert shared["count"] == len(shared["nodes"]) > 5
