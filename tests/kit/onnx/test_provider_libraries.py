"""Libraries of providers, found by what is installed, and called by short names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgebench_kit.onnx import provider_devices
from edgebench_kit.onnx.provider_libraries import ProviderLibrary, find_libraries


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Put a distribution with files on the path, as an installer would."""

    def install(name, **files):
        listed = []
        for path, content in files.items():
            file = tmp_path / path.replace("__", "/", 1).replace("_so", ".so")
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
            listed.append(f"{file.relative_to(tmp_path).as_posix()},sha256=x,{len(content)}")
        folder = tmp_path / f"{name.replace('-', '_')}-1.2.dist-info"
        folder.mkdir()
        (folder / "RECORD").write_text("\n".join(listed))
        return tmp_path

    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    provider_devices.list_offers.cache_clear()
    yield install
    provider_devices.list_offers.cache_clear()


EXPORTS = b"\x7fELF...\0CreateEpFactories\0ReleaseEpFactory\0"


def test_a_package_is_found_by_its_files_without_importing_it(installed):
    place = installed(
        "onnxruntime-ep-chip",
        onnxruntime_ep_chip____init___py=b"raise SystemExit",
        chip__libonnxruntime_providers_chip_plugin_so=EXPORTS,
        chip__libneeded_so=EXPORTS,
        chip__libonnxruntime_other_so=b"\x7fELF",
    )
    (library,) = find_libraries()
    assert library.path == place / "chip/libonnxruntime_providers_chip_plugin.so"
    assert (library.name, library.package, str(library)) == (
        "chip",
        "chip",
        "onnxruntime-ep-chip 1.2",
    )


def test_the_runtime_itself_and_what_only_looks_like_it_are_no_libraries(installed):
    exports = {"chip__libonnxruntime_providers_cuda_so": EXPORTS}
    place = installed("onnxruntime-gpu", onnxruntime____init___py=b"", **exports)
    (place / "onnxruntime_gpu-1.2.dist-info/RECORD").write_text(
        "onnxruntime/__init__.py,,\nchip/libonnxruntime_providers_cuda.so,,\n"
    )
    installed("somebody-else", chip__libonnxruntime_providers_x_so=EXPORTS)
    assert find_libraries() == ()


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("libonnxruntime_providers_openvino_plugin.so", "openvino"),
        ("onnxruntime_providers_nv_tensorrt_rtx.dll", "nv_tensorrt_rtx"),
        ("libtensorrt_plugin_ep.so", "tensorrt"),
        ("libonnxruntime_ggml.dylib", "ggml"),
        ("lib.so", "lib"),
    ],
)
def test_a_library_is_registered_by_the_name_of_its_file(file, name):
    assert ProviderLibrary(path=Path(file)).name == name


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("CUDAExecutionProvider", "cuda"),
        ("OpenVINOExecutionProvider.AUTO", "openvino.auto"),
        ("NvTensorRTRTXExecutionProvider", "nvtensorrtrtx"),
        ("ggml", "ggml"),
    ],
)
def test_a_provider_is_called_by_a_short_name(provider, name):
    assert provider_devices.name_provider(provider) == name


@pytest.mark.process
def test_modules_of_the_working_directory_are_not_imported_where_one_is_asked(
    installed, tmp_path, monkeypatch
):
    installed("onnxruntime-ep-chip", chip__libonnxruntime_providers_chip_so=EXPORTS)
    folder = tmp_path / "cloned"
    folder.mkdir()
    for name in ("json", "importlib", "edgebench_kit"):
        (folder / f"{name}.py").write_text("open('harm', 'w').close()\n")
    monkeypatch.chdir(folder)
    assert len(provider_devices.list_offers()) == 1
    assert not (folder / "harm").exists()
