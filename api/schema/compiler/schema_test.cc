#include "api/schema/compiler/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "api/schema/compiler/emitter.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::api::schema::compiler {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kHead = "group example.com v1\npackage io.example.v1\nnamespace thing\n";

// The schema of one file, or the message of its first mistake without the file's folder.
std::string Compile(std::string_view body, std::map<std::string, std::string>* files = nullptr) {
  Result<TempDir> directory = TempDir::Create();
  EXPECT_TRUE(directory.ok());
  std::string path = (directory->path() / "thing.schema").string();
  std::ofstream(path) << kHead << body;
  try {
    std::map<std::string, std::string> emitted = Emit(ReadSchema({path}));
    if (files != nullptr) {
      *files = std::move(emitted);
    }
    return "";
  } catch (const SchemaError& error) {
    std::string message = error.what();
    return message.substr(message.find("thing.schema"));
  }
}

TEST(SchemaCompilerTest, NamesBecomeSnakeCase) {
  for (const auto& [json, cpp] : std::vector<std::pair<std::string, std::string>>{
           {"nodeName", "node_name"},
           {"podIP", "pod_ip"},
           {"podIPs", "pod_ips"},
           {"hostIPs", "host_ips"},
           {"clusterIP", "cluster_ip"},
           {"podCIDRs", "pod_cidrs"},
           {"serverAddressByClientCIDRs", "server_address_by_client_cidrs"},
           {"targetWWNs", "target_wwns"},
           {"fieldsV1", "fields_v1"},
           {"shareID", "share_id"},
           {"namespace", "namespace_"},
           {"operator", "operator_"},
           {"int", "int_"},
           {"uid", "uid"},
       }) {
    EXPECT_EQ(ToCppName(json), cpp);
  }
}

TEST(SchemaCompilerTest, EmitsStructsDescriptorsAndKinds) {
  std::map<std::string, std::string> files;
  EXPECT_EQ(Compile("message Part\n  size 1 int64 required\n"
                    "message Thing\n  parts 2 []Part map(size) patch(merge:size)\n"
                    "kind Thing things namespaced short(th)\n",
                    &files),
            "");
  EXPECT_THAT(files["api/thing/types.h"], HasSubstr("std::vector<Part> parts{};"));
  EXPECT_THAT(files["api/thing/types.cc"], HasSubstr("offsetof(Thing, parts)"));
  EXPECT_THAT(files["api/thing/types.cc"], HasSubstr(".patch_merge_key = \"size\""));
  EXPECT_THAT(files["api/kinds.cc"], HasSubstr(".short_names = {\"th\", }"));
}

TEST(SchemaCompilerTest, MistakesAreNamedWithFileAndLine) {
  for (const auto& [body, error] : std::vector<std::pair<std::string, std::string>>{
           {"message A\n  x 1 Nonsense\n", "thing.schema:5: unknown type Nonsense"},
           {"message A\n  x one string\n", "thing.schema:5: one is no field number"},
           {"message A\n  x 1\n", "thing.schema:5: expected: NAME NUMBER TYPE FLAGS"},
           {"message A\n  x 1 string\n  x 2 string\n", "thing.schema:6: field x is defined twice"},
           {"message A\n  x 1 string\n  y 1 string\n", "thing.schema:6: number 1 is used twice"},
           {"message A\n  x 1 string oops\n", "thing.schema:5: unknown flag oops"},
           {"message A\n  x 1 ?B inline\nmessage B\n",
            "thing.schema:5: at most one field, a message by value, can be inline"},
           {"message A\n  b 1 ?B\nmessage B\n  a 1 ?A\n",
            "thing.schema:4: message A contains itself"},
           {"  x 1 string\n", "thing.schema:4: a field outside of a message"},
           {"frob A\n", "thing.schema:4: unknown directive frob"},
           {"kind A as\n", "thing.schema:4: kind A has no message"},
           {"alias A nonsense\n", "thing.schema:4: nonsense is no scalar"},
       }) {
    EXPECT_EQ(Compile(body), error);
  }
}

}  // namespace
}  // namespace assay::api::schema::compiler
