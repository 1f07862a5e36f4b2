"""Estimator without a process, controlled by a test."""


class ScriptedWorker:
    """Worker without a process; it exits when its `alive` is set to False."""

    pid = None

    def __init__(self, *_: object) -> None:
        self.alive = True
        self.pending: list[object] = []

    def send(self, command: object) -> None: ...

    def messages(self, timeout_s: float = 0.0) -> list[object]:
        messages, self.pending = self.pending, []
        return messages

    def finish(self, limit_frame: int, timeout_s: float) -> bool:
        return False

    def stop(self) -> None:
        self.alive = False
