"""The few classes of TensorRT 10 and 11 that the backend uses, and of the CUDA runtime.

No GPU is here, so what they compute is computed by onnx's reference evaluator, from and into the
memory whose addresses they are given. They are as strict as the real ones: names are those of the
bindings 10.16.1.11 and 11.4.0.106, a flag that a version does not have is no attribute, and what the
real one refuses is refused in its way (None, False, an entry of the parser's). Copies and runs are
begun on a stream and are done when somebody waits for it, no sooner.
"""

from __future__ import annotations

import ctypes
import json
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx.reference import ReferenceEvaluator

TYPED, TF32 = "STRONGLY_TYPED", "TF32"
CREATION = {
    10: {"EXPLICIT_BATCH": 0, TYPED: 1, "PREFER_JIT_PYTHON_PLUGINS": 2},
    11: {TYPED: 0, "PREFER_JIT_PYTHON_PLUGINS": 1},
}
FLAGS = {
    10: {"FP16": 0, "INT8": 1, TF32: 6, "OBEY_PRECISION_CONSTRAINTS": 9, "BF16": 17},
    11: {TF32: 6, "SPARSE_WEIGHTS": 7, "STRICT_NANS": 23},
}
KINDS = {
    "FLOAT": ("float32", 1),
    "HALF": ("float16", 10),
    "INT8": ("int8", 3),
    "INT32": ("int32", 6),
    "INT64": ("int64", 7),
    "BOOL": ("bool", 9),
    "UINT8": ("uint8", 2),
    "BF16": ("", 16),
    "FP8": ("", 17),
}
"""By name: what numpy calls it, empty for nothing, and its number in ONNX."""
UNREAD = ("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QLinearConv", "StringConcat")


class Member:
    """A member of an enumeration of pybind11: it is no int, but can be made one."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def __int__(self):
        return self.value

    def __eq__(self, other):
        return isinstance(other, Member) and (self.name, self.value) == (other.name, other.value)

    def __hash__(self):
        return hash(self.value)


class Enumeration:
    def __init__(self, members):
        self.__dict__.update({name: Member(name, value) for name, value in members.items()})


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO = (
        Member(name, value)
        for value, name in enumerate(("INTERNAL_ERROR", "ERROR", "WARNING", "INFO"))
    )
    _made = False

    def __init__(self):
        self._made = True


class Strict:
    """Refuses to be given attributes that it does not have, as classes of pybind11 do."""

    settable = ()

    def __setattr__(self, name, value):
        if not name.startswith("_") and name not in self.settable:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        super().__setattr__(name, value)


def need(value, kind):
    """Raise as pybind11 does of an argument of another type."""
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise TypeError(f"incompatible function arguments: {value!r}")


def need_log(log):
    need(log, ILogger)
    if not log._made:
        raise TypeError("ILogger.__init__() must be called when overriding __init__")


class Tensor:
    def __init__(self, info):
        tensor = info.type.tensor_type
        number = 1 if tensor.elem_type == onnx.TensorProto.DOUBLE else tensor.elem_type
        (kind,) = (kind for kind, (_, known) in KINDS.items() if known == number)
        self.name, self.dtype = info.name, Member(kind, number)
        self.shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim)
        self.is_shape_tensor = info.doc_string == "shape tensor"


class Network(Strict):
    def __init__(self, flags):
        self._flags, self._graph = flags, b""
        self._inputs, self._outputs = [], []

    num_inputs = property(lambda self: len(self._inputs))
    num_outputs = property(lambda self: len(self._outputs))

    def get_input(self, number):
        return self._inputs[number]

    def get_output(self, number):
        return self._outputs[number]


class ParserError:
    def __init__(self, node, said):
        self._node, self._said = node, said

    def desc(self):
        return self._said

    def node_name(self):
        return self._node.name

    def node_operator(self):
        return self._node.op_type


class OnnxParser(Strict):
    def __init__(self, network, log):
        need(network, Network)
        need_log(log)
        self._network, self._errors = network, []

    num_errors = property(lambda self: len(self._errors))

    def get_error(self, number):
        return self._errors[number]

    def parse_from_file(self, path):
        need(path, str)
        model = onnx.load(path)
        constants = {one.name: one.data_type for one in model.graph.initializer}
        for node in model.graph.node:
            kinds = {constants.get(name) for name in node.input}
            if node.op_type in UNREAD:
                self._errors.append(ParserError(node, f"No importer for {node.op_type}\n"))
            elif "quantize" in node.op_type.lower() and kinds & {2, 6}:
                said = "Assertion failed: only activation types\nallowed as input to this layer"
                self._errors.append(ParserError(node, said))
        self._network._graph = model.SerializeToString()
        self._network._inputs = [
            Tensor(one) for one in model.graph.input if one.name not in constants
        ]
        self._network._outputs = [Tensor(one) for one in model.graph.output]
        return not self._errors


class Profile(Strict):
    def __init__(self):
        self._shapes = {}

    def set_shape(self, input, min, opt, max):  # noqa: A002 (they are called so)
        if not all(low <= usual <= high for low, usual, high in zip(min, opt, max, strict=True)):
            raise ValueError("Shape provided for max is inconsistent with other shapes.")
        self._shapes[input] = [list(min), list(opt), list(max)]


class TimingCache:
    def __init__(self, content):
        self.content = content

    def serialize(self):
        return HostMemory(self.content)


class Config(Strict):
    settable = ("builder_optimization_level",)

    def __init__(self, version, gpu):
        self._flags = {TF32}
        self._known = FLAGS[version]
        self._gpu, self._profiles, self._cache = gpu, [], None
        self.builder_optimization_level = 3

    def set_flag(self, flag):
        need(flag, Member)
        self._flags.add(flag.name)

    def clear_flag(self, flag):
        need(flag, Member)
        self._flags.discard(flag.name)

    def add_optimization_profile(self, profile):
        need(profile, Profile)
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def create_timing_cache(self, serialized_timing_cache):
        return TimingCache(bytes(serialized_timing_cache) or self._gpu.encode())

    def set_timing_cache(self, cache, ignore_mismatch):
        need(cache, TimingCache)
        if not cache.content.startswith(self._gpu.encode()) and not ignore_mismatch:
            return False
        self._cache = cache
        return True

    def get_timing_cache(self):
        return self._cache


class HostMemory(bytes):
    """What is built; the real one gives its memory as a buffer."""


class Machine:
    """A fake machine: memory, streams and GPUs; and what was built on it."""

    def __init__(self, version="10.16.1.11", gpus=("Fake 9000",)):
        self.version, self.gpus = version, list(gpus)
        self.major = int(version.partition(".")[0])
        self.memory, self.freed, self.streams, self.device = {}, 0, {}, None
        self.networks, self.configs, self.logs = [], [], []
        self.room = 2**34

    # --- the CUDA runtime --------------------------------------------------------------------

    def _allocate(self, size):
        if size > self.room:
            return Status(2), None
        memory = (ctypes.c_ubyte * size)()
        ctypes.memset(memory, 0xA5, size)  # nothing that is there by chance is right
        self.memory[ctypes.addressof(memory)] = memory
        return Status(0), ctypes.addressof(memory)

    def _free(self, address):
        if address not in self.memory:
            return (Status(1),)
        del self.memory[address]
        return (Status(0),)

    def holds(self, address, size):
        """Say whether so many bytes at an address lie in memory that was given out."""
        return any(
            start <= address and address + size <= start + len(memory)
            for start, memory in self.memory.items()
        )

    def _copy(self, to, source, size, kind, stream):
        if int(stream) not in self.streams or not self.holds(to, size):
            return (Status(1),)
        self.streams[int(stream)].append(lambda: ctypes.memmove(to, source, size))
        return (Status(0),)

    def _synchronize(self, stream):
        for begun in self.streams[int(stream)]:
            begun()
        self.streams[int(stream)] = []
        return (Status(0),)

    def _choose(self, number):
        if not 0 <= number < len(self.gpus):
            return (Status(101),)
        self.device = number
        return (Status(0),)

    def _open_stream(self, flags):
        self.streams[7 + len(self.streams)] = []
        return Status(0), list(self.streams)[-1]

    def _close_stream(self, stream):
        del self.streams[int(stream)]
        return (Status(0),)

    def _describe(self, number):
        found = SimpleNamespace(name=self.gpus[number].encode(), major=9, minor=0)
        return Status(0), found

    def make_runtime(self):
        module = ModuleType("cuda.bindings.runtime")
        count = len(self.gpus)
        module.cudaStreamNonBlocking = 1
        module.cudaMemcpyKind = Enumeration(
            {"cudaMemcpyHostToDevice": 1, "cudaMemcpyDeviceToHost": 2}
        )
        module.cudaGetErrorString = lambda status: (Status(0), f"error {int(status)}".encode())
        module.cudaGetDeviceCount = lambda: (Status(0), count) if count else (Status(100), None)
        module.cudaDriverGetVersion = lambda: (Status(0), 13000 if count else 0)
        module.cudaGetDeviceProperties = self._describe
        module.cudaSetDevice = self._choose
        module.cudaMalloc = module.cudaMallocHost = self._allocate
        module.cudaFree = module.cudaFreeHost = self._free
        module.cudaMemcpyAsync = self._copy
        module.cudaStreamCreateWithFlags = self._open_stream
        module.cudaStreamSynchronize = self._synchronize
        module.cudaStreamDestroy = self._close_stream
        return module

    # --- TensorRT ----------------------------------------------------------------------------

    def make_tensorrt(self):
        module = ModuleType("tensorrt")
        module.__version__ = self.version
        module.ILogger, module.OnnxParser = ILogger, OnnxParser
        module.NetworkDefinitionCreationFlag = Enumeration(CREATION[self.major])
        module.BuilderFlag = Enumeration(FLAGS[self.major])
        module.TensorIOMode = Enumeration({"NONE": 0, "INPUT": 1, "OUTPUT": 2})
        module.nptype = find_numpy_type
        module.init_libnvinfer_plugins = lambda log, namespace: need_log(log) or True
        module.Builder = lambda log: Builder(self, log)
        module.Runtime = lambda log: Runtime(self, log)
        return module

    def install(self, monkeypatch):
        """Put both where the backend imports them."""
        cuda, bindings = ModuleType("cuda"), ModuleType("cuda.bindings")
        cuda.bindings, bindings.runtime = bindings, self.make_runtime()
        modules = [cuda, bindings, bindings.runtime, self.make_tensorrt()]
        for module in modules:
            module.__spec__ = ModuleSpec(module.__name__, None)
            module.__path__ = []
            monkeypatch.setitem(sys.modules, module.__name__, module)
        return self


class Status(int):
    """A status of the CUDA runtime."""


def find_numpy_type(kind):
    name = KINDS[kind.name][0]
    if not name:
        raise TypeError("Could not resolve TensorRT datatype to an equivalent numpy datatype.")
    return np.dtype(name).type


class Builder(Strict):
    def __init__(self, machine, log):
        need_log(log)
        if machine.device is None:
            raise RuntimeError("CUDA initialization failure with error: 35")
        self._machine, self._log = machine, log

    def create_network(self, flags=0):
        need(flags, int)
        self._machine.networks.append(Network(flags))
        return self._machine.networks[-1]

    def create_builder_config(self):
        machine = self._machine
        machine.configs.append(Config(machine.major, machine.gpus[machine.device]))
        return machine.configs[-1]

    def create_optimization_profile(self):
        return Profile()

    def build_serialized_network(self, network, config):
        need(network, Network)
        need(config, Config)
        inputs = {one.name: one.shape for one in network._inputs}
        known = config._profiles[0]._shapes if config._profiles else {}
        lacking = [name for name, shape in inputs.items() if -1 in shape and name not in known]
        if lacking:
            self._log.log(ILogger.INFO, "building")
            self._log.log(ILogger.ERROR, f"{lacking[0]}: dynamic, but no\noptimization profile")
            self._log.log(ILogger.ERROR, "Engine building failed")
            return None
        if config._cache is not None:
            config._cache.content += b" timed"
        machine = self._machine
        head = {
            "version": machine.version,
            "gpu": machine.gpus[machine.device],
            "flags": sorted(config._flags),
            "typed": network._flags,
            "effort": config.builder_optimization_level,
            "shapes": {name: known.get(name, [shape] * 3) for name, shape in inputs.items()},
        }
        return HostMemory(json.dumps(head).encode() + b"\0" + network._graph)


class Runtime(Strict):
    def __init__(self, machine, log):
        need_log(log)
        self._machine, self._log = machine, log

    def deserialize_cuda_engine(self, serialized_engine):
        head, _, graph = bytes(serialized_engine).partition(b"\0")
        said = json.loads(head)
        machine = self._machine
        if said["version"] != machine.version or said["gpu"] != machine.gpus[machine.device]:
            self._log.log(
                ILogger.ERROR, "The engine plan file is not compatible\nwith this version"
            )
            return None
        try:
            model = onnx.load_from_string(graph)
        except DecodeError:
            self._log.log(ILogger.ERROR, "The engine plan file is damaged")
            return None
        return Engine(machine, self._log, said, model)


class Engine(Strict):
    def __init__(self, machine, log, said, model):
        self._machine, self._log, self._said, self._model = machine, log, said, model
        read = {name for node in model.graph.node for name in node.input}
        constants = {one.name for one in model.graph.initializer}
        ends = [one for one in model.graph.input if one.name in read - constants]
        self._ends = {one.name: Tensor(one) for one in [*ends, *model.graph.output]}
        self._inputs = [one.name for one in ends]

    num_io_tensors = property(lambda self: len(self._ends))

    def get_tensor_name(self, index):
        return list(self._ends)[index]

    def get_tensor_mode(self, name):
        return Member("INPUT", 1) if name in self._inputs else Member("OUTPUT", 2)

    def get_tensor_dtype(self, name):
        return self._ends[name].dtype

    def get_tensor_profile_shape(self, name, profile_index):
        need(profile_index, int)
        return self._said["shapes"][name]

    def create_execution_context(self):
        return ExecutionContext(self) if self._machine.room > 2**10 else None


class ExecutionContext(Strict):
    def __init__(self, engine):
        self._engine, self._shapes, self._addresses = engine, {}, {}

    def set_input_shape(self, name, shape):
        need(shape, tuple)
        least, _, greatest = self._engine._said["shapes"][name]
        if not all(
            low <= size <= high for low, size, high in zip(least, shape, greatest, strict=True)
        ):
            return False
        self._shapes[name] = shape
        return True

    def get_tensor_shape(self, name):
        if name in self._shapes:
            return self._shapes[name]
        words = self._find_sizes()
        shape = self._engine._ends[name].shape
        info = next(one for one in self._engine._model.graph.output if one.name == name)
        dims = info.type.tensor_type.shape.dim
        return [
            words.get(dim.dim_param, -1) if size == -1 else size
            for size, dim in zip(shape, dims, strict=True)
        ]

    def _find_sizes(self):
        found = {}
        for info in self._engine._model.graph.input:
            shape = self._shapes.get(info.name, ())
            for size, dim in zip(shape, info.type.tensor_type.shape.dim, strict=False):
                found[dim.dim_param] = size
        return found

    def set_tensor_address(self, name, memory):
        need(memory, int)
        if name not in self._engine._ends:
            return False
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle):
        need(stream_handle, int)
        machine = self._engine._machine
        if set(self._addresses) != set(self._engine._ends) or set(self._shapes) != set(
            self._engine._inputs
        ):
            self._engine._log.log(ILogger.ERROR, "Address is not set for output tensor")
            return False
        machine.streams[stream_handle].append(self._compute)
        return True

    def _look_at(self, name):
        """Return a tensor as it lies in memory; what does not fit there is no tensor."""
        shape = tuple(self.get_tensor_shape(name))
        dtype = np.dtype(find_numpy_type(self._engine._ends[name].dtype))
        size = int(np.prod(shape)) * dtype.itemsize
        address = self._addresses[name]
        assert self._engine._machine.holds(address, size), f"illegal memory access for {name}"
        whole = (ctypes.c_ubyte * size).from_address(address)
        return np.ndarray(shape, dtype, whole)

    def _compute(self):
        feed = {name: self._look_at(name).copy() for name in self._engine._inputs}
        outputs = [name for name in self._engine._ends if name not in feed]
        for name, made in zip(
            outputs, ReferenceEvaluator(self._engine._model).run(outputs, feed), strict=True
        ):
            np.copyto(self._look_at(name), made, casting="equiv")
