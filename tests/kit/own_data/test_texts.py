"""Texts as people have them are found, told in two lines, split and packed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench import DataError, Unreadable
from edgebench.metrics.classification import accuracy
from edgebench.store.splits import keep_splits, open_split
from edgebench_kit.own_data.datasets import make_dataset
from edgebench_kit.own_data.finding import find_data
from edgebench_kit.own_data.options import DataOptions
from edgebench_kit.text.sentences import pack_sentences, unpack_sentences

SPLITS = ("training", "calibration", "validation", "test")
MOODS = ("negative", "neutral", "positive")


def table(path, count, start=0, header="text,label", labels=MOODS):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"sentence {n},{labels[n % len(labels)]}" for n in range(start, start + count)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def found(path, **options):
    return find_data(path, DataOptions(**options))


def everything(data, classes=MOODS):
    numbers = data.number_classes(classes)
    return {split: list(data.samples(split, 0, numbers)) for split in SPLITS}


def refused(path, model_classes=MOODS, **options):
    with pytest.raises(DataError) as error:
        found(path, **options).look(model_classes)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_a_table_of_texts_is_understood_and_told_in_two_lines(tmp_path):
    path = table(tmp_path / "reviews.csv", 1000)
    data = found(path)
    assert (data.kind, data.source.things) == ("texts", "texts")
    assert data.classes == MOODS
    assert data.look(("positive", "neutral", "negative")) == (
        (
            "reviews.csv: 1,000 texts in 3 classes (negative 334, neutral 333, positive 333), from "
            "'text', labels from 'label'; first: line 2 of reviews.csv, 'sentence 0', negative"
        ),
        (
            "test 800, calibration 100, validation 100, training 0 (no splits of its own: by digest, "
            "seed 0)"
        ),
    )
    held = everything(data, ("positive", "neutral", "negative"))
    samples = [one for split in held.values() for one in split]
    assert sorted(samples) == sorted(
        (pack_sentences(f"sentence {n}"), 2 - n % 3) for n in range(1000)
    )


def test_the_dataset_keeps_splits_as_any_other(tmp_path):
    data = found(table(tmp_path / "reviews.csv", 100))
    dataset = make_dataset(data, MOODS, metrics=lambda: [accuracy()])
    (tmp_path / "kept").mkdir()
    keep_splits(dataset, 7, tmp_path / "kept", lambda *_: None)
    kept = {split: list(open_split(tmp_path / "kept" / split)) for split in SPLITS}
    assert kept == everything(data)
    assert [len(split) for split in kept.values()] == [0, 10, 10, 80]
    assert list(dataset.look()) == list(data.look(MOODS))
    assert [metric.name for metric in dataset.metrics()] == ["accuracy"]


def test_a_text_file_without_a_header_is_read_by_numbers_of_columns(tmp_path):
    path = tmp_path / "SMS.txt"
    path.write_text("ham\tOk lar, joking\nspam\tFree entry in 2, a comp\nham\tU dun say so\n")
    assert "say text=COLUMN, label=COLUMN (with numbers from 1 where" in refused(
        path, ("ham", "spam")
    )
    data = found(path, text="2", label="1")
    first, _ = data.look(("ham", "spam"))
    assert "3 texts in 2 classes (ham 2, spam 1), from column 2, labels from column 1" in first


def test_pairs_are_packed_as_two(tmp_path):
    path = tmp_path / "nli.tsv"
    lines = [f"{n}\tIt rains {n}.\tIt is wet.\tentailment" for n in range(10)]
    lines += [f"{n}\tIt rains {n}.\tIt is dry.\tcontradiction" for n in range(10)]
    path.write_text("\n".join(["idx\tpremise\thypothesis\tlabel", *lines]))
    data = found(path)
    assert data.source.things == "pairs of texts"
    first, second = data.look(("entailment", "neutral", "contradiction"))
    assert first.startswith(
        "nli.tsv: 20 pairs in 2 classes (contradiction 10, entailment 10), from"
    )
    assert "'It rains 0. / It is wet.', entailment" in first
    assert second.endswith("1 of the model's 3 classes has no sample (neutral)")
    held = everything(data, ("entailment", "neutral", "contradiction"))
    texts = {unpack_sentences(one[0]) for split in held.values() for one in split}
    assert ("It rains 3.", "It is dry.") in texts


def test_splits_as_files_are_used(tmp_path):
    table(tmp_path / "train.csv", 100)
    table(tmp_path / "dev.csv", 20, 100)
    table(tmp_path / "TEST.CSV", 30, 200)
    (tmp_path / "sample_submission.csv").write_text("id\n1\n")
    (tmp_path / ".DS_Store").touch()
    first, second = found(tmp_path).look(MOODS)
    assert ": 150 texts in 3 classes" in first
    assert second == (
        "test 30, calibration 10, validation 20, training 90 (its own splits, calibration from "
        "training by digest, seed 0); sample_submission.csv beside the splits stays out"
    )


def test_a_test_file_without_labels_stays_out_and_another_takes_its_place(tmp_path):
    table(tmp_path / "train.csv", 100)
    table(tmp_path / "dev.csv", 20, 100)
    (tmp_path / "test.csv").write_text("id,text\n1,who knows\n")
    _, second = found(tmp_path).look(MOODS)
    assert second.startswith("test 20, calibration 10, validation 10, training 80 (its own splits")
    assert second.endswith("test.csv has no labels and stays out")
    (tmp_path / "test.csv").write_text("text,label\nwho knows,\n")
    assert found(tmp_path).look(MOODS)[1] == second


def test_a_table_is_found_in_its_folder_and_by_splits_as_folders(tmp_path):
    table(tmp_path / "one" / "anything.csv", 10)
    assert found(tmp_path / "one").look(MOODS)[0].startswith("one: 10 texts in 3 classes")
    table(tmp_path / "two" / "train" / "a.csv", 20)
    table(tmp_path / "two" / "test" / "b.csv", 10, 100)
    assert found(tmp_path / "two").look(MOODS)[1].startswith("test 10, calibration 2, validation 2")


def test_calibration_data_of_its_own_is_used(tmp_path):
    path = table(tmp_path / "a.csv", 100)
    other = table(tmp_path / "b.csv", 600, 95)
    data = found(path, calibration=other)
    _, second = data.look(MOODS)
    held = everything(data)
    own = {pack_sentences(f"sentence {n}") for n in range(100)}
    assert len(held["calibration"]) == 512
    both = len(own & {payload for payload, _ in held["calibration"]})
    assert sum(len(held[split]) for split in SPLITS) == 612 - both
    assert second.startswith(f"test {len(held['test'])}, calibration 512, validation 9")
    assert f": by digest, seed 0, calibration from {other}); {both} duplicate" in second


def test_calibration_data_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.npz").touch()
    said = refused(table(tmp_path / "a.csv", 9), calibration=tmp_path / "a.npz")
    assert said.endswith("a.csv texts; calibration data must be of the same kind")


def test_lines_of_json_hold_any_labels(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(
        "".join(json.dumps({"text": f"t {n}", "label": bool(n % 2)}) + "\n" for n in range(10))
    )
    assert found(path).classes == ("false", "true")
    path.write_text(
        "".join(json.dumps({"text": f"t {n}", "label": n % 2}) + "\n" for n in range(10))
    )
    assert found(path).classes == ("0", "1")
    _, second = found(path).look(("bad", "good"))
    assert second.endswith("labels are taken for class numbers: 0 is bad, 1 is good")
    assert "taken for" not in found(path).look(("LABEL_0", "LABEL_1"))[1]


def test_numbers_with_nothing_behind_the_point_are_classes(tmp_path):
    path = table(tmp_path / "t.csv", 12, labels=("0.0", "1.0", "10.0", "2.0"))
    assert found(path).classes == ("0", "1", "2", "10")


def test_a_label_that_is_no_number_is_missing(tmp_path):
    path = tmp_path / "t.jsonl"
    labels = [float("nan") if n == 3 else float(n % 2) for n in range(200)]
    rows = [json.dumps({"text": f"t {n}", "label": one}) for n, one in enumerate(labels)]
    path.write_text("\n".join(rows))
    data = found(path)
    assert data.classes == ("0", "1")
    assert "as line 4 of t.jsonl (it has no label)" in data.look(("bad", "good"))[1]


def test_words_with_a_label_each_are_tokens(tmp_path):
    path = tmp_path / "ner.jsonl"
    rows = [{"tokens": ["Ada", f"sleeps{n}"], "ner_tags": ["B-PER", "O"]} for n in range(200)]
    rows[7]["ner_tags"] = ["O"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = found(path)
    assert (data.kind, data.classes) == ("tokens", ("B-PER", "O"))
    first, second = data.look(("O", "B-PER"))
    assert "199 texts in 2 classes by word (B-PER 199, O 199)" in first
    assert "as line 8 of ner.jsonl (it has 2 words and 1 labels)" in second
    payload, answer = everything(data, ("O", "B-PER"))["test"][1]
    assert unpack_sentences(payload)[0].startswith("Ada sleeps")
    assert answer.tolist() == [1, 0]


def test_what_is_said_of_columns_fits_the_table(tmp_path):
    csv, lines = tmp_path / "t.csv", tmp_path / "t.jsonl"
    csv.write_text("id,satz,urteil\n1,a,b\n")
    assert "say text=COLUMN, label=COLUMN (with numbers from 1" in refused(csv)
    csv.write_text("eins,zwei,urteil\na,b,c\n")
    assert 'say text=COLUMN (of pairs text="FIRST SECOND"), label=COLUMN (with' in refused(csv)
    lines.write_text('{"eins": "a", "zwei": "b", "urteil": "c"}\n')
    assert refused(lines).endswith('text=COLUMN (of pairs text="FIRST SECOND"), label=COLUMN')
    lines.write_text('{"sentence1": "a", "sentence2": "b", "x": 1, "y_": 2}\n')
    assert refused(lines).endswith("say label=COLUMN")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text,label\na,negative\n ,positive\nc,neutral\n", "1 of 3 cannot be read, as line 3 of t.csv (it has no text)"),
        ("text,label\na,negative\nb,\nc,neutral\n", "as line 3 of t.csv (it has no label)"),
        ("text,label\na,\nb,\n", "none of 2 rows has a label, as line 2 of t.csv; say label=COLUMN if they"),
        ("text,label\na,negative\nb,negative\n", "all labels are 'negative'; with one class"),
        ("text,label\na,negative\na,positive\n", "line 2 of t.csv and line 3 of t.csv hold the same with two labels, 'negative' and 'positive'"),
        ("text,label\na,negatve\nb,positive\n", "the label 'negatve' is none of the model's 3 classes (negative, neutral, positive); did you mean 'negative'?"),
        ("text,label\na,1\nb,2\nc,3\n", "subtract 1 from each"),
        ("text,label\na,0\nb,7\n", "the label 7 is a number beyond the model's classes, 0 to 2"),
        ("kommentar,stimmung\na,0\n", "there are 'kommentar', 'stimmung'; say text=COLUMN, label=COLUMN"),
        ("text,label\n", "holds no sample"),
        ("", "holds no row"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table_is_one_line(tmp_path, content, said):
    path = tmp_path / "t.csv"
    path.write_text(content)
    assert said in refused(path)


def test_a_few_rows_that_cannot_be_read_are_counted(tmp_path):
    path = table(tmp_path / "t.csv", 300)
    path.write_text(path.read_text() + " ,negative\nx,\n")
    data = found(path)
    assert "2 cannot be read, as line 302 of t.csv (it has no text)" in data.look(MOODS)[1]
    lost = [one for one in everything(data)["test"] if isinstance(one, Unreadable)]
    assert [one.name for one in lost] == ["line 302 of t.csv", "line 303 of t.csv"]


def test_classes_come_from_a_file_where_the_model_has_only_numbers(tmp_path):
    path = table(tmp_path / "t.csv", 30)
    assert "give classes=FILE" in refused(path, ("LABEL_0", "LABEL_1", "LABEL_2"))
    names = tmp_path / "names.txt"
    names.write_text("positive\nneutral\nnegative\n")
    data = found(path, classes=names)
    assert data.look(("LABEL_0", "LABEL_1", "LABEL_2"))
    assert data.number_classes(("LABEL_0", "LABEL_1", "LABEL_2"))["negative"] == 2
    assert "the order must be the model's" in refused(path, classes=names)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "nowhere is not there; give a folder for each class"),
        ("t.xlsx", "t.xlsx is of no form that is read; save it as .csv; give"),
        ("t.zip", "t.zip is packed; unpack it"),
        ("t.jpg", "t.jpg is one picture; give a folder of them"),
        ("t", "t is of no form that is read; give"),
        ("x" * 999, "cannot be looked at: File name too long"),
    ],
)
def test_a_path_that_is_no_data_is_refused(tmp_path, name, said):
    if name.startswith("t"):
        (tmp_path / name).touch()
    assert said in refused(tmp_path / name)


def test_a_folder_of_nothing_or_of_several_tables_is_refused(tmp_path):
    assert "holds nothing; give" in refused(tmp_path)
    table(tmp_path / "a.csv", 1)
    table(tmp_path / "b.csv", 1)
    assert "holds 2 tables, a.csv, b.csv; give one of them, or call them train" in refused(tmp_path)
    table(tmp_path / "val.csv", 1)
    table(tmp_path / "dev.csv", 1)
    assert "are both called like the validation split" in refused(tmp_path)


def test_what_a_terminal_would_choke_on_is_shown_plainly(tmp_path):
    path = tmp_path / "a \x1b[31m ü.csv"
    path.write_text('text,label\n"\x1b[31mred\n[b]",x\nother,y\n')
    first, _ = found(path).look(("x", "y"))
    assert first.startswith("a [31m ü.csv: 2 texts")
    assert "'[31mred [b]', x" in first
    assert first.isprintable()


def test_arrays_are_told_and_left_to_who_reads_them(tmp_path):
    (tmp_path / "x.npz").touch()
    for path in (tmp_path, tmp_path / "x.npz"):
        data = found(path)
        assert data.kind == "arrays"
        assert data.look(()) == (f"{path.name}: arrays, as the model's inputs take them",)
        with pytest.raises(DataError, match="holds arrays; this model takes pictures or texts"):
            make_dataset(data, (), metrics=tuple)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=5), st.sampled_from(["x", "y", ""])), max_size=30))
def test_each_row_is_in_one_split_or_counted_or_all_is_refused(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("t") / "t.jsonl"
    path.write_text(
        "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
    )
    try:
        data = found(path)
        numbers = data.number_classes(("x", "y"))
        held = [one for split in SPLITS for one in data.samples(split, 0, numbers)]
    except DataError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert len(held) + data.division.dropped == len(rows)
        read = [one for one in held if not isinstance(one, Unreadable)]
        assert len({payload for payload, _ in read}) == len(read)


def test_paths_that_are_said_of_data_mean_the_same_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = DataOptions(classes="names.txt", calibration="more")
    assert (options.classes, options.calibration) == (tmp_path / "names.txt", tmp_path / "more")


def test_labels_that_differ_in_case_alone_are_one_class(tmp_path):
    path = table(tmp_path / "a.csv", 60, labels=("bad", "BAD", "Bad"))
    said = refused(path, ("bad", "good"))
    assert "all labels are 'BAD, Bad, bad'; with one class no accuracy says anything" in said
    table(path, 60, labels=("bad", "BAD", "good"))
    first, second = found(path).look(("bad", "good"))
    assert "60 texts in 2 classes (BAD 40, good 20)" in first
    assert second.endswith("; labels are taken for one class: BAD, bad")


def test_classes_are_counted_as_the_data_calls_them(tmp_path):
    path = table(tmp_path / "a.csv", 60, labels=("bad", "good"))
    other = table(tmp_path / "b.csv", 60, 100, labels=("BAD", "GOOD"))
    first, second = found(path, calibration=other).look(("bad", "good"))
    assert "60 texts in 2 classes (bad 30, good 30)" in first
    assert "labels are taken for one class: BAD, bad; GOOD, good" in second


def test_a_sign_makes_another_label(tmp_path):
    path = table(tmp_path / "a.csv", 60, labels=("-1", "0", "1"))
    assert "the labels are 0, 1, -1, and the model calls its 3" in refused(path, ("0", "1", "2"))
    names = tmp_path / "names.txt"
    names.write_text("-1\n0\n1\n")
    said = found(path, classes=names).look(("LABEL_0", "LABEL_1", "LABEL_2"))
    assert "60 texts in 3 classes (" in said[0]
    assert "-1 20" in said[0]
