import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, threading, time
from rtgain.system.program_exit import run_program

class Module:
    def __del__(self):
        print("freed")

module = Module()

def main():
    def write_late():
        time.sleep(0.2)
        print("thread")

    threading.Thread(target=write_late).start()
    atexit.register(print, "handler")
    {end}

sys.exit(run_program(main))
"""


@pytest.mark.parametrize(
    ("end", "code", "output"),
    [
        ("return 3", 3, ["thread", "handler"]),
        ("sys.exit(4)", 4, ["thread", "handler", "freed"]),
        ("raise ValueError", 1, ["thread", "handler", "freed"]),
    ],
)
def test_program_exits_with_its_code_after_threads_and_handlers(end: str, code: int, output: list[str]) -> None:
    program = PROGRAM.replace("{end}", end)
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stdout.split()) == (code, output)
