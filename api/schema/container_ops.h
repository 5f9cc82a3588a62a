// The operation tables of descriptor.h for one C++ type each. Only generated sources include this.
#ifndef ASSAY_API_SCHEMA_CONTAINER_OPS_H_
#define ASSAY_API_SCHEMA_CONTAINER_OPS_H_

#include <cstddef>
#include <map>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/meta/nilable_list.h"
#include "api/schema/descriptor.h"

namespace assay::api::schema {

template <typename T>
inline constexpr OptionalOps kOptionalOps = {
    [](const void* o) { return static_cast<const std::optional<T>*>(o)->has_value(); },
    [](const void* o) -> const void* { return &**static_cast<const std::optional<T>*>(o); },
    [](void* o) -> void* { return &static_cast<std::optional<T>*>(o)->emplace(); },
    [](void* o) { static_cast<std::optional<T>*>(o)->reset(); },
};

template <typename T>
inline constexpr ListOps kListOps = {
    [](const void* l) { return static_cast<const std::vector<T>*>(l)->size(); },
    [](const void* l, std::size_t i) -> const void* {
      return &(*static_cast<const std::vector<T>*>(l))[i];
    },
    [](void* l) -> void* { return &static_cast<std::vector<T>*>(l)->emplace_back(); },
    [](void* l, std::size_t i) {
      auto& list = *static_cast<std::vector<T>*>(l);
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(i));
    },
    [](void* l) { static_cast<std::vector<T>*>(l)->clear(); },
    nullptr,
    nullptr,
};

template <typename T>
inline constexpr ListOps kNilableListOps = {
    kListOps<T>.size,
    kListOps<T>.at,
    kListOps<T>.append,
    kListOps<T>.erase,
    [](void* l) { static_cast<meta::NilableList<T>*>(l)->clear(); },
    [](const void* l) { return static_cast<const meta::NilableList<T>*>(l)->is_specified; },
    [](void* l) { static_cast<meta::NilableList<T>*>(l)->is_specified = true; },
};

template <typename T>
inline constexpr MapOps kMapOps = {
    [](const void* m) { return static_cast<const std::map<std::string, T>*>(m)->size(); },
    [](const void* m, std::string_view key) -> const void* {
      const auto& map = *static_cast<const std::map<std::string, T>*>(m);
      auto found = map.find(std::string(key));
      return found == map.end() ? nullptr : &found->second;
    },
    [](void* m, std::string_view key) -> void* {
      return &(*static_cast<std::map<std::string, T>*>(m))[std::string(key)];
    },
    [](void* m, std::string_view key) {
      return static_cast<std::map<std::string, T>*>(m)->erase(std::string(key)) > 0;
    },
    [](void* m) { static_cast<std::map<std::string, T>*>(m)->clear(); },
    [](const void* m, void* context, void (*visitor)(void*, const std::string&, const void*)) {
      for (const auto& [key, value] : *static_cast<const std::map<std::string, T>*>(m)) {
        visitor(context, key, &value);
      }
    },
};

template <typename T>
void Construct(void* memory) {
  new (memory) T();
}
template <typename T>
void CopyConstruct(void* memory, const void* other) {
  new (memory) T(*static_cast<const T*>(other));
}
template <typename T>
void Destroy(void* value) {
  static_cast<T*>(value)->~T();
}

}  // namespace assay::api::schema

#endif  // ASSAY_API_SCHEMA_CONTAINER_OPS_H_
