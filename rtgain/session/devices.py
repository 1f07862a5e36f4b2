"""Device list for the command line and the GUI, which do not import `rtgain.audio`."""

from rtgain.audio.io import devices
from rtgain.records.device import DeviceInfo


def list_devices() -> list[DeviceInfo]:
    """List the audio devices that exist now. Raises `DeviceError` without PortAudio."""
    return devices.list_devices()
