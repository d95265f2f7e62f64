"""What transformers notes of a model's pictures in `preprocessor_config.json`, read without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from edgebench import DataError
from edgebench_kit.vision.geometry import INTERPOLATIONS
from edgebench_kit.vision.inputs import MEANS, SPREADS
from edgebench_kit.vision.recipe_fields import check_side, to_numbers

TYPE_KEYS = ("image_processor_type", "feature_extractor_type")
HALVES = (0.5, 0.5, 0.5)
CLIP_MEANS, CLIP_SPREADS = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
LARGE = 384
"""The size from which on ConvNeXt resizes a picture whole."""


@attrs.frozen(kw_only=True)
class Usual:
    """What a type of processor does where its file does not say, under transformers' names."""

    size: Mapping[str, int] = attrs.field(factory=lambda: {"height": 224, "width": 224})
    resample: int = 3
    do_center_crop: bool = False
    crop_size: Mapping[str, int] = attrs.field(factory=lambda: {"height": 224, "width": 224})
    do_normalize: bool = True
    image_mean: tuple[float, ...] = HALVES
    image_std: tuple[float, ...] = HALVES
    default_to_square: bool = True
    own: Mapping[str, Any] = attrs.field(factory=dict)
    """Keys that only this type has, and what they are where the file does not say."""
    lacks: str = ""
    """The step that it does not take, whatever the file says."""


_SHORTER = {"shortest_edge": 224}
_MOBILE = Usual(
    size={"shortest_edge": 256}, resample=2, do_center_crop=True, default_to_square=False
)
_LABELS = {"do_reduce_labels": False, "reduce_labels": False}
_CLIP = Usual(
    size=_SHORTER,
    do_center_crop=True,
    image_mean=CLIP_MEANS,
    image_std=CLIP_SPREADS,
    default_to_square=False,
)
PROCESSORS: Mapping[str, Usual] = {
    "BeitImageProcessor": Usual(own=_LABELS),
    "BitImageProcessor": _CLIP,
    "BlipImageProcessor": Usual(
        size={"height": 384, "width": 384}, image_mean=CLIP_MEANS, image_std=CLIP_SPREADS
    ),
    "CLIPImageProcessor": _CLIP,
    "ChineseCLIPImageProcessor": _CLIP,
    "ConvNextImageProcessor": Usual(
        size={"shortest_edge": 384}, default_to_square=False, own={"crop_pct": 224 / 256}
    ),
    "DeiTImageProcessor": Usual(size={"height": 256, "width": 256}, do_center_crop=True),
    "EfficientNetImageProcessor": Usual(
        size={"height": 346, "width": 346},
        crop_size={"height": 289, "width": 289},
        own={"include_top": True, "rescale_offset": False},
    ),
    "LevitImageProcessor": Usual(
        size=_SHORTER,
        do_center_crop=True,
        image_mean=MEANS,
        image_std=SPREADS,
        default_to_square=False,
    ),
    "MobileNetV1ImageProcessor": _MOBILE,
    "MobileNetV2ImageProcessor": attrs.evolve(_MOBILE, own=_LABELS),
    "MobileViTImageProcessor": Usual(
        size=_SHORTER,
        do_center_crop=True,
        crop_size={"height": 256, "width": 256},
        do_normalize=False,
        default_to_square=False,
        own={"do_flip_channel_order": True, **_LABELS},
        lacks="do_normalize",
    ),
    "PoolFormerImageProcessor": Usual(
        size=_SHORTER,
        do_center_crop=True,
        image_mean=MEANS,
        image_std=SPREADS,
        default_to_square=False,
        own={"crop_pct": 0.9},
    ),
    "PvtImageProcessor": Usual(image_mean=MEANS, image_std=SPREADS),
    "SegformerImageProcessor": Usual(
        size={"height": 512, "width": 512},
        resample=2,
        image_mean=MEANS,
        image_std=SPREADS,
        own=_LABELS,
        lacks="do_center_crop",
    ),
    "SiglipImageProcessor": Usual(default_to_square=False),
    "ViTImageProcessor": Usual(resample=2),
}
"""By the type's name, what is usual with it. Types that do something else are not among them."""
NO_MATTER = frozenset(
    (*TYPE_KEYS, "processor_class", "do_convert_rgb", "_valid_processor_keys", "num_channels")
)
"""Keys that say nothing of what is done to a picture in RGB."""
COMMON = frozenset(("do_resize", "do_rescale", "rescale_factor")).union(
    field.name for field in attrs.fields(Usual) if field.name not in {"own", "lacks"}
)


def is_processor(document: Mapping[str, Any]) -> bool:
    """Say whether a document is one of transformers."""
    return any(key in document for key in (*TYPE_KEYS, "do_resize", "image_mean", "auto_map"))


def read_processor(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a recipe that does what a processor of transformers does.

    It resamples with Pillow: the processors on torchvision resample tensors, which is some
    thousandths of the range off.

    Raises:
        DataError: The type, a key or a value is not understood; it is named.
    """
    if document.get("auto_map"):
        raise DataError(
            "auto_map names code of its own, and nothing of a checkpoint is executed; write the "
            "recipe as a file of its own: preprocess=FILE.json"
        )
    kind, usual = _find_type(document)
    # A step that is null is not taken; another key is as if it were not there.
    said = {
        key: bool(value) if value is None else value
        for key, value in document.items()
        if value is not None or key.startswith("do_")
    }
    known = {*NO_MATTER, *COMMON, *usual.own}
    for key in sorted(set(said) - known):
        # What is empty or switched off changes nothing.
        if said[key] not in (False, {}, [], "", "channels_first"):
            raise DataError(f"{key!r} of a {kind} is not understood here; it is {said[key]!r}")
    said = {**attrs.asdict(usual, recurse=False), **usual.own, **said}
    _refuse_wrong(said)
    if said.get(usual.lacks):
        raise DataError(f"{usual.lacks!r} is not understood for a {kind}, which leaves it out")
    fields = _read_geometry(kind, said)
    return {**fields, **_read_arithmetic(said), **_read_own(said)}


def _find_type(document: Mapping[str, Any]) -> tuple[str, Usual]:
    """Return what the type is called today, and what is usual with it."""
    written = next((document[key] for key in TYPE_KEYS if document.get(key)), None)
    if written is None:
        raise DataError(f"it says of no type what it is: it has no {TYPE_KEYS[0]!r}")
    name = str(written).replace("FeatureExtractor", "ImageProcessor")
    for ending in ("Fast", "Pil"):
        name = name.removesuffix(ending)
    if name not in PROCESSORS:
        raise DataError(
            f"pictures of a {written} are not understood here; understood are "
            f"{', '.join(PROCESSORS)}"
        )
    return name, PROCESSORS[name]


def _refuse_wrong(said: Mapping[str, Any]) -> None:
    for key, value in said.items():
        if key.startswith("do_") and not isinstance(value, bool):
            raise DataError(f"{key!r} is true or false, not {value!r}")
    for key in ("do_reduce_labels", "reduce_labels"):
        if said.get(key):
            raise DataError(
                f"{key!r} renumbers the classes of masks, which is not done here; renumber those "
                "of yours and set it to false"
            )


def _read_geometry(kind: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the picture is resized and cropped."""
    fields: dict[str, Any] = {}
    if said.get("do_resize", True):
        resample = said["resample"]
        if resample not in range(len(INTERPOLATIONS)):
            raise DataError(f"'resample' is a number of Pillow's, 0 to 5, not {resample!r}")
        fields["interpolation"] = INTERPOLATIONS[int(resample)]
        size = _read_size("size", said["size"], square=said["default_to_square"])
        fields |= _RESIZES.get(kind, _resize_plainly)(size, said)
    if said["do_center_crop"]:
        if "crop" in fields:
            raise DataError(f"'do_center_crop' of a {kind} is not understood here")
        crop = _read_size("crop_size", said["crop_size"], square=True)
        if not isinstance(crop, tuple):
            raise DataError("'crop_size' has a height and a width")
        fields["crop"] = crop
    return fields


def _read_size(key: str, value: Any, *, square: bool) -> int | tuple[int, int]:
    """Return the shorter side, or the height and the width."""
    sides: list[Any] = []
    if isinstance(value, int) and not isinstance(value, bool):
        sides = [value, value] if square else [value]
    elif isinstance(value, list) and len(value) == 2:
        sides = value
    elif isinstance(value, Mapping):
        there = {name: one for name, one in value.items() if one is not None}
        if set(there) in ({"height", "width"}, {"shortest_edge"}):
            sides = [there[name] for name in sorted(there)]
    if not sides:
        raise DataError(
            f"{key!r} is understood with 'height' and 'width' or with 'shortest_edge', and is "
            f"{value!r}"
        )
    for side in sides:
        check_side(repr(key), side)
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


def _resize_plainly(size: int | tuple[int, int], said: Mapping[str, Any]) -> dict[str, Any]:
    return {"resize": size}


def _resize_convnext(size: int | tuple[int, int], said: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(size, tuple):
        raise DataError("'size' of a ConvNextImageProcessor has 'shortest_edge' alone")
    if size >= LARGE:
        return {"resize": (size, size)}
    return {"resize": int(size / _read_share(said)), "crop": (size, size)}


def _resize_poolformer(size: int | tuple[int, int], said: Mapping[str, Any]) -> dict[str, Any]:
    share = _read_share(said)
    if isinstance(size, int):
        return {"resize": int(size / share)}
    height, width = size
    one = height == width
    return {"resize": int(height / share) if one else (int(height / share), int(width / share))}


def _resize_levit(size: int | tuple[int, int], said: Mapping[str, Any]) -> dict[str, Any]:
    return {"resize": int(256 / 224 * size) if isinstance(size, int) else size}


_RESIZES = {
    "ConvNextImageProcessor": _resize_convnext,
    "LevitImageProcessor": _resize_levit,
    "PoolFormerImageProcessor": _resize_poolformer,
}
"""The types that resize to something else than what they call their size."""


def _read_share(said: Mapping[str, Any]) -> float:
    share = said["crop_pct"]
    if not isinstance(share, (int, float)) or not 0.01 <= share <= 1:
        raise DataError(f"'crop_pct' is a share, 0.01 to 1, not {share!r}")
    return float(share)


def _read_arithmetic(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is done to the values of pixels."""
    fields: dict[str, Any] = {
        "scale": said.get("rescale_factor", 1 / 255) if said.get("do_rescale", True) else 1.0
    }
    if said["do_normalize"]:
        fields |= {"mean": said["image_mean"], "std": said["image_std"]}
    return fields


def _read_own(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what only some types do."""
    fields: dict[str, Any] = {}
    if said.get("rescale_offset") and said.get("do_rescale", True):
        fields["offset"] = -1.0
    if said.get("include_top"):
        # It divides by the deviations once more. What are no numbers is refused by the recipe.
        spreads = to_numbers(said["image_std"])
        squared = said["do_normalize"] and isinstance(spreads, tuple)
        fields["std"] = tuple(one**2 for one in spreads) if squared else spreads
    if said.get("do_flip_channel_order"):
        fields["channels"] = "bgr"
    return fields
