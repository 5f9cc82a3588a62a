// What the generated kinds.cc hands to the registry.
#ifndef ASSAY_API_INTERNAL_KIND_TABLES_H_
#define ASSAY_API_INTERNAL_KIND_TABLES_H_

#include <string_view>
#include <vector>

#include "api/object.h"
#include "api/schema/descriptor.h"

namespace assay::api::internal {

struct WireMessage {
  std::string_view api_version;
  std::string_view kind;
  const schema::MessageDescriptor* message;
};

std::vector<const Kind*> GeneratedKinds();
std::vector<WireMessage> GeneratedWireMessages();

}  // namespace assay::api::internal

#endif  // ASSAY_API_INTERNAL_KIND_TABLES_H_
