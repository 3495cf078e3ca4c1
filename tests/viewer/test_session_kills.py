"""Sessions saved by a program that is killed, really and at any moment: the file is the old one or the new one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from viewer.saving import session_file

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("VITRINE_KILLS", "20"))

# Saves one session after the other; each names as many pictures as its number, all of one number.
SAVE = """
import itertools, sys
from pathlib import Path
from models.types import Source
from viewer.session.document import Document
from viewer.saving import session_file
place = Path(sys.argv[1])
for number in itertools.count(1):
    count = 1 + number % 400
    pictures = tuple(Source(f"{place.parent}/{count}-{n}.png", (0, 0), -1) for n in range(count))
    session_file.write(place, Document(sources=pictures, model="digits-ssd"))
    print(number, flush=True)
"""


def test_a_session_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    rng = random.Random(0)
    place = tmp_path / "work.vitrine"
    sizes = set()
    for _ in range(KILLS):
        command = [sys.executable, "-c", SAVE, str(place)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
        assert child.stdout is not None and child.stderr is not None
        for _ in range(rng.randrange(1, 6)):
            assert child.stdout.readline(), child.stderr.read()
        time.sleep(rng.random() * 0.02)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        child.stderr.close()
        opened = session_file.read(place)
        assert not opened.notes
        names = opened.missing  # the pictures are not there: the session names each of them
        counts = {name.partition("-")[0] for name in names}
        assert len(counts) == 1 and len(names) == int(counts.pop())
        sizes.add(len(names))
    assert len(sizes) > 1
    left = [path for path in tmp_path.iterdir() if path != place]
    assert all(path.name.startswith(".work.") for path in left), "only hidden parts, which go with a later save"
