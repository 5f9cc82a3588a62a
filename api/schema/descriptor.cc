#include "api/schema/descriptor.h"

#include <algorithm>
#include <new>

#include "api/meta/quantity.h"
#include "api/meta/scalars.h"
#include "api/meta/time.h"
#include "base/check.h"

namespace assay::api::schema {
namespace {

template <typename T>
const T& As(const void* value) {
  return *static_cast<const T*>(value);
}

// Calls `visitor` with the value's C++ type; not for messages.
template <typename Visitor>
auto Dispatch(Type type, Visitor&& visitor) {
  switch (type) {
    case Type::kBool:
      return visitor(static_cast<bool*>(nullptr));
    case Type::kInt32:
      return visitor(static_cast<std::int32_t*>(nullptr));
    case Type::kInt64:
      return visitor(static_cast<std::int64_t*>(nullptr));
    case Type::kString:
    case Type::kBytes:
      return visitor(static_cast<std::string*>(nullptr));
    case Type::kQuantity:
      return visitor(static_cast<meta::Quantity*>(nullptr));
    case Type::kTime:
      return visitor(static_cast<meta::Time*>(nullptr));
    case Type::kMicroTime:
      return visitor(static_cast<meta::MicroTime*>(nullptr));
    case Type::kDuration:
      return visitor(static_cast<meta::Duration*>(nullptr));
    case Type::kIntOrString:
      return visitor(static_cast<meta::IntOrString*>(nullptr));
    case Type::kRawExtension:
      return visitor(static_cast<meta::RawExtension*>(nullptr));
    case Type::kFieldsV1:
      return visitor(static_cast<meta::FieldsV1*>(nullptr));
    case Type::kMessage:
      break;
  }
  ASSAY_CHECK(false) << "a message is no scalar";
  __builtin_unreachable();
}

bool EqualValue(Type type, const MessageDescriptor* message, const void* a, const void* b) {
  if (type == Type::kMessage) {
    return Equal(*message, a, b);
  }
  return Dispatch(type, [&](auto* tag) {
    using T = std::remove_pointer_t<decltype(tag)>;
    return As<T>(a) == As<T>(b);
  });
}

bool EqualField(const FieldDescriptor& field, const void* a, const void* b) {
  switch (field.shape) {
    case Shape::kValue:
      return EqualValue(field.type, field.message, field.Raw(a), field.Raw(b));
    case Shape::kOptional: {
      const void* value_a = field.Get(a);
      const void* value_b = field.Get(b);
      return value_a == nullptr || value_b == nullptr
                 ? value_a == value_b
                 : EqualValue(field.type, field.message, value_a, value_b);
    }
    case Shape::kList: {
      std::size_t size = field.Size(a);
      bool equal = size == field.Size(b);
      for (std::size_t i = 0; equal && i < size; ++i) {
        equal = EqualValue(field.type, field.message, field.At(a, i), field.At(b, i));
      }
      return equal;
    }
    case Shape::kMap: {
      bool equal = field.Size(a) == field.Size(b);
      field.VisitMap(a, [&](const std::string& key, const void* value) {
        const void* other = equal ? field.Find(b, key) : nullptr;
        equal = other != nullptr && EqualValue(field.type, field.message, value, other);
      });
      return equal;
    }
  }
  return false;
}

void ClearMessage(const MessageDescriptor& message, void* message_data) {
  for (const FieldDescriptor& field : message.fields) {
    field.Clear(message_data);
  }
}

}  // namespace

bool FieldDescriptor::Has(const void* message_data) const {
  const void* raw = Raw(message_data);
  switch (shape) {
    case Shape::kValue:
      return !IsZero(type, message, raw);
    case Shape::kOptional:
      return optional_ops->has(raw);
    case Shape::kList:
      return list_ops->size(raw) > 0;
    case Shape::kMap:
      return map_ops->size(raw) > 0;
  }
  return false;
}

const void* FieldDescriptor::Get(const void* message_data) const {
  const void* raw = Raw(message_data);
  if (shape != Shape::kOptional) {
    return raw;
  }
  return optional_ops->has(raw) ? optional_ops->get(raw) : nullptr;
}

void* FieldDescriptor::Mutable(void* message_data) const {
  void* raw = Raw(message_data);
  if (shape != Shape::kOptional) {
    return raw;
  }
  // The optional itself is not const, so neither is its value.
  return optional_ops->has(raw) ? const_cast<void*>(optional_ops->get(raw))
                                : optional_ops->emplace(raw);
}

void FieldDescriptor::Clear(void* message_data) const {
  void* raw = Raw(message_data);
  switch (shape) {
    case Shape::kValue:
      if (type == Type::kMessage) {
        ClearMessage(*message, raw);
      } else {
        Dispatch(type, [&](auto* tag) {
          using T = std::remove_pointer_t<decltype(tag)>;
          *static_cast<T*>(raw) = T();
        });
      }
      return;
    case Shape::kOptional:
      return optional_ops->reset(raw);
    case Shape::kList:
      return list_ops->clear(raw);
    case Shape::kMap:
      return map_ops->clear(raw);
  }
}

std::size_t FieldDescriptor::Size(const void* message_data) const {
  const void* raw = Raw(message_data);
  return shape == Shape::kMap ? map_ops->size(raw) : list_ops->size(raw);
}

const void* FieldDescriptor::At(const void* message_data, std::size_t index) const {
  return list_ops->at(Raw(message_data), index);
}

void* FieldDescriptor::MutableAt(void* message_data, std::size_t index) const {
  return const_cast<void*>(list_ops->at(Raw(message_data), index));
}

void* FieldDescriptor::Append(void* message_data) const {
  return list_ops->append(Raw(message_data));
}

const void* FieldDescriptor::Find(const void* message_data, std::string_view key) const {
  return map_ops->find(Raw(message_data), key);
}

void* FieldDescriptor::Insert(void* message_data, std::string_view key) const {
  return map_ops->insert(Raw(message_data), key);
}

const FieldDescriptor* MessageDescriptor::Find(std::string_view json_name) const {
  for (const FieldDescriptor& field : fields) {
    if (field.is_inline) {
      if (const FieldDescriptor* inner = field.message->Find(json_name)) {
        return inner;
      }
    } else if (field.name == json_name) {
      return &field;
    }
  }
  return nullptr;
}

const FieldDescriptor* MessageDescriptor::FindIn(std::string_view json_name,
                                                 void** message_data) const {
  for (const FieldDescriptor& field : fields) {
    if (field.is_inline) {
      void* inner_data = field.Raw(*message_data);
      if (const FieldDescriptor* inner = field.message->FindIn(json_name, &inner_data)) {
        *message_data = inner_data;
        return inner;
      }
    } else if (field.name == json_name) {
      return &field;
    }
  }
  return nullptr;
}

const FieldDescriptor* MessageDescriptor::FindByNumber(std::uint32_t number) const {
  auto found = std::lower_bound(
      by_number.begin(), by_number.end(), number,
      [&](std::uint16_t index, std::uint32_t wanted) { return fields[index].number < wanted; });
  return found != by_number.end() && fields[*found].number == number ? &fields[*found] : nullptr;
}

std::shared_ptr<void> MessageDescriptor::New() const {
  std::align_val_t align{alignment};
  void* memory = ::operator new(size, align);
  construct(memory);
  return {memory, [this, align](void* value) {
            destroy(value);
            ::operator delete(value, align);
          }};
}

std::shared_ptr<void> MessageDescriptor::Copy(const void* other) const {
  std::align_val_t align{alignment};
  void* memory = ::operator new(size, align);
  copy_construct(memory, other);
  return {memory, [this, align](void* value) {
            destroy(value);
            ::operator delete(value, align);
          }};
}

bool IsZero(Type type, const MessageDescriptor* message, const void* value) {
  switch (type) {
    case Type::kString:
    case Type::kBytes:
      return As<std::string>(value).empty();
    case Type::kTime:
    case Type::kMicroTime:
      return As<meta::Time>(value).empty();
    case Type::kQuantity:
      return As<meta::Quantity>(value).IsUnset();
    case Type::kMessage:
      return IsZero(*message, value);
    default:
      return Dispatch(type, [&](auto* tag) {
        using T = std::remove_pointer_t<decltype(tag)>;
        return As<T>(value) == T();
      });
  }
}

bool IsZero(const MessageDescriptor& message, const void* message_data) {
  return std::none_of(message.fields.begin(), message.fields.end(),
                      [&](const FieldDescriptor& field) { return field.Has(message_data); });
}

bool Equal(const MessageDescriptor& message, const void* a, const void* b) {
  return std::all_of(message.fields.begin(), message.fields.end(),
                     [&](const FieldDescriptor& field) { return EqualField(field, a, b); });
}

void CopyScalar(Type type, const void* from, void* to) {
  Dispatch(type, [&](auto* tag) {
    using T = std::remove_pointer_t<decltype(tag)>;
    *static_cast<T*>(to) = As<T>(from);
  });
}

std::string_view TypeName(Type type) {
  switch (type) {
    case Type::kBool:
      return "bool";
    case Type::kInt32:
      return "int32";
    case Type::kInt64:
      return "int64";
    case Type::kString:
      return "string";
    case Type::kBytes:
      return "bytes";
    case Type::kQuantity:
      return "Quantity";
    case Type::kTime:
      return "Time";
    case Type::kMicroTime:
      return "MicroTime";
    case Type::kDuration:
      return "Duration";
    case Type::kIntOrString:
      return "IntOrString";
    case Type::kRawExtension:
      return "RawExtension";
    case Type::kFieldsV1:
      return "FieldsV1";
    case Type::kMessage:
      return "message";
  }
  return "";
}

}  // namespace assay::api::schema
