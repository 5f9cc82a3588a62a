// patch_peer_check PEER [SEED]: compares api/patch with Kubernetes' own code. PEER is the program
// built from tools/peers/patches. Random applies and updates by several managers on one pod, and
// random JSON, merge and strategic merge patches, go to both: the objects must be equal, with their
// managedFields but for times, and both sides must refuse the same; conflicts must name the same
// fields. Exit 0: all equal; 1: not; 2: trouble.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/patch/field_manager.h"
#include "api/patch/patch.h"
#include "api/schema/descriptor.h"
#include "api/testing/peer.h"
#include "base/clock.h"
#include "base/random.h"

namespace assay::api::patch {
namespace {

using nlohmann::json;

constexpr int kSequences = 600;
constexpr int kPatchesOfAKind = 1500;

// Documents of a pod's fields: of every kind of list and map that apply and patches treat in a way
// of its own.
class Generator {
 public:
  explicit Generator(Random& random) : random_(random) {}

  bool Percent(std::uint64_t percent) { return random_.Below(100) < percent; }
  std::size_t Below(std::size_t bound) { return random_.Below(bound); }

  json Pod() {
    json pod = {
        {"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", {{"name", "p"}, {"namespace", "d"}}}};
    pod["metadata"].update(Metadata());
    if (Percent(80)) {
      pod["spec"] = Spec();
    }
    return pod;
  }

  json MergePatch() {
    json patch = {{"metadata", Metadata()}, {"spec", Spec()}};
    if (Percent(40)) {
      patch["metadata"]["labels"][OneOf({"a", "b", "c", "d"})] = nullptr;
    }
    if (Percent(10)) {
      patch["spec"] = {{"nodeSelector", nullptr}};
    }
    return patch;
  }

  json StrategicPatch() {
    json patch = MergePatch();
    json& spec = patch["spec"];
    if (spec.contains("containers") && Percent(50)) {
      DirectContainers(spec);
    }
    if (Percent(20)) {
      // What a patch both adds and deletes depends on the order of a Go map.
      patch["metadata"].erase("finalizers");
      patch["metadata"]["$deleteFromPrimitiveList/finalizers"] = Sample({"f/1", "f/2", "f/3"}, 2);
    }
    if (spec.contains("volumes") && !spec["volumes"].empty() && Percent(40)) {
      json& volume = spec["volumes"][0];
      json keys = json::array();
      for (const auto& [key, value] : volume.items()) {
        keys.push_back(key);
      }
      volume["$retainKeys"] = Percent(20) ? json::array({"name"}) : keys;
    }
    if (patch["metadata"].contains("labels") && Percent(10)) {
      patch["metadata"]["labels"]["$patch"] = OneOf({"replace", "delete"});
    }
    return patch;
  }

  json JsonPatch() {
    json patch = json::array();
    for (std::size_t i = 1 + Below(4); i > 0; --i) {
      const std::string op = OneOf({"add", "add", "remove", "replace", "move", "copy", "test"});
      json operation = {{"op", op}, {"path", Path()}};
      if (op == "move" || op == "copy") {
        operation["from"] = Path();
      } else if (op != "remove") {
        operation["value"] = Value();
      }
      patch.push_back(std::move(operation));
    }
    return patch;
  }

 private:
  std::string OneOf(std::vector<std::string> values) { return values[Below(values.size())]; }

  // At most `max` of `values`, in any order.
  std::vector<std::string> Sample(std::vector<std::string> values, std::size_t max) {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[Below(i)]);
    }
    values.resize(Below(std::min(max, values.size()) + 1));
    return values;
  }

  json Words(std::vector<std::string> keys, std::size_t max) {
    json words = json::object();
    for (const std::string& key : Sample(std::move(keys), max)) {
      words[key] = OneOf({"1", "2"});
    }
    return words;
  }

  json Metadata() {
    json metadata = json::object();
    if (Percent(60)) {
      metadata["labels"] = Words({"a", "b", "c", "d"}, 3);
    }
    if (Percent(20)) {
      metadata["annotations"] = Words({"a", "b", "c", "d"}, 2);
    }
    if (Percent(30)) {
      metadata["finalizers"] = Sample({"f/1", "f/2", "f/3"}, 3);
    }
    return metadata;
  }

  json Container(const std::string& name) {
    json container = {{"name", name}};
    if (Percent(70)) {
      container["image"] = OneOf({"i1", "i2", "i3"});
    }
    if (Percent(30)) {
      container["command"] = Sample({"a", "b", "c"}, 3);
    }
    if (Percent(30)) {
      container["env"] = json::array();
      for (const std::string& variable : Sample({"E1", "E2", "E3"}, 3)) {
        container["env"].push_back({{"name", variable}, {"value", OneOf({"1", "2"})}});
      }
    }
    if (Percent(30)) {
      container["ports"] = json::array();
      for (const std::string& port : Sample({"80", "81", "82"}, 3)) {
        json entry = {{"containerPort", std::stoi(port)}};
        if (Percent(30)) {
          entry["protocol"] = "UDP";
        }
        container["ports"].push_back(std::move(entry));
      }
    }
    if (Percent(20)) {
      container["resources"] = {{"limits", {{"cpu", OneOf({"1", "2"})}}}};
    }
    if (Percent(20)) {
      container["tty"] = Percent(50);
    }
    return container;
  }

  json Spec() {
    // Of a struct in which every list is empty, upstream's "before-first-apply" owns the struct
    // too.
    json spec = {{"hostname", OneOf({"h1", "h2"})}};
    if (Percent(80)) {
      spec["containers"] = json::array();
      for (const std::string& name : Sample({"c1", "c2", "c3", "c4"}, 4)) {
        spec["containers"].push_back(Container(name));
      }
    }
    if (Percent(30)) {
      spec["nodeSelector"] = Words({"a", "b"}, 2);
    }
    if (Percent(30)) {
      spec["tolerations"] = json::array();
      for (const std::string& key : Sample({"a", "b"}, 2)) {
        spec["tolerations"].push_back({{"key", key}, {"operator", "Exists"}});
      }
    }
    if (Percent(30)) {
      spec["volumes"] = json::array();
      for (const std::string& name : Sample({"v1", "v2"}, 2)) {
        json volume = {{"name", name}};
        volume.update(Percent(50) ? json{{"emptyDir", {{"medium", "Memory"}}}}
                                  : json{{"hostPath", {{"path", "/x"}}}});
        spec["volumes"].push_back(std::move(volume));
      }
    }
    if (Percent(20)) {
      spec["restartPolicy"] = OneOf({"Always", "Never"});
    }
    if (Percent(20)) {
      spec["topologySpreadConstraints"] = json::array();
      for (const std::string& key : Sample({"x", "y"}, 2)) {
        spec["topologySpreadConstraints"].push_back({{"topologyKey", key},
                                                     {"whenUnsatisfiable", "DoNotSchedule"},
                                                     {"maxSkew", 1 + Below(2)}});
      }
    }
    return spec;
  }

  // $patch and $setElementOrder.
  void DirectContainers(json& spec) {
    // Not both in one patch: upstream compares with a list that deleting has shifted in place.
    const bool ordered = Percent(50);
    std::vector<std::string> order;
    for (json& container : spec["containers"]) {
      order.push_back(container["name"]);
      if (!ordered && Percent(30)) {
        container["$patch"] = "delete";
      }
    }
    if (!ordered && Percent(20)) {
      spec["containers"].push_back({{"$patch", "replace"}});
    }
    if (ordered) {
      for (const std::string& name : Sample({"c1", "c2", "c3", "c4"}, 4)) {
        if (std::find(order.begin(), order.end(), name) == order.end()) {
          order.push_back(name);
        }
      }
      json elements = json::array();
      for (const std::string& name : order) {
        elements.push_back({{"name", name}});
      }
      spec["$setElementOrder/containers"] = std::move(elements);
    }
  }

  std::string Path() {
    return OneOf({"/metadata/labels", "/metadata/labels/a", "/metadata/labels/b",
                  "/metadata/labels/x~1y", "/metadata/finalizers", "/metadata/finalizers/0",
                  "/metadata/finalizers/1", "/metadata/finalizers/-", "/metadata/finalizers/-1",
                  "/metadata/finalizers/9", "/spec", "/spec/containers/0/image",
                  "/spec/containers/1", "/spec/containers/-", "/spec/nodeSelector/a", "/nowhere/a",
                  "/metadata/name/x"});
  }

  json Value() {
    switch (Below(6)) {
      case 0:
        return "1";
      case 1:
        return nullptr;
      case 2:
        return json{{"name", "c9"}, {"image", "i"}};
      case 3:
        return json::array({"f/1"});
      case 4:
        return 7;
      default:
        return json::object();
    }
  }

  Random& random_;
};

json Error(const std::string& text) { return {{"error", text}}; }

json Patched(const std::string& op, const json& document, const json& patch) {
  Result<json> result = op == "json"    ? ApplyJsonPatch(document, patch)
                        : op == "merge" ? Result<json>(ApplyMergePatch(document, patch))
                                        : ApplyStrategicMergePatch(
                                              document, patch, schema::DescriptorOf<core::Pod>());
  return result.ok() ? *std::move(result) : Error(result.status().message());
}

// What api/patch makes of the steps.
json Ours(const json& steps) {
  json results = json::array();
  json live = {{"apiVersion", "v1"}, {"kind", "Pod"}};
  for (const json& step : steps) {
    const std::string op = step["op"];
    if (op != "apply" && op != "update") {
      results.push_back(Patched(op, step["doc"][0], step["doc"][1]));
      continue;
    }
    const WriteIdentity identity{.kind = &KindOf<core::Pod>(),
                                 .version = "v1",
                                 .manager = step["manager"],
                                 .subresource = "",
                                 .now = FakeClock().Now(),
                                 .reset_fields = {}};
    if (op == "apply") {
      json merged;
      const Result<ApplyOutcome> outcome =
          Apply(identity, live, step["doc"], step["force"], merged);
      if (!outcome.ok() || !outcome->conflicts.empty()) {
        results.push_back(
            Error(outcome.ok() ? ConflictMessage(outcome->conflicts) : outcome.status().message()));
        continue;
      }
      live = std::move(merged);
    } else {
      json updated = ApplyMergePatch(live, step["doc"]);
      const Status status = TrackUpdate(identity, live, updated);
      if (!status.ok()) {
        results.push_back(Error(status.message()));
        continue;
      }
      live = std::move(updated);
    }
    results.push_back(live);
  }
  return results;
}

// Decoding drops nulls, whoever leaves them.
json WithoutNulls(const json& value) {
  if (!value.is_structured()) {
    return value;
  }
  json result = value.is_object() ? json::object() : json::array();
  for (const auto& [key, member] : value.items()) {
    if (value.is_array()) {
      result.push_back(WithoutNulls(member));
    } else if (!member.is_null()) {
      result[key] = WithoutNulls(member);
    }
  }
  return result;
}

// What two answers are compared by: of errors that they are ones, of conflicts what they name.
json Comparable(json answer) {
  if (answer.size() == 1 && answer.contains("error")) {
    const std::string text = answer["error"];
    if (!text.starts_with("Apply failed")) {
      return Error("other");
    }
    std::set<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      lines.insert(line);
    }
    return Error(json(lines).dump());
  }
  answer = WithoutNulls(answer);
  if (answer.is_object() && answer.contains("metadata") && answer["metadata"].is_object() &&
      answer["metadata"].contains("managedFields")) {
    json& fields = answer["metadata"]["managedFields"];
    std::set<std::string> entries;
    for (json& entry : fields) {
      entry.erase("time");
      entries.insert(entry.dump());
    }
    fields = entries;
  }
  return answer;
}

int Run(const std::string& peer, std::uint64_t seed) {
  Random random(seed);
  Generator generator(random);
  std::vector<json> questions;
  for (int i = 0; i < kSequences; ++i) {
    json steps = json::array();
    for (std::size_t j = 2 + generator.Below(7); j > 0; --j) {
      const bool apply = generator.Percent(60);
      steps.push_back({{"op", apply ? "apply" : "update"},
                       {"manager", std::string(1, (apply ? "abc" : "uvw")[generator.Below(3)])},
                       {"force", generator.Percent(40)},
                       {"doc", apply ? generator.Pod() : generator.MergePatch()}});
    }
    questions.push_back(std::move(steps));
  }
  const std::pair<const char*, std::function<json()>> patches[] = {
      {"merge", [&] { return generator.MergePatch(); }},
      {"json", [&] { return generator.JsonPatch(); }},
      {"strategic", [&] { return generator.StrategicPatch(); }}};
  for (const auto& [op, make] : patches) {
    for (int i = 0; i < kPatchesOfAKind; ++i) {
      json document = generator.Pod();
      questions.push_back(
          json::array({{{"op", op}, {"doc", json::array({std::move(document), make()})}}}));
    }
  }

  std::vector<std::string> lines;
  for (const json& question : questions) {
    lines.push_back(question.dump());
  }
  const Result<std::vector<std::string>> answers = testing::AskPeer(peer, lines);
  if (!answers.ok()) {
    std::cerr << answers.status() << "\n";
    return 2;
  }
  int differences = 0;
  std::size_t steps = 0;
  for (std::size_t asked = 0; asked < questions.size(); ++asked) {
    const json& question = questions[asked];
    const json theirs = json::parse((*answers)[asked]);
    const json ours = Ours(question);
    for (std::size_t i = 0; i < question.size(); ++i) {
      ++steps;
      if (Comparable(ours[i]) == Comparable(theirs[i])) {
        continue;
      }
      // What follows in the sequence differs because this does.
      if (++differences <= 10) {
        std::cout << question[i] << "\n  before:     " << (i == 0 ? json() : theirs[i - 1])
                  << "\n  ours:       " << ours[i] << "\n  Kubernetes: " << theirs[i] << "\n";
      }
      break;
    }
  }
  std::cout << "seed " << seed << ": " << steps << " steps, " << differences << " differences\n";
  return differences == 0 ? 0 : 1;
}

}  // namespace
}  // namespace assay::api::patch

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: patch_peer_check PEER [SEED]\n";
    return 2;
  }
  return assay::api::patch::Run(argv[1], argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
}
