"""Errors that the user can fix, with their exit codes."""


class RtgainError(Exception):
    """Error with a one-line message: what is wrong and what to do.

    The command line prints ``rtgain: `` and the message, and exits with `exit_code`. The GUI displays the same
    message where the problem occurred.
    """

    exit_code = 2


class InputError(RtgainError):
    """Invalid command or input file (exit code 2)."""


class DeviceError(RtgainError):
    """Failure of an audio device, or failure to open it (exit code 3)."""

    exit_code = 3


class DeviceLostError(DeviceError):
    """Loss of a running device. `devices` are the devices of the session, by name and host API."""

    def __init__(self, line: str, devices: list[str]) -> None:
        super().__init__(line)
        self.devices = devices
