"""How a command that asks a program of ours over its API ends: errors become one sentence on standard error and an exit code."""

import sys
from collections.abc import Callable

from emg.control.client import Unreachable
from emg.control.commands import BadArgument
from emg.errors import EmgError

EXIT_OK, EXIT_ERROR, EXIT_UNREACHABLE, EXIT_ARGUMENT = 0, 1, 4, 5
EXIT_INTERRUPTED = 130


def ended(name: str, run: Callable[[], int]) -> int:
    """The exit code of `run`; `name` begins the sentence: `emg ctl`."""
    try:
        return run()
    except BadArgument as error:
        code, sentence = EXIT_ARGUMENT, str(error)
    except Unreachable as error:
        code, sentence = EXIT_UNREACHABLE, str(error)
    except EmgError as error:
        code, sentence = EXIT_ERROR, str(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    print(f"{name}: {sentence}", file=sys.stderr)
    return code
