// Function, Overload, FunctionTable: what expressions can call.
//
// Libraries declare their functions as text in CEL's own notation and bind each overload, or the
// function as a whole, to a C++ function:
//
//   table.Add("charAt", {{"string_char_at_int", "string.(int) -> string", &CharAt}});
//
// Single capital letters are type parameters. Everything else that is not a basic type is a struct
// ("kubernetes.Quantity") or, after a '!', an opaque type ("!net.IP").
//
// Thread-safe once built.
#ifndef ASSAY_CEL_FUNCTION_H_
#define ASSAY_CEL_FUNCTION_H_

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cel/arena.h"
#include "cel/type.h"
#include "cel/value.h"

namespace assay::cel {

// What an implementation may use; new values are made in the arena.
struct CallContext {
  Arena& arena;

  Value Error(std::initializer_list<std::string_view> parts) const {
    return MakeError(arena, parts);
  }
  Value String(std::string_view text) const { return Value::String(arena.Copy(text)); }
};

using Implementation = Value (*)(const CallContext& context, std::span<const Value> args);

struct Overload {
  std::string_view id;
  bool is_member = false;
  int type_params = 0;              // how many kTypeParam of numbers [0, type_params) the types use
  std::vector<const Type*> params;  // the receiver first
  const Type* result = nullptr;
  Implementation implementation = nullptr;  // null: Function::implementation, or built in
};

using KindSet = std::uint32_t;
constexpr KindSet KindBit(ValueKind kind) { return KindSet{1} << static_cast<int>(kind); }
inline constexpr KindSet kAnyKind = ~KindSet{0};

struct Function {
  std::string_view name;
  std::vector<Overload> overloads;
  // One implementation for every overload, for first arguments of `receivers` only.
  Implementation implementation = nullptr;
  KindSet receivers = kAnyKind;
  // Overloads are called without looking at the arguments' types (cel-go: DisableTypeGuards).
  bool unguarded = false;
};

struct OverloadSpec {
  const char* id;
  const char* signature;  // "string.(int) -> string", "(string) -> bool"
  Implementation implementation = nullptr;
};

class FunctionTable {
 public:
  FunctionTable() = default;
  FunctionTable(const FunctionTable&) = delete;
  FunctionTable& operator=(const FunctionTable&) = delete;

  // Adds overloads to the function, which is made if need be. `name` and the ids are literals.
  Function& Add(std::string_view name, std::initializer_list<OverloadSpec> overloads);
  // The same, with one implementation for all.
  Function& AddShared(std::string_view name, Implementation implementation, KindSet receivers,
                      std::initializer_list<OverloadSpec> overloads);
  // The same overload for several types: '$' in id and signature stands for each type's name; '%'
  // in the id for its name in ids.
  struct NamedType {
    const char* id;
    const char* type;
  };
  Function& AddForEach(std::string_view name, std::span<const NamedType> types,
                       const OverloadSpec& spec);

  const Function* Find(std::string_view name) const;
  const std::map<std::string_view, std::unique_ptr<Function>>& functions() const {
    return functions_;
  }

  // A type from its notation: "list(int)", "optional_type(V)", "timestamp".
  const Type* ParseType(std::string_view text);
  Arena& arena() { return arena_; }

 private:
  Function& Get(std::string_view name);
  void AddOverload(Function& function, std::string_view id, std::string_view signature,
                   Implementation implementation);

  Arena arena_;
  std::map<std::string_view, std::unique_ptr<Function>> functions_;
};

// Whether a value can be passed where `type` is declared, as far as the value shows: of lists and
// maps only the first element is looked at (cel-go: IsAssignableRuntimeType).
bool Accepts(const Type* type, const Value& value);

// "no such overload: f(string, int)", or the first error among the arguments.
Value NoSuchOverload(const CallContext& context, std::string_view function,
                     std::span<const Value> args);
inline Value NoSuchOverload() { return Value::Error("no such overload"); }

// Calls the function for the arguments, none of which is an error. `overload`: the one that the
// checker found, or null if it is for the arguments to decide.
Value Call(const CallContext& context, const Function& function, const Overload* overload,
           std::span<const Value> args);

}  // namespace assay::cel

#endif  // ASSAY_CEL_FUNCTION_H_
