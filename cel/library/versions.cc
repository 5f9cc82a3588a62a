#include "cel/library/library.h"
#include "cel/library/opaque_values.h"

// Source: k8s.io/apiserver/pkg/cel/library/semverlib.go.

namespace assay::cel::library {
namespace {

constexpr Type kType(TypeKind::kStruct, "kubernetes.Semver");

const Semver& Get(const Value& value) {
  return static_cast<const SemverValue&>(value.opaque()).version();
}

Result<Semver> Parse(const CallContext& context, std::span<const Value> args) {
  std::string_view text = args[0].text();
  if (args.size() == 2 && args[1].IsTrue()) {
    ASSAY_ASSIGN_OR_RETURN(const std::string normalized, NormalizeSemver(text));
    text = context.arena.Copy(normalized);
  }
  return Semver::Parse(text);
}

Value ToSemver(const CallContext& context, std::span<const Value> args) {
  const Result<Semver> version = Parse(context, args);
  if (!version.ok()) {
    return context.Error({version.status().message()});
  }
  return Value::Of(static_cast<const Opaque*>(context.arena.New<SemverValue>(*version)));
}

Value IsSemver(const CallContext& context, std::span<const Value> args) {
  return Value::Bool(Parse(context, args).ok());
}

Value IsGreaterThan(const CallContext&, std::span<const Value> args) {
  return Value::Bool(Get(args[0]).Compare(Get(args[1])) > 0);
}

Value IsLessThan(const CallContext&, std::span<const Value> args) {
  return Value::Bool(Get(args[0]).Compare(Get(args[1])) < 0);
}

Value CompareTo(const CallContext&, std::span<const Value> args) {
  return Value::Int(Get(args[0]).Compare(Get(args[1])));
}

template <std::uint64_t Semver::* part>
Value Part(const CallContext&, std::span<const Value> args) {
  return Value::Int(static_cast<std::int64_t>(Get(args[0]).*part));
}

#define SEMVER "kubernetes.Semver"

}  // namespace

const Type* SemverValue::type() const { return &kType; }

bool SemverValue::Equals(const Opaque& other) const {
  return version_.Compare(static_cast<const SemverValue&>(other).version_) == 0;
}

void AddVersions(FunctionTable& table) {
  table.Add("semver", {{"string_to_semver", "(string) -> " SEMVER, &ToSemver},
                       {"string_bool_to_semver", "(string, bool) -> " SEMVER, &ToSemver}});
  table.Add("isSemver", {{"is_semver_string", "(string) -> bool", &IsSemver},
                         {"is_semver_string_bool", "(string, bool) -> bool", &IsSemver}});
  table.Add("isGreaterThan",
            {{"semver_is_greater_than", SEMVER ".(" SEMVER ") -> bool", &IsGreaterThan}});
  table.Add("isLessThan", {{"semver_is_less_than", SEMVER ".(" SEMVER ") -> bool", &IsLessThan}});
  table.Add("compareTo", {{"semver_compare_to", SEMVER ".(" SEMVER ") -> int", &CompareTo}});
  table.Add("major", {{"semver_major", SEMVER ".() -> int", &Part<&Semver::major>}});
  table.Add("minor", {{"semver_minor", SEMVER ".() -> int", &Part<&Semver::minor>}});
  table.Add("patch", {{"semver_patch", SEMVER ".() -> int", &Part<&Semver::patch>}});
}

}  // namespace assay::cel::library
