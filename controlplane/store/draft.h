// Draft: an object of any kind while it is being made: typed, mutable, owned by one writer. Frozen
// into an Object (api/object.h) it is shared and never changes again.
//
// Not thread-safe.
#ifndef ASSAY_CONTROLPLANE_STORE_DRAFT_H_
#define ASSAY_CONTROLPLANE_STORE_DRAFT_H_

#include <memory>
#include <utility>

#include "api/object.h"
#include "api/schema/descriptor.h"

namespace assay::controlplane::store {

class Draft {
 public:
  // A new object with every field zero.
  static Draft New(const api::Kind& kind) { return Draft(&kind, kind.hub().New()); }
  static Draft CopyOf(const api::Object& object) {
    return Draft(&object.kind(), object.kind().hub().Copy(object.data()));
  }

  const api::Kind& kind() const { return *kind_; }
  void* data() { return value_.get(); }
  api::meta::ObjectMeta& metadata() { return kind_->MutableMetadata(value_.get()); }
  template <typename T>
  T& As() {
    ASSAY_CHECK(kind_ == &api::KindOf<T>()) << "not a " << api::KindOf<T>().kind;
    return *static_cast<T*>(value_.get());
  }

  // The Draft is used up.
  api::Object Freeze() && { return api::Object::Of(*kind_, std::move(value_)); }

 private:
  Draft(const api::Kind* kind, std::shared_ptr<void> value)
      : kind_(kind), value_(std::move(value)) {}

  const api::Kind* kind_;
  std::shared_ptr<void> value_;  // Shared only once frozen.
};

}  // namespace assay::controlplane::store

#endif  // ASSAY_CONTROLPLANE_STORE_DRAFT_H_
