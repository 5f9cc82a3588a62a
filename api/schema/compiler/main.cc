// schema_compiler OUT FILE...: makes the C++ of the schema files under OUT. Files whose text did
// not change keep their time. Exit 1 with "file:line: what" for a mistake in a schema file.

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "api/schema/compiler/emitter.h"
#include "api/schema/compiler/schema.h"

namespace {

std::string Read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

int main(int argc, char** argv) {
  using namespace assay::api::schema::compiler;  // NOLINT(google-build-using-namespace)
  if (argc < 3) {
    std::fprintf(stderr, "usage: schema_compiler OUT FILE...\n");
    return 2;
  }
  try {
    for (const auto& [name, text] : Emit(ReadSchema({argv + 2, argv + argc}))) {
      std::filesystem::path path = std::filesystem::path(argv[1]) / name;
      if (std::filesystem::exists(path) && Read(path) == text) {
        continue;
      }
      std::filesystem::create_directories(path.parent_path());
      std::ofstream out(path);
      out << text;
      out.close();
      if (!out) {
        throw SchemaError(path.string() + ": cannot be written");
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
