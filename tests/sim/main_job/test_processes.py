import os
import signal

import pytest

from keybeam_sim.main_job.processes import ChildError, Children

FOREVER = "import signal, os; print(os.getpid(), flush=True); signal.pause()"


def test_lines_of_all_children_come_until_all_have_ended():
    with Children() as children:
        children.start("one", "-c", "print('a'); print('b')")
        children.start("two", "-c", "print('c')")
        lines = list(children.lines(timeout_s=30))
    assert [line.text for line in lines if line.child == "one"] == ["a", "b"]
    assert [line.text for line in lines if line.child == "two"] == ["c"]


def test_the_last_line_of_a_failed_child_is_told():
    script = "import sys; sys.stderr.write('noise\\nkeybeam: board is silent\\n'); sys.exit(2)"
    with Children() as children:
        children.start("ground", "-c", script)
        with pytest.raises(ChildError, match=r"^ground: board is silent$"):
            list(children.lines(timeout_s=30))


def test_a_killed_child_is_told():
    with Children() as children:
        children.start("satellite", "-c", FOREVER)
        with pytest.raises(ChildError, match="satellite: ended by signal SIGKILL"):
            for line in children.lines(timeout_s=30):
                os.kill(int(line.text), signal.SIGKILL)


def test_nobody_is_left_behind():
    with Children() as children:
        children.start("one", "-c", FOREVER)
        pid = int(next(children.lines(timeout_s=30)).text)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_silence_is_an_error():
    with Children() as children:
        children.start("twin", "-c", FOREVER)
        lines = children.lines(timeout_s=0.2)
        with pytest.raises(ChildError, match="no sign of life from twin"):
            list(lines)
