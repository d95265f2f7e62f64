"""Directories of pictures are found, checked and split alike on every machine."""

import hashlib
import io
import shutil
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgebench import DataError, Dataset, Unreadable
from edgebench.store import splits
from edgebench_kit.vision import picture_directories
from edgebench_kit.vision.decoding import decode_picture, read_shape
from edgebench_kit.vision.picture_directories import (
    Pictures,
    describe_contents,
    find_folders,
    find_pictures,
    has_pictures,
    make_missing_error,
    read_mask,
    read_text,
)

SPLITS = ("calibration", "validation", "test")


def encoded(number, form="PNG", size=(9, 6)):
    """Encode a picture of its own, of a width and a height."""
    rng = np.random.default_rng(number)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(file, form)
    return file.getvalue()


def filled(root, count, name="{}.png"):
    root.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (root / name.format(number)).write_bytes(encoded(number))
    return root


def opened(root, answer=int):
    found = {path: n for n, path in enumerate(find_pictures(root))}
    return Pictures(root=root, labels=lambda: found, answer=answer)


def payloads(pictures):
    return {split: [one[0] for one in pictures.read_split(split, 0)] for split in SPLITS}


# --- finding -------------------------------------------------------------------------------------


def test_pictures_are_found_by_ending_in_natural_order(tmp_path):
    names = ["10.JPEG", "2.jpg", "a.PNG", "b.jpeg", "1.png"]
    for name in [*names, "notes.txt", "._2.jpg", "x.gif"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [path.name for path in find_pictures(tmp_path)]
    assert found == ["1.png", "2.jpg", "10.JPEG", "a.PNG", "b.jpeg"]
    assert [path.name for path in find_folders(tmp_path)] == ["folder.png"]


def test_a_directory_without_pictures_has_none(tmp_path):
    (tmp_path / "notes.txt").touch()
    assert not has_pictures(tmp_path)
    assert not has_pictures(tmp_path / "nowhere")
    assert has_pictures(filled(tmp_path / "some", 1))


def test_a_directory_is_described_by_what_a_user_would_see(tmp_path):
    assert describe_contents(tmp_path) == "an empty directory"
    assert describe_contents(tmp_path / "nowhere") == "no such directory"
    for name in ("b10", "b9", "c", "d", "e", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "a").mkdir()
    assert describe_contents(tmp_path) == "a/, b9, b10, c and 2 more"
    assert describe_contents(tmp_path / "c") == "a file"


def test_what_is_missing_is_said_with_what_is_there(tmp_path):
    error = make_missing_error("cats", "photos of cats", tmp_path)
    assert str(error) == f"cats looks for photos of cats in {tmp_path}; found an empty directory"


def test_a_directory_that_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="nowhere cannot be read: No such file"):
        find_pictures(tmp_path / "nowhere")


def test_a_text_file_that_is_none_is_said(tmp_path):
    (tmp_path / "labels").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cats: .*labels is not a text file in UTF-8"):
        read_text("cats", tmp_path / "labels")
    with pytest.raises(DataError, match="cats: .*nowhere cannot be read: No such file"):
        read_text("cats", tmp_path / "nowhere")


# --- splitting -----------------------------------------------------------------------------------


def test_a_request_carries_the_file_as_it_lies(tmp_path):
    root = filled(tmp_path, 30)
    got = {
        payload: answer for split in SPLITS for payload, answer in opened(root).read_split(split, 0)
    }
    assert got == {encoded(number): number for number in range(30)}


def test_calibration_and_validation_get_a_tenth_each(tmp_path):
    got = payloads(opened(filled(tmp_path, 57)))
    assert {split: len(some) for split, some in got.items()} == {
        "calibration": 5,
        "validation": 5,
        "test": 47,
    }
    assert list(opened(tmp_path).read_split("training", 0)) == []


def test_calibration_and_validation_get_no_more_than_they_need(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_directories, "CALIBRATION", 2)
    monkeypatch.setattr(picture_directories, "VALIDATION", 3)
    got = payloads(opened(filled(tmp_path, 57)))
    assert [len(got[split]) for split in SPLITS] == [2, 3, 52]


def test_few_pictures_are_all_for_the_test(tmp_path):
    got = payloads(opened(filled(tmp_path, 9)))
    assert [len(got[split]) for split in SPLITS] == [0, 0, 9]


def test_splits_are_by_content_whatever_files_are_called(tmp_path):
    one = opened(filled(tmp_path / "one", 40))
    names = np.random.default_rng(0).permutation(40)
    (tmp_path / "other").mkdir()
    for number, name in enumerate(names):
        shutil.copy(tmp_path / f"one/{number}.png", tmp_path / f"other/{name}.png")
    assert payloads(one) == payloads(opened(tmp_path / "other")) == payloads(opened(one.root))


def test_splits_are_in_the_order_of_sha256(tmp_path):
    got = payloads(opened(filled(tmp_path, 40)))
    digests = [hashlib.sha256(one).digest() for split in SPLITS for one in got[split]]
    assert digests == sorted(digests)
    assert len(set(digests)) == 40


def test_a_seed_changes_nothing(tmp_path):
    pictures = opened(filled(tmp_path, 20))
    for split in SPLITS:
        assert list(pictures.read_split(split, 0)) == list(pictures.read_split(split, 1))


def test_equal_files_are_in_one_split_only(tmp_path):
    filled(tmp_path, 20)
    filled(tmp_path, 20, "again-{}.png")
    got = payloads(opened(tmp_path))
    assert [len(got[split]) for split in SPLITS] == [4, 4, 32]
    assert len(set(got["calibration"]) | set(got["validation"]) | set(got["test"])) == 20
    assert not set(got["calibration"]) & (set(got["validation"]) | set(got["test"]))
    assert not set(got["validation"]) & set(got["test"])


def kept(root, place):
    """Keep the pictures as a run does, which proves that splits share no payload."""
    place.mkdir()
    dataset = Dataset(name="some", summary="Some.", samples=opened(root).read_split)
    splits.keep_splits(dataset, 0, place, lambda *_: None)
    return {split: len(splits.open_split(place / split)) for split in SPLITS}


def test_a_run_keeps_the_splits_and_names_what_it_lost(tmp_path):
    root = filled(tmp_path / "root", 150)
    (root / "broken.jpg").write_bytes(b"nothing")
    sizes = kept(root, tmp_path / "kept")
    assert sum(sizes.values()) == 150
    assert all(14 <= sizes[split] <= 15 for split in ("calibration", "validation"))
    assert "broken.jpg" in splits.describe_unreadable(tmp_path / "kept")


def test_a_run_refuses_a_directory_of_which_too_much_is_broken(tmp_path):
    root = filled(tmp_path / "root", 150)
    for number in range(2):
        (root / f"broken-{number}.jpg").write_bytes(b"nothing %d" % number)
    with pytest.raises(DataError, match=r"2 of 152 inputs cannot be read, as broken-[01].jpg"):
        kept(root, tmp_path / "kept")


# --- checking ------------------------------------------------------------------------------------


def test_what_does_not_decode_is_named_with_its_reason(tmp_path):
    filled(tmp_path / "deep", 3)
    (tmp_path / "deep/empty.jpg").touch()
    (tmp_path / "deep/text.jpg").write_text("no picture")
    (tmp_path / "deep/half.png").write_bytes(encoded(7)[:-60])
    (tmp_path / "deep/gone.png").symlink_to(tmp_path / "nowhere")
    paths = [*find_pictures(tmp_path / "deep"), tmp_path / "deep/gone.png"]
    pictures = Pictures(root=tmp_path, labels=lambda: dict.fromkeys(paths, 1), answer=int)
    samples = list(pictures.read_split("test", 0))
    broken = {one.name: one.reason for one in samples if isinstance(one, Unreadable)}
    assert len(samples) == 7
    assert broken.pop("deep/half.png").startswith("the file cannot be read: ")
    assert broken == {
        "deep/empty.jpg": "the file is no JPEG or PNG file",
        "deep/text.jpg": "the file is no JPEG or PNG file",
        "deep/gone.png": "the file cannot be read: No such file or directory",
    }


def test_an_answer_that_cannot_be_had_makes_its_picture_unreadable(tmp_path):
    def answer(label):
        if label:
            raise DataError("its mask is torn")
        return label

    got = list(opened(filled(tmp_path, 2), answer).read_split("test", 0))
    assert Unreadable(name="1.png", reason="its mask is torn") in got
    assert (encoded(0), 0) in got


def test_a_mask_of_another_size_than_its_picture_makes_it_unreadable(tmp_path):
    shapes = [(6, 9), (9, 6)]
    got = list(opened(filled(tmp_path, 2), lambda n: np.zeros(shapes[n])).read_split("test", 0))
    reason = "its mask has 6x9 pixels and the picture 9x6"
    assert [one for one in got if isinstance(one, Unreadable)] == [
        Unreadable(name="1.png", reason=reason)
    ]


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_the_shape_is_that_of_the_whole_picture(form):
    assert read_shape(encoded(0, form, size=(101, 67))) == (67, 101)
    assert read_shape(encoded(0, form, size=(3, 1))) == (1, 3)


def test_other_formats_than_the_two_are_not_opened():
    with pytest.raises(DataError, match="no JPEG or PNG file"):
        read_shape(encoded(0, "BMP"))


def test_a_picture_too_large_to_decode_is_refused():
    """A few bytes can claim to be a picture that fills the memory."""

    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = chunk(b"IHDR", struct.pack(">2I5B", 60_000, 60_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(99)))
    with pytest.raises(DataError, match="exceeds limit"):
        read_shape(bomb + chunk(b"IEND", b""))


@given(st.sampled_from(["PNG", "JPEG"]), st.floats(0, 1), st.one_of(st.none(), st.integers(0, 255)))
@pytest.mark.filterwarnings("ignore")
def test_what_passes_the_check_decodes_and_what_does_not_is_said_in_a_line(form, place, byte):
    """One byte of a file is another, or the file ends there."""
    whole = encoded(3, form, size=(40, 30))
    at = int(place * (len(whole) - 1))
    broken = whole[:at] if byte is None else whole[:at] + bytes([byte]) + whole[at + 1 :]
    try:
        shape = read_shape(broken)
    except DataError as error:
        assert "\n" not in str(error)
        assert str(error).startswith("the file ")
    else:
        assert decode_picture(broken, "").shape == (*shape, 3)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_file_that_ends_early_never_passes(form):
    whole = encoded(3, form, size=(40, 30))
    for end in range(0, len(whole) - 20, 37):
        with pytest.raises(DataError):
            read_shape(whole[:end])


# --- masks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "P"])
def test_a_mask_holds_the_numbers_of_its_pixels(tmp_path, mode):
    wanted = np.array([[0, 1, 255], [2, 2, 1]], np.uint8)
    image = Image.fromarray(wanted)
    if mode == "P":
        image.putpalette([value for n in range(256) for value in (n, 255 - n, 7)])
    image.save(tmp_path / "mask.png")
    got = read_mask(tmp_path / "mask.png", 3)
    assert (image.mode, got.dtype) == (mode, np.uint8)
    np.testing.assert_array_equal(got, wanted)


def test_a_mask_may_be_written_in_other_numbers(tmp_path):
    Image.fromarray(np.array([[7, 9]], np.uint8)).save(tmp_path / "mask.png")
    numbers = np.full(256, 255, np.uint8)
    numbers[7] = 0
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", 1, numbers), [[0, 255]])


def test_a_mask_with_numbers_that_are_no_class_is_refused(tmp_path):
    Image.fromarray(np.array([[0, 3]], np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(DataError, match="mask.png holds 3, which is none of 3 classes nor 255"):
        read_mask(tmp_path / "mask.png", 3)


def test_a_mask_of_colours_is_refused(tmp_path):
    (tmp_path / "mask.png").write_bytes(encoded(0))
    with pytest.raises(DataError, match=r"mask.png holds colours \(RGB\), not class numbers"):
        read_mask(tmp_path / "mask.png", 3)


def test_a_mask_that_is_not_there_or_torn_is_refused(tmp_path):
    with pytest.raises(DataError, match="its mask mask.png cannot be read: No such file"):
        read_mask(tmp_path / "mask.png", 3)
    (tmp_path / "mask.png").write_bytes(encoded(0)[:60])
    with pytest.raises(DataError, match="its mask mask.png cannot be read: "):
        read_mask(tmp_path / "mask.png", 3)


# --- training ------------------------------------------------------------------------------------


def to_train(root, groups, most):
    held = {path: n for n, path in enumerate(find_pictures(root))}
    named = [(lambda one=one: dict.fromkeys(find_pictures(one), one.name)) for one in groups]
    return Pictures(root=root, labels=lambda: held, answer=lambda x: x, training=named, most=most)


def test_without_pictures_to_train_on_the_split_is_empty(tmp_path):
    assert list(opened(filled(tmp_path, 20)).read_split("training", 0)) == []


def test_as_many_of_each_group_are_drawn_as_may_be_and_none_that_is_scored(tmp_path):
    held = filled(tmp_path / "val", 20)
    for name, numbers in {"a": range(18, 40), "b": range(40, 70), "c": (70,)}.items():
        (tmp_path / name).mkdir()
        for number in numbers:
            (tmp_path / name / f"{number}.png").write_bytes(encoded(number))
    pictures = to_train(held, [tmp_path / name for name in "abc"], 21)
    drawn = list(pictures.read_split("training", 0))
    answers = [answer for _, answer in drawn]
    assert {name: answers.count(name) for name in "abc"} == {"a": 10, "b": 10, "c": 1}
    scored = {one for split in payloads(pictures).values() for one in split}
    assert len(scored) == 20
    assert scored.isdisjoint(payload for payload, _ in drawn)
    whole = Dataset(name="pictures", summary="Pictures.", samples=pictures.read_split)
    (tmp_path / "kept").mkdir()
    splits.keep_splits(whole, 0, tmp_path / "kept", lambda *_: None)
    assert len(splits.open_split(tmp_path / "kept" / "training")) == 21


def test_the_seed_draws_and_the_place_of_the_directory_does_not_matter(tmp_path):
    filled(tmp_path / "here" / "val", 10)
    filled(tmp_path / "here" / "a", 60, "{}.jpg")
    for number in range(60):
        (tmp_path / "here" / "a" / f"{number}.jpg").write_bytes(encoded(100 + number))
    shutil.copytree(tmp_path / "here", tmp_path / "there")

    def draw(place, seed):
        root = tmp_path / place
        return [
            one for one, _ in to_train(root / "val", [root / "a"], 12).read_split("training", seed)
        ]

    assert draw("here", 0) == draw("there", 0)
    assert set(draw("here", 0)) != set(draw("here", 1))
    assert len(draw("here", 0)) == 12


def test_no_more_is_read_than_is_drawn(tmp_path, monkeypatch):
    held = filled(tmp_path / "val", 10)
    filled(tmp_path / "a", 0)
    for number in range(50):
        (tmp_path / "a" / f"{number}.png").write_bytes(encoded(100 + number))
    read, digest = [], picture_directories._digest_file
    monkeypatch.setattr(
        picture_directories, "_digest_file", lambda path: read.append(path) or digest(path)
    )
    assert len(list(to_train(held, [tmp_path / "a"], 5).read_split("training", 0))) == 5
    assert sum(path.parent.name == "a" for path in read) == 5


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_grey_mask_of_few_bits_holds_the_numbers_that_stand_in_the_file(tmp_path, bits):
    def chunk(kind, data):
        ends = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + ends

    values = [[0, 1, 1, 0], [1, 2**bits - 1, 0, 1]]
    rows = ["".join(f"{value:0{bits}b}" for value in row).ljust(8, "0") for row in values]
    lines = b"".join(b"\0" + int(row, 2).to_bytes(len(row) // 8, "big") for row in rows)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 2, bits, 0, 0, 0, 0))
    (tmp_path / "mask.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    )
    got = read_mask(tmp_path / "mask.png", 16)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, values)
