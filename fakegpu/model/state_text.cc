#include "fakegpu/model/state_text.h"

#include <cstdio>

namespace assay::fakegpu::model {

std::string PciText(const layout::PciAddress& pci) {
  char text[32];
  std::snprintf(text, sizeof(text), "%04x:%02x:%02x.%x", pci.domain, pci.bus, pci.device,
                pci.function);
  return text;
}

Status OpenStatus(layout::OpenError error, const std::filesystem::path& path) {
  const std::string message = path.string() + ": " + layout::OpenErrorText(error);
  switch (error) {
    case layout::OpenError::kNone:
      return OkStatus();
    case layout::OpenError::kNotFound:
      return NotFoundError(message);
    case layout::OpenError::kNoPermission:
      return PermissionDeniedError(message);
    case layout::OpenError::kForeign:
    case layout::OpenError::kCorrupt:
      return DataLossError(message);
    case layout::OpenError::kSystem:
      return InternalError(message);
  }
  return InternalError(message);
}

}  // namespace assay::fakegpu::model
