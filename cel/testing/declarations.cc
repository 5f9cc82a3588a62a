#include "cel/testing/declarations.h"

#include <algorithm>

#include "cel/function.h"
#include "cel/type.h"

namespace assay::cel::testing {
namespace {

std::string NameOf(const Type& type) {
  if (type.kind() == TypeKind::kTypeParam) {
    return "<" + std::string(type.name()) + ">";
  }
  std::string text(type.name());
  for (std::size_t i = 0; i < type.parameters().size(); ++i) {
    text += (i == 0 ? "(" : ", ") + NameOf(*type.parameter(i));
  }
  return type.parameters().empty() ? text : text + ")";
}

std::string ToLine(std::string_view function, const Overload& overload) {
  std::string line(function);
  line += overload.is_member ? "\tmember\t" : "\tglobal\t";
  line += overload.id;
  line += "\t(";
  for (std::size_t i = 0; i < overload.params.size(); ++i) {
    line += (i == 0 ? "" : ", ") + NameOf(*overload.params[i]);
  }
  return line + ") -> " + NameOf(*overload.result);
}

}  // namespace

std::vector<std::string> Declarations(const Environment& environment) {
  std::vector<std::string> lines;
  for (const FunctionTable* table :
       {&Environment::KubernetesFunctions(), &environment.functions()}) {
    for (const auto& [name, function] : table->functions()) {
      for (const Overload& overload : function->overloads) {
        lines.push_back(ToLine(name, overload));
      }
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace assay::cel::testing
