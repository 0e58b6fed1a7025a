"""Whether a producer's process is still there: known at once, a process that is merely stopped is."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from alphapulse._process import has_ended, process_identity


def test_is_the_same_while_it_lives_and_has_ended_when_only_its_status_is_left() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        identity = process_identity(child.pid)
        assert identity is not None
        child.send_signal(signal.SIGSTOP)
        assert not has_ended(child.pid, identity)
        child.kill()
        deadline = time.monotonic() + 10
        while not has_ended(child.pid, identity) and time.monotonic() < deadline:
            time.sleep(0.01)
        # Nobody asked for its status yet: the pid is still taken.
        os.kill(child.pid, 0)
        assert has_ended(child.pid, identity)
    finally:
        child.kill()
        child.wait()
    assert process_identity(child.pid) is None


def test_knows_nothing_of_a_process_that_was_never_seen() -> None:
    assert not has_ended(2**31 - 1, None)
    assert has_ended(os.getpid(), "0")
    assert process_identity(2**31 - 1) is None
