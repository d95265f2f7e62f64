"""Programs of torch to convert, in floats and with the integers that `qat` writes."""

from __future__ import annotations

import attrs
import torch

from edgebench import Stage
from edgebench_kit.torch import fake_quantized
from edgebench_kit.torch.onnx_export import name_open_sizes


def exported(module, examples, inputs, outputs):
    """A stage of a program that was saved and opened again, as a converter is given it."""
    stage = Stage(
        format="torch-program", model="toy", variant="small", inputs=inputs, outputs=outputs
    )
    program = torch.export.export(module.eval(), (examples,), dynamic_shapes=name_open_sizes(stage))
    return attrs.evolve(stage, live=program)


def run_program(stage, array):
    with torch.no_grad():
        given = stage.live.module(check_guards=False)(torch.from_numpy(array))
    if isinstance(given, dict):
        return {name: one.numpy() for name, one in given.items()}
    return (given[0] if isinstance(given, tuple | list) else given).numpy()


def quantized(stage, pictures, target, network=None):
    """The stage in int8, its ranges those of some pictures; nothing is trained."""
    module = attrs.evolve(stage, format="torch-module", live=network or make_network())
    rounding = fake_quantized.prepare_module(module, pictures, target)
    fake_quantized.follow_ranges(rounding, following=True, rounding=False)
    with torch.no_grad():
        rounding(torch.from_numpy(pictures["input"]))
    converted = fake_quantized.convert_module(rounding)
    program = fake_quantized.export_program(stage, converted, pictures)
    assert fake_quantized.find_int8_share(program) > 0.95
    return stage.changed(program, precision="int8")


def make_network():
    """What pictures go through: a stem, a residual block, channels in depth, a mean."""
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 64, 3, padding=1)
            self.norm, self.deep = nn.BatchNorm2d(64), nn.Conv2d(64, 64, 3, padding=1, groups=64)
            self.wide, self.head = nn.Conv2d(64, 128, 3, 2, 1), nn.Linear(128, 5)

        def forward(self, x):
            x = torch.relu(self.norm(self.stem(x)))
            x = nn.functional.max_pool2d(x + torch.relu(self.deep(x)), 2)
            x = nn.functional.adaptive_avg_pool2d(torch.relu(self.wide(x)), 1)
            return self.head(x.flatten(1))

    torch.manual_seed(0)
    return Network().eval()
