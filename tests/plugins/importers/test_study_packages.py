"""The layout in which two studies published their latencies, read from small files."""

from __future__ import annotations

import numpy as np
import pytest

from edgebench import DataError
from edgebench.parts.units import write_link
from edgebench_plugins.importers.study_packages import claims, edgebench_importers, read


@pytest.fixture
def write(tmp_path):
    """Write a text file of latencies in the layout."""

    def write(name, values, head="Experiment Results"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join([head, *map(str, values)]) + "\n", encoding="utf-8")
        return file

    return write


def only(path):
    (found,) = read(path)
    return found


@pytest.mark.parametrize(
    ("name", "model", "chain", "placement"),
    [
        ("mobile_resnet", "resnet:wide101", "identity", "mobile"),
        ("edge_resnext_int8_sptq", "resnext:101", "sptq", "edge"),
        ("cloud_fcn_earlyexit", "fcn:resnet101", "early-exit", "cloud"),
        ("edge_duc_earlyexit_int8_sptq", "duc:resnet101", "early-exit+sptq", "edge"),
        ("mobile_edge_duc", "duc:resnet101", "partition", "mobile-edge"),
        ("mobile_cloud_fcn_earlyexit_int8_sptq", "fcn:resnet101", "early-exit+sptq+partition",
         "mobile-cloud"),
        ("edge_cloud_bert_int8_sptq", "bert:base", "sptq+partition", "edge-cloud"),
        ("mobile_roberta_int8_qat", "roberta:base", "qat", "mobile"),
        ("cloud_bert_pruned", "bert:base", "prune(block=4x1,kind=block)", "cloud"),
        ("cloud_resnet_pruned", "resnet:wide101", "prune(kind=block)", "cloud"),
        ("edge_resnet_distilled", "resnet:wide101", "distill", "edge"),
        ("edge_resnet_distilled_int8_sptq", "resnet:wide101", "distill+sptq", "edge"),
    ],
)  # fmt: skip
def test_the_name_of_a_file_tells_its_case(write, name, model, chain, placement):
    found = only(write(f"{name}_results.txt", [1.5]))
    assert (found.model, found.chain, found.placement) == (model, chain, placement)


@pytest.mark.parametrize(
    ("name", "links"),
    [
        ("edge_resnet", ["mobile-edge=200mbit", "edge-cloud=1mbit"]),
        ("edge_resnet_50mbps", ["mobile-edge=50mbit", "edge-cloud=1mbit"]),
        ("mobile_cloud_resnet_int8_sptq_10mbps_150mbps",
         ["mobile-edge=10mbit", "edge-cloud=150mbit"]),
    ],
)  # fmt: skip
def test_links_are_the_studies_unless_the_name_says_others(write, name, links):
    found = only(write(f"{name}_results.txt", [1.5]))
    assert [write_link(link) for link in found.links] == links


@pytest.mark.parametrize(
    ("count", "kept", "measured"),
    [
        (600, 500, "one block of 5 passes of 100 inputs"),
        (6, 5, "one block of 5 passes of 1 input"),
        (12, 12, "one block of 12 requests, none left out as there are not 6 passes"),
        (1, 1, "one block of 1 request, none left out as there are not 6 passes"),
    ],
)
def test_the_first_of_six_passes_does_not_count(write, count, kept, measured):
    found = only(write("mobile_fcn_results.txt", np.arange(1, count + 1) / 8))
    assert found.latency_s.tolist() == (np.arange(count - kept + 1, count + 1) / 8).tolist()
    assert found.measured == measured
    assert found.inputs is None or found.inputs.tolist() == [*range(kept // 5)] * 5


TABLE = 'Inference,Device,Model\n"9.5\n",Mobile,ResNet\n"8.25\n",Mobile,ResNet\n"0.5",Mobile-Edge,ResNet Quantize EarlyExit\n"2.5\n",Edge,RoBERTa SPTQ\n'


def test_a_table_holds_a_line_break_behind_each_number(tmp_path):
    file = tmp_path / "latency.csv"
    file.write_text(TABLE, encoding="utf-8")
    found = {f"{one.model} {one.chain} {one.placement}": one for one in read(file)}
    assert list(found) == [
        "resnet:wide101 identity mobile",
        "resnet:wide101 early-exit+sptq+partition mobile-edge",
        "roberta:base sptq edge",
    ]
    assert found["resnet:wide101 identity mobile"].latency_s.tolist() == [9.5, 8.25]


def test_a_folder_is_read_wherever_its_files_lie_and_what_else_is_there_is_left(write, tmp_path):
    write("a/b/mobile_bert_results.txt", [1.0])
    write("edge_bert_results.txt", [2.0])
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "table.csv").write_text(TABLE)
    assert claims(tmp_path)
    assert [one.placement for one in read(tmp_path)][:2] == ["mobile", "edge"]
    assert len(list(read(tmp_path))) == 5


def test_what_is_not_of_the_layout_is_not_claimed(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    assert not claims(tmp_path)
    assert not claims(tmp_path / "other.csv")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("mobile_fcn_results.txt", "Experiment Results\n1.5\nnan\n",
         "line 3: a latency in seconds is expected, not 'nan'"),
        ("mobile_fcn_results.txt", "Experiment Results\n1.5\n\n-2\n", "line 4: a latency"),
        ("mobile_fcn_results.txt", "Experiment Results\nfailed\n", "line 2: a latency"),
        ("mobile_fcn_results.txt", "1.5\n2.5\n", "line 1: 'Experiment Results' is expected"),
        ("mobile_fcn_results.txt", "", "line 1: 'Experiment Results' is expected"),
        ("mobile_fcn_results.txt", "Experiment Results\n", "it holds no latency"),
        ("fcn_results.txt", "Experiment Results\n1\n", "begins with no tiers of mobile, edge"),
        ("edge_mobile_fcn_results.txt", "Experiment Results\n1\n", "begins with no tiers"),
        ("edge_vgg_results.txt", "Experiment Results\n1\n", "a model of bert, duc, fcn"),
        ("edge_fcn_int4_results.txt", "Experiment Results\n1\n", "an operator of distilled"),
        ("x.csv", 'Inference,Device,Model\n"1\n",Edge,FCN\n"?\n",Edge,FCN\n', "line 4: a latency"),
        ("x.csv", "Inference,Device,Model\n1,Shore,FCN\n", "line 2: a device of Mobile"),
        ("x.csv", "Inference,Device,Model\n1,Edge,VGG\n", "line 2: a model of bert"),
        ("x.csv", "Inference,Device,Model\n1,Edge\n", "line 2: 3 columns are expected, not 2"),
        ("x.csv", f"Inference,Device,Model\n1,Edge,FCN\n1,Edge,{'F' * 200_000}\n",
         "line 3: field larger than field limit"),
        ("x_0mbps.csv", "Inference,Device,Model\n1,Edge,FCN\n", "a rate of 0 Mbit/s"),
        ("edge_fcn_200mbps_0.0mbps_results.txt", "Experiment Results\n1\n", "a rate of 0 Mbit/s"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_file_and_line(tmp_path, name, content, said):
    file = tmp_path / name
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as refused:
        list(read(file))
    assert str(refused.value).startswith(str(file))
    assert said in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    file = tmp_path / "edge_fcn_results.txt"
    file.write_bytes(b"Experiment Results\n\xff\xfe\n")
    with pytest.raises(DataError, match="line 2: not UTF-8 text"):
        list(read(file))


def test_a_table_that_is_no_text_is_refused(tmp_path):
    """However far behind what is read at once the byte lies."""
    file = tmp_path / "x.csv"
    file.write_bytes(b"Inference,Device,Model\n" + b"1,Edge,FCN\n" * 20_000 + b"1,Edge,\xff\n")
    with pytest.raises(DataError, match="x.csv, line 20002: not UTF-8 text"):
        list(read(file))


def test_it_is_offered():
    (importer,) = edgebench_importers()
    assert importer.name == "study-packages"
