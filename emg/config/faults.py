"""What is wrong with a configuration, collected: an operator sees every fault in one go, not one per attempt.

Faults stop a configuration from being used, warnings don't. Neither ever holds the value of a secret keyword, nor what an
environment variable held: texts quote a value as it is written in the file (`${NAME}`), or not at all.
"""

from collections.abc import Iterable

from emg.errors import ConfigError, EmgError


class Unreadable(EmgError):
    """A file can't be read; the text is the reason alone ("no such file"), without the file's name."""


class ConfigFaults(EmgError):
    """A configuration that can't be used. `faults` are in the order of the files' lines, `warnings` likewise."""

    def __init__(self, faults: Iterable[ConfigError], warnings: Iterable[ConfigError] = ()) -> None:
        self.faults = list(faults)
        self.warnings = list(warnings)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class Findings:
    """Collects faults and warnings while a configuration is read; `sort` puts them in reading order."""

    def __init__(self) -> None:
        self.faults: list[ConfigError] = []
        self.warnings: list[ConfigError] = []

    def fault(self, file: str, line: int, reason: str) -> None:
        """Note something that must be changed."""
        self.faults.append(ConfigError(file, line, reason))

    def warn(self, file: str, line: int, reason: str) -> None:
        """Note something that works, but probably not as meant."""
        self.warnings.append(ConfigError(file, line, reason))

    def sort(self, files: list[str]) -> None:
        """Order by file (as they were read), then by line."""
        place = {file: number for number, file in enumerate(files)}
        for found in (self.faults, self.warnings):
            found.sort(key=lambda error: (place.get(error.file, len(place)), error.line))
