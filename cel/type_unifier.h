// TypeUnifier: which types can stand for which, and what the type variables of a check stand for.
//
// Source: cel-go's checker/types.go and checker/mapping.go.
//
// Not thread-safe; one per check.
#ifndef ASSAY_CEL_TYPE_UNIFIER_H_
#define ASSAY_CEL_TYPE_UNIFIER_H_

#include <span>
#include <utility>
#include <vector>

#include "cel/function.h"
#include "cel/type.h"

namespace assay::cel {

class TypeUnifier {
 public:
  explicit TypeUnifier(Arena& arena) : arena_(arena) {}

  const Type* NewVariable();
  // The overload's result and parameters, with fresh variables for its type parameters.
  std::vector<const Type*> Instantiate(const Overload& overload);

  // Whether the one can be assigned to the other; remembers what variables then stand for.
  bool IsAssignable(const Type* a, const Type* b);
  bool AreAssignable(std::span<const Type* const> a, std::span<const Type* const> b);

  // The type with variables replaced by what they stand for; free ones by dyn if asked.
  const Type* Substitute(const Type* type, bool free_to_dyn);

  // The less specific of two types that unify.
  static const Type* MostGeneral(const Type* a, const Type* b);

 private:
  bool Assignable(const Type* a, const Type* b);
  bool AllAssignable(std::span<const Type* const> a, std::span<const Type* const> b);
  std::pair<bool, bool> ValidSubstitution(const Type* type, const Type* variable);
  bool NotReferencedIn(const Type* type, const Type* within) const;
  const Type* Find(const Type* type) const;
  void Set(const Type* variable, const Type* type);
  void RollBackTo(std::size_t mark);
  const Type* Rebuild(const Type* type, std::span<const Type* const> parameters);

  Arena& arena_;
  std::vector<const Type*> bindings_;               // by variable; null: free
  std::vector<std::pair<int, const Type*>> trail_;  // former bindings, to undo
};

}  // namespace assay::cel

#endif  // ASSAY_CEL_TYPE_UNIFIER_H_
