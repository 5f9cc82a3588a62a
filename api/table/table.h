// Table: the meta.k8s.io/v1 Table that `kubectl get` asks for.
//
// Columns and cells are those of pkg/printers/internalversion/printers.go for the kinds that DRA
// work touches; every other kind has Name and Age ("Created At").
//
// Thread-safe: pure functions.
#ifndef ASSAY_API_TABLE_TABLE_H_
#define ASSAY_API_TABLE_TABLE_H_

#include <string>
#include <string_view>
#include <vector>

#include "api/object.h"
#include "base/clock.h"

namespace assay::api::table {

enum class IncludeObject { kNone, kMetadata, kObject };

struct TableOptions {
  std::string version = "v1";  // of the objects, where they are included
  IncludeObject include_object = IncludeObject::kMetadata;
  bool no_headers = false;
  // Of the list; empty for a single object.
  std::string resource_version;
  std::string continue_;
};

// A Table document of `objects`, all of `kind`, as JSON text. In a watch each event's object is the
// Table of one object; only the first carries columns (no_headers for the rest).
std::string EncodeTable(const Kind& kind, const std::vector<Object>& objects, WallTime now,
                        const TableOptions& options);

// "5d3h", "45s", "<unknown>": how kubectl's AGE column prints a duration.
std::string HumanDuration(Duration duration);

}  // namespace assay::api::table

#endif  // ASSAY_API_TABLE_TABLE_H_
