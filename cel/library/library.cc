#include "cel/library/library.h"

namespace assay::cel::library {

void AddAll(FunctionTable& table) {
  AddOperators(table);
  AddConversions(table);
  AddTime(table);
  AddStrings(table);
  AddStringFormat(table);
  AddRegex(table);
  AddLists(table);
  AddSets(table);
  AddOptionals(table);
  AddQuantities(table);
  AddVersions(table);
  AddNetwork(table);
  AddUrls(table);
  AddNamedFormats(table);
  AddAuthorizer(table);
}

}  // namespace assay::cel::library
