"""Every function of nvidia-ml-py, called once, answers what the table says.

Usage: pynvml_functions_test.py FAKEGPUCTL NODE_FILE TABLE, with the library's directory in
LD_LIBRARY_PATH. Each call meets the same node: a process on GPU 0, MIG with one instance of each kind
on GPU 1. ASSAY_UPDATE_GOLDENS=1 writes the table anew. Functions of a newer nvidia-ml-py than the
table's are told and not compared.
"""

import ctypes
import inspect
import os
import subprocess
import sys
import tempfile

import pynvml

FAKEGPUCTL, NODE_FILE, TABLE = sys.argv[1:4]
PID = 4194300  # No process of this machine has it.
# They take the library away, or end only with an event.
LEFT_OUT = {"nvmlInit", "nvmlInitWithFlags", "nvmlShutdown", "nvmlStructToFriendlyObject",
            "nvmlFriendlyObjectToStruct"}



def versioned(struct, version):
    value = struct()
    value.version = version
    return ctypes.byref(value)


def overrides(node):
    """Arguments whose names are used for something else in other functions: by function."""
    divided = pynvml.nvmlDeviceGetHandleByIndex(1)
    compute = {"profileId": 2, "profile": 2, "id": 0}
    bandwidth_modes = {
        "getBwMode": versioned(pynvml.c_nvmlNvlinkGetBwMode_v1_t, pynvml.nvmlNvlinkGetBwMode_v1),
        "setBwMode": versioned(pynvml.c_nvmlNvlinkSetBwMode_v1_t, pynvml.nvmlNvlinkSetBwMode_v1),
        "supportedBwModes": versioned(pynvml.c_nvmlNvlinkSupportedBwModes_v1_t,
                                      pynvml.nvmlNvlinkSupportedBwModes_v1)}
    return {
        "nvmlDeviceGetComputeInstanceId": {"device": node.mig},
        "nvmlDeviceGetGpuInstanceId": {"device": node.mig},
        "nvmlDeviceGetGpuInstanceById": {"device": divided, "gpuInstanceId": 1},
        "nvmlDeviceGetMigDeviceHandleByIndex": {"device": divided},
        "nvmlDeviceCreateGpuInstance": {"device": divided},
        "nvmlDeviceGetGpuFabricInfo": {
            "gpuFabricInfo": ctypes.byref(pynvml.c_nvmlGpuFabricInfo_t())},
        "nvmlDeviceGetGpuFabricInfoV": {
            "gpuFabricInfo": versioned(pynvml.c_nvmlGpuFabricInfo_v3_t,
                                       pynvml.nvmlGpuFabricInfo_v3)},
        "nvmlDeviceGetPlatformInfo": {
            "platformInfo": versioned(pynvml.c_nvmlPlatformInfo_v2_t, pynvml.nvmlPlatformInfo_v2)},
        "nvmlDeviceGetPciInfoExt": {
            "c_info": versioned(pynvml.nvmlPciInfoExt_v1_t, pynvml.nvmlPciInfoExt_v1)},
        "nvmlDeviceGetNvlinkBwMode": bandwidth_modes,
        "nvmlDeviceSetNvlinkBwMode": bandwidth_modes,
        "nvmlDeviceGetNvlinkSupportedBwModes": bandwidth_modes,
        "nvmlSystemEventSetCreate": {"version": pynvml.nvmlSystemEventSetCreateRequest_v1},
        "nvmlGpuInstanceCreateComputeInstance": compute,
        "nvmlGpuInstanceGetComputeInstanceById": {"computeInstanceId": 0},
        "nvmlGpuInstanceGetComputeInstancePossiblePlacements": compute,
        "nvmlGpuInstanceGetComputeInstanceProfileInfo": compute,
        "nvmlGpuInstanceGetComputeInstanceProfileInfoV": compute,
        "nvmlGpuInstanceGetComputeInstanceRemainingCapacity": compute,
        # nvidia-ml-py hands these on as they are: a number would be taken for an address.
        "nvmlDevicePowerSmoothingActivatePresetProfile": {"profile": None},
        "nvmlDevicePowerSmoothingUpdatePresetProfileParam": {"profile": None},
    }


class Node:
    """The node's state, put back before each call."""

    def __init__(self, directory):
        self.path = directory + "/state"
        os.environ["ASSAY_FAKEGPU_STATE"] = self.path
        for command in (["create", NODE_FILE],
                        ["proc", "start", "0", "--pid", str(PID), "--memory", "1024"],
                        ["clock", "hold"]):
            subprocess.run([FAKEGPUCTL, *command], check=True, capture_output=True)
        pynvml.nvmlInit()
        divided = pynvml.nvmlDeviceGetHandleByIndex(1)
        pynvml.nvmlDeviceSetMigMode(divided, 1)
        self.gpu_instance = pynvml.nvmlDeviceCreateGpuInstance(divided, 9)
        self.compute_instance = pynvml.nvmlGpuInstanceCreateComputeInstance(self.gpu_instance, 2)
        self.mig = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(divided, 0)
        pynvml.nvmlShutdown()
        with open(self.path, "rb") as file:
            self.bytes = file.read()

    def arguments(self):
        """By the names that nvidia-ml-py gives its parameters; handles are of this initialisation."""
        device = pynvml.nvmlDeviceGetHandleByIndex(0)
        uuid = pynvml.nvmlDeviceGetUUID(device)
        return {
            "handle": device, "device": device, "device1": device, "handle1": device,
            "device2": pynvml.nvmlDeviceGetHandleByIndex(2),
            "handle2": pynvml.nvmlDeviceGetHandleByIndex(2),
            "migDevice": self.mig, "gpuInstance": self.gpu_instance,
            "computeInstance": self.compute_instance, "uuid": uuid,
            "serial": pynvml.nvmlDeviceGetSerial(device),
            "pciBusId": pynvml.nvmlDeviceGetPciInfo(device).busId,
            "pciInfo": pynvml.nvmlDeviceGetPciInfo(device),
            "eventSet": pynvml.nvmlEventSetCreate(), "gpmSample": pynvml.nvmlGpmSampleAlloc(),
            "unit": None, "vgpuInstance": 1, "vgpuTypeId": 1, "pid": PID, "hostname": "host",
            "cpuSetSize": 2, "nodeSetSize": 1, "timeoutms": 0, "timeoutMs": 0, "fieldIds": [1, 83],
            "eventTypes": pynvml.nvmlEventTypeXidCriticalError, "limit": 500_000,
            "powerLimit": 500_000, "powerScope": 0, "profileId": 9, "profile": 2, "gpuInstanceId": 1,
            "maxMemClockMHz": 2619, "maxGraphicsClockMHz": 1980, "minGpuClockMHz": 600,
            "maxGpuClockMHz": 1200, "minMemClockMHz": 1593, "memoryClockMHz": 2619, "level": 50,
            "placement": None, "nvmlErrorCode": 15, "result": 15, "countRef": ctypes.byref(ctypes.c_uint(0)),
            "gpuInstancesRef": None, "placementsRef": None, "computeInstancesRef": None,
        }

    def call(self, function):
        with open(self.path + ".new", "wb") as file:
            file.write(self.bytes)
        os.rename(self.path + ".new", self.path)
        pynvml.nvmlInit()
        known = self.arguments()
        known.update(overrides(self).get(function.__name__, {}))
        arguments = []
        for parameter in inspect.signature(function).parameters.values():
            if parameter.default is not inspect.Parameter.empty:
                break
            arguments.append(known.get(parameter.name, 0))
        try:
            function(*arguments)
            return "SUCCESS"
        except pynvml.NVMLError as error:
            return ERROR_NAMES[error.value]
        except (TypeError, AttributeError, ValueError, ctypes.ArgumentError):
            return "a struct of the caller's is wanted"
        finally:
            pynvml.nvmlShutdown()


ERROR_NAMES = {value: name[len("NVML_ERROR_"):] for name, value in vars(pynvml).items()
               if name.startswith("NVML_ERROR_") and isinstance(value, int)}


def main():
    if os.geteuid() != 0:
        print("SKIPPED: setters are root's")
        sys.exit(77)
    functions = {name: value for name, value in vars(pynvml).items()
                 if name.startswith("nvml") and inspect.isfunction(value) and name not in LEFT_OUT}
    with tempfile.TemporaryDirectory() as directory:
        node = Node(directory)
        answers = {name: node.call(functions[name]) for name in sorted(functions)}
    if os.environ.get("ASSAY_UPDATE_GOLDENS"):
        with open(TABLE, "w") as file:
            file.writelines("%s %s\n" % answer for answer in sorted(answers.items()))
    with open(TABLE) as file:
        expected = dict(line.rstrip("\n").split(" ", 1) for line in file)
    new = sorted(set(answers) - set(expected))
    if new:
        print("not in the table, so not compared:", ", ".join(new))
    wrong = ["%s answered %s, not %s" % (name, answers[name], expected[name])
             for name in sorted(set(answers) & set(expected)) if answers[name] != expected[name]]
    print("\n".join(wrong))
    compared = len(set(answers) & set(expected))
    print("%d functions, %d of them SUCCESS" % (
        compared, sum(answer == "SUCCESS" for answer in answers.values())))
    sys.exit(1 if wrong or compared < 400 else 0)


main()
