// WriteYaml: JSON as YAML, as kubectl prints it: block style, keys in their order, strings quoted
// only where they would be read as something else.
//
// Thread-safe: a function.
#ifndef ASSAY_TOOLS_ASSAY_YAML_WRITER_H_
#define ASSAY_TOOLS_ASSAY_YAML_WRITER_H_

#include <nlohmann/json_fwd.hpp>
#include <ostream>

namespace assay::tools {

void WriteYaml(const nlohmann::ordered_json& value, std::ostream& out);

}  // namespace assay::tools

#endif  // ASSAY_TOOLS_ASSAY_YAML_WRITER_H_
