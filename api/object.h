// Object and Kind: any Kubernetes object, and what is known of its kind.
//
// An Object is an immutable, shared value of one of the generated types (api/resource/types.h and
// the like). Copying an Object copies a pointer. To change one, copy the typed value out, change
// it, and wrap it again:
//
//   ResourceClaim claim = object.As<ResourceClaim>();
//   claim.status.reserved_for.clear();
//   Object changed = Object::Of(std::move(claim));
//
// Thread-safe: immutable.
#ifndef ASSAY_API_OBJECT_H_
#define ASSAY_API_OBJECT_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/compatibility.h"
#include "api/meta/types.h"
#include "base/check.h"

namespace assay::api {

namespace schema {
struct MessageDescriptor;  // api/schema/descriptor.h
}
using schema::MessageDescriptor;

struct GroupVersionKind {
  std::string group;  // "" is the core group.
  std::string version;
  std::string kind;

  // "v1", "resource.k8s.io/v1".
  std::string ApiVersion() const { return group.empty() ? version : group + "/" + version; }
  friend bool operator==(const GroupVersionKind&, const GroupVersionKind&) = default;
};

// One served version of a kind. The first of a Kind's versions is the one that Object holds (the
// hub); the others convert to and from it.
struct KindVersion {
  std::string version;               // "v1", "v1beta2"
  const MessageDescriptor* message;  // the type of this version
  Level since = Level::k1_36;        // first level that serves it
  Level until = Level::k1_37;        // last level that serves it

  bool ServedAt(Level level) const { return since <= level && level <= until; }
};

// A kind of object: its names and the schema of its versions. All Kinds live for the whole program.
struct Kind {
  std::string group;     // "resource.k8s.io"; "" is the core group.
  std::string kind;      // "ResourceClaim"
  std::string resource;  // "resourceclaims"
  std::string singular;  // "resourceclaim"
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
  bool namespaced = false;
  bool has_status = false;            // has the subresource "status"
  std::vector<KindVersion> versions;  // hub first; then as discovery prefers them

  const MessageDescriptor& hub() const { return *versions.front().message; }
  // The ObjectMeta within a value of the hub type.
  meta::ObjectMeta& MutableMetadata(void* hub_value) const;
  GroupVersionKind HubGvk() const { return {group, versions.front().version, kind}; }
  // "resourceclaims.resource.k8s.io", "pods".
  std::string GroupResource() const { return group.empty() ? resource : resource + "." + group; }
};

// The Kind of a generated type. Specialised by the generated code.
template <typename T>
const Kind& KindOf();

class Object {
 public:
  Object() = default;  // Empty; only operator bool may be asked.

  template <typename T>
  static Object Of(T value) {
    auto shared = std::make_shared<const T>(std::move(value));
    const meta::ObjectMeta* metadata = &shared->metadata;
    return Object(&KindOf<T>(), std::move(shared), metadata);
  }
  // For code that knows the type only by its Kind: `value` is of the Kind's hub type.
  static Object Of(const Kind& kind, std::shared_ptr<void> value) {
    const meta::ObjectMeta* metadata = &kind.MutableMetadata(value.get());
    return Object(&kind, std::move(value), metadata);
  }
  // As above; `metadata` points into `value`.
  Object(const Kind* kind, std::shared_ptr<const void> value, const meta::ObjectMeta* metadata)
      : kind_(kind), value_(std::move(value)), metadata_(metadata) {}

  explicit operator bool() const { return value_ != nullptr; }
  const Kind& kind() const { return *kind_; }
  const meta::ObjectMeta& metadata() const { return *metadata_; }
  const std::string& name() const { return metadata_->name; }
  const std::string& namespace_() const { return metadata_->namespace_; }

  template <typename T>
  bool Is() const {
    return kind_ == &KindOf<T>();
  }
  // The typed value; the Object must be of T's Kind.
  template <typename T>
  const T& As() const {
    ASSAY_CHECK(Is<T>()) << "not a " << KindOf<T>().kind;
    return *static_cast<const T*>(value_.get());
  }
  template <typename T>
  std::shared_ptr<const T> Share() const {
    ASSAY_CHECK(Is<T>()) << "not a " << KindOf<T>().kind;
    return std::static_pointer_cast<const T>(value_);
  }
  const void* data() const { return value_.get(); }

 private:
  const Kind* kind_ = nullptr;
  // Shared: the store, its watchers and every cache hold the same immutable value.
  std::shared_ptr<const void> value_;
  const meta::ObjectMeta* metadata_ = nullptr;
};

}  // namespace assay::api

#endif  // ASSAY_API_OBJECT_H_
