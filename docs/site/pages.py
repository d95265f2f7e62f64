"""What MkDocs is told beside `mkdocs.yml`: pages that lie outside of `docs/`, and links to them.

Links are written as a code host follows them (`../CHANGELOG.md`); here they become the site's.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import relpath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
OUTSIDE = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""Files of the repository's root, and the pages that they become."""


def on_files(files: Files, config: Any) -> Files:
    """Take in the pages from outside, their links rewritten."""
    for name, page in OUTSIDE.items():
        text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead links that leave `docs/` to the pages that stand for them."""
    here = PurePosixPath(page.file.src_uri).parent
    up = "../" * (len(here.parts) + 1)
    for name, target in OUTSIDE.items():
        markdown = re.sub(
            rf"\]\({re.escape(up + name)}(#[\w-]+)?\)",
            rf"]({relpath(target, here)}\1)",
            markdown,
        )
    return markdown
