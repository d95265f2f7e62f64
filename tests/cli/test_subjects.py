"""Every family of models through the command line, in its smallest size: trained, scored, run."""

from __future__ import annotations

import pytest

LEAST = {"top1": 0.95, "miou": 0.78, "f1": 0.93}
FAMILIES = {
    "bert": ("f1", "outcomes (synthetic)"),
    "duc": ("miou", "digit-scenes"),
    "efficientnet": ("top1", "digit-photos"),
    "fcn": ("miou", "digit-scenes"),
    "mobilenet": ("top1", "digit-photos"),
    "resnet": ("top1", "digit-photos"),
    "resnext": ("top1", "digit-photos"),
    "roberta": ("f1", "outcomes (synthetic)"),
    "shufflenet": ("top1", "digit-photos"),
    "vgg": ("top1", "digit-photos"),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_trained_and_right_where_it_is_deployed(cli, conforms, family):
    said = cli("run", "--model", f"{family}:tiny", "--backend", "onnxruntime", "--blocks", "1",
               "--requests", "5", "--json")  # fmt: skip
    assert said.status == 0, said.err + said.out
    conforms(said.json, "run")
    (case,) = said.json["cases"]
    metric, inputs = FAMILIES[family]
    assert (case["weights"], case["inputs"]) == ("trained", inputs)
    assert next(iter(case["accuracy"])) == metric
    assert case["accuracy"][metric] >= LEAST[metric]
    low, high = case["accuracy_ci95"][metric]
    assert low < case["accuracy"][metric] < high
    # Another exporter and another runtime than the one it was trained with.
    assert case["agreement"]["max_abs_difference"] < 1e-3


@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_a_masked_model_knows_as_much_in_int8(cli, family):
    """Quantized like any other number, the mask would leave the scores one step: an F1 of 0."""
    said = cli("run", "--model", f"{family}:tiny", "--operator", "identity", "--operator", "sptq",
               "--backend", "onnxruntime", "--blocks", "1", "--requests", "5", "--json")  # fmt: skip
    assert said.status == 0, said.err + said.out
    f1 = {case["chain"]: case["accuracy"]["f1"] for case in said.json["cases"]}
    assert f1["identity"] >= LEAST["f1"]
    assert f1["sptq"] >= f1["identity"] - 0.01


@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", ["efficientnet", "mobilenet", "shufflenet"])
def test_a_compact_model_is_quantized_and_cut(cli, family):
    """Depthwise kernels, gates and shuffled channels are where quantizers and cuts break."""
    said = cli("run", "--model", f"{family}:tiny", "--operator", "identity", "--operator", "sptq",
               "--operator", "partition", "--operator", "sptq+partition",
               "--placement", "mobile", "--placement", "mobile-edge",
               "--backend", "onnxruntime", "--blocks", "1", "--requests", "5", "--json")  # fmt: skip
    assert said.status == 0, said.err + said.out
    cases = {
        case["chain"]: case
        for case in said.json["cases"]
        if (case["placement"] == "mobile-edge") == ("partition" in case["chain"])
    }
    top1 = {chain: case["accuracy"]["top1"] for chain, case in cases.items()}
    assert top1["partition"] == top1["identity"] >= LEAST["top1"]
    assert top1["sptq+partition"] == top1["sptq"] >= top1["identity"] - 0.02
    assert cases["partition"]["agreement"]["max_abs_difference"] < 1e-3


def test_all_models_and_data_are_listed(cli, conforms):
    listed = cli("list", "models", "datasets", "--json").json
    conforms(listed, "list")
    models = {row["name"]: {one["name"] for one in row["variants"]} for row in listed["models"]}
    assert {"small", "tiny"} < models["bert"] & models["roberta"]
    assert all({"small", "tiny"} < models[name] for name in FAMILIES)
    assert models["resnet"] >= {"50", "wide50", "wide101"}
    datasets = {row["name"]: row for row in listed["datasets"]}
    assert datasets["outcomes"]["synthetic"]
    given = {name for name, row in datasets.items() if row["given"]}
    assert given == {"cityscapes", "coco", "imagenet", "mrpc", "voc"}


def test_published_sizes_stand_in_the_list(cli):
    listed = cli("list", "models", "--json").json
    sizes = {
        f"{row['name']}:{one['name']}": one["parameters"]
        for row in listed["models"]
        for one in row["variants"]
    }
    published = {
        "resnet:wide101": 126_886_696,
        "resnext:101": 83_455_272,
        "resnet:wide50": 68_883_240,
        "resnext:50": 25_028_904,
        "vgg:16": 138_357_544,
        "resnet:152": 60_192_808,
        "mobilenet:v2": 3_504_872,
        "mobilenet:v3-small": 2_542_856,
        "efficientnet:b0": 5_288_548,
        "efficientnet:b2": 9_109_994,
        "shufflenet:v2-x1": 2_278_604,
        "bert:base": 109_483_778,
        "roberta:base": 124_647_170,
    }
    assert {name: sizes[name] for name in published} == published
