// The kubelet of 1.36 opens the health stream also of drivers that do not advertise it.

#include <algorithm>
#include <string>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using HealthService = Case;

DECIDES("HLTH-02");
TEST_F(HealthService, RefusesAtOnceWhatItDoesNotAdvertise) {
  const auto& versions = driver().registration().info.supported_versions;
  if (std::ranges::any_of(versions, [](const std::string& version) {
        return version.ends_with(".DRAResourceHealth");
      })) {
    EndCase(Outcome::kNotApplicable, "the driver advertises device health");
  }
  const auto stream = driver().service().WatchHealth();
  const auto message = stream->Next(std::chrono::seconds(5));
  EXPECT_DRIVER(message.status().code() == StatusCode::kUnimplemented)
      << "a health stream that is not advertised answered "
      << (message.ok() ? "a message" : message.status().ToString()) << ", not UNIMPLEMENTED";
}

}  // namespace
}  // namespace assay::conformance
