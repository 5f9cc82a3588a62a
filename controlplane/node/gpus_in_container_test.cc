// What an NVML client in a container sees: prints the UUID of each GPU, a line each. For the tests
// that run containers.
#include <dlfcn.h>

#include <cstdio>

#include "fakegpu/abi/nvml.h"

int main() {
  void* const library = ::dlopen("libnvidia-ml.so.1", RTLD_NOW);
  if (library == nullptr) {
    std::printf("%s\n", ::dlerror());
    return 1;
  }
  const auto init = reinterpret_cast<decltype(&nvmlInit_v2)>(::dlsym(library, "nvmlInit_v2"));
  const auto count =
      reinterpret_cast<decltype(&nvmlDeviceGetCount_v2)>(::dlsym(library, "nvmlDeviceGetCount_v2"));
  const auto handle = reinterpret_cast<decltype(&nvmlDeviceGetHandleByIndex_v2)>(
      ::dlsym(library, "nvmlDeviceGetHandleByIndex_v2"));
  const auto uuid =
      reinterpret_cast<decltype(&nvmlDeviceGetUUID)>(::dlsym(library, "nvmlDeviceGetUUID"));
  unsigned int devices = 0;
  if (init() != NVML_SUCCESS || count(&devices) != NVML_SUCCESS) {
    std::printf("NVML does not start\n");
    return 1;
  }
  for (unsigned int i = 0; i < devices; ++i) {
    nvmlDevice_t device = nullptr;
    char text[96] = "";
    if (handle(i, &device) == NVML_SUCCESS && uuid(device, text, sizeof text) == NVML_SUCCESS) {
      std::printf("%s\n", text);
    }
  }
  return 0;
}
