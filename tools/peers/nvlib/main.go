// Drives the fake GPUs through NVIDIA's own go-nvlib and go-nvml, as a driver with dynamic MIG does:
// each MIG profile of each GPU is made into a device, found, and taken away again.
//
// Prints a line a GPU: its name, whether it is in a fabric, and what its MIG devices were called. Exit
// code 1 at the first answer that such a driver would not survive.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/NVIDIA/go-nvlib/pkg/nvlib/device"
	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

func main() {
	library := nvml.New()
	if ret := library.Init(); ret != nvml.SUCCESS {
		fail("init: %v", ret)
	}
	defer library.Shutdown()
	devices, err := device.New(library).GetDevices()
	if err != nil {
		fail("devices: %v", err)
	}
	for i, gpu := range devices {
		name, ret := gpu.GetName()
		if ret != nvml.SUCCESS {
			fail("GPU %d: name: %v", i, ret)
		}
		fabric, err := gpu.IsFabricAttached()
		if err != nil {
			fail("GPU %d: fabric: %v", i, err)
		}
		made, err := makeEach(gpu)
		if err != nil {
			fail("GPU %d, %s: %v", i, name, err)
		}
		line := append([]string{name, fmt.Sprintf("fabric=%v", fabric)}, made...)
		fmt.Println(strings.Join(line, " "))
	}
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

// makeEach makes a MIG device of each of the GPU's profiles in turn, and returns their names.
func makeEach(gpu device.Device) ([]string, error) {
	capable, err := gpu.IsMigCapable()
	if err != nil || !capable {
		return nil, err
	}
	if _, ret := gpu.SetMigMode(nvml.DEVICE_MIG_ENABLE); ret != nvml.SUCCESS {
		return nil, fmt.Errorf("MIG mode: %v", ret)
	}
	profiles, err := gpu.GetMigProfiles()
	if err != nil {
		return nil, fmt.Errorf("profiles: %w", err)
	}
	var made []string
	for _, profile := range profiles {
		name, err := makeOne(gpu, profile)
		if err != nil {
			return nil, fmt.Errorf("profile %s: %w", profile, err)
		}
		if name != "" {
			made = append(made, name)
		}
	}
	return made, nil
}

// makeOne makes a MIG device of the profile and takes it away. It returns "" where the GPU instance has
// no such compute instance: go-nvlib can only guess which it has.
func makeOne(gpu device.Device, profile device.MigProfile) (string, error) {
	info := profile.GetInfo()
	instanceInfo, ret := gpu.GetGpuInstanceProfileInfo(info.GIProfileID)
	if ret != nvml.SUCCESS {
		return "", fmt.Errorf("GPU instance profile: %v", ret)
	}
	instance, ret := gpu.CreateGpuInstance(&instanceInfo)
	if ret != nvml.SUCCESS {
		return "", fmt.Errorf("GPU instance: %v", ret)
	}
	defer instance.Destroy()
	computeInfo, ret := instance.GetComputeInstanceProfileInfo(info.CIProfileID, info.CIEngProfileID)
	if ret == nvml.ERROR_NOT_SUPPORTED {
		return "", nil
	}
	if ret != nvml.SUCCESS {
		return "", fmt.Errorf("compute instance profile: %v", ret)
	}
	compute, ret := instance.CreateComputeInstance(&computeInfo)
	if ret != nvml.SUCCESS {
		return "", fmt.Errorf("compute instance: %v", ret)
	}
	defer compute.Destroy()
	return checkDevice(gpu, profile)
}

// checkDevice finds the one MIG device and returns its name, which must be the profile's.
func checkDevice(gpu device.Device, profile device.MigProfile) (string, error) {
	devices, err := gpu.GetMigDevices()
	if err != nil {
		return "", fmt.Errorf("MIG devices: %w", err)
	}
	if len(devices) != 1 {
		return "", fmt.Errorf("there are %d MIG devices", len(devices))
	}
	uuid, ret := devices[0].GetUUID()
	if ret != nvml.SUCCESS || !strings.HasPrefix(uuid, "MIG-") {
		return "", fmt.Errorf("UUID %q: %v", uuid, ret)
	}
	found, err := devices[0].GetProfile()
	if err != nil {
		return "", fmt.Errorf("profile of the MIG device: %w", err)
	}
	if !found.Equals(profile) {
		return "", fmt.Errorf("the MIG device is a %s", found)
	}
	return found.String(), nil
}
