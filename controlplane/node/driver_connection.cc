#include "controlplane/node/driver_connection.h"

namespace assay::controlplane::node {

std::string_view ServiceName(DraVersion version) {
  return version == DraVersion::kV1 ? "v1.DRAPlugin" : "v1beta1.DRAPlugin";
}

std::string_view ServiceName(HealthVersion version) {
  return version == HealthVersion::kV1 ? "v1.DRAResourceHealth" : "v1alpha1.DRAResourceHealth";
}

}  // namespace assay::controlplane::node
