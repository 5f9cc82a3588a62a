// OpenAPI: the documents from which kubectl learns the schemas (apply, explain, create --validate).
//
//   GET /openapi/v3                            discovery()
//   GET /openapi/v3/apis/resource.k8s.io/v1    GroupVersion("resource.k8s.io", "v1")
//   GET /openapi/v3/api/v1                     GroupVersion("", "v1")
//
//   GET /openapi/v2                            Swagger: all in one, as JSON or protobuf
//
// Thread-safe.
#ifndef ASSAY_API_OPENAPI_OPENAPI_H_
#define ASSAY_API_OPENAPI_OPENAPI_H_

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "api/compatibility.h"

namespace assay::api::openapi {

// The documents of all kinds that are served at one level, as JSON texts.
class Documents {
 public:
  explicit Documents(Level level);

  // Which group-versions there are and where their documents lie, each with a hash that changes
  // when the document does.
  const std::string& discovery() const { return discovery_; }
  // The schemas and paths of one group-version; null if nothing is served there.
  const std::string* GroupVersion(std::string_view group, std::string_view version) const;

 private:
  std::string discovery_;
  std::map<std::pair<std::string, std::string>, std::string> documents_;
};

// OpenAPI 2.0 of all that a level serves.
struct Swagger {
  explicit Swagger(Level level);

  std::string json;
  // As gnostic's openapi.v2.Document, in which client-go asks for it.
  std::string protobuf;
};

// Made when first asked for, which takes tens of milliseconds, and kept for the whole program.
const Documents& DocumentsFor(Level level);
const Swagger& SwaggerFor(Level level);

}  // namespace assay::api::openapi

#endif  // ASSAY_API_OPENAPI_OPENAPI_H_
