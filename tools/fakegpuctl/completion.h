// Shell completion of fakegpuctl.
//
// Thread-safe.
#ifndef ASSAY_TOOLS_FAKEGPUCTL_COMPLETION_H_
#define ASSAY_TOOLS_FAKEGPUCTL_COMPLETION_H_

#include <string>
#include <string_view>

namespace assay::tools {

// A script for "bash" or "zsh"; empty for any other shell.
std::string CompletionScript(std::string_view shell);

}  // namespace assay::tools

#endif  // ASSAY_TOOLS_FAKEGPUCTL_COMPLETION_H_
