// The schema files in memory: what api/schema/compiler reads. The format is in
// api/schema/README.md.
#ifndef ASSAY_API_SCHEMA_COMPILER_SCHEMA_H_
#define ASSAY_API_SCHEMA_COMPILER_SCHEMA_H_

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace assay::api::schema::compiler {

// A mistake in a schema file: "file:line: what". The compiler is a host tool of one thread; it ends
// with the first.
struct SchemaError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Field {
  std::string name;      // JSON
  std::string cpp_name;  // snake_case
  std::string number;
  std::string shape;  // "", "?", "[]", "{}"
  std::string type;   // as written
  bool is_inline = false;
  bool required = false;
  bool always = false;
  bool omitzero = false;
  bool nilable = false;
  std::string merge;  // "atomic", "set", "map", "granular" or empty
  std::vector<std::string> map_keys;
  std::vector<std::string> patch_strategies;
  std::string patch_merge_key;
  std::string gate;
  std::string default_json;
  std::string since, until;
  std::string where;  // "file:line"
};

struct Message {
  std::string name;
  std::string cpp_namespace;  // "resource", "resource::v1beta1"
  std::string package;        // "io.k8s.api.resource.v1"
  std::string version;        // "v1": how Go prints its package
  std::vector<Field> fields;
  std::string where;
  bool atomic = false;
  bool list_wrapper = false;
  bool has_type_meta = false;

  std::string QualifiedName() const { return cpp_namespace + "::" + name; }
};

// A named scalar.
struct Alias {
  std::string scalar;               // "string", "int32", …
  std::string go_name;              // "v1.DeviceTaintEffect"
  std::vector<std::string> values;  // of an enum
  std::string cpp_namespace;
  std::string name;
};

struct KindEntry {
  std::string kind, plural, singular;
  std::vector<std::string> short_names, categories;
  bool namespaced = false;
  bool has_status = false;
  std::string group, version, cpp_namespace, since, until;
  std::string where;
};

struct WireEntry {
  std::string name, api_version, cpp_namespace;
};

struct Schema {
  std::vector<Message> messages;                     // each after those that it uses
  std::map<std::string, std::size_t> message_index;  // by qualified name
  std::map<std::string, Alias> aliases;              // by qualified name
  std::vector<KindEntry> kinds;
  std::vector<WireEntry> wires;

  // What a field's type means, seen from a namespace: a message, an alias, or neither (a scalar).
  const Message* FindMessage(const std::string& type, const std::string& from) const;
  const Alias* FindAlias(const std::string& type, const std::string& from) const;
};

// Reads and checks all files. Throws SchemaError.
Schema ReadSchema(const std::vector<std::string>& paths);

// "podIPs" -> "pod_ips"; a C++ keyword gets a "_" behind it.
std::string ToCppName(const std::string& json_name);

}  // namespace assay::api::schema::compiler

#endif  // ASSAY_API_SCHEMA_COMPILER_SCHEMA_H_
