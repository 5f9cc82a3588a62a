// Turns a Schema into C++: for each namespace types.h (structs) and types.cc (descriptors), and for
// all of them kinds.cc.
#ifndef ASSAY_API_SCHEMA_COMPILER_EMITTER_H_
#define ASSAY_API_SCHEMA_COMPILER_EMITTER_H_

#include <map>
#include <string>

#include "api/schema/compiler/schema.h"

namespace assay::api::schema::compiler {

// Text by path, relative to the root of generated includes ("api/resource/types.h").
std::map<std::string, std::string> Emit(const Schema& schema);

}  // namespace assay::api::schema::compiler

#endif  // ASSAY_API_SCHEMA_COMPILER_EMITTER_H_
