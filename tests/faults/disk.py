"""A disk of the test's own for the spool: an ext4 file system in a file, which can be filled, and frozen as a disk that does not answer any more.

Mounting takes root and a loop device. Where there is none a tmpfs can at least be filled; where nothing can be mounted the spool's folder is an ordinary one and
`kind` is empty.
"""

import contextlib
import os
import subprocess
from pathlib import Path

MEGABYTES = 256
THAW_SECONDS = 90
"""After which a frozen disk is thawed whatever has become of the test."""


class Disk:
    """See the module's text. Use it as a context: what is frozen or mounted is not left so."""

    def __init__(self, folder: Path, image: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.kind = ""
        self._guard: subprocess.Popen[bytes] | None = None
        if os.geteuid():
            return
        with image.open("wb") as file:
            file.truncate(MEGABYTES << 20)
        made = _quietly("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))
        if made and _quietly("mount", "-o", "loop", str(image), str(folder)):
            self.kind = "ext4"
        elif _quietly("mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)):
            self.kind = "tmpfs"

    def __enter__(self) -> "Disk":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Thaw and unmount it."""
        self.thaw()
        if self.kind:
            _quietly("umount", "-l", str(self.folder))

    @property
    def device(self) -> str:
        """What a reader may want to know of it."""
        return {"ext4": "ext4 on a loop device", "tmpfs": "tmpfs", "": "an ordinary folder"}[self.kind]

    def fill(self) -> None:
        """Leave no room."""
        with (self.folder / "filler").open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    def empty(self) -> None:
        """Take the filler away."""
        (self.folder / "filler").unlink(missing_ok=True)

    def freeze(self) -> None:
        """Whoever writes to it waits."""
        self._guard = subprocess.Popen(
            ["sh", "-c", f'sleep {THAW_SECONDS} && fsfreeze --unfreeze "$0"', str(self.folder)], start_new_session=True
        )
        subprocess.run(["fsfreeze", "--freeze", str(self.folder)], check=True, timeout=10)

    def thaw(self) -> None:
        """It answers again."""
        if self._guard is None:
            return
        subprocess.run(["fsfreeze", "--unfreeze", str(self.folder)], check=True, timeout=10)
        os.killpg(self._guard.pid, 15)
        self._guard.wait(10)
        self._guard = None


def _quietly(*command: str) -> bool:
    """Whether it worked."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    try:
        tried = subprocess.run(command, capture_output=True, timeout=30, check=False, env={**os.environ, "PATH": path})
    except OSError:
        return False
    return not tried.returncode
