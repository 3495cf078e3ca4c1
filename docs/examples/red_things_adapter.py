"""An adapter file for Vitrine: how the outputs of red_things.py:build are read. Change what is wrong in it."""

from vitrine import Interpretation


class Adapter(Interpretation):
    file = "red_things.py:build"
    title = "Red things"
    assume = {
        "reading": "centre-pixels-1.5-6",
        "input": "zero_one",
        "colours": "rgb",
        "fit": "pad",
    }
    classes = ("red", "nothing")


ADAPTER = Adapter
