// What must survive the driver's end, orderly or not.

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "conformance/runner/case.h"
#include "controlplane/node/cdi/registry.h"

namespace assay::conformance {
namespace {

using Checkpoint = Case;
namespace cdi = controlplane::node::cdi;

constexpr Duration kReclaimLimit = std::chrono::seconds(5);

// The state files that are there; not decidable without.
std::vector<std::filesystem::path> ExistingState(Lab& lab) {
  std::vector<std::filesystem::path> files = lab.StateFiles();
  if (files.empty()) {
    EndCase(Outcome::kNotDecidable, "the driver has no state that the profile's files.state names");
  }
  return files;
}

void WriteAll(const std::vector<std::filesystem::path>& files, const std::string& text) {
  for (const std::filesystem::path& file : files) {
    std::ofstream out(file, std::ios::trunc);
    out << text;
  }
}

// What the driver knew of a claim before it ended, it knows after: the claim's answer is the same,
// and a device that was refused to others is refused still.
class CheckpointSurvival : public Case {
 protected:
  void PrepareAndEnd(const std::string& signal, const std::function<void()>& restart) {
    const DeviceRef device = AnyDevice();
    const ResourceClaim claim = Allocated({device});
    const PreparedClaim before = Prepare(claim);
    const ResourceClaim other = Allocated({device});
    const bool refused = !PrepareError(other).empty();
    if (!refused) {
      Unprepare(other);
    }
    restart();
    EXPECT_DRIVER(!refused || !PrepareError(other).empty())
        << "after " << signal << " and a restart the claim's device was given to another claim";
    const PreparedClaim after = Prepare(claim);
    EXPECT_DRIVER(Sorted(before.devices) == Sorted(after.devices))
        << "before " << signal << " the claim had " << Describe(before.devices)
        << ", after the restart " << Describe(after.devices);
  }
};

DECIDES("CKPT-01");
TEST_F(CheckpointSurvival, OfSigterm) {
  PrepareAndEnd("SIGTERM", [this] { RestartDriver(); });
}

DECIDES("CKPT-02");
TEST_F(CheckpointSurvival, OfSigkill) {
  PrepareAndEnd("SIGKILL", [this] { KillAndRestartDriver(); });
}

DECIDES("CKPT-06");
TEST_F(Checkpoint, StartsWithDamagedState) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  const std::vector<std::filesystem::path> files = ExistingState(lab());
  for (const std::string& damage : {std::string("{\"half\": "), std::string()}) {
    driver().Kill();
    WriteAll(files, damage);
    const Result<Driver*> restarted = lab().KillAndRestart();
    ASSERT_DRIVER(restarted.ok()) << "with " << (damage.empty() ? "an empty" : "a truncated")
                                  << " state file the driver does not start: "
                                  << restarted.status().message();
  }
  const std::string error = UnprepareError(ReferenceTo(claim));
  EXPECT_DRIVER(error.empty()) << "after its state was damaged Unprepare fails: " << error;
}

DECIDES("CKPT-07");
TEST_F(Checkpoint, DamagedStateDoesNotGiveADeviceTwice) {
  const DeviceRef device = AnyDevice();
  const ResourceClaim running = Allocated({device});
  Prepare(running);
  const ResourceClaim second = Allocated({device});
  if (PrepareError(second).empty()) {
    EndCase(Outcome::kNotDecidable,
            "the driver gives a device to two claims in any case (PREP-45)");
  }
  const std::vector<std::filesystem::path> files = ExistingState(lab());
  driver().Kill();
  WriteAll(files, "{\"half\": ");
  const Result<Driver*> restarted = lab().KillAndRestart();
  ASSERT_DRIVER(restarted.ok()) << "with a damaged state file the driver does not start: "
                                << restarted.status().message();
  EXPECT_DRIVER(!PrepareError(second).empty())
      << "after its state was damaged, the driver gave a running claim's device to another";
}

DECIDES("CKPT-08");
TEST_F(Checkpoint, DamageToOneClaimLeavesTheOthers) {
  ExpectDriverExit();
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const ResourceClaim damaged = Allocated({devices[0]});
  const ResourceClaim intact = Allocated({devices[1]});
  Prepare(damaged);
  const PreparedClaim before = Prepare(intact);
  const std::string& uid = damaged.metadata.uid;
  bool found = false;
  driver().Kill();
  for (const std::filesystem::path& file : ExistingState(lab())) {
    std::string text = ReadFile(file).value_or("");
    for (std::size_t at = text.find(uid); at != std::string::npos; at = text.find(uid, at + 1)) {
      text[at + uid.size() / 2] = '\x01';  // No part of a UID, nor of text in JSON.
      found = true;
    }
    WriteAll({file}, text);
  }
  if (!found) {
    EndCase(Outcome::kNotDecidable, "the state files do not name the claim's UID");
  }
  KillAndRestartDriver();
  const std::string error = PrepareError(intact);
  ASSERT_DRIVER(error.empty()) << "after the entry of one claim was damaged another claim, which "
                               << "was prepared, is refused: " << error;
  EXPECT_DRIVER(Sorted(before.devices) == Sorted(Prepare(intact).devices))
      << "after the entry of one claim was damaged another claim has other devices than before";
}

DECIDES("CKPT-09");
TEST_F(Checkpoint, MissingCdiSpecIsWrittenAgain) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  const PreparedClaim before = Prepare(claim);
  driver().Kill();
  for (const auto& [path, text] : CdiFiles()) {
    std::filesystem::remove(lab().directories().cdi / path);
  }
  KillAndRestartDriver();
  const PreparedClaim after = Prepare(claim);
  const cdi::Registry registry = cdi::Registry::Scan({lab().directories().cdi});
  for (const PreparedDevice& device : after.devices) {
    for (const std::string& id : device.cdi_device_ids) {
      EXPECT_DRIVER(registry.Resolve(id).ok())
          << "after the CDI directory was wiped, Prepare answered a CDI id that does not resolve";
    }
  }
}

DECIDES("CKPT-10");
TEST_F(Checkpoint, MissingStateBesideCdiSpecs) {
  const ResourceClaim claim = Allocated({AnyDevice()});
  Prepare(claim);
  const std::vector<std::filesystem::path> files = ExistingState(lab());
  driver().Kill();
  for (const std::filesystem::path& file : files) {
    std::filesystem::remove(file);
  }
  KillAndRestartDriver();
  const std::string error = PrepareError(claim);
  EXPECT_DRIVER(error.empty()) << "with its state gone and its CDI spec there, Prepare fails: "
                               << error;
  const cdi::Registry registry = cdi::Registry::Scan({lab().directories().cdi});
  EXPECT_DRIVER(registry.errors().empty())
      << "with its state gone and Prepare repeated, a CDI spec is broken or conflicts";
}

DECIDES("CKPT-15");
TEST_F(Checkpoint, StateThatCannotBeWrittenFailsPrepare) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  Prepare(Allocated({devices[0]}));
  const std::vector<std::filesystem::path> files = ExistingState(lab());
  // A file is in the way of the directory: nobody, root neither, can write into it.
  std::set<std::filesystem::path> directories;
  for (const std::filesystem::path& file : files) {
    directories.insert(file.parent_path());
  }
  if (directories.contains(lab().data_directory())) {
    EndCase(Outcome::kNotDecidable, "the driver's state lies beside its sockets");
  }
  for (const std::filesystem::path& directory : directories) {
    std::filesystem::rename(directory, directory.string() + ".aside");
    std::ofstream(directory) << "in the way";
  }
  const ResourceClaim claim = Allocated({devices[1]});
  const std::string error = PrepareError(claim);
  const std::vector<std::string> left = CdiTracesOf(claim.metadata.uid);
  for (const std::filesystem::path& directory : directories) {
    std::filesystem::remove_all(directory);
    std::filesystem::rename(directory.string() + ".aside", directory);
  }
  EXPECT_DRIVER(!error.empty()) << "with state that cannot be written Prepare succeeds";
  EXPECT_DRIVER(left.empty()) << "with state that cannot be written Prepare fails and leaves "
                              << Join(left);
  Prepare(claim);
}

DECIDES("CKPT-14");
TEST_F(Checkpoint, StateIsNotWritableByOthers) {
  Prepare(Allocated({AnyDevice()}));
  for (const std::filesystem::path& file : ExistingState(lab())) {
    const auto mode = std::filesystem::status(file).permissions();
    EXPECT_DRIVER((mode & std::filesystem::perms::others_write) == std::filesystem::perms::none)
        << file.filename().string() << " can be written by everybody";
  }
}

DECIDES("UNPR-24", "CKPT-18");
TEST_F(Checkpoint, OrphansAreReclaimedAndLiveClaimsKept) {
  const std::vector<DeviceRef> devices = SomeDevices(2);
  const ResourceClaim orphan = Allocated({devices[0]});
  const ResourceClaim live = Allocated({devices[1]});
  Prepare(orphan);
  const PreparedClaim before = Prepare(live);
  const bool traceable = !CdiTracesOf(live.metadata.uid).empty();
  driver().Kill();
  DeleteClaim(orphan);
  KillAndRestartDriver();
  EXPECT_DRIVER(WaitUntil(kReclaimLimit, [&] { return CdiTracesOf(orphan.metadata.uid).empty(); }))
      << "5 s after a restart the CDI spec of a claim that is gone from the API is still there";
  EXPECT_DRIVER(!traceable || !CdiTracesOf(live.metadata.uid).empty())
      << "a restart removed the CDI spec of a claim that lives";
  const PreparedClaim after = Prepare(live);
  EXPECT_DRIVER(Sorted(before.devices) == Sorted(after.devices))
      << "the claim that lives had " << Describe(before.devices) << ", after the restart "
      << Describe(after.devices);
}

}  // namespace
}  // namespace assay::conformance
