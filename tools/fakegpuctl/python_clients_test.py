"""Unmodified nvidia-ml-py, gpustat and nvitop see the node that fakegpuctl makes.

Usage: python_clients_test.py FAKEGPUCTL NODE_FILE, with the library's directory in LD_LIBRARY_PATH.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import pynvml

FAKEGPUCTL, NODE_FILE = sys.argv.pop(1), sys.argv.pop(1)


def fakegpuctl(*arguments):
    return subprocess.run([FAKEGPUCTL, *arguments], check=True, capture_output=True, text=True).stdout


class PythonClientsTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        os.environ["ASSAY_FAKEGPU_STATE"] = self.directory.name + "/state"
        fakegpuctl("create", NODE_FILE)
        self.shown = json.loads(fakegpuctl("show", "-o", "json"))
        pynvml.nvmlInit()

    def tearDown(self):
        pynvml.nvmlShutdown()
        self.directory.cleanup()

    def test_lists_every_gpu(self):
        self.assertEqual(pynvml.nvmlSystemGetDriverVersion(), self.shown["driverVersion"])
        self.assertEqual(pynvml.nvmlSystemGetCudaDriverVersion_v2(), 13000)
        self.assertEqual(pynvml.nvmlDeviceGetCount(), len(self.shown["gpus"]))
        for index, gpu in enumerate(self.shown["gpus"]):
            device = pynvml.nvmlDeviceGetHandleByIndex(index)
            self.assertEqual(pynvml.nvmlDeviceGetUUID(device), gpu["uuid"])
            self.assertEqual(pynvml.nvmlDeviceGetName(device), gpu["name"])
            self.assertEqual(pynvml.nvmlDeviceGetMinorNumber(device), gpu["minor"])
            self.assertEqual(pynvml.nvmlDeviceGetPciInfo(device).busId[-12:].lower(),
                             gpu["pciBusId"])
            self.assertEqual(pynvml.nvmlDeviceGetMemoryInfo(device).total, gpu["memoryTotalBytes"])
            self.assertEqual(pynvml.nvmlDeviceGetArchitecture(device),
                             pynvml.NVML_DEVICE_ARCH_HOPPER)
            self.assertEqual(pynvml.nvmlDeviceGetCudaComputeCapability(device), (9, 0))

    def test_every_pair_of_gpus_is_linked(self):
        devices = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(8)]
        for first in devices:
            self.assertEqual(pynvml.nvmlDeviceGetNvLinkState(first, 17), 1)
            self.assertEqual(pynvml.nvmlDeviceGetNvLinkVersion(first, 0),
                             pynvml.NVML_NVLINK_VERSION_4_0)
            for second in devices:
                if first is not second:
                    self.assertEqual(
                        pynvml.nvmlDeviceGetP2PStatus(first, second,
                                                      pynvml.NVML_P2P_CAPS_INDEX_NVLINK),
                        pynvml.NVML_P2P_STATUS_OK)
        same_socket = pynvml.nvmlDeviceGetTopologyCommonAncestor(devices[0], devices[1])
        other_socket = pynvml.nvmlDeviceGetTopologyCommonAncestor(devices[0], devices[4])
        self.assertEqual(same_socket, pynvml.NVML_TOPOLOGY_NODE)
        self.assertEqual(other_socket, pynvml.NVML_TOPOLOGY_SYSTEM)

    def test_processes_and_load_are_seen(self):
        fakegpuctl("proc", "start", "2", "--pid", str(os.getpid()), "--memory", "20000",
                   "--utilization", "80")
        device = pynvml.nvmlDeviceGetHandleByIndex(2)
        (process,) = pynvml.nvmlDeviceGetComputeRunningProcesses(device)
        self.assertEqual(process.pid, os.getpid())
        self.assertEqual(process.usedGpuMemory, 20000 << 20)
        self.assertAlmostEqual(pynvml.nvmlDeviceGetUtilizationRates(device).gpu, 80, delta=2)
        self.assertGreater(pynvml.nvmlDeviceGetPowerUsage(device), 400_000)

    def test_a_lost_gpu_is_told_from_the_others(self):
        fakegpuctl("inject", "1", "xid=79")
        for index in range(8):
            device = pynvml.nvmlDeviceGetHandleByIndex(index)
            self.assertEqual(pynvml.nvmlDeviceGetUUID(device), self.shown["gpus"][index]["uuid"])
            if index == 1:
                with self.assertRaises(pynvml.NVMLError_GpuIsLost):
                    pynvml.nvmlDeviceGetTemperatureV(device, pynvml.NVML_TEMPERATURE_GPU)
            else:
                pynvml.nvmlDeviceGetTemperatureV(device, pynvml.NVML_TEMPERATURE_GPU)

    def test_an_xid_reaches_an_event_set(self):
        device = pynvml.nvmlDeviceGetHandleByIndex(3)
        events = pynvml.nvmlEventSetCreate()
        pynvml.nvmlDeviceRegisterEvents(device, pynvml.nvmlEventTypeXidCriticalError, events)
        fakegpuctl("inject", "3", "xid=48")
        data = pynvml.nvmlEventSetWait_v2(events, 10_000)
        self.assertEqual(data.eventData, 48)
        pynvml.nvmlEventSetFree(events)

    @unittest.skipIf(os.geteuid() != 0, "setters are root's")
    def test_mig_devices_come_and_go(self):
        device = pynvml.nvmlDeviceGetHandleByIndex(0)
        self.assertEqual(pynvml.nvmlDeviceGetMigMode(device), [0, 0])
        self.assertEqual(pynvml.nvmlDeviceGetMaxMigDeviceCount(device), 0)
        pynvml.nvmlDeviceSetMigMode(device, 1)
        self.assertEqual(pynvml.nvmlDeviceGetMigMode(device), [1, 1])
        self.assertEqual(pynvml.nvmlDeviceGetMaxMigDeviceCount(device), 7)
        info = pynvml.nvmlDeviceGetGpuInstanceProfileInfo(
            device, pynvml.NVML_GPU_INSTANCE_PROFILE_3_SLICE)
        self.assertEqual((info.id, info.sliceCount, info.instanceCount), (9, 3, 2))
        gpu_instance = pynvml.nvmlDeviceCreateGpuInstance(device, info.id)
        compute_info = pynvml.nvmlGpuInstanceGetComputeInstanceProfileInfo(
            gpu_instance, pynvml.NVML_COMPUTE_INSTANCE_PROFILE_3_SLICE,
            pynvml.NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED)
        compute_instance = pynvml.nvmlGpuInstanceCreateComputeInstance(gpu_instance,
                                                                       compute_info.id)
        mig = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(device, 0)
        self.assertEqual(pynvml.nvmlDeviceGetName(mig), "NVIDIA H100 80GB HBM3 MIG 3g.40gb")
        self.assertTrue(pynvml.nvmlDeviceGetUUID(mig).startswith("MIG-"))
        self.assertEqual(pynvml.nvmlDeviceGetAttributes(mig).memorySizeMB, 40448)
        self.assertEqual(pynvml.nvmlDeviceGetMemoryInfo(mig).total, 40448 << 20)
        parent = pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(mig)
        self.assertEqual(pynvml.nvmlDeviceGetUUID(parent), self.shown["gpus"][0]["uuid"])
        with self.assertRaises(pynvml.NVMLError_InUse):
            pynvml.nvmlGpuInstanceDestroy(gpu_instance)
        with self.assertRaises(pynvml.NVMLError_InUse):
            pynvml.nvmlDeviceSetMigMode(device, 0)
        pynvml.nvmlComputeInstanceDestroy(compute_instance)
        pynvml.nvmlGpuInstanceDestroy(gpu_instance)
        with self.assertRaises(pynvml.NVMLError_InvalidArgument):
            pynvml.nvmlDeviceGetUUID(mig)
        pynvml.nvmlDeviceSetMigMode(device, 0)

    def test_gpustat_lists_the_node(self):
        fakegpuctl("proc", "start", "5", "--pid", str(os.getpid()), "--memory", "1024")
        report = json.loads(subprocess.run(
            [sys.executable, "-m", "gpustat", "--json", "--no-color"],
            check=True, capture_output=True, text=True).stdout)
        self.assertEqual([gpu["uuid"] for gpu in report["gpus"]],
                         [gpu["uuid"] for gpu in self.shown["gpus"]])
        (process,) = report["gpus"][5]["processes"]
        self.assertEqual(process["pid"], os.getpid())
        self.assertEqual(process["gpu_memory_usage"], 1024)

    def nvitop(self, script):
        """What a script prints with nvitop's API, in a process of its own."""
        return json.loads(subprocess.run(
            [sys.executable, "-c", "import json, nvitop\n" + script],
            check=True, capture_output=True, text=True).stdout)

    def test_nvitop_shows_the_node(self):
        fakegpuctl("proc", "start", "5", "--pid", str(os.getpid()), "--memory", "1024",
                   "--utilization", "70")
        screen = subprocess.run([sys.executable, "-m", "nvitop", "--once"], check=True,
                                capture_output=True, text=True).stdout
        self.assertIn("1024MiB", screen)
        self.assertNotIn("N/A / ", screen)
        devices = self.nvitop("""
print(json.dumps([{"uuid": d.uuid(), "total": d.memory_total(), "percent": d.gpu_utilization(),
                   "nvlinks": d.nvlink_link_count(),
                   "processes": {p: q.gpu_memory() for p, q in d.processes().items()}}
                  for d in nvitop.Device.all()]))""")
        self.assertEqual([device["uuid"] for device in devices],
                         [gpu["uuid"] for gpu in self.shown["gpus"]])
        self.assertEqual(devices[5]["processes"], {str(os.getpid()): 1024 << 20})
        self.assertAlmostEqual(devices[5]["percent"], 70, delta=2)
        self.assertEqual(devices[5]["nvlinks"], 18)

    @unittest.skipIf(os.geteuid() != 0, "setters are root's")
    def test_nvitop_shows_mig_devices(self):
        device = pynvml.nvmlDeviceGetHandleByIndex(2)
        pynvml.nvmlDeviceSetMigMode(device, 1)
        for profile, compute_profile in ((9, 2), (19, 0)):
            instance = pynvml.nvmlDeviceCreateGpuInstance(device, profile)
            pynvml.nvmlGpuInstanceCreateComputeInstance(instance, compute_profile)
        names = self.nvitop("""
print(json.dumps([m.name() for m in nvitop.Device(2).mig_devices()]))""")
        self.assertEqual(names, ["NVIDIA H100 80GB HBM3 MIG 3g.40gb",
                                 "NVIDIA H100 80GB HBM3 MIG 1g.10gb"])


unittest.main(verbosity=2)
