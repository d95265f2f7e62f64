"""Pictures in a folder for each class, and pictures with masks beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import attrs

from edgebench import DataError, Unreadable
from edgebench_kit.own_data.items import WHOLE, Groups, Item, Source, name_file, show
from edgebench_kit.own_data.listings import Listing, group_splits, list_directory

PICTURE_FOLDERS = ("images", "imgs", "image", "img", "pictures", "jpegimages")
MASK_FOLDERS = ("masks", "mask", "annotations", "segmentationclass", "labels")
MASK_END = "_mask"
FORMAT = "it is neither JPEG nor PNG; convert it"


def find_classes(listing: Listing) -> Source | None:
    """Say that a directory has a folder for each class; None where its folders hold no picture.

    Raises:
        DataError: Pictures lie deeper, or beside the folders.
    """
    inside = [list_directory(folder) for folder in listing.folders]
    classes = [one for one in inside if one.pictures or one.unread]
    if not classes:
        return None
    for one in inside:
        if deeper := [folder for folder in one.folders if _has_pictures(folder)]:
            raise DataError(
                f"{one.path} holds the folder {deeper[0].name} with pictures: a folder of a class "
                "holds its pictures and no folders; put them into one, or give the directory of "
                "the folders of classes"
            )
    if listing.pictures:
        raise DataError(
            f"{listing.path} holds folders of classes ({_name(classes)}) and beside them "
            f"{len(listing.pictures)} pictures without one, as {listing.pictures[0].name}; move or "
            "remove them"
        )
    empty = [one.path.name for one in inside if not (one.pictures or one.unread)]
    notes = (f"no pictures in {', '.join(map(show, empty[:3]))}",) if empty else ()
    return Source(kind="pictures", read=partial(_read_classes, listing.path, classes, notes))


def find_pictures(listing: Listing) -> Source:
    """Say that a directory has pictures without labels."""
    return Source(kind="pictures", read=partial(_read_classes, listing.path, [listing], ()))


def _name(listings: Sequence[Listing]) -> str:
    names = ", ".join(one.path.name for one in listings[:3])
    return names + (", ..." if len(listings) > 3 else "")


def _has_pictures(folder: Path) -> bool:
    found = list_directory(folder)
    return bool(found.pictures or found.unread)


def _read_classes(root: Path, classes: Sequence[Listing], notes: tuple[str, ...]) -> Groups:
    items: list[Item | Unreadable] = []
    for one in classes:
        label = one.path.name
        for path in one.pictures:
            name = name_file(path, root)
            items.append(Item(name=name, label=label, payload=path))
        items += [_refuse(path, root) for path in one.unread]
    return Groups(by_split={WHOLE: items}, notes=notes)


def _refuse(path: Path, root: Path) -> Unreadable:
    reason = FORMAT if path.exists() else "it is a link that leads nowhere"
    return Unreadable(name=name_file(path, root), reason=reason)


def refuse_boxes(listing: Listing, forms: str) -> None:
    """Refuse pictures with a text of boxes each, which otherwise would be one class.

    *forms* is what to give in their place.

    Raises:
        DataError: `labels/` beside `images/` holds texts and no pictures, itself or in splits.
    """
    folders = {one.name.casefold(): one for one in listing.folders}
    if "labels" not in folders or not set(folders) & set(PICTURE_FOLDERS):
        return
    found = list_directory(folders["labels"])
    inside = [found, *map(list_directory, found.splits)]
    texts = [path for one in inside for path in one.others if path.suffix.lower() == ".txt"]
    if texts and not any(one.pictures for one in inside):
        raise DataError(
            f"{listing.path} holds labels/ with a text for each picture, as {texts[0].name}, which "
            f"is how YOLO keeps boxes; they are not read; give {forms}"
        )


def find_masks(listing: Listing) -> Source | None:
    """Say that pictures have masks, in a folder beside theirs or with `_mask` in their names.

    Raises:
        DataError: A picture has two masks, or a mask two pictures.
    """
    if folders := _find_mask_folders(listing):
        left, right = map(list_directory, folders)
        if left.pictures and right.pictures:
            return _pair(listing.path, left, right.pictures)
    ends = [one for one in listing.pictures if one.stem.lower().endswith(MASK_END)]
    return _pair(listing.path, listing, ends) if ends else None


def find_split_masks(listing: Listing) -> tuple[dict[Path, Source], list[str]]:
    """Return what the folders of splits hold in `images/` and `masks/`, and notes of what is left.

    Raises:
        DataError: As of `find_masks`.
    """
    folders = _find_mask_folders(listing)
    if folders is None:
        return {}, []
    both = [list_directory(one) for one in folders]
    pictures, masks = (group_splits(one.splits) for one in both)
    found = {
        path: _pair(path, list_directory(path), list_directory(masks[split]).pictures)
        for split, path in pictures.items()
        if split in masks
    }
    notes = _note_folders(one for one in both[0].folders if one not in found)
    if loose := both[0].pictures:
        name, first = show(folders[0].name), show(loose[0].name)
        notes.append(f"{name} holds {len(loose)} pictures in no split, as {first}, which stay out")
    lone = [path for split, path in masks.items() if split not in pictures]
    return found, [*notes, *_note_folders(lone, "pictures", "mask")]


def _note_folders(
    folders: Iterable[Path], lacked: str = "masks", held: str = "picture"
) -> list[str]:
    """Say which folders stay out with the pictures that they hold."""
    notes = []
    for folder in folders:
        if count := len(list_directory(folder).pictures):
            counted = f"{count} {held}{'s' * (count > 1)}"
            name = show(f"{folder.parent.name}/{folder.name}")
            notes.append(f"{name} has no {lacked} and stays out ({counted})")
    return notes


def _find_mask_folders(listing: Listing) -> tuple[Path, Path] | None:
    folders = {one.name.casefold(): one for one in listing.folders}
    pictures = next((folders[name] for name in PICTURE_FOLDERS if name in folders), None)
    masks = next((folders[name] for name in MASK_FOLDERS if name in folders), None)
    return (pictures, masks) if pictures and masks and not listing.pictures else None


def _pair(root: Path, pictures: Listing, masks: Sequence[Path]) -> Source:
    by_name: dict[str, Path] = {}
    for path in masks:
        stem = path.stem
        # In a folder of masks names may end so too.
        key = stem[: -len(MASK_END)] if stem.lower().endswith(MASK_END) else stem
        if other := by_name.get(key):
            raise DataError(f"{other} and {path.name} are both the mask of {key}; leave one")
        by_name[key] = path
    taken = set(masks)
    listed = [path for path in pictures.pictures if path not in taken]
    _refuse_shared(listed, by_name)
    alone = attrs.evolve(pictures, pictures=tuple(listed))
    return Source(kind="masks", read=partial(_read_pairs, root, alone, by_name))


def _refuse_shared(pictures: Sequence[Path], masks: dict[str, Path]) -> None:
    """Refuse two pictures of one mask.

    Raises:
        DataError: There are such.
    """
    by_name: dict[str, Path] = {}
    for path in pictures:
        other = by_name.setdefault(path.stem, path)
        if other != path and (mask := masks.get(path.stem)):
            raise DataError(
                f"{other} and {path.name} are both the picture of {mask.name} in "
                f"{mask.parent.name}; leave one"
            )


def _read_pairs(root: Path, listing: Listing, masks: dict[str, Path]) -> Groups:
    items: list[Item | Unreadable] = []
    for path in listing.pictures:
        name = name_file(path, root)
        if mask := masks.get(path.stem):
            items.append(Item(name=name, label=mask, payload=path))
        else:
            items.append(Unreadable(name=name, reason="it has no mask"))
    items += [_refuse(path, root) for path in listing.unread]
    notes = _note_folders(listing.folders)
    if lone := sorted(set(masks) - {path.stem for path in listing.pictures}):
        notes.append(f"{len(lone)} masks have no picture, as {show(masks[lone[0]].name)}")
    return Groups(by_split={WHOLE: items}, notes=tuple(notes))
