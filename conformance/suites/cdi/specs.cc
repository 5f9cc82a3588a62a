// The CDI specs that the driver writes, read as strictly as a container runtime's library reads
// them.

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "conformance/runner/case.h"
#include "controlplane/node/cdi/qualified_name.h"
#include "controlplane/node/cdi/registry.h"
#include "controlplane/node/cdi/spec.h"

namespace assay::conformance {
namespace {

namespace cdi = controlplane::node::cdi;

constexpr std::string_view kForeignSpec = R"({
  "cdiVersion": "0.6.0",
  "kind": "example.org/other",
  "devices": [{"name": "one", "containerEdits": {"env": ["OTHER=1"]}}]
})";

bool IsSpecName(const std::string& name) {
  return name.ends_with(".json") || name.ends_with(".yaml");
}

// Cases start from two prepared claims, one of them with two devices where there are enough.
class CdiSpecs : public Case {
 protected:
  void SetUp() override {
    Case::SetUp();
    const std::vector<DeviceRef> devices = SomeDevices(2);
    own_claims_ = {Allocated({devices[0]}), Allocated({devices[1]})};
    for (const ResourceClaim& claim : own_claims_) {
      prepared_.push_back(Prepare(claim));
    }
    for (const auto& [path, text] : CdiFiles()) {
      if (!IsSpecName(path)) {
        continue;
      }
      Result<cdi::Spec> spec = cdi::ParseSpec(text, path);
      if (spec.ok()) {
        specs_.emplace(path, *std::move(spec));
      } else {
        parse_errors_.push_back(spec.status().message());
      }
    }
    // A driver whose devices need no edits has no specs, and breaks no rule about them.
    if (specs_.empty() && parse_errors_.empty()) {
      EndCase(Outcome::kNotDecidable, "the driver wrote no CDI spec");
    }
  }

  // `check` for each container edits of each spec.
  template <typename Check>
  void ForEachEdits(Check check) {
    for (const auto& [path, spec] : specs_) {
      check(path, spec.container_edits);
      for (const cdi::Device& device : spec.devices) {
        check(path + ": " + device.name, device.container_edits);
      }
    }
  }

  std::vector<ResourceClaim> own_claims_;
  std::vector<PreparedClaim> prepared_;
  std::map<std::string, cdi::Spec> specs_;
  std::vector<std::string> parse_errors_;
};

DECIDES("CDI-01");
TEST_F(CdiSpecs, ParseStrictly) {
  EXPECT_DRIVER(parse_errors_.empty()) << "a CDI spec does not parse: " << Join(parse_errors_);
  for (const auto& [path, spec] : specs_) {
    EXPECT_DRIVER(!spec.cdi_version.empty()) << path << " has no cdiVersion";
    EXPECT_DRIVER(!spec.kind.empty()) << path << " has no kind";
  }
}

DECIDES("CDI-02");
TEST_F(CdiSpecs, HaveAReleasedVersionThatIsNewEnough) {
  const std::vector<std::string>& released = cdi::ReleasedVersions();
  for (const auto& [path, spec] : specs_) {
    const auto version = std::ranges::find(released, spec.cdi_version);
    ASSERT_DRIVER(version != released.end())
        << path << " has the cdiVersion '" << spec.cdi_version << "', which is no release";
    const std::string minimum = cdi::MinimumRequiredVersion(spec);
    EXPECT_DRIVER(version >= std::ranges::find(released, minimum))
        << path << " uses fields of CDI " << minimum << ", and says " << spec.cdi_version;
  }
}

DECIDES("CDI-03");
TEST_F(CdiSpecs, HaveALegalKind) {
  for (const auto& [path, spec] : specs_) {
    const Status vendor = cdi::ValidateVendorName(spec.vendor());
    EXPECT_DRIVER(vendor.ok()) << path << ": kind '" << spec.kind << "': " << vendor.message();
    const Status class_name = cdi::ValidateClassName(spec.class_name());
    EXPECT_DRIVER(class_name.ok())
        << path << ": kind '" << spec.kind << "': " << class_name.message();
  }
}

DECIDES("CDI-04");
TEST_F(CdiSpecs, HaveADevice) {
  for (const auto& [path, spec] : specs_) {
    EXPECT_DRIVER(!spec.devices.empty()) << path << " has no devices; the runtime refuses it";
  }
}

DECIDES("CDI-05");
TEST_F(CdiSpecs, NameTheirDevicesOnceAndLegally) {
  for (const auto& [path, spec] : specs_) {
    std::set<std::string> names;
    for (const cdi::Device& device : spec.devices) {
      const Status legal = cdi::ValidateDeviceName(device.name);
      EXPECT_DRIVER(legal.ok()) << path << ": " << legal.message();
      EXPECT_DRIVER(names.insert(device.name).second)
          << path << " names the device " << device.name << " twice";
    }
  }
}

DECIDES("CDI-06");
TEST_F(CdiSpecs, HaveEditsForEachDevice) {
  for (const auto& [path, spec] : specs_) {
    for (const cdi::Device& device : spec.devices) {
      EXPECT_DRIVER(!device.container_edits.empty())
          << path << ": " << device.name << " has empty edits; the runtime refuses the spec";
    }
  }
}

DECIDES("CDI-07");
TEST_F(CdiSpecs, DefineEachDeviceOnce) {
  std::map<std::string, std::string> places;
  for (const auto& [path, spec] : specs_) {
    for (const cdi::Device& device : spec.devices) {
      const std::string name = spec.kind + "=" + device.name;
      const auto [place, inserted] = places.emplace(name, path);
      EXPECT_DRIVER(inserted || place->second == path)
          << name << " is defined in two specs of one directory, and does not resolve";
    }
  }
}

DECIDES("CDI-08");
TEST_F(CdiSpecs, SetEnvironmentAsKeyAndValue) {
  ForEachEdits([](const std::string& where, const cdi::ContainerEdits& edits) {
    for (const std::string& variable : edits.env) {
      const std::size_t equals = variable.find('=');
      EXPECT_DRIVER(equals != std::string::npos && equals > 0)
          << where << " has the env entry '" << variable << "', which is not KEY=VALUE";
    }
  });
}

DECIDES("CDI-09");
TEST_F(CdiSpecs, NameDeviceNodesWell) {
  ForEachEdits([](const std::string& where, const cdi::ContainerEdits& edits) {
    for (const cdi::DeviceNode& node : edits.device_nodes) {
      EXPECT_DRIVER(node.path.starts_with('/'))
          << where << " has the device node '" << node.path << "', which is no absolute path";
      EXPECT_DRIVER(node.type.empty() || node.type == "b" || node.type == "c" || node.type == "u" ||
                    node.type == "p")
          << where << ": " << node.path << " has the unknown type '" << node.type << "'";
      EXPECT_DRIVER(node.permissions.find_first_not_of("rwm") == std::string::npos)
          << where << ": " << node.path << " has the permissions '" << node.permissions
          << "', not of r, w and m";
    }
  });
}

DECIDES("CDI-10");
TEST_F(CdiSpecs, NameMountsAndHooksWell) {
  static const std::set<std::string> kHooks = {"prestart",       "createRuntime", "createContainer",
                                               "startContainer", "poststart",     "poststop"};
  ForEachEdits([](const std::string& where, const cdi::ContainerEdits& edits) {
    for (const cdi::Mount& mount : edits.mounts) {
      EXPECT_DRIVER(!mount.host_path.empty() && !mount.container_path.empty())
          << where << " has a mount without a host or a container path";
    }
    for (const cdi::Hook& hook : edits.hooks) {
      EXPECT_DRIVER(kHooks.contains(hook.hook_name))
          << where << " has the unknown hook '" << hook.hook_name << "'";
      EXPECT_DRIVER(!hook.path.empty()) << where << " has a hook without a path";
    }
  });
}

DECIDES("CDI-11");
TEST_F(CdiSpecs, LeaveNoOtherFiles) {
  for (const auto& [path, text] : CdiFiles()) {
    const bool hidden = path.starts_with('.');
    EXPECT_DRIVER(IsSpecName(path) && !hidden)
        << "the CDI directory has " << path << ", which is no spec";
  }
}

DECIDES("CDI-12");
TEST_F(CdiSpecs, AppearWhole) {
  const int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  inotify_add_watch(fd, lab().directories().cdi.c_str(), IN_MODIFY);
  for (int i = 0; i < 3; ++i) {
    Unprepare(own_claims_[0]);
    Prepare(own_claims_[0]);
  }
  // Written in place, a visible file is modified after it appeared; a moved one is not.
  std::set<std::string> in_place;
  alignas(inotify_event) std::array<char, 16384> buffer;
  for (ssize_t size = read(fd, buffer.data(), buffer.size()); size > 0;
       size = read(fd, buffer.data(), buffer.size())) {
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if (event->len > 0 && IsSpecName(event->name)) {
        in_place.insert(event->name);
      }
    }
  }
  close(fd);
  EXPECT_DRIVER(in_place.empty())
      << "a CDI spec was written in place; a runtime may read half of it";
}

DECIDES("CDI-13");
TEST_F(CdiSpecs, AreNamedAfterDriverAndClaim) {
  for (const ResourceClaim& claim : own_claims_) {
    const std::vector<std::string> traces = CdiTracesOf(claim.metadata.uid);
    EXPECT_DRIVER(std::ranges::any_of(traces,
                                      [&](const std::string& path) {
                                        return path.find(claim.metadata.uid) != std::string::npos &&
                                               path.find(lab().profile().driver) !=
                                                   std::string::npos;
                                      }))
        << "no CDI spec of a claim has the driver's name and the claim's UID in its file name: "
        << Join(traces);
  }
}

DECIDES("CDI-14");
TEST_F(CdiSpecs, AreGoneAfterTheLastUnprepare) {
  for (const ResourceClaim& claim : own_claims_) {
    Unprepare(claim);
  }
  const std::vector<std::string>& static_files = lab().profile().static_cdi_files;
  for (const auto& [path, text] : CdiFiles()) {
    EXPECT_DRIVER(std::ranges::find(static_files, path) != static_files.end())
        << "after the last Unprepare the CDI directory still has " << path;
  }
}

DECIDES("CDI-15");
TEST_F(CdiSpecs, OfAFormerRunBreakNothing) {
  KillAndRestartDriver();
  Prepare(own_claims_[1]);
  const cdi::Registry registry = cdi::Registry::Scan({lab().directories().cdi});
  EXPECT_DRIVER(registry.errors().empty())
      << "after a crash and a restart a CDI spec is broken or conflicts";
}

DECIDES("CDI-16");
TEST_F(CdiSpecs, OfTwoClaimsMergeInOneContainer) {
  const cdi::Registry registry = cdi::Registry::Scan({lab().directories().cdi});
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> mounts;
  for (const PreparedClaim& claim : prepared_) {
    cdi::OciSpec container;
    for (const PreparedDevice& device : claim.devices) {
      const Status injected = registry.Inject(device.cdi_device_ids, container);
      EXPECT_DRIVER(injected.ok()) << "the CDI devices cannot be injected: " << injected.message();
    }
    for (const std::string& variable : container.env) {
      const std::string key = variable.substr(0, variable.find('='));
      const auto [known, inserted] = variables.emplace(key, variable);
      EXPECT_DRIVER(inserted || known->second == variable)
          << "two claims in one container set " << key << " to different values";
    }
    for (const cdi::OciMount& mount : container.mounts) {
      const auto [known, inserted] = mounts.emplace(mount.destination, mount.source);
      EXPECT_DRIVER(inserted || known->second == mount.source)
          << "two claims in one container mount different things at " << mount.destination;
    }
  }
}

DECIDES("CDI-17");
TEST_F(CdiSpecs, NameHostPathsThatExist) {
  if (!lab().profile().fakegpu.empty() && !lab().has_device_nodes()) {
    EndCase(Outcome::kNotDecidable, "the fake GPUs have no device nodes without CAP_MKNOD");
  }
  ForEachEdits([](const std::string& where, const cdi::ContainerEdits& edits) {
    std::vector<std::string> paths;
    for (const cdi::DeviceNode& node : edits.device_nodes) {
      paths.push_back(node.host_path.empty() ? node.path : node.host_path);
    }
    for (const cdi::Mount& mount : edits.mounts) {
      paths.push_back(mount.host_path);
    }
    for (const cdi::Hook& hook : edits.hooks) {
      paths.push_back(hook.path);
    }
    for (const std::string& path : paths) {
      EXPECT_DRIVER(std::filesystem::exists(path))
          << where << " names " << path << ", which does not exist on the host";
    }
  });
}

DECIDES("CDI-18");
TEST_F(CdiSpecs, IsolateTheDevicesOfClaims) {
  const cdi::Registry registry = cdi::Registry::Scan({lab().directories().cdi});
  std::vector<std::set<std::string>> nodes;
  for (const PreparedClaim& claim : prepared_) {
    std::set<std::string>& own = nodes.emplace_back();
    for (const PreparedDevice& device : claim.devices) {
      const auto edits = registry.EditsFor(device.cdi_device_ids);
      for (const cdi::DeviceNode& node :
           edits.ok() ? edits->device_nodes : std::vector<cdi::DeviceNode>()) {
        own.insert(node.path);
      }
    }
  }
  if (nodes[0].empty() && nodes[1].empty()) {
    EndCase(Outcome::kNotDecidable, "the driver's CDI specs have no device nodes");
  }
  // Control nodes are shared; what is a claim's own must not be in the other's.
  EXPECT_DRIVER(!std::ranges::includes(nodes[0], nodes[1]) &&
                !std::ranges::includes(nodes[1], nodes[0]))
      << "a container with one claim gets all device nodes of the other claim";
}

DECIDES("CDI-19");
TEST_F(CdiSpecs, LieInTheDirectoryThatWasConfigured) {
  for (const PreparedClaim& claim : prepared_) {
    for (const PreparedDevice& device : claim.devices) {
      EXPECT_DRIVER(device.cdi_device_ids.empty() || !specs_.empty())
          << "the driver answered CDI ids and wrote no spec where it was told to";
    }
  }
}

DECIDES("CDI-20");
TEST_F(CdiSpecs, AreReadableAndNotWritableByOthers) {
  for (const auto& [path, spec] : specs_) {
    const auto mode = std::filesystem::status(lab().directories().cdi / path).permissions();
    EXPECT_DRIVER((mode & (std::filesystem::perms::others_write |
                           std::filesystem::perms::group_write)) == std::filesystem::perms::none)
        << path << " can be written by others than its owner";
    EXPECT_DRIVER((mode & std::filesystem::perms::owner_read) != std::filesystem::perms::none)
        << path << " cannot be read by its owner";
  }
}

DECIDES("CDI-21");
TEST_F(CdiSpecs, OfOtherVendorsStayUntouched) {
  const std::filesystem::path foreign = lab().directories().cdi / "example.org-other.json";
  Harness(WriteFileAtomically(foreign, kForeignSpec));
  Unprepare(own_claims_[0]);
  Prepare(own_claims_[0]);
  RestartDriver();
  Unprepare(own_claims_[1]);
  const Result<std::string> after = ReadFile(foreign);
  std::filesystem::remove(foreign);
  EXPECT_DRIVER(after.ok()) << "the driver removed the CDI spec of another vendor";
  EXPECT_DRIVER(!after.ok() || *after == kForeignSpec)
      << "the driver changed the CDI spec of another vendor";
}

}  // namespace
}  // namespace assay::conformance
