"""Make what the page on pictures of your own starts from, in a minute.

`photos/` has 500 JPEG files of five handwritten digits in a folder for each, and `resnet-digits/` a
checkpoint of transformers: a small ResNet, trained on other pictures than those, with its image
processor. `resnet-digits.onnx` is the same network exported.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from transformers import ConvNextImageProcessorPil, ResNetConfig, ResNetForImageClassification

NAMES = ("zero", "one", "two", "three", "four")
SIDE = 64
CHECKPOINT = Path("resnet-digits")


def draw_picture(digit: np.ndarray, draw: np.random.Generator) -> Image.Image:
    """Draw a digit of 8x8 pixels as a photo of 320x240: on a coloured ground, off centre, noisy."""
    ground, ink = draw.uniform(90, 250, 3), draw.uniform(0, 80, 3)
    canvas = np.ones((240, 320, 3)) * ground
    share = np.kron(digit / 16, np.ones((22, 22)))[..., None]
    top, left = draw.integers(10, 54), draw.integers(40, 104)
    place = canvas[top : top + 176, left : left + 176]
    place[:] = place * (1 - share) + ink * share
    noisy = canvas + draw.normal(scale=30, size=canvas.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def write_photos(digits: np.ndarray, kinds: np.ndarray, draw: np.random.Generator) -> None:
    """Write each digit as a JPEG file into the folder of its class."""
    for number, (digit, kind) in enumerate(zip(digits, kinds, strict=True)):
        folder = Path("photos", NAMES[kind])
        folder.mkdir(parents=True, exist_ok=True)
        draw_picture(digit, draw).save(folder / f"{number:03}.jpg", quality=90)


def train(
    digits: np.ndarray, kinds: np.ndarray, draw: np.random.Generator, processor: object
) -> ResNetForImageClassification:
    """Train a small ResNet on pictures drawn of these digits."""
    torch.manual_seed(0)
    names = dict(enumerate(NAMES))
    configuration = ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 32, 64],
        depths=[1, 1, 1],
        layer_type="basic",
        id2label=names,
        label2id={name: number for number, name in names.items()},
    )
    network = ResNetForImageClassification(configuration).train()
    pictures = [draw_picture(digit, draw) for digit in np.repeat(digits, 3, axis=0)]
    inputs = processor(pictures, return_tensors="pt")["pixel_values"]
    answers = torch.tensor(np.repeat(kinds, 3).astype(np.int64))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(8):
        for chosen in torch.randperm(len(inputs)).split(32):
            network(pixel_values=inputs[chosen], labels=answers[chosen]).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return network.eval()


def main() -> None:
    """Write the pictures, the checkpoint and the ONNX file into the working directory."""
    draw = np.random.default_rng(0)
    digits, kinds = load_digits(n_class=len(NAMES), return_X_y=True)
    order = draw.permutation(len(kinds))
    digits, kinds = digits.reshape(-1, 8, 8)[order], kinds[order]
    write_photos(digits[:500], kinds[:500], draw)
    processor = ConvNextImageProcessorPil(size={"shortest_edge": SIDE}, crop_pct=1.0)
    network = train(digits[500:], kinds[500:], draw, processor)
    network.save_pretrained(CHECKPOINT)
    processor.save_pretrained(CHECKPOINT)
    batch = torch.export.Dim("batch", min=1, max=64)
    network.config.return_dict = False
    torch.onnx.export(
        network, (torch.zeros(2, 3, SIDE, SIDE),), "resnet-digits.onnx", dynamo=True,
        input_names=["pixel_values"], output_names=["logits"], dynamic_shapes=[{0: batch}],
        external_data=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
