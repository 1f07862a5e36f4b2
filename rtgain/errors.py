"""What can go wrong in a way that the user can mend, and the exit code that says so."""


class RtgainError(Exception):
    """A problem stated in one line: what is wrong, and what to do about it.

    The command line prints the line after ``rtgain: `` and leaves with `exit_code`; the
    window shows the same line where the problem happened.
    """

    exit_code = 2


class InputError(RtgainError):
    """The command, or a file that it names, is wrong (exit code 2)."""


class DeviceError(RtgainError):
    """An audio device failed or could not be opened (exit code 3)."""

    exit_code = 3


class DeviceLostError(DeviceError):
    """A device that played has gone. `devices` are the session's own, by name and host API."""

    def __init__(self, line: str, devices: list[str]) -> None:
        super().__init__(line)
        self.devices = devices
