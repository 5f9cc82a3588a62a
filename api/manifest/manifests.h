// Manifests: objects in files as `kubectl get -o yaml` writes them and `kubectl apply -f` takes
// them.
//
// YAML (several documents), JSON and JSON lines (.jsonl); Lists; files, directories (their .yaml,
// .yml, .json and .jsonl) and "-", standard input.
//
// Not thread-safe: a command line.
#ifndef ASSAY_API_MANIFEST_MANIFESTS_H_
#define ASSAY_API_MANIFEST_MANIFESTS_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "base/result.h"
#include "base/yaml/yaml.h"

namespace assay::api::manifest {

// Where an object is, and its YAML, if it is YAML.
struct Place {
  std::string file;
  int line = 1;
  const yaml::Node* yaml = nullptr;
};

// One line, "file:line: text", at the field's own line where it is there.
Status ErrorAt(const Place& place, std::string_view field, const std::string& text);

// `place` is good for the time of the call.
using ManifestVisitor = std::function<Status(const std::string& json, const Place& place)>;
// Calls `visit` for each object, in order, until it answers an error.
Status VisitManifests(const std::string& argument, const ManifestVisitor& visit);

Result<Object> DecodeManifest(const Kind& kind, const KindVersion& version, const std::string& json,
                              const Place& place);

// Objects of every kind that is known, in every served version; those of a namespaced kind without
// a namespace are of "default".
Result<std::vector<Object>> ReadManifests(const std::string& argument);

}  // namespace assay::api::manifest

#endif  // ASSAY_API_MANIFEST_MANIFESTS_H_
