// Strategy: what the registry of a kind does to an object before it is stored.
//
// An API server calls BeforeCreate and BeforeUpdate (below): they run a kind's Strategy in the
// order of apiserver's registry/rest/create.go and update.go. What stays with the server: decoding
// and ApplyDefaults (defaulting.h), the namespace of the request, generateName, uid,
// creationTimestamp, resourceVersion, deletion, storage, and managedFields (api/patch/apply.h).
//
//   Outcome outcome = BeforeCreate(object, context);
//   if (!outcome.errors.empty()) return 422(InvalidMessage(...));
//   store.Create(outcome.object);
//
// Thread-safe: strategies have no state.
#ifndef ASSAY_API_VALIDATION_STRATEGY_H_
#define ASSAY_API_VALIDATION_STRATEGY_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/compatibility.h"
#include "api/object.h"
#include "api/validation/field_error.h"
#include "base/clock.h"
#include "base/result.h"

namespace assay::api::validation {

// Who asks, as authentication found it.
struct User {
  std::string name;  // "system:serviceaccount:ns:name", "admin"
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;
};

// A question to the authoriser.
struct AccessRequest {
  std::string verb;  // "update", "associated-node:update"
  std::string group;
  std::string resource;
  std::string subresource;
  std::string namespace_;
  std::string name;
};

// What a compiler says of a CEL device selector.
struct SelectorVerdict {
  enum class Outcome {
    kAccepted,
    kInvalid,    // does not compile, or has the wrong type: Invalid with `message`
    kTooCostly,  // Forbidden
    kInternal,   // InternalError with `message`
  };
  Outcome outcome = Outcome::kAccepted;
  std::string message;
};

// Compiles `expression` as a device selector. `stored`: it was accepted before, so that functions
// of a newer environment are known too (environment.StoredExpressions).
using SelectorChecker = std::function<SelectorVerdict(std::string_view expression, bool stored)>;

// What a strategy may know of the request and of the cluster.
struct Context {
  const Compatibility* compatibility = nullptr;  // Not null; outlives the call.
  WallTime now;
  std::string verb = "create";  // "create", "update" or "patch", as authorised
  User user;
  // Not set: selectors are not compiled.
  SelectorChecker selector_checker;
  // The labels of a namespace; an error where it cannot be read. Not set: every namespace permits
  // admin access.
  std::function<Result<std::map<std::string, std::string>>(std::string_view name)> namespace_labels;
  // Why the user may not, in the words of a Forbidden status, or nothing where he may: `pods "a" is
  // forbidden: User "x" cannot get resource ...`. Not set: he may.
  std::function<std::optional<std::string>(const AccessRequest&)> refused;
};

class Strategy {
 public:
  virtual ~Strategy() = default;

  // Clears what a user may not set, drops fields of disabled gates, sets the first generation.
  virtual Object PrepareForCreate(const Object& object, const Context& context) const = 0;
  virtual FieldErrors ValidateCreate(const Object& object, const Context& context) const = 0;
  virtual std::vector<std::string> Warnings(const Object& object) const = 0;

  // `subresource` is "" or "status". Status updates keep the old spec and metadata; others keep the
  // old status; generation grows where the spec changed.
  virtual Object PrepareForUpdate(const Object& object, const Object& old,
                                  std::string_view subresource, const Context& context) const = 0;
  virtual FieldErrors ValidateUpdate(const Object& object, const Object& old,
                                     std::string_view subresource,
                                     const Context& context) const = 0;

  // Whether an update without resourceVersion replaces whatever is stored.
  virtual bool AllowsUnconditionalUpdate() const { return true; }
  // Whether PUT of a name that does not exist creates it.
  virtual bool AllowsCreateOnUpdate() const { return false; }
  // The top-level fields that PrepareFor* resets, which server-side apply therefore never records
  // as owned: {"status"}, or {"metadata", "spec"} for the subresource "status".
  virtual std::vector<std::string> ResetFields(std::string_view subresource) const = 0;
};

// The strategy of any kind; kinds without one of their own get the metadata rules, spec and status
// kept apart, and nothing else. The reference lives for the whole program.
const Strategy& StrategyFor(const Kind& kind);

struct Outcome {
  Object object;  // As it is to be stored, if `errors` is empty.
  FieldErrors errors;
  std::vector<std::string> warnings;
};

// `object` is defaulted and has name, namespace, uid and creationTimestamp.
Outcome BeforeCreate(const Object& object, const Context& context);
// `object` is what the client asks for, `old` what is stored. Takes over uid, timestamps and
// generation from `old` where update.go does. subresource: "" or "status".
Outcome BeforeUpdate(const Object& object, const Object& old, std::string_view subresource,
                     const Context& context);

}  // namespace assay::api::validation

#endif  // ASSAY_API_VALIDATION_STRATEGY_H_
