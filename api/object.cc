#include "api/object.h"

#include "api/schema/descriptor.h"

namespace assay::api {

meta::ObjectMeta& Kind::MutableMetadata(void* hub_value) const {
  const schema::FieldDescriptor* field = hub().Find("metadata");
  ASSAY_CHECK(field != nullptr) << kind << " has no metadata";
  return *static_cast<meta::ObjectMeta*>(field->Raw(hub_value));
}

}  // namespace assay::api
