"""Fonts for PDF files: where systems keep DejaVu Sans (Latin, Greek, Cyrillic, and much else) and one with Chinese, Japanese and Korean.

They come with the system and are not part of the project: `fonts-dejavu-core` and `fonts-droid-fallback` of Debian, `dejavu-sans-fonts` and
`google-droid-sans-fonts` of Red Hat and its kin. Without the first no PDF is made; without the second its signs show as empty boxes. EMG_FONTS in the
environment names a folder that is looked into first.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

from emg.errors import EmgError

FOLDERS: Final = (
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/dejavu-sans-fonts",
    "/usr/share/fonts/dejavu",
    "/usr/share/fonts/TTF",
    "/usr/share/fonts/truetype/droid",
    "/usr/share/fonts/google-droid-sans-fonts",
    "/usr/share/fonts/google-droid",
)
EASTERN: Final = ("DroidSansFallbackFull.ttf", "DroidSansFallback.ttf")


class NoFont(EmgError):
    """The system has no font that we know."""


class Fonts(NamedTuple):
    """Files."""

    plain: Path
    bold: Path
    fallback: Path | None


def find() -> Fonts:
    """Raises NoFont."""
    plain, bold = _first("DejaVuSans.ttf"), _first("DejaVuSans-Bold.ttf")
    if plain is None or bold is None:
        raise NoFont(
            "no PDF without a font: install DejaVu Sans (Debian: fonts-dejavu-core; Red Hat: dejavu-sans-fonts)"
        )
    return Fonts(plain, bold, _first(*EASTERN))


def _first(*names: str) -> Path | None:
    folders = [os.environ["EMG_FONTS"]] if os.environ.get("EMG_FONTS") else []
    for folder in (*folders, *FOLDERS):
        for name in names:
            if (path := Path(folder) / name).is_file():
                return path
    return None
