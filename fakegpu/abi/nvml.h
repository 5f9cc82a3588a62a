/* The NVIDIA Management Library's C interface as of 13.3 (CUDA 13.3), in our own header: what the
 * fake implements and what a program that loads an NVML by path is compiled against.
 *
 * C and C++. Functions are listed once, in functions.def. As in NVML's own header, an unversioned
 * name means its newest version unless NVML_NO_UNVERSIONED_FUNC_DEFS is defined.
 */
#ifndef ASSAY_FAKEGPU_ABI_NVML_H_
#define ASSAY_FAKEGPU_ABI_NVML_H_

#include "fakegpu/abi/constants.h"
#include "fakegpu/abi/field_ids.h"
#include "fakegpu/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The fake's own sources define what stands behind NVML's names (fakegpu/nvml/entry_points.cc). */
#ifdef ASSAY_NVML_IMPLEMENTATION
#define NVML_SYMBOL(name) __asm__("assay_" #name)
#else
#define NVML_SYMBOL(name)
#endif

#define NVML_FUNCTION(result, name, parameters) result name parameters NVML_SYMBOL(name);
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION

#ifdef __cplusplus
}
#endif

#ifndef NVML_NO_UNVERSIONED_FUNC_DEFS
#define nvmlInit nvmlInit_v2
#define nvmlDeviceGetPciInfo nvmlDeviceGetPciInfo_v3
#define nvmlDeviceGetCount nvmlDeviceGetCount_v2
#define nvmlDeviceGetHandleByIndex nvmlDeviceGetHandleByIndex_v2
#define nvmlDeviceGetHandleByPciBusId nvmlDeviceGetHandleByPciBusId_v2
#define nvmlDeviceGetNvLinkRemotePciInfo nvmlDeviceGetNvLinkRemotePciInfo_v2
#define nvmlDeviceRemoveGpu nvmlDeviceRemoveGpu_v2
#define nvmlDeviceGetGridLicensableFeatures nvmlDeviceGetGridLicensableFeatures_v4
#define nvmlEventSetWait nvmlEventSetWait_v2
#define nvmlDeviceGetAttributes nvmlDeviceGetAttributes_v2
#define nvmlComputeInstanceGetInfo nvmlComputeInstanceGetInfo_v2
#define nvmlDeviceGetComputeRunningProcesses nvmlDeviceGetComputeRunningProcesses_v3
#define nvmlDeviceGetGraphicsRunningProcesses nvmlDeviceGetGraphicsRunningProcesses_v3
#define nvmlDeviceGetMPSComputeRunningProcesses nvmlDeviceGetMPSComputeRunningProcesses_v3
#define nvmlDeviceGetGpuInstancePossiblePlacements nvmlDeviceGetGpuInstancePossiblePlacements_v2
#define nvmlVgpuInstanceGetLicenseInfo nvmlVgpuInstanceGetLicenseInfo_v2
#define nvmlDeviceGetDriverModel nvmlDeviceGetDriverModel_v2
#define nvmlBlacklistDeviceInfo_t nvmlExcludedDeviceInfo_t
#define nvmlGetBlacklistDeviceCount nvmlGetExcludedDeviceCount
#define nvmlGetBlacklistDeviceInfoByIndex nvmlGetExcludedDeviceInfoByIndex
#endif

#endif /* ASSAY_FAKEGPU_ABI_NVML_H_ */
