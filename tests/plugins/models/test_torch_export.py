"""Programs of torch.export: what they take and give, and that their copies compute the same."""

from __future__ import annotations

import io
from importlib import import_module
from typing import NamedTuple

import attrs
import numpy as np
import pytest
import torch
from torch import nn
from torch.export import Dim
from torch.utils import _pytree as pytree

from edgebench import CaseFailed, DataError
from edgebench_kit.torch import program_states
from edgebench_kit.torch.lowered import open_module
from edgebench_kit.torch.onnx_export import run_module
from edgebench_kit.torch.programs import REGISTERING
from edgebench_plugins.models import torch_export
from edgebench_plugins.models.torch_export import TorchExportOptions

BATCH = Dim("batch")
LOOKING = """
import sys
from pathlib import Path
from edgebench_plugins.models.torch_export import TorchExportOptions, inputs, look
path = Path(sys.argv[1])
print(look("net", path, TorchExportOptions()).most, inputs(path, TorchExportOptions(), None).name)
assert not {"torch", "onnx", "transformers"} & set(sys.modules)
"""


class Pair(NamedTuple):
    first: torch.Tensor
    second: torch.Tensor


pytree._register_namedtuple(Pair, serialized_type_name="tests.Pair")


class Nested(nn.Module):
    """A model with arguments and answers of every shape that Python has."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.shift = torch.ones(4)

    def forward(self, pair, scale=2.0, *, mask, named):
        with torch.no_grad():
            y = self.linear(pair[0]) * scale + self.shift
        found = {"scores": y, "rest": [pair[1].relu(), (None, 3, mask)]}
        return found, Pair(named["z"].sum(1, keepdim=True), y + 1)


class Writing(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x):
        self.seen[1:3].add_(1)
        return x + self.seen


class WritingToItsInput(nn.Module):
    def forward(self, x):
        return x.relu_()


class Crossed(nn.Module):
    def forward(self, x):
        return x.t()


class Ids(nn.Module):
    """A model of numbers of rows, as texts are to a network."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(30, 4)

    def forward(self, input_ids, attention_mask):
        return (self.table(input_ids) * attention_mask.unsqueeze(-1)).sum(1)


def linear():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def pictures():
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))


@pytest.fixture
def saved(tmp_path):
    """Save a program as `torch.export.save` does without being asked for anything."""

    def save(module, arguments, shapes=None, *, name="net", training=False, **options):
        torch.manual_seed(0)
        given, named = arguments if isinstance(arguments, list) else (arguments, {})
        program = torch.export.export(
            module.train(training), given, named, dynamic_shapes=shapes, **options
        )
        torch.export.save(program, str(tmp_path / f"{name}.pt2"))
        return tmp_path / f"{name}.pt2"

    return save


def read(payload):
    return dict(np.load(io.BytesIO(payload), allow_pickle=False))


def run_both(path, options=None, batch=3):
    """Return what edgebench's stage gives to random requests, and what torch by itself does."""
    options = options or TorchExportOptions()
    (stage,) = torch_export.from_file(path, options).stages
    dataset = torch_export.inputs(path, options, None)
    requests = [read(payload) for payload, _ in list(dataset.samples("test", 0))[:batch]]
    given = {name: np.stack([one[name] for one in requests]) for name in requests[0]}
    got = run_module(attrs.evolve(stage, live=open_module(stage)), given)
    own = torch.export.load(str(path))
    flat, tree = pytree.tree_flatten(own.example_inputs)
    tensors = iter(given.values())
    flat = [torch.tensor(next(tensors)) if isinstance(one, torch.Tensor) else one for one in flat]
    arguments, named = pytree.tree_unflatten(flat, tree)
    with torch.no_grad():
        answer = own.module(check_guards=False)(*arguments, **named)
    wanted = [one for one in pytree.tree_leaves(answer) if isinstance(one, torch.Tensor)]
    return stage, got, [one.numpy() for one in wanted]


def check_same(got, wanted):
    assert len(got) == len(wanted)
    for own, right in zip(got.values(), wanted, strict=True):
        assert (own.shape, own.dtype) == (right.shape, right.dtype)
        np.testing.assert_allclose(own, right, rtol=0, atol=1e-5)


def test_arguments_by_name_and_nested_answers_are_tensors_in_order(saved):
    two = torch.randn(2, 4)
    path = saved(
        Nested(),
        [((two, two), 2.0), {"mask": two > 0, "named": {"z": two}}],
        {
            "pair": ({0: BATCH}, {0: BATCH}),
            "scale": None,
            "mask": {0: BATCH},
            "named": {"z": {0: BATCH}},
        },
    )
    stage, got, wanted = run_both(path)
    assert [(one.name, one.dtype, one.shape) for one in stage.inputs] == [
        ("pair_0", "float32", ("batch", 4)),
        ("pair_1", "float32", ("batch", 4)),
        ("mask", "bool", ("batch", 4)),
        ("named_z", "float32", ("batch", 4)),
    ]
    names = ["output_0.scores", "output_0.rest.0", "output_0.rest.1.2"]
    assert [one.name for one in stage.outputs] == [*names, "output_1.first", "output_1.second"]
    assert stage.outputs[3].shape == ("batch", 1)
    check_same(got, wanted)


@pytest.mark.parametrize("strict", [False, True])
def test_a_fixed_batch_of_one_is_one_sample_a_request(saved, strict):
    path = saved(linear(), (torch.randn(1, 4),), strict=strict)
    assert torch_export.look("net", path, TorchExportOptions()).most == 1
    stage, got, wanted = run_both(path, batch=1)
    assert stage.inputs[0].shape == (1, 4)
    check_same(got, wanted)


def test_the_most_samples_are_those_that_it_was_exported_for(saved):
    path = saved(linear(), (torch.randn(2, 4),), ({0: Dim("batch", max=16)},))
    assert torch_export.look("net", path, TorchExportOptions()).most == 16


def test_a_batch_that_was_left_to_torch_is_tried_alone(saved):
    path = saved(linear(), (torch.randn(2, 4),), ({0: Dim.AUTO},))
    assert torch_export.look("net", path, TorchExportOptions()).most is None
    stage, got, wanted = run_both(path)
    assert stage.inputs[0].shape == ("batch", 4)
    check_same(got, wanted)


def test_what_depends_on_the_others_of_a_batch_is_found_when_it_is_tried(saved):
    class Centred(nn.Module):
        def forward(self, x):
            return x - x.mean(0, keepdim=True)

    path = saved(Centred(), (torch.randn(2, 4),), ({0: Dim.AUTO},))
    with pytest.raises(CaseFailed, match="answers one alone otherwise: 'output'"):
        torch_export.from_file(path, TorchExportOptions())


@pytest.mark.parametrize(
    ("module", "arguments", "shapes", "words"),
    [
        (linear(), (torch.randn(2, 4),), None, "takes 2 samples at a time; its first dimension"),
        (linear(), (torch.randn(3, 4),), ({0: Dim("b", min=3)},), "takes 3 samples at a time or"),
        (linear(), (torch.randn(4),), None, "takes 4 samples at a time"),
        (Writing(), (torch.randn(1, 4),), None, "writes to its own 'b_seen' while it runs"),
        (WritingToItsInput(), (torch.randn(1, 4),), None, "writes to its own 'x'"),
        (Crossed(), (torch.randn(2, 4),), ({0: BATCH},), "'output', of shape (4, batch), do not"),
        (linear().bfloat16(), (torch.randn(1, 4).bfloat16(),), None, "holds bfloat16, which canno"),
    ],
)
def test_what_cannot_be_measured_is_refused_when_it_is_looked_at(
    saved, module, arguments, shapes, words
):
    path = saved(module, arguments, shapes)
    with pytest.raises(DataError) as caught:
        torch_export.look("net", path, TorchExportOptions())
    assert words in str(caught.value)


def test_a_model_in_training_is_refused(saved):
    dropping = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    path = saved(dropping, (torch.randn(1, 4),), training=True)
    with pytest.raises(DataError, match=r"was exported in training: its dropout is on"):
        torch_export.look("net", path, TorchExportOptions())
    path = saved(pictures(), (torch.randn(2, 3, 8, 8),), ({0: BATCH},), training=True)
    with pytest.raises(DataError, match=r"num_batches_tracked' while it runs"):
        torch_export.look("net", path, TorchExportOptions())


class Attending(nn.Module):
    def __init__(self, share):
        super().__init__()
        self.share = share

    def forward(self, x):
        return nn.functional.scaled_dot_product_attention(x, x, x, dropout_p=self.share)


class Recurring(nn.Module):
    def __init__(self, kind, share):
        super().__init__()
        self.network = kind(4, 4, 2, dropout=share, batch_first=True)

    def forward(self, x):
        return self.network(x)[0]


class Dropping(nn.Module):
    """A model that drops in a graph within its own."""

    def forward(self, x):
        with torch.no_grad():
            return nn.functional.dropout(x, 0.5)


class Drawing(nn.Module):
    """A model that draws in one of the ways that models do."""

    def __init__(self, way):
        super().__init__()
        self.way = way

    def forward(self, x):
        return x + self.way(x)


@pytest.mark.filterwarnings("ignore:The tensor attributes")  # of the weights of nn.GRU, by torch
@pytest.mark.parametrize(
    ("module", "words"),
    [
        (Recurring(nn.GRU, 0.5), "its gru is on"),
        (Recurring(nn.LSTM, 0.5), "its lstm is on"),
        (Recurring(nn.RNN, 0.5), "its rnn_tanh is on"),
        (Attending(0.5), "its scaled_dot_product_attention is on"),
        (nn.FeatureAlphaDropout(0.5), "its feature_alpha_dropout is on"),
        (Dropping(), "its dropout is on"),
        (Drawing(torch.randn_like), "its randn_like gives others"),
        (Drawing(lambda x: torch.rand(4)), "its rand gives others"),
        (Drawing(lambda x: torch.bernoulli(x.sigmoid())), "its bernoulli gives others"),
        (Drawing(lambda x: torch.multinomial(x[0].softmax(-1), 1)), "its multinomial gives others"),
        (Drawing(lambda x: torch.empty(4).normal_()), "its normal gives others"),
        (Drawing(lambda x: torch.empty(4).uniform_()), "its uniform gives others"),
        (Drawing(nn.functional.gumbel_softmax), "its exponential gives others"),
    ],
)
def test_what_draws_is_refused(saved, module, words):
    path = saved(module, (torch.randn(1, 3, 4),), training=True)
    with pytest.raises(DataError, match=words):
        torch_export.look("net", path, TorchExportOptions())


@pytest.mark.filterwarnings("ignore:The tensor attributes")
@pytest.mark.parametrize(
    ("module", "training"),
    [
        (Recurring(nn.GRU, 0.5), False),
        (Recurring(nn.GRU, 0.0), True),
        (nn.RReLU(), False),
        (Attending(0.0), True),
        (nn.Dropout(0.0), True),
    ],
)
def test_what_could_draw_and_does_not_is_taken(saved, module, training):
    path = saved(module, (torch.randn(1, 3, 4),), training=training)
    torch_export.look("net", path, TorchExportOptions())


def test_what_draws_is_what_torch_marks_as_drawing():
    known, marked = program_states.DRAWING | program_states.DROPPING, set()
    names = {one.name.partition("::") for one in torch._C._jit_get_all_schemas()}
    for library, _, name in (one for one in names if one[0] in ("aten", "prims")):
        packet = getattr(getattr(torch.ops, library), name, None)
        each = [getattr(packet, one) for one in packet.overloads()] if packet else []
        if any(torch.Tag.nondeterministic_seeded in one.tags for one in each):
            marked.add(name.removesuffix("_"))
    assert {"dropout", "randn_like"} <= marked
    assert marked <= known
    # What this version of torch does not have another may.
    assert not {one for one in known - marked if hasattr(torch.ops.aten, one)}


def test_open_sizes_are_asked_for_and_given_by_input_and_axis(saved):
    shapes = ({0: BATCH, 2: Dim("height", max=64), 3: Dim("width", max=64)},)
    path = saved(pictures(), (torch.randn(2, 3, 8, 10),), shapes)
    with pytest.raises(DataError, match=r'\(dims="input\.2=128 input\.3=128"\)'):
        torch_export.look("net", path, TorchExportOptions())
    options = TorchExportOptions(dims="input.2=24 input.3=32")
    stage, got, wanted = run_both(path, options)
    assert stage.inputs[0].shape == ("batch", 3, 24, 32)
    check_same(got, wanted)
    for dims, words in [
        ("input.2=24 input.3=65", "takes 0 to 64 for 'input.3', not 65"),
        ("input.1=3", "no open dimension 'input.1' beside the batch; there are: input.2, input.3"),
    ]:
        with pytest.raises(DataError, match=words):
            torch_export.look("net", path, TorchExportOptions(dims=dims))


def test_numbers_of_rows_are_drawn_from_all_that_a_table_has(saved):
    ids, mask = torch.randint(0, 30, (2, 6)), torch.ones(2, 6, dtype=torch.long)
    path = saved(Ids(), [(), {"input_ids": ids, "attention_mask": mask}],
                 {"input_ids": {0: BATCH}, "attention_mask": {0: BATCH}})  # fmt: skip
    dataset = torch_export.inputs(path, TorchExportOptions(), None)
    drawn = [read(payload) for payload, _ in dataset.samples("test", 0)]
    assert {int(one["input_ids"].max()) for one in drawn} >= {28, 29}
    assert max(int(one["attention_mask"].max()) for one in drawn) == 1
    stage, got, wanted = run_both(path)
    assert (stage.parameters, stage.precision) == (120, "f32")
    check_same(got, wanted)


def test_classes_that_come_last_are_seen_before_anything_runs(saved, tmp_path):
    class Turned(nn.Module):
        def forward(self, x):
            return x.permute(0, 2, 3, 1)

    path = saved(Turned(), (torch.zeros(2, 3, 8, 8),), ({0: BATCH},))
    pictures, labels = np.zeros((12, 3, 8, 8), "f4"), np.zeros((12, 8, 8), int)
    np.savez(tmp_path / "own.npz", x=pictures, labels=labels)
    asked = TorchExportOptions(metric="miou")
    with pytest.raises(DataError, match="fit if the classes come last; say classes-axis=3, or 1"):
        torch_export.inputs(path, asked, tmp_path / "own.npz")
    said = attrs.evolve(asked, classes_axis="3")
    assert torch_export.inputs(path, said, tmp_path / "own.npz").metrics()


def test_that_example_inputs_are_left_out_is_said(saved):
    path = saved(linear(), (torch.randn(1, 4),))
    lines = torch_export.inputs(path, TorchExportOptions(), None).look()
    assert lines == ["net.pt2: the example inputs in it, a pickle, are not read and left out"]


def test_a_program_of_integers_is_known_as_such(saved):
    import_module(REGISTERING)

    class Rounded(nn.Module):
        """As quantizers of PT2E leave what they were given."""

        def forward(self, x):
            whole = torch.ops.quantized_decomposed.quantize_per_tensor.default(
                x, 0.05, 0, -128, 127, torch.int8
            )
            return torch.ops.quantized_decomposed.dequantize_per_tensor.default(
                whole, 0.05, 0, -128, 127, torch.int8
            )

    path = saved(Rounded(), (torch.randn(2, 4),), ({0: BATCH},))
    look = torch_export.look("net", path, TorchExportOptions())
    assert look.already == ("in reduced precision already",)
    stage, got, wanted = run_both(path)
    assert stage.precision == "int8"
    check_same(got, wanted)


def test_looking_at_a_program_and_its_requests_imports_no_framework(saved, python):
    path = saved(linear(), (torch.randn(2, 4),), ({0: BATCH},))
    assert python(LOOKING, path).stdout.split() == ["None", "random-inputs"]


def test_the_model_is_a_file_and_nothing_else():
    from edgebench import Weights

    with pytest.raises(DataError, match=r"--model FILE\.pt2"):
        torch_export.build("default", Weights())


def test_answers_of_transformers_need_no_transformers(saved, python):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=16, patch_size=8, num_labels=5,
    )  # fmt: skip
    model = transformers.ViTForImageClassification(config).eval()
    path = saved(model, (torch.randn(2, 3, 16, 16),), ({0: BATCH},))
    stage, got, wanted = run_both(path)
    assert [one.name for one in stage.outputs] == ["logits"]
    check_same(got, wanted)
    fresh = """
import sys
from pathlib import Path
from edgebench_plugins.models.torch_export import TorchExportOptions, from_file
from_file(Path(sys.argv[1]), TorchExportOptions())
print("transformers" in sys.modules)
"""
    assert python(fresh, path).stdout.split() == ["False"]
