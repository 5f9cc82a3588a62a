#include "api/validation/go_json.h"

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "api/meta/quantity.h"
#include "api/meta/scalars.h"
#include "api/meta/time.h"

namespace assay::api::validation {
namespace {

using schema::FieldDescriptor;
using schema::MessageDescriptor;
using schema::Shape;
using schema::Type;

// Go field names that are not the JSON name with a capital letter.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kInitialisms = {{
    {"cel", "CEL"},
    {"ips", "IPs"},
    {"uid", "UID"},
    {"apiGroup", "APIGroup"},
    {"apiVersion", "APIVersion"},
    {"podIP", "PodIP"},
    {"hostIP", "HostIP"},
    {"hostIPs", "HostIPs"},
}};

std::string GoName(const MessageDescriptor& message, const FieldDescriptor& field) {
  if (message.name == "DeviceAttribute") {
    std::string_view name = field.name;
    const bool plural = name.ends_with('s');
    if (plural) {
      name.remove_suffix(1);
    }
    std::string text(name);
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text + (plural ? "Values" : "Value");
  }
  for (const auto& [json, go] : kInitialisms) {
    if (field.name == json) {
      return std::string(go);
    }
  }
  std::string name(field.name);
  name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name;
}

std::string Value(Type type, const MessageDescriptor* message, const void* data) {
  switch (type) {
    case Type::kBool:
      return *static_cast<const bool*>(data) ? "true" : "false";
    case Type::kInt32:
      return std::to_string(*static_cast<const std::int32_t*>(data));
    case Type::kInt64:
      return std::to_string(*static_cast<const std::int64_t*>(data));
    case Type::kString:
    case Type::kBytes:
      return json::Quote(*static_cast<const std::string*>(data));
    case Type::kQuantity:
      return json::Quote(static_cast<const meta::Quantity*>(data)->ToString());
    case Type::kTime: {
      const auto& time = *static_cast<const meta::Time*>(data);
      return time.empty() ? "null" : json::Quote(time.ToString());
    }
    case Type::kMicroTime: {
      const auto& time = *static_cast<const meta::MicroTime*>(data);
      return time.empty() ? "null" : json::Quote(time.ToString());
    }
    case Type::kDuration:
      return json::Quote(static_cast<const meta::Duration*>(data)->ToString());
    case Type::kIntOrString: {
      const auto& value = *static_cast<const meta::IntOrString*>(data);
      return value.is_string ? json::Quote(value.string_value) : value.ToString();
    }
    case Type::kRawExtension: {
      const std::string& text = static_cast<const meta::RawExtension*>(data)->json;
      return text.empty() ? "null" : text;
    }
    case Type::kFieldsV1: {
      const std::string& text = static_cast<const meta::FieldsV1*>(data)->json;
      return text.empty() ? "null" : text;
    }
    case Type::kMessage:
      return GoJson(*message, data);
  }
  return "null";
}

// The fields of a struct, those of embedded structs among them.
void AppendFields(const MessageDescriptor& message, const void* data, std::string& out) {
  for (const FieldDescriptor& field : message.fields) {
    if (field.since > Level::k1_36 && !field.Has(data)) {
      // Not among the fields of Go's struct at the default level.
      continue;
    }
    if (field.is_inline) {
      AppendFields(*field.message, field.Get(data), out);
      continue;
    }
    if (field.name == "metadata") {
      // Embedded without a name: the fields of ObjectMeta stand here, with their JSON names.
      const std::string metadata = json::EncodeMessage(*field.message, field.Get(data));
      if (metadata.size() > 2) {
        out += (out.size() == 1 ? "" : ",") + metadata.substr(1, metadata.size() - 2);
      }
      continue;
    }
    out += (out.size() == 1 ? "" : ",") + json::Quote(GoName(message, field)) + ":";
    switch (field.shape) {
      case Shape::kValue:
        out += Value(field.type, field.message, field.Get(data));
        break;
      case Shape::kOptional: {
        const void* value = field.Get(data);
        out += value == nullptr ? "null" : Value(field.type, field.message, value);
        break;
      }
      case Shape::kList: {
        const std::size_t size = field.Size(data);
        std::string list;
        for (std::size_t i = 0; i < size; ++i) {
          list += (i == 0 ? "[" : ",") + Value(field.type, field.message, field.At(data, i));
        }
        const bool specified = field.list_ops->is_specified != nullptr &&
                               field.list_ops->is_specified(field.Raw(data));
        out += size > 0 ? list + "]" : specified ? "[]" : "null";
        break;
      }
      case Shape::kMap: {
        std::string map;
        field.VisitMap(data, [&](const std::string& key, const void* value) {
          map += (map.empty() ? "{" : ",") + json::Quote(key) + ":" +
                 Value(field.type, field.message, value);
        });
        out += map.empty() ? "null" : map + "}";
        break;
      }
    }
  }
}

}  // namespace

std::string GoJson(const MessageDescriptor& message, const void* message_data) {
  if (message.full_name.starts_with("io.k8s.apimachinery.")) {
    return json::EncodeMessage(message, message_data);
  }
  std::string text = "{";
  AppendFields(message, message_data, text);
  return text + "}";
}

std::string GoJsonOf(const std::vector<std::string>& items) {
  if (items.empty()) {
    return "null";
  }
  std::string text = "[";
  for (const std::string& item : items) {
    text += (text.size() == 1 ? "" : ",") + json::Quote(item);
  }
  return text + "]";
}

}  // namespace assay::api::validation
