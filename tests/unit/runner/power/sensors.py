"""Folders that look like the sensors of machines: Intel and AMD, and every generation of Jetson.

File names, labels and units are those of Linux's powercap, ina3221 and ina238 and of the driver of
L4T 32; the numbers are near those of tests/recordings/boards/tegrastats.txt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

RAPL = "sys/class/powercap"


def zone(folder: str, name: str, energy_uj: int, range_uj: int = 262143328850) -> dict[str, str]:
    """Return the files of one zone of RAPL."""
    return {
        f"{RAPL}/{folder}/name": f"{name}\n",
        f"{RAPL}/{folder}/energy_uj": f"{energy_uj}\n",
        f"{RAPL}/{folder}/max_energy_range_uj": f"{range_uj}\n",
    }


LAPTOP = {
    **zone("intel-rapl:0", "package-0", 1000),
    **zone("intel-rapl:0:0", "core", 400),
    **zone("intel-rapl:0:1", "uncore", 100),
    **zone("intel-rapl:0:2", "dram", 300),
    **zone("intel-rapl:1", "psys", 5000),
    **zone("intel-rapl-mmio:0", "package-0", 1000),
}
"""An i7-8550U's zones: the cores are in the package, psys holds all, mmio repeats it."""

SERVER = {
    **zone("intel-rapl:0", "package-0-die-0", 1000),
    **zone("intel-rapl:0:0", "dram", 10),
    **zone("intel-rapl:1", "package-1-die-0", 2000),
    **zone("intel-rapl:1:0", "dram", 20),
}

RYZEN = {
    **zone("intel-rapl:0", "package-0", 7, 65532610987),
    **zone("intel-rapl:0:0", "core", 3, 65532610987),
}


def iio(rails: Mapping[str, int], device: str = "iio:device0") -> dict[str, str]:
    """Return the files of a chip as L4T 32 shows them: milliwatts."""
    files = {}
    for number, (name, power_mw) in enumerate(rails.items()):
        files[f"sys/bus/iio/devices/{device}/rail_name_{number}"] = f"{name}\n"
        files[f"sys/bus/iio/devices/{device}/in_power{number}_input"] = f"{power_mw}\n"
    return files


def ina3221(
    rails: Sequence[tuple[str, int, int]], chip: str = "hwmon3", shunt_uohm: int | None = 5000
) -> dict[str, str]:
    """Return the files of a chip as hwmon shows them: millivolts and milliamperes."""
    folder = f"sys/class/hwmon/{chip}"
    files = {f"{folder}/name": "ina3221\n", f"{folder}/in7_label": "sum of shunt voltages\n"}
    files[f"{folder}/in7_input"] = "3\n"
    for number, (name, voltage_mv, current_ma) in enumerate(rails, start=1):
        files[f"{folder}/in{number}_label"] = f"{name}\n"
        files[f"{folder}/in{number}_input"] = f"{voltage_mv}\n"
        files[f"{folder}/curr{number}_input"] = f"{current_ma}\n"
        if shunt_uohm is not None:
            files[f"{folder}/shunt{number}_resistor"] = f"{shunt_uohm}\n"
    return files


NANO = iio({"POM_5V_IN": 2746, "POM_5V_GPU": 159, "POM_5V_CPU": 796})
TX2 = {
    **iio({"VDD_SYS_GPU": 153, "VDD_SYS_SOC": 536, "VDD_4V0_WIFI": 633}),
    **iio({"VDD_IN": 3140, "VDD_SYS_CPU": 536, "VDD_SYS_DDR": 557}, "iio:device1"),
}
AGX_XAVIER = {
    **iio({"GPU": 120, "CPU": 468, "SOC": 937}),
    **iio({"CV": 0, "VDDRQ": 312, "SYS5V": 1458}, "iio:device1"),
}
ORIN_NANO = ina3221([("VDD_IN", 5000, 809), ("VDD_CPU_GPU_CV", 5000, 144), ("VDD_SOC", 5000, 240)])
AGX_ORIN = {
    **ina3221([("VDD_GPU_SOC", 20000, 117), ("VDD_CPU_CV", 20000, 20), ("VIN_SYS_5V0", 5000, 805)]),
    **ina3221([("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 5000, 60), ("NC", 0, 0)], "hwmon4"),
}
THOR = {
    **ina3221(
        [("VDD_GPU", 20000, 316), ("VDD_CPU_SOC_MSS", 20000, 325), ("VIN_SYS_5V0", 5000, 1304)],
        "hwmon2",
    ),
    "sys/class/hwmon/hwmon3/name": "ina238\n",
    "sys/class/hwmon/hwmon3/label": "VIN\n",
    "sys/class/hwmon/hwmon3/in1_input": "20000\n",
    "sys/class/hwmon/hwmon3/curr1_input": "1445\n",
    "sys/class/hwmon/hwmon3/power1_input": "28906000\n",
}
