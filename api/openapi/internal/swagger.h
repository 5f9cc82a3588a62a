// Swagger: OpenAPI 2.0, for the clients that still ask for it (kubectl, where a server's v3 does
// not tell it enough). Made of the v3 schemas and paths.
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_OPENAPI_INTERNAL_SWAGGER_H_
#define ASSAY_API_OPENAPI_INTERNAL_SWAGGER_H_

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace assay::api::openapi::internal {

// The whole document. References, unions and request bodies are said differently in v2.
nlohmann::json MakeSwagger(const nlohmann::json& info, const nlohmann::json& v3_schemas,
                           const nlohmann::json& v3_paths);

// The document as gnostic's openapi.v2.Document in protobuf, the one form in which client-go takes
// it: definitions, and of the paths what tells which parameters an operation has (no responses).
// Source: github.com/google/gnostic-models, openapiv2/OpenAPIv2.proto.
std::string EncodeGnostic(const nlohmann::json& swagger);

}  // namespace assay::api::openapi::internal

#endif  // ASSAY_API_OPENAPI_INTERNAL_SWAGGER_H_
