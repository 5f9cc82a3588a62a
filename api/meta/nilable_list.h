// NilableList: a list of which an empty one is not the same as an absent one, as Go's validation
// tells `[]` from nil. Only JSON can: protobuf has no empty lists, and neither has what is encoded.
//
// Everything else, equality too, is std::vector's.
#ifndef ASSAY_API_META_NILABLE_LIST_H_
#define ASSAY_API_META_NILABLE_LIST_H_

#include <utility>
#include <vector>

namespace assay::api::meta {

template <typename T>
struct NilableList : std::vector<T> {
  using std::vector<T>::vector;
  NilableList() = default;
  NilableList(std::vector<T> items) : std::vector<T>(std::move(items)) {}  // NOLINT: it is one

  bool IsNil() const { return this->empty() && !is_specified; }
  void clear() { *this = NilableList(); }

  bool is_specified = false;  // It was written, if only as [].
};

}  // namespace assay::api::meta

#endif  // ASSAY_API_META_NILABLE_LIST_H_
