"""Failures of a model's code in words: the exceptions it raised, and changes it made to itself."""

from __future__ import annotations

import re
import traceback

from models import model_name
from models.requests import Request
from models.runtime import memory_limits
from models.types import Failure, Refusal

OUT_OF_MEMORY = ("not enough memory", "t allocate memory", "out of memory", "std::bad_alloc")
GB = 1e9
LOG = "The log has the details."
MOST_CHARACTERS = 300


def failure(request: Request, error: BaseException) -> Failure:
    """Return the failure for an unexpected exception, with its traceback as details."""
    from models.user_code import run  # imports torch, which the window's process must not

    said = _said(error)
    details = "".join(traceback.format_exception(error))
    name = model_name.title(request.model)
    if out_of_memory(error):
        return _out_of_memory(request.model, said, details)
    place = f" ({there})" if (there := run.where(error)) else ""
    if isinstance(error, SystemExit):
        text = f"{name} called sys.exit at {request.inspection}{place}, which would have ended the engine."
        return Failure(text, "Its code should return instead.", details)
    return Failure(f"{name} failed at {request.inspection}: {said}{place}", LOG, details)


def unreadable(name: str, error: Exception) -> Refusal:
    """Return the refusal for a file whose reader raised an unexpected exception."""
    details = "".join(traceback.format_exception(error))
    text = f"{model_name.title(name)} could not be read: {_said(error)}."
    return Refusal(text, advice="Get it again from where it was made. The log has the details.", details=details)


def out_of_memory(error: BaseException) -> bool:
    """Return whether an exception means that memory ran out."""
    return isinstance(error, MemoryError) or any(words in _said(error) for words in OUT_OF_MEMORY)


def changed(name: str, part: str) -> str:
    """Return the message about a model that changed itself."""
    text = f"{model_name.title(name)} changed itself while it was asked ({part})."
    return f"{text} Its answers depend on what was asked before. It is opened afresh for the next question."


def not_numbers(name: str, stage: str) -> str:
    """Return the message about a network whose values are NaN."""
    text = f"{model_name.title(name)} gave what is not a number (NaN) at the stage {stage}: nothing can be found there."
    return f"{text} Look at its weights and at the values of its input."


def _out_of_memory(name: str, said: str, details: str) -> Failure:
    """Return the failure for exhausted memory; on a graphics processor it offers to run on the CPU."""
    from models.runtime import device as runtime  # imports torch, which the window's process must not

    base, given = model_name.split(name)
    device, _ = runtime.take(given)
    if device.device != "cpu":
        runtime.release()
        offer = ("model", model_name.join(base, {**given, runtime.DEVICE: "cpu"}), "Run on the processor")
        text = f"The memory of {device.device} is not enough for this."
        return Failure(text, "Run it on the processor instead.", details, offer=offer, memory=True)
    asked = re.search(r"allocate (\d+) bytes", said)
    at_once = f" ({int(asked[1]) / GB:,.1f} GB at once)" if asked else ""
    may = (
        f": the engine may have {memory_limits.limit_bytes() / GB:,.1f} GB here" if memory_limits.limit_bytes() else ""
    )
    text = f"There is not enough memory for this. {model_name.title(name)} asked for more than there is{at_once}{may}."
    return Failure(text, "Try a smaller picture or model.", details, memory=True)


def _said(error: BaseException) -> str:
    """Return an exception's type and the first line of its message, even if its own `__str__` fails."""
    try:
        said = str(error).strip().splitlines()
    except BaseException:
        said = []
    return f"{type(error).__name__}{': ' if said else ''}{said[0] if said else ''}"[:MOST_CHARACTERS]
