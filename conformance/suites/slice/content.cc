// What is in the ResourceSlices that the driver publishes. The API server refuses much of what is
// checked here; a driver's slices are judged all the same, since servers differ and a refused slice
// is a missing one.

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/runner/case.h"

namespace assay::conformance {
namespace {

using SliceContent = Case;
using api::resource::Device;
using api::resource::DeviceAttribute;

constexpr std::size_t kMaxDevices = 128;
constexpr std::size_t kMaxDevicesWithExtras = 64;
constexpr std::size_t kMaxAttributesAndCapacities = 32;
constexpr std::size_t kMaxValueLength = 64;
constexpr std::size_t kMaxIdentifier = 32;
constexpr std::size_t kMaxDomain = 63;

// Attributes that Kubernetes itself defines.
const std::set<std::string>& StandardAttributes() {
  static const auto* const names = new std::set<std::string>{
      "resource.kubernetes.io/pcieRoot", "resource.kubernetes.io/pciBusID",
      "resource.kubernetes.io/numaNode", "resource.kubernetes.io/cpuSocketID"};
  return *names;
}

bool IsDnsLabel(std::string_view text) {
  static const std::regex pattern("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
  return std::regex_match(text.begin(), text.end(), pattern);
}

bool IsDnsSubdomain(std::string_view text) {
  if (text.empty() || text.size() > 253) {
    return false;
  }
  static const std::regex pattern(
      "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");
  return std::regex_match(text.begin(), text.end(), pattern);
}

bool IsCIdentifier(std::string_view text) {
  static const std::regex pattern("[A-Za-z_][A-Za-z0-9_]*");
  return text.size() <= kMaxIdentifier && std::regex_match(text.begin(), text.end(), pattern);
}

bool IsSemver(const std::string& text) {
  static const std::regex pattern(
      "(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)\\.(0|[1-9][0-9]*)"
      "(-(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
      "(\\.(0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
      "(\\+[0-9a-zA-Z-]+(\\.[0-9a-zA-Z-]+)*)?");
  return std::regex_match(text, pattern);
}

std::vector<std::string> KindsOf(const DeviceAttribute& attribute) {
  std::vector<std::string> kinds;
  const auto add = [&](bool present, const char* kind) {
    if (present) {
      kinds.emplace_back(kind);
    }
  };
  add(attribute.int_.has_value(), "int");
  add(attribute.bool_.has_value(), "bool");
  add(attribute.string.has_value(), "string");
  add(attribute.version.has_value(), "version");
  add(!attribute.ints.empty(), "ints");
  add(!attribute.bools.empty(), "bools");
  add(!attribute.strings.empty(), "strings");
  add(!attribute.versions.empty(), "versions");
  return kinds;
}

// Calls `check(slice, device)` for each published device.
template <typename Check>
void ForEachDevice(const std::vector<ResourceSlice>& slices, Check check) {
  for (const ResourceSlice& slice : slices) {
    for (const Device& device : slice.spec.devices) {
      check(slice, device);
    }
  }
}

DECIDES("SLICE-01");
TEST_F(SliceContent, ThereIsASliceForThePool) {
  EXPECT_DRIVER(!Slices().empty()) << "the driver registered and published no slice";
}

DECIDES("SLICE-02");
TEST_F(SliceContent, DriverIsTheRegisteredName) {
  const std::string& name = driver().registration().info.name;
  const auto slices = Harness(lab().admin().List<ResourceSlice>());
  for (const ResourceSlice& slice : slices) {
    EXPECT_DRIVER(slice.spec.driver == name)
        << "a slice has the driver '" << slice.spec.driver << "', registered is '" << name << "'";
  }
}

DECIDES("SLICE-03");
TEST_F(SliceContent, SaysInOneWayWhichNodesItIsFor) {
  for (const ResourceSlice& slice : Slices()) {
    const int ways = (slice.spec.node_name.value_or("").empty() ? 0 : 1) +
                     (slice.spec.node_selector ? 1 : 0) +
                     (slice.spec.all_nodes.value_or(false) ? 1 : 0) +
                     (slice.spec.per_device_node_selection.value_or(false) ? 1 : 0);
    EXPECT_DRIVER(ways == 1) << "a slice has " << ways
                             << " of nodeName, nodeSelector, allNodes, perDeviceNodeSelection";
  }
}

DECIDES("SLICE-04");
TEST_F(SliceContent, NodeLocalSlicesBelongToTheNode) {
  for (const ResourceSlice& slice : Slices()) {
    if (slice.spec.node_name.value_or("").empty()) {
      continue;
    }
    EXPECT_DRIVER(*slice.spec.node_name == kNodeName)
        << "a slice is for the node '" << *slice.spec.node_name << "', the driver runs on '"
        << kNodeName << "'";
    const auto& owners = slice.metadata.owner_references;
    ASSERT_DRIVER(owners.size() == 1)
        << "a slice has " << owners.size() << " owner references, expected is the node";
    EXPECT_DRIVER(owners[0].api_version == "v1" && owners[0].kind == "Node" &&
                  owners[0].name == kNodeName && owners[0].uid == lab().node_uid())
        << "a slice is owned by " << owners[0].kind << " " << owners[0].name
        << ", which is not its node (or not its UID)";
    EXPECT_DRIVER(owners[0].controller.value_or(false))
        << "the owner reference to the node has no controller=true";
    EXPECT_DRIVER(!owners[0].block_owner_deletion.value_or(false))
        << "the owner reference blocks the deletion of the node";
  }
}

DECIDES("SLICE-05");
TEST_F(SliceContent, NodeSelectorsHaveOneTerm) {
  for (const ResourceSlice& slice : Slices()) {
    EXPECT_DRIVER(!slice.spec.node_selector ||
                  slice.spec.node_selector->node_selector_terms.size() == 1)
        << "a slice's nodeSelector has " << slice.spec.node_selector->node_selector_terms.size()
        << " terms";
  }
}

DECIDES("SLICE-06");
TEST_F(SliceContent, PoolNamesAreSubdomainsBetweenSlashes) {
  for (const ResourceSlice& slice : Slices()) {
    const std::string& name = slice.spec.pool.name;
    EXPECT_DRIVER(!name.empty() && name.size() <= 253)
        << "a pool's name has " << name.size() << " characters";
    std::string_view rest = name;
    for (;;) {
      const std::size_t slash = rest.find('/');
      EXPECT_DRIVER(IsDnsSubdomain(rest.substr(0, slash)))
          << "the pool's name '" << name << "' is not made of DNS subdomains";
      if (slash == std::string_view::npos) {
        break;
      }
      rest.remove_prefix(slash + 1);
    }
  }
}

DECIDES("SLICE-07", "SLICE-08", "SLICE-09");
TEST_F(SliceContent, PoolsAreCompleteAtOneGeneration) {
  std::map<std::string, std::vector<const ResourceSlice*>> pools;
  const std::vector<ResourceSlice> slices = Slices();
  for (const ResourceSlice& slice : slices) {
    pools[slice.spec.pool.name].push_back(&slice);
  }
  for (const auto& [name, members] : pools) {
    const std::int64_t generation = members.front()->spec.pool.generation;
    for (const ResourceSlice* slice : members) {
      const api::resource::ResourcePool& pool = slice->spec.pool;
      EXPECT_DRIVER(pool.generation >= 0) << "a pool has the generation " << pool.generation;
      EXPECT_DRIVER(pool.generation == generation) << "the slices of one pool have the generations "
                                                   << generation << " and " << pool.generation;
      EXPECT_DRIVER(pool.resource_slice_count == static_cast<std::int64_t>(members.size()))
          << "a pool of " << members.size() << " slices says that it has "
          << pool.resource_slice_count;
    }
  }
}

DECIDES("SLICE-12");
TEST_F(SliceContent, HasNoMoreDevicesThanAllowed) {
  for (const ResourceSlice& slice : Slices()) {
    const bool extras = std::ranges::any_of(slice.spec.devices, [](const Device& device) {
      return !device.taints.empty() || !device.consumes_counters.empty() ||
             std::ranges::any_of(device.attributes, [](const auto& each) {
               return !each.second.ints.empty() || !each.second.bools.empty() ||
                      !each.second.strings.empty() || !each.second.versions.empty();
             });
    });
    const std::size_t limit = extras ? kMaxDevicesWithExtras : kMaxDevices;
    EXPECT_DRIVER(slice.spec.devices.size() <= limit)
        << "a slice has " << slice.spec.devices.size() << " devices, allowed are " << limit;
  }
}

DECIDES("SLICE-14", "SLICE-15");
TEST_F(SliceContent, DeviceNamesAreLabelsAndUniqueInThePool) {
  std::set<std::string> names;
  ForEachDevice(Slices(), [&](const ResourceSlice& slice, const Device& device) {
    EXPECT_DRIVER(IsDnsLabel(device.name))
        << "the device name '" << device.name << "' is no DNS label";
    EXPECT_DRIVER(names.insert(slice.spec.pool.name + "|" + device.name).second)
        << "the pool " << slice.spec.pool.name << " has " << device.name << " twice";
  });
}

DECIDES("SLICE-17");
TEST_F(SliceContent, CountersAndDevicesAreInDifferentSlices) {
  for (const ResourceSlice& slice : Slices()) {
    EXPECT_DRIVER(slice.spec.shared_counters.empty() || slice.spec.devices.empty())
        << "a slice has sharedCounters and devices";
  }
}

DECIDES("SLICE-18");
TEST_F(SliceContent, DevicesHaveNoMoreAttributesThanAllowed) {
  ForEachDevice(Slices(), [](const ResourceSlice&, const Device& device) {
    const std::size_t count = device.attributes.size() + device.capacity.size();
    EXPECT_DRIVER(count <= kMaxAttributesAndCapacities)
        << device.name << " has " << count << " attributes and capacities, allowed are "
        << kMaxAttributesAndCapacities;
  });
}

DECIDES("SLICE-19");
TEST_F(SliceContent, AttributesHaveOneValue) {
  ForEachDevice(Slices(), [](const ResourceSlice&, const Device& device) {
    for (const auto& [name, attribute] : device.attributes) {
      const std::vector<std::string> kinds = KindsOf(attribute);
      EXPECT_DRIVER(kinds.size() == 1)
          << device.name << ": " << name << " has " << kinds.size() << " values";
    }
  });
}

DECIDES("SLICE-20");
TEST_F(SliceContent, ValuesAreShortAndVersionsAreSemver) {
  ForEachDevice(Slices(), [](const ResourceSlice&, const Device& device) {
    for (const auto& [name, attribute] : device.attributes) {
      const std::string value = attribute.string.value_or(attribute.version.value_or(""));
      EXPECT_DRIVER(value.size() <= kMaxValueLength)
          << device.name << ": " << name << " has " << value.size() << " bytes, allowed are "
          << kMaxValueLength;
      EXPECT_DRIVER(!attribute.version || IsSemver(*attribute.version))
          << device.name << ": " << name << " is '" << value << "', which is not semver 2.0";
    }
  });
}

DECIDES("SLICE-21");
TEST_F(SliceContent, AttributeNamesAreIdentifiersInADomain) {
  const auto check = [](const Device& device, const std::string& name) {
    const std::size_t slash = name.find('/');
    const std::string domain = slash == std::string::npos ? "" : name.substr(0, slash);
    const std::string identifier = slash == std::string::npos ? name : name.substr(slash + 1);
    EXPECT_DRIVER(IsCIdentifier(identifier))
        << device.name << ": the name '" << name << "' is no C identifier of at most "
        << kMaxIdentifier << " characters";
    EXPECT_DRIVER(slash == std::string::npos ||
                  (domain.size() <= kMaxDomain && IsDnsSubdomain(domain)))
        << device.name << ": the name '" << name << "' has no domain before the slash";
  };
  ForEachDevice(Slices(), [&](const ResourceSlice&, const Device& device) {
    for (const auto& [name, attribute] : device.attributes) {
      check(device, name);
    }
    for (const auto& [name, capacity] : device.capacity) {
      check(device, name);
    }
  });
}

DECIDES("SLICE-23");
TEST_F(SliceContent, KubernetesNamesAreOnlyTheStandardOnes) {
  ForEachDevice(Slices(), [](const ResourceSlice&, const Device& device) {
    for (const auto& [name, attribute] : device.attributes) {
      const std::size_t slash = name.find('/');
      const std::string domain = slash == std::string::npos ? "" : name.substr(0, slash);
      const bool kubernetes = domain == "kubernetes.io" || domain.ends_with(".kubernetes.io");
      EXPECT_DRIVER(!kubernetes || StandardAttributes().contains(name))
          << device.name << " has the attribute " << name << ", which Kubernetes does not define";
    }
  });
}

DECIDES("SLICE-24", "SLICE-25");
TEST_F(SliceContent, PciAttributesHaveTheirForm) {
  static const std::regex root("pci[0-9a-f]{4}:[0-9a-f]{2}");
  static const std::regex bus_id("[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]");
  bool found = false;
  ForEachDevice(Slices(), [&](const ResourceSlice&, const Device& device) {
    for (const auto& [name, pattern] : {std::pair{"resource.kubernetes.io/pcieRoot", &root},
                                        std::pair{"resource.kubernetes.io/pciBusID", &bus_id}}) {
      const auto attribute = device.attributes.find(name);
      if (attribute == device.attributes.end()) {
        continue;
      }
      found = true;
      const std::string value = attribute->second.string.value_or("");
      EXPECT_DRIVER(std::regex_match(value, *pattern))
          << device.name << ": " << name << " is '" << value << "'";
    }
  });
  EXPECT_DRIVER(found) << "the profile declares pci, and no device has a PCI attribute";
}

DECIDES("SLICE-26");
TEST_F(SliceContent, AnAttributeHasOneType) {
  std::map<std::string, std::string> types;
  ForEachDevice(Slices(), [&](const ResourceSlice&, const Device& device) {
    for (const auto& [name, attribute] : device.attributes) {
      const std::string type = Join(KindsOf(attribute));
      const auto [known, inserted] = types.emplace(name, type);
      EXPECT_DRIVER(inserted || known->second == type)
          << name << " is of type " << known->second << " and, for " << device.name << ", " << type;
    }
  });
}

DECIDES("SLICE-27");
TEST_F(SliceContent, AnAttributeIsNotPublishedTwice) {
  const std::string prefix = lab().profile().driver + "/";
  ForEachDevice(Slices(), [&](const ResourceSlice&, const Device& device) {
    for (const auto& [name, attribute] : device.attributes) {
      EXPECT_DRIVER(name.find('/') != std::string::npos ||
                    !device.attributes.contains(prefix + name))
          << device.name << " has " << name << " both bare and with the driver's domain";
    }
  });
}

DECIDES("SLICE-28");
TEST_F(SliceContent, CapacitiesAreNotNegative) {
  ForEachDevice(Slices(), [](const ResourceSlice&, const Device& device) {
    for (const auto& [name, capacity] : device.capacity) {
      EXPECT_DRIVER(!capacity.value.ToString().starts_with('-'))
          << device.name << ": the capacity " << name << " is " << capacity.value.ToString();
    }
  });
}

DECIDES("SLICE-51");
TEST_F(SliceContent, SliceNamesAreSubdomains) {
  for (const ResourceSlice& slice : Slices()) {
    EXPECT_DRIVER(IsDnsSubdomain(slice.metadata.name))
        << "a slice's name '" << slice.metadata.name << "' is no DNS subdomain";
  }
}

}  // namespace
}  // namespace assay::conformance
