// The header as a C++ compiler sees it: struct sizes and version words.

#include <gtest/gtest.h>

#include "fakegpu/abi/nvml.h"

namespace {

#define ASSAY_SIZE(type, bytes) static_assert(sizeof(type) == (bytes), #type);
#include "fakegpu/abi/sizes.def"
#undef ASSAY_SIZE

TEST(AbiLayoutTest, VersionWordsHoldSizeAndVersion) {
  EXPECT_EQ(nvmlMemory_v2, 0x02000028u);
  EXPECT_EQ(nvmlPciInfoExt_v1, 0x01000040u);
  EXPECT_EQ(nvmlGpuFabricInfo_v2, 0x02000024u);
  EXPECT_EQ(nvmlGpuFabricInfo_v3, 0x03000028u);
}

TEST(AbiLayoutTest, ListsEachFunctionOnce) {
  int functions = 0;
#define NVML_FUNCTION(result, name, parameters) ++functions;
#include "fakegpu/abi/functions.def"
#undef NVML_FUNCTION
  EXPECT_EQ(functions, 413);
}

}  // namespace
