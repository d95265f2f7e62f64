"""Pinned files from elsewhere: downloaded once, verified, and kept in the user's cache.

A file is written under a temporary name beside its own and renamed when it is verified, so the
cache never holds a wrong one. What a kill or a broken connection left is asked for from where it
ends. A lock for each file lets two processes that want it download it once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from typing import Any
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from edgebench.catalogue.rows import Asset
from edgebench.parts.errors import DataError, StoreError, one_line
from edgebench.store.digests import file_digest, remembered_digest
from edgebench.store.locks import hold_lock
from edgebench.store.roots import cache_root

TIMEOUT_S = 30.0
"""How long a server may be silent."""
TRIES = 5
"""How often a download is taken up, as long as each time brings something."""
CHUNK = 2**18
"""Bytes between two reports of progress."""
RESERVE = 2**28
"""Bytes of the disk that a download leaves free, whatever a server says or sends."""

Progress = Callable[[int, int, str], None]


def fetch(asset: Asset, progress: Progress, cache: Path | None = None) -> Path:
    """Return the path of the file of *asset*, downloaded first if the cache does not hold it.

    The file is verified by its size, where that is known, and by its digest; of one that was there
    the digest is computed once a process. *progress* is called with the bytes that are there, the
    bytes of the whole file (0 where the server does not say), and the name of the asset.

    Args:
        asset: What to bring.
        progress: Told how far the download has come; not called where there is none.
        cache: The directory of such files: `$EDGEBENCH_CACHE`, else `edgebench/assets` in the
            user's cache directory.

    Raises:
        DataError: It cannot be downloaded, or what came is not what is pinned.
        StoreError: The cache cannot be read or written.
    """
    directory = cache or cache_root("EDGEBENCH_CACHE", "assets")
    path = directory / _file_name(asset)
    try:
        # Before the lock, so that a cache that cannot be written serves what it has.
        if not _is_pinned(asset, path, remembered_digest):
            directory.mkdir(parents=True, exist_ok=True)
            with hold_lock(directory / f".{path.name}.lock"):
                if not _is_pinned(asset, path, remembered_digest):
                    _bring(asset, path, progress)
    except OSError as error:
        raise StoreError(
            f"cannot use the cache of assets {directory}: {error.strerror or error}; "
            "make room or set EDGEBENCH_CACHE to a directory that can be written"
        ) from error
    return path


def _file_name(asset: Asset) -> str:
    """Name a file by its asset and its digest; what loads it goes by the suffix."""
    suffix = PurePosixPath(urlsplit(asset.url).path).suffix
    return f"{asset.name}-{asset.sha256[:8]}{suffix}"


# --- what is there -------------------------------------------------------------------------------


def _is_pinned(
    asset: Asset, path: Path, compute_digest: Callable[[Path], str] = file_digest
) -> bool:
    """Say whether the whole file is there, and the right one."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return False
    return asset.size in (None, size) and compute_digest(path).startswith(asset.sha256)


def _count_bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


# --- what is brought -----------------------------------------------------------------------------


def _bring(asset: Asset, path: Path, progress: Progress) -> None:
    part = path.with_name(f"{path.name}.part")
    # A kill may have come between the last byte and the new name.
    if not _is_pinned(asset, part):
        _download(asset, part, progress)
        _verify(asset, part)
    part.replace(path)


def _download(asset: Asset, part: Path, progress: Progress) -> None:
    """Fill *part*, and take it up again where it broke off, as long as that brings something."""
    for _ in range(TRIES):
        before = _count_bytes(part)
        why = _take_up(asset, part, progress)
        if not why:
            return
        if _count_bytes(part) <= before:
            break
    raise _say_unreachable(asset, why)


def _take_up(asset: Asset, part: Path, progress: Progress) -> str:
    """Append to *part* what it lacks, or write it anew if the server gives only the whole.

    Returns:
        How it broke off before its end; empty if it did not.
    """
    with _ask_server(asset, part) as response:
        start = _count_bytes(part) if response.status == HTTPStatus.PARTIAL_CONTENT else 0
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else asset.size or 0
        if asset.size not in (None, total):
            part.unlink(missing_ok=True)
            raise _say_wrong(asset, f"{asset.size} bytes", f"{total} bytes")
        most = _find_room(asset, part, start, total)
        with part.open("ab" if start else "wb") as file:
            why = _copy(response, file, total, most, lambda done: progress(done, total, asset.name))
        if _count_bytes(part) > most and not total:
            part.unlink()
            raise _say_no_room(asset, part, f"more than {most} bytes")
        return why


def _ask_server(asset: Asset, part: Path) -> HTTPResponse:
    """Ask for what *part* lacks; for the whole if the server has nothing after it."""
    start = _count_bytes(part)
    headers = {"User-Agent": "edgebench"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        # `_make_opener` opens nothing but http and https.
        asked = request.Request(asset.url, headers=headers)  # noqa: S310
        response: HTTPResponse = _make_opener().open(asked, timeout=TIMEOUT_S)
    except HTTPError as error:
        error.close()
        if start and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
            return _ask_server(asset, part)
        raise _say_unreachable(asset, f"HTTP {error.code} {error.reason}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise _say_unreachable(asset, _explain(error)) from error
    return response


def _find_room(asset: Asset, part: Path, start: int, total: int) -> int:
    """Return how many bytes *part* may come to hold; *total* is 0 where that is not known.

    Raises:
        StoreError: There is no room for all of them.
    """
    room = start + max(0, shutil.disk_usage(part.parent).free - RESERVE)
    if total > room:
        raise _say_no_room(asset, part, f"{total} bytes")
    return total or room


def _make_opener() -> request.OpenerDirector:
    """Return what opens http and https, redirected or through a proxy, and nothing else.

    The opener that urllib builds would follow a redirect to a file server, or read a local file.
    """
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.UnknownHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _copy(
    response: HTTPResponse, file: Any, total: int, most: int, report: Callable[[int], None]
) -> str:
    """Write what comes; errors of the network break it off, those of the file are raised."""
    report(file.tell())
    # A server that does not say how much it sends may send without end.
    while file.tell() <= most:
        try:
            chunk = response.read(CHUNK)
        except (OSError, HTTPException) as error:
            return f"broken off after {file.tell()} bytes: {_explain(error)}"
        if not chunk:
            break
        file.write(chunk)
        report(file.tell())
    done = file.tell()
    return f"broken off after {done} of {total} bytes" if done < total else ""


def _verify(asset: Asset, part: Path) -> None:
    """Delete what is not what is pinned: going on from it would never give the right file."""
    if _is_pinned(asset, part):
        return
    size, digest = _count_bytes(part), file_digest(part)
    part.unlink()
    if asset.size not in (None, size):
        raise _say_wrong(asset, f"{asset.size} bytes", f"{size} bytes")
    raise _say_wrong(asset, f"SHA-256 {asset.sha256}", digest[: len(asset.sha256)])


# --- what goes wrong -----------------------------------------------------------------------------


def _say_unreachable(asset: Asset, reason: str) -> DataError:
    host = urlsplit(asset.url).netloc
    return DataError(
        f"the asset {asset.name} cannot be downloaded from {host}: {reason}; {_name_remedy(asset)}"
    )


def _say_wrong(asset: Asset, expected: str, found: str) -> DataError:
    host = urlsplit(asset.url).netloc
    return DataError(
        f"the asset {asset.name} from {host} is not what is pinned: expected {expected}, "
        f"found {found}; it is deleted; {_name_remedy(asset)}"
    )


def _say_no_room(asset: Asset, part: Path, size: str) -> StoreError:
    return StoreError(
        f"the asset {asset.name} is {size}, and {part.parent} has no room for it beside the "
        f"{RESERVE} bytes that stay free; make room or set EDGEBENCH_CACHE to another directory"
    )


def _name_remedy(asset: Asset) -> str:
    return f"try again, or download {asset.url} by hand and use --weights file:PATH"


def _explain(error: Exception) -> str:
    """Say in a few words what befell the network."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return one_line(cause) if isinstance(cause, BaseException) else str(cause)
