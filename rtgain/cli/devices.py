"""``rtgain devices``: list the audio devices."""

import json
from dataclasses import asdict

from rtgain.session.devices import list_devices


def print_devices(*, as_json: bool) -> int:
    """Print the devices as a table or as JSON. Returns the exit code; raises `DeviceError` without PortAudio."""
    devices = list_devices()
    if as_json:
        print(json.dumps([asdict(device) for device in devices], indent=2))
        return 0
    print(f"{'index':>5}  {'in':>3}  {'out':>3}  {'rate':>6}  {'host API':<20}  name")
    for device in devices:
        print(
            f"{device.index:>5}  {device.input_channels:>3}  {device.output_channels:>3}  "
            f"{device.default_sample_rate:>6.0f}  {device.host_api:<20}  {device.name}"
        )
    if not devices:
        print("no audio devices found; files and synthetic sources work without one")
    return 0
