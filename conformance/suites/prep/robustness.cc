// NodePrepareResources with what is unusual, hostile or endless.

#include <dirent.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "api/core/types.h"
#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using PrepareRobustness = Case;

constexpr int kWarmUpCycles = 20;
constexpr int kLeakCycles = 150;
// Caches, pools of threads and of connections may still grow a little.
constexpr int kDescriptorSlack = 8;
constexpr int kThreadSlack = 8;

int CountEntries(const std::filesystem::path& directory) {
  int count = 0;
  std::error_code error;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    ++count;
  }
  return count;
}

DECIDES("PREP-52");
TEST_F(PrepareRobustness, OfMessagesItCannotKnow) {
  const std::string method =
      Version() == DraVersion::kV1
          ? "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/NodePrepareResources"
          : "/k8s.io.kubelet.pkg.apis.dra.v1beta1.DRAPlugin/NodePrepareResources";
  // Field 99, a string.
  const Result<std::string> unknown =
      driver().service().CallRaw(method, "\x9a\x06\x03new", kCallLimit);
  EXPECT_DRIVER(unknown.ok()) << "a request with an unknown field failed: "
                              << unknown.status().ToString();
  // Beyond gRPC's limit for a message.
  std::string oversized = "\x9a\x06\x80\x80\x80\x04";
  oversized.append(std::size_t{8} << 20U, 'x');
  const Result<std::string> refused = driver().service().CallRaw(method, oversized, kCallLimit);
  EXPECT_DRIVER(!refused.ok()) << "a request of 8 MiB was accepted";
  Prepare(Allocated({AnyDevice()}));
}

DECIDES("PREP-53");
TEST_F(PrepareRobustness, OfTheLongestNames) {
  const std::string long_namespace(63, 'n');
  api::core::Namespace made;
  made.metadata.name = long_namespace;
  Harness(lab().admin().Create(std::move(made)).status());
  std::string name;
  while (name.size() < 200) {
    name += std::string(49, 'c') + ".";
  }
  name += std::string(253 - name.size(), 'c');
  const ResourceClaim claim = MakeClaim(
      {.name = name, .namespace_ = long_namespace, .requests = {{.devices = {AnyDevice()}}}});
  const std::string error = PrepareError(claim);
  EXPECT_DRIVER(error.empty()) << "a claim with names of 63 and 253 characters fails: " << error;
  const std::string unprepare_error = UnprepareError(ReferenceTo(claim));
  EXPECT_DRIVER(unprepare_error.empty())
      << "a claim with names of 63 and 253 characters cannot be unprepared: " << unprepare_error;
}

DECIDES("PREP-54");
TEST_F(PrepareRobustness, OfPathsInTheClaimsNames) {
  const FileSnapshot before = SnapshotFiles(lab().directories().root);
  for (const std::string& evil :
       {std::string("../../../assay-escaped"), std::string("/assay-escaped"), std::string("..")}) {
    for (const ClaimReference& claim :
         {ClaimReference{std::string(kNamespace), "claim", evil},
          ClaimReference{std::string(kNamespace), evil, lab().NewUid()},
          ClaimReference{evil, "claim", lab().NewUid()}}) {
      EXPECT_DRIVER(!PrepareError(claim).empty()) << "a claim named '" << evil << "' was prepared";
      // An error is as good as none.
      (void)UnprepareError(claim);
    }
  }
  for (const auto& [path, text] : SnapshotFiles(lab().directories().root)) {
    EXPECT_DRIVER(before.contains(path) || path.find("assay-escaped") == std::string::npos)
        << "a hostile name made the file " << path;
  }
  EXPECT_DRIVER(!std::filesystem::exists("/assay-escaped")) << "a hostile name left its directory";
}

DECIDES("PREP-56");
TEST_F(PrepareRobustness, OverManyCyclesWithoutALeak) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  const std::filesystem::path proc =
      std::filesystem::path("/proc") / std::to_string(driver().process().pid());
  const auto cycle = [&] {
    Prepare(claim);
    Unprepare(claim);
  };
  for (int i = 0; i < kWarmUpCycles; ++i) {
    cycle();
  }
  const int descriptors = CountEntries(proc / "fd");
  const int threads = CountEntries(proc / "task");
  const FileSnapshot data = SnapshotFiles(lab().data_directory());
  for (int i = 0; i < kLeakCycles; ++i) {
    cycle();
  }
  EXPECT_DRIVER(CountEntries(proc / "fd") <= descriptors + kDescriptorSlack)
      << "open descriptors went from " << descriptors << " to " << CountEntries(proc / "fd")
      << " over " << kLeakCycles << " claims";
  EXPECT_DRIVER(CountEntries(proc / "task") <= threads + kThreadSlack)
      << "threads went from " << threads << " to " << CountEntries(proc / "task") << " over "
      << kLeakCycles << " claims";
  EXPECT_DRIVER(SnapshotFiles(lab().data_directory()).size() <= data.size() + 1)
      << "files in the data directory pile up";
}

}  // namespace
}  // namespace assay::conformance
