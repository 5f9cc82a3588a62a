// Descriptors: what is known of a generated API type at run time: its fields, their names and
// numbers on the wire, how lists and maps merge, and where each field lies in the C++ struct.
//
// The codecs (api/json, api/proto), patches, apply, OpenAPI and conversion are all walks over
// these; none of them knows a kind. Descriptors and the structs they describe are made at build
// time from the schema files of this folder (README.md there) by api/schema/compiler.
//
//   const MessageDescriptor& type = DescriptorOf<resource::Device>();
//   for (const FieldDescriptor& field : type.fields) {
//     if (field.Has(&device)) { ... field.Get(&device) ... }
//   }
//
// Thread-safe: immutable, constant-initialised.
#ifndef ASSAY_API_SCHEMA_DESCRIPTOR_H_
#define ASSAY_API_SCHEMA_DESCRIPTOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "api/compatibility.h"

namespace assay::api::schema {

// The type of a value: of a field that is no container, of a list's item, of a map's value.
// In brackets the C++ type.
enum class Type : std::uint8_t {
  kBool,          // bool; as a list item meta::Bool
  kInt32,         // std::int32_t
  kInt64,         // std::int64_t
  kString,        // std::string
  kBytes,         // std::string; base64 in JSON
  kQuantity,      // meta::Quantity
  kTime,          // meta::Time
  kMicroTime,     // meta::MicroTime
  kDuration,      // meta::Duration
  kIntOrString,   // meta::IntOrString
  kRawExtension,  // meta::RawExtension
  kFieldsV1,      // meta::FieldsV1
  kMessage,       // a generated struct
};

// How a field holds its value.
enum class Shape : std::uint8_t {
  kValue,     // T: always there; its zero value stands for "absent"
  kOptional,  // std::optional<T>: a Go pointer
  kList,      // std::vector<T>
  kMap,       // std::map<std::string, T>
};

// When JSON output leaves a field out, as Go's tag says.
enum class Omit : std::uint8_t {
  kNever,  // no option: written even when zero (an empty list or map as null)
  kEmpty,  // omitempty: zero scalars, empty containers and absent pointers; never a struct
  kZero,   // omitzero: also a struct all of whose fields are zero
};

// x-kubernetes-list-type of a list; x-kubernetes-map-type of a map or struct.
enum class Merge : std::uint8_t { kUnset, kAtomic, kSet, kMap, kGranular };

// patchStrategy of strategic merge patch; flags.
inline constexpr std::uint8_t kPatchMerge = 1;
inline constexpr std::uint8_t kPatchRetainKeys = 2;
inline constexpr std::uint8_t kPatchReplace = 4;

struct MessageDescriptor;

// What can be done with a std::optional, std::vector or std::map of some type, without knowing it.
struct OptionalOps {
  bool (*has)(const void* optional);
  const void* (*get)(const void* optional);  // It must have a value.
  void* (*emplace)(void* optional);          // A default value in place of any that was there.
  void (*reset)(void* optional);
};
struct ListOps {
  std::size_t (*size)(const void* list);
  const void* (*at)(const void* list, std::size_t index);
  void* (*append)(void* list);  // A default item at the end.
  void (*erase)(void* list, std::size_t index);
  void (*clear)(void* list);
  // Of a meta::NilableList; null for other lists.
  bool (*is_specified)(const void* list);
  void (*specify)(void* list);
};
struct MapOps {
  std::size_t (*size)(const void* map);
  const void* (*find)(const void* map, std::string_view key);  // Or null.
  void* (*insert)(void* map, std::string_view key);  // The value of `key`; a default one if new.
  bool (*erase)(void* map, std::string_view key);
  void (*clear)(void* map);
  // In the order of the keys.
  void (*visit)(const void* map, void* context,
                void (*visitor)(void* context, const std::string& key, const void* value));
};

struct FieldDescriptor {
  std::string_view name;     // JSON: "nodeName". Of an inline field: its protobuf name.
  std::uint32_t number = 0;  // protobuf field number; 0: the field is not in protobuf
  Type type = Type::kString;
  Shape shape = Shape::kValue;
  Omit omit = Omit::kEmpty;
  // The fields of this embedded struct stand among those of its parent in JSON; in protobuf it is
  // a message of its own. In C++ it is a base class.
  bool is_inline = false;
  bool required = false;  // OpenAPI: listed under `required`
  Merge merge = Merge::kUnset;
  std::uint8_t patch_strategy = 0;
  std::size_t offset = 0;                      // in the struct
  const MessageDescriptor* message = nullptr;  // of kMessage
  const OptionalOps* optional_ops = nullptr;
  const ListOps* list_ops = nullptr;
  const MapOps* map_ops = nullptr;
  std::string_view patch_merge_key;
  std::span<const std::string_view> list_map_keys;  // of Merge::kMap
  std::string_view feature_gate;  // "DRADeviceTaints", or several joined by ","; empty: none
  std::string_view default_json;  // OpenAPI default as JSON text; empty: none
  std::string_view go_type;       // of a named string or integer: "v1.DeviceTaintEffect"
  std::span<const std::string_view> enum_values;  // sorted; of a +enum type
  Level since = Level::k1_36;                     // first level that has the field
  Level until = Level::k1_37;                     // last level that has it

  bool ExistsAt(Level level) const { return since <= level && level <= until; }
  bool IsContainer() const { return shape == Shape::kList || shape == Shape::kMap; }

  // The field itself (the optional, the vector, the map) in a struct.
  const void* Raw(const void* message_data) const {
    return static_cast<const char*>(message_data) + offset;
  }
  void* Raw(void* message_data) const { return static_cast<char*>(message_data) + offset; }

  // Whether it holds anything: a value that is not zero, an optional that is set, items. A struct
  // by value holds something if any of its fields does.
  bool Has(const void* message_data) const;
  // kValue: the value. kOptional: the value, or null. Containers: the container.
  const void* Get(const void* message_data) const;
  // As Get; an optional that is not set is set to the default value first.
  void* Mutable(void* message_data) const;
  // Back to the zero value.
  void Clear(void* message_data) const;

  // Lists.
  std::size_t Size(const void* message_data) const;  // Also of maps.
  const void* At(const void* message_data, std::size_t index) const;
  void* MutableAt(void* message_data, std::size_t index) const;
  void* Append(void* message_data) const;
  // Maps.
  const void* Find(const void* message_data, std::string_view key) const;
  void* Insert(void* message_data, std::string_view key) const;
  // `visitor(const std::string& key, const void* value)` for every entry, in the order of the keys.
  template <typename Visitor>
  void VisitMap(const void* message_data, Visitor&& visitor) const {
    map_ops->visit(Raw(message_data), &visitor,
                   [](void* context, const std::string& key, const void* value) {
                     (*static_cast<std::remove_reference_t<Visitor>*>(context))(key, value);
                   });
  }
};

struct MessageDescriptor {
  std::string_view name;                     // Kubernetes' type name: "DeviceRequest"
  std::string_view full_name;                // OpenAPI's: "io.k8s.api.resource.v1.DeviceRequest"
  std::string_view go_name;                  // as Go prints the type: "v1.DeviceRequest"
  std::span<const FieldDescriptor> fields;   // in the order in which Go writes them as JSON
  std::span<const std::uint16_t> by_number;  // indexes into `fields`, by protobuf number
  Merge merge = Merge::kUnset;               // kAtomic: +structType=atomic
  // JSON may have `apiVersion` and `kind` in it; the struct does not keep them.
  bool has_type_meta = false;
  // A Go named list: JSON is the array of its single field `items`, protobuf this message.
  bool is_list_wrapper = false;
  std::size_t size = 0;
  std::size_t alignment = 0;
  void (*construct)(void* memory) = nullptr;
  void (*copy_construct)(void* memory, const void* other) = nullptr;
  void (*destroy)(void* message_data) = nullptr;

  // The field of this JSON name (also within inline structs, in which case `*message_data` is not
  // yet theirs: use FindPath), or null.
  const FieldDescriptor* Find(std::string_view json_name) const;
  const FieldDescriptor* FindByNumber(std::uint32_t number) const;

  // As Find, and moves `*message_data` to the (inline) struct that has the field.
  const FieldDescriptor* FindIn(std::string_view json_name, void** message_data) const;

  // A new value with every field zero, or a copy of one.
  std::shared_ptr<void> New() const;
  std::shared_ptr<void> Copy(const void* other) const;
};

// The descriptor of a generated struct. Specialised by the generated code.
template <typename T>
const MessageDescriptor& DescriptorOf();

// Whether a value is the zero of its type; a message is if all its fields are.
bool IsZero(Type type, const MessageDescriptor* message, const void* value);
bool IsZero(const MessageDescriptor& message, const void* message_data);

// Equal as Kubernetes' Semantic.DeepEqual sees it: quantities and times by value, an absent
// container like an empty one.
bool Equal(const MessageDescriptor& message, const void* a, const void* b);

// Copies one value of `type`, which must not be kMessage.
void CopyScalar(Type type, const void* from, void* to);

// "string", "int64", "Quantity": for messages about schemas.
std::string_view TypeName(Type type);

}  // namespace assay::api::schema

#endif  // ASSAY_API_SCHEMA_DESCRIPTOR_H_
