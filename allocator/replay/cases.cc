#include "allocator/replay/cases.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/random.h"

namespace assay::allocator::replay {
namespace {

using nlohmann::json;

const std::vector<std::string> kModels = {"a100", "h100", "l4"};
const std::vector<std::string> kSelectors = {
    "device.attributes[\"gpu.example.com\"].model == \"h100\"",
    "device.attributes[\"gpu.example.com\"].memory >= 40",
    "device.attributes[\"gpu.example.com\"].index < 3",
    "device.attributes[\"gpu.example.com\"].?numa.orValue(9) == 0",
    "device.capacity[\"gpu.example.com\"].memory.compareTo(quantity(\"20Gi\")) >= 0",
    "device.attributes[\"gpu.example.com\"].model in [\"a100\", \"l4\"]",
    "\"numa\" in device.attributes[\"gpu.example.com\"]",
    "device.driver == \"gpu.example.com\" && device.attributes[\"gpu.example.com\"].version."
    "isGreaterThan(semver(\"1.0.0\"))",
    "device.allowMultipleAllocations",
    "device.attributes[\"gpu.example.com\"].uuid > \"id-2\"",
    "device.attributes[\"gpu.example.com\"].exists(id, id == \"uuid\")",
    "true"};
// What requests derive of devices at level 1.37.
const std::vector<std::string> kDerivations = {
    "device.attributes[\"gpu.example.com\"].memory / 30",
    "device.attributes[\"gpu.example.com\"].model",
    "device.attributes[\"gpu.example.com\"].model.startsWith(\"h\")",
    "device.attributes[\"gpu.example.com\"].version",
    "semver(\"1.0.0\")",
    "device.attributes[\"gpu.example.com\"].?numa.orValue(7)",
    "[device.attributes[\"gpu.example.com\"].index, 3]",
    "[\"a\", device.attributes[\"gpu.example.com\"].model]",
    "device.attributes[\"gpu.example.com\"].uuid",
    "device.attributes[\"gpu.example.com\"].uuid < \"id-3\" ? \"low\" : \"high\"",
    "device.driver",
    "device.attributes[\"gpu.example.com\"].index % 2 == 0 ? dyn(1) : dyn(\"odd\")",
    "[1, 2].filter(i, i > 5)",
    "device.allowMultipleAllocations"};
const std::vector<std::string> kFailingDerivations = {
    "device.attributes[\"gpu.example.com\"].numa",
    "dyn(1.5)",
    "dyn(device.capacity)",
    "[dyn(1), dyn(\"a\")]",
    "device.capacity[\"gpu.example.com\"].memory",
    "device.nofield",
    "1 / (device.attributes[\"gpu.example.com\"].index - 2)",
    "dyn(quantity(\"1\"))"};
// These end in errors on some devices, or on all.
const std::vector<std::string> kFailingSelectors = {
    "device.attributes[\"gpu.example.com\"].numa == 0",
    "device.attributes[\"gpu.example.com\"].model > 3", "device.nofield == 1",
    "[device.attributes[\"gpu.example.com\"].index, 3].size() == 2",
    "device.attributes[\"gpu.example.com\"].numa.exists(n, n == 1)"};

class Generator {
 public:
  Generator(std::uint64_t seed, const CaseOptions& options)
      : random_(seed),
        newer_(options.level >= api::Level::k1_37),
        defects_(options.upstream_defects),
        lists_(newer_ || (defects_ && OneIn(2))) {}

  std::vector<std::string> Run() {
    AddReset();
    nodes_ = 1 + Below(3);
    for (std::size_t i = 0; i < nodes_; ++i) {
      json node = {
          {"kind", "Node"},
          {"apiVersion", "v1"},
          {"metadata", {{"name", Node(i)}, {"labels", {{"zone", i % 2 == 0 ? "east" : "west"}}}}}};
      if (newer_ && OneIn(2)) {
        node["status"] = {{"declaredFeatures", {"DRAOptionalNodeOperations"}}};
      }
      Add(node);
    }
    AddClasses();
    AddPools();
    for (std::size_t i = Below(4); i > 0; --i) {
      AddUsed("used-" + std::to_string(i));
    }
    const std::size_t claims = 1 + Below(6);
    for (std::size_t i = 0; i < claims; ++i) {
      const std::string name = "claim-" + std::to_string(i);
      if (OneIn(6)) {
        Add({{"kind", "Together"}, {"items", {Claim(name + "a"), Claim(name + "b")}}});
      } else {
        Add(Claim(name));
      }
    }
    return std::move(lines_);
  }

 private:
  std::size_t Below(std::size_t bound) { return random_.Below(bound); }
  bool OneIn(std::size_t n) { return Below(n) == 0; }
  template <typename T>
  const T& Pick(const std::vector<T>& values) {
    return values[Below(values.size())];
  }
  void Add(const json& object) { lines_.push_back(object.dump()); }
  static std::string Node(std::size_t i) { return "node-" + std::to_string(i); }

  void AddReset() {
    json reset = {{"kind", "Reset"}};
    if (defects_) {
      reset["upstreamDefects"] = true;
    }
    if (!newer_ && lists_) {
      reset["features"].push_back("DRAListTypeAttributes");
    }
    derived_ = newer_ && OneIn(3);
    if (derived_) {
      reset["features"].push_back("DRADerivedAttributes");
    }
    for (const char* gate : {"DRAListTypeAttributes", "DRAFractionalCapacityRange",
                             "DRADeviceCompatibilityGroups", "DRAOptionalNodeOperations"}) {
      if (newer_ && OneIn(4)) {
        reset["features"].push_back(gate);
      }
    }
    Add(reset);
  }

  // A claim that has devices already, some of which may not be there.
  void AddUsed(const std::string& name) {
    json results = json::array();
    for (std::size_t i = 1 + Below(2); i > 0 && !devices_.empty(); --i) {
      json result = Pick(devices_);
      result["request"] = "r";
      if (OneIn(8)) {
        result["adminAccess"] = true;
      }
      if (OneIn(10)) {
        result["device"] = "gone";
      }
      if (shareable_.contains(result["device"].get<std::string>()) ? !OneIn(8) : OneIn(12)) {
        result["shareID"] = "11111111-2222-4333-8444-" + std::to_string(100000000000 + Below(9999));
        if (!OneIn(4)) {
          result["consumedCapacity"] = {
              {"memory", Pick<std::string>({"1Gi", "2Gi", "10Gi", "500m"})}};
        }
      }
      results.push_back(result);
    }
    json claim = Claim(name);
    claim["status"] = {{"allocation", {{"devices", {{"results", results}}}}}};
    Add(claim);
  }

  json Selector(const std::string& expression) { return {{"cel", {{"expression", expression}}}}; }

  void AddClasses() {
    for (const char* name : {"gpu", "any", "big"}) {
      json spec = json::object();
      if (std::string(name) == "gpu") {
        spec["selectors"] = {Selector("device.driver == \"gpu.example.com\"")};
      } else if (std::string(name) == "big") {
        spec["selectors"] = {Selector(kSelectors[1])};
      }
      if (OneIn(3)) {
        spec["config"] = {Config(name)};
      }
      Add({{"kind", "DeviceClass"},
           {"apiVersion", "resource.k8s.io/v1"},
           {"metadata", {{"name", name}}},
           {"spec", spec}});
    }
  }

  json Config(const std::string& of) {
    return {{"opaque", {{"driver", "gpu.example.com"}, {"parameters", {{"of", of}}}}}};
  }

  void AddPools() {
    for (std::size_t i = 0; i < nodes_; ++i) {
      AddPool("gpu.example.com", Node(i), Node(i));
    }
    if (OneIn(2)) {
      AddPool("gpu.example.com", "shared", "");
    }
    if (OneIn(3)) {
      AddPool("other.example.com", (newer_ || defects_) && OneIn(2) ? Node(0) : "other-pool",
              OneIn(2) ? Node(0) : "");
    }
  }

  json Taint() {
    json taint = {{"key", OneIn(2) ? "a" : "b"},
                  {"effect", Pick<std::string>({"NoSchedule", "NoExecute", "None"})}};
    if (OneIn(2)) {
      taint["value"] = "v";
    }
    return taint;
  }

  json Device(const std::string& driver, const std::string& name, std::size_t index) {
    json attributes = {{"model", {{"string", Pick(kModels)}}},
                       {"memory", {{"int", 10 * (1 + Below(8))}}},
                       {"index", {{"int", index}}},
                       {"version",
                        {{"version", OneIn(2)   ? "1.2.3"
                                     : OneIn(8) ? "1.2.3+b1"
                                                : "0.9.0-rc.1"}}},
                       {driver + "/healthy", {{"bool", OneIn(2)}}}};
    if (!OneIn(4)) {
      attributes["numa"] = {{"int", Below(2)}};
    }
    if (lists_ && OneIn(4)) {
      attributes["numa"] = {{"ints", OneIn(2) ? json({0, 1}) : json({1, 2})}};
    }
    // So many values that they are taken to tell devices apart.
    attributes["uuid"] = {{"string", "id-" + std::to_string(Below(500))}};
    json device = {{"name", name}, {"attributes", attributes}};
    if (!OneIn(3)) {
      device["capacity"] = {{"memory", Capacity()}};
    }
    if (OneIn(4)) {
      device["taints"] = {Taint()};
    }
    if (OneIn(6)) {
      device["allowMultipleAllocations"] = true;
      shareable_.insert(name);
      device["capacity"]["memory"] = Capacity();
    }
    if (OneIn(16)) {
      device["bindingConditions"] = {"ready"};
      device["bindingFailureConditions"] = {"failed"};
    }
    if (OneIn(16)) {
      device["bindsToNode"] = true;
    }
    return device;
  }

  json Capacity() {
    json capacity = {{"value", Pick<std::string>({"10Gi", "20Gi", "40Gi", "1500m", "16"})}};
    if (OneIn(2)) {
      capacity["value"] = "40Gi";
      json policy = {{"default", "2Gi"}};
      if (newer_ && OneIn(4)) {
        capacity["value"] = "4";
        policy = {{"default", "500m"},
                  {"validRange", {{"min", "500m"}, {"max", "4"}, {"step", "250m"}}}};
      } else if (OneIn(2)) {
        policy["validRange"] = {{"min", "1Gi"}, {"max", "32Gi"}, {"step", "1Gi"}};
      } else if (OneIn(2)) {
        policy["validValues"] = {"2Gi", "5Gi", "10Gi"};
      }
      capacity["requestPolicy"] = policy;
    }
    return capacity;
  }

  void AddPool(const std::string& driver, const std::string& pool, const std::string& node) {
    const bool counters = OneIn(3);
    const std::size_t device_slices = 1 + Below(2);
    const std::size_t total = device_slices + (counters ? 1 : 0);
    const std::size_t claimed = total + (OneIn(12) ? 1 : 0);  // sometimes incomplete
    const bool per_device = node.empty() && OneIn(3);
    const bool skips = newer_ && OneIn(8);
    const auto spec = [&](std::int64_t generation) {
      json made = {
          {"driver", driver},
          {"pool", {{"name", pool}, {"generation", generation}, {"resourceSliceCount", claimed}}}};
      if (per_device) {
        made["perDeviceNodeSelection"] = true;
      } else if (!node.empty()) {
        made["nodeName"] = node;
      } else if (OneIn(2)) {
        made["allNodes"] = true;
      } else {
        made["nodeSelector"] = Zone();
      }
      if (skips) {
        made["skipNodeOperations"] = {"Prepare", "Unprepare"};
      }
      return made;
    };
    const std::string name = driver.substr(0, 3) + "-" + pool;
    const bool groups = newer_ && OneIn(4);
    if (OneIn(8)) {  // left over of an earlier generation
      json old = spec(1);
      old["devices"] = {Device(driver, "old", 0)};
      AddSlice(name + "-old", old);
    }
    if (counters) {
      json slice = spec(2);
      json sets = json::array();
      for (const char* set : {"gpu-0", "gpu-1"}) {
        sets.push_back(
            {{"name", set},
             {"counters", {{"memory", {{"value", "40Gi"}}}, {"slices", {{"value", "7"}}}}}});
      }
      if (OneIn(20)) {
        sets.push_back(sets[0]);
      }
      slice["sharedCounters"] = sets;
      AddSlice(name + "-counters", slice);
    }
    std::size_t index = 0;
    for (std::size_t i = 0; i < device_slices; ++i) {
      json slice = spec(2);
      json devices = json::array();
      const std::size_t count = 1 + Below(4);
      for (std::size_t k = 0; k < count; ++k, ++index) {
        json device = Device(driver, "dev-" + std::to_string(OneIn(40) ? 0 : index), index);
        if (counters && !OneIn(4)) {
          const std::string set = OneIn(30) ? "gpu-9" : "gpu-" + std::to_string(Below(2));
          device["consumesCounters"] = {
              {{"counterSet", set},
               {"counters",
                {{"memory", {{"value", Pick<std::string>({"10Gi", "20Gi", "40Gi"})}}},
                 {"slices", {{"value", std::to_string(1 + Below(7))}}}}}}};
          if (groups && !OneIn(3)) {
            device["consumesCounters"][0]["compatibilityGroups"] =
                OneIn(2) ? json({"red"}) : json({"red", "blue"});
          }
        }
        devices_.push_back({{"driver", driver}, {"pool", pool}, {"device", device["name"]}});
        if (per_device) {
          if (OneIn(2)) {
            device["nodeName"] = Node(Below(nodes_));
          } else if (OneIn(2)) {
            device["allNodes"] = true;
          } else {
            device["nodeSelector"] = Zone();
          }
        }
        devices.push_back(device);
      }
      slice["devices"] = devices;
      AddSlice(name + "-" + std::to_string(device_slices - i), slice);
    }
  }

  json Zone() {
    return {
        {"nodeSelectorTerms",
         {{{"matchExpressions",
            {{{"key", "zone"}, {"operator", "In"}, {"values", {OneIn(2) ? "east" : "west"}}}}}}}}};
  }

  void AddSlice(const std::string& name, const json& spec) {
    Add({{"kind", "ResourceSlice"},
         {"apiVersion", "resource.k8s.io/v1"},
         {"metadata", {{"name", name}}},
         {"spec", spec}});
  }

  json Exact(bool single) {
    json request = {{"deviceClassName", Pick<std::string>({"gpu", "gpu", "any", "big"})},
                    {"allocationMode", "ExactCount"},
                    {"count", single ? 1 : 1 + Below(3)}};
    if (OneIn(60)) {
      request["deviceClassName"] = "absent";
    }
    if (!single && OneIn(10)) {
      request["allocationMode"] = "All";
      request.erase("count");
    }
    if (OneIn(2)) {
      request["selectors"] = {Selector(OneIn(25) ? Pick(kFailingSelectors) : Pick(kSelectors))};
    }
    if (OneIn(4)) {
      request["tolerations"] = {OneIn(2)
                                    ? json{{"operator", "Exists"}}
                                    : json{{"key", "a"}, {"operator", "Equal"}, {"value", "v"}}};
    }
    if (OneIn(6)) {
      request["capacity"] = {{"requests",
                              {{OneIn(12) ? "absent" : "memory",
                                Pick<std::string>({"1Gi", "3Gi", "1500Mi", "5Gi", "64Gi", "1",
                                                   "600m", newer_ ? "100E" : "2"})}}}};
    }
    return request;
  }

  // Attributes that a request derives; sometimes in place of those that devices have.
  void AddDerived(json& request) {
    for (const char* name : {"gpu.example.com/model", "derived.example.com/x"}) {
      if (OneIn(2)) {
        request["derivedAttributes"].push_back(
            {{"name", name},
             {"expression", OneIn(12) ? Pick(kFailingDerivations) : Pick(kDerivations)}});
      }
    }
  }

  json Claim(const std::string& name) {
    const bool derived = newer_ && (derived_ ? OneIn(2) : OneIn(40));
    const bool distinct = OneIn(6);
    const bool single = distinct && !newer_ && !defects_;
    json requests = json::array();
    std::vector<std::string> names;
    const std::size_t count = 1 + Below(3);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string request = "req-" + std::to_string(i);
      names.push_back(request);
      if (OneIn(5)) {
        json subrequests = json::array();
        for (std::size_t k = 0; k < 1 + Below(3); ++k) {
          json subrequest = Exact(single);
          if (derived) {
            AddDerived(subrequest);
          }
          subrequest["name"] = "sub-" + std::to_string(k);
          subrequests.push_back(subrequest);
          names.push_back(request + "/sub-" + std::to_string(k));
        }
        requests.push_back({{"name", request}, {"firstAvailable", subrequests}});
      } else {
        json exactly = Exact(single);
        if (OneIn(12)) {
          exactly["adminAccess"] = true;
        }
        if (derived) {
          AddDerived(exactly);
        }
        requests.push_back({{"name", request}, {"exactly", exactly}});
      }
    }
    json devices = {{"requests", requests}};
    if (distinct || derived || OneIn(4)) {
      json constraint;
      constraint[distinct ? "distinctAttribute" : "matchAttribute"] = Pick<std::string>(
          {"gpu.example.com/model", "gpu.example.com/numa", "gpu.example.com/version",
           "gpu.example.com/healthy", "gpu.example.com/uuid"});
      if (derived && !OneIn(3)) {
        constraint.begin().value() = OneIn(3) ? "gpu.example.com/model" : "derived.example.com/x";
      }
      if (OneIn(2)) {
        constraint["requests"] = {Pick(names)};
      }
      devices["constraints"] = {constraint};
    }
    if (OneIn(4)) {
      json config = Config("claim");
      if (OneIn(2)) {
        config["requests"] = {Pick(names)};
      }
      devices["config"] = {config};
    }
    return {{"kind", "ResourceClaim"},
            {"apiVersion", "resource.k8s.io/v1"},
            {"metadata", {{"name", name}, {"namespace", "default"}}},
            {"spec", {{"devices", devices}}}};
  }

  Random random_;
  bool newer_;
  bool defects_;  // what only v0.36.3 answers so, too
  bool lists_;    // attributes may be lists
  bool derived_ = false;
  std::vector<json> devices_;        // as results name them
  std::set<std::string> shareable_;  // names
  std::size_t nodes_ = 1;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> MakeCase(std::uint64_t seed, const CaseOptions& options) {
  return Generator(seed, options).Run();
}

}  // namespace assay::allocator::replay
