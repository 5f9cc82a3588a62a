#include "api/schema/compiler/emitter.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <sstream>
#include <tuple>

namespace assay::api::schema::compiler {
namespace {

constexpr char kNotice[] = "// Made from api/schema/definitions by api/schema/compiler.\n";

std::string Folder(const std::string& cpp_namespace) {
  std::string folder = "api/" + cpp_namespace;
  for (std::size_t at; (at = folder.find("::")) != std::string::npos;) {
    folder.replace(at, 2, "/");
  }
  return folder;
}

std::string Guard(const std::string& path) {
  std::string guard = "ASSAY_";
  for (char c : path) {
    guard += std::isalnum(static_cast<unsigned char>(c)) != 0
                 ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                 : '_';
  }
  return guard + "_";
}

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
    }
    quoted += c;
  }
  return quoted + "\"";
}

std::string LevelConstant(const std::string& level) {
  std::string name = level;
  std::replace(name.begin(), name.end(), '.', '_');
  return "Level::k" + name;
}

// Emits the pair of files of one namespace.
class NamespaceEmitter {
 public:
  NamespaceEmitter(const Schema& schema, std::string cpp_namespace)
      : schema_(schema), namespace_(std::move(cpp_namespace)) {
    for (const Message& message : schema.messages) {
      if (message.cpp_namespace == namespace_) {
        messages_.push_back(&message);
      }
    }
  }

  std::string Header() const {
    std::ostringstream out;
    std::string guard = Guard(Folder(namespace_) + "/types.h");
    out << kNotice << "#ifndef " << guard << "\n#define " << guard << "\n\n"
        << "#include <cstdint>\n#include <map>\n#include <optional>\n#include <string>\n"
        << "#include <vector>\n\n";
    std::set<std::string> includes;
    if (namespace_ == "meta") {
      includes = {"api/meta/nilable_list.h", "api/meta/quantity.h", "api/meta/scalars.h",
                  "api/meta/time.h"};
    } else {
      includes = {"api/meta/types.h"};
    }
    for (const Message* message : messages_) {
      for (const Field& field : message->fields) {
        const Message* used = schema_.FindMessage(field.type, namespace_);
        if (used != nullptr && used->cpp_namespace != namespace_) {
          includes.insert(Folder(used->cpp_namespace) + "/types.h");
        }
      }
    }
    for (const std::string& include : includes) {
      out << "#include \"" << include << "\"\n";
    }
    out << "\nnamespace assay::api::schema {\nstruct MessageDescriptor;\n"
        << "template <typename T>\nconst MessageDescriptor& DescriptorOf();\n}\n"
        << "namespace assay::api {\nstruct Kind;\ntemplate <typename T>\nconst Kind& "
           "KindOf();\n}\n";
    out << "\nnamespace assay::api::" << namespace_ << " {\n";
    for (const Message* message : messages_) {
      EmitStruct(*message, out);
    }
    out << "\nnamespace descriptors {\n";
    for (const Message* message : messages_) {
      out << "extern const schema::MessageDescriptor k" << message->name << ";\n";
    }
    out << "}  // namespace descriptors\n\n}  // namespace assay::api::" << namespace_ << "\n\n"
        << "namespace assay::api::schema {\n";
    for (const Message* message : messages_) {
      std::string type = "api::" + namespace_ + "::" + message->name;
      out << "template <>\ninline const MessageDescriptor& DescriptorOf<" << type << ">() {\n"
          << "  return api::" << namespace_ << "::descriptors::k" << message->name << ";\n}\n";
    }
    out << "}  // namespace assay::api::schema\n\nnamespace assay::api {\n";
    for (const KindEntry& kind : schema_.kinds) {
      // Only the hub's type stands for the kind.
      if (kind.cpp_namespace == namespace_ && namespace_.find("::") == std::string::npos) {
        out << "template <>\nconst Kind& KindOf<" << namespace_ << "::" << kind.kind << ">();\n";
      }
    }
    out << "}  // namespace assay::api\n\n#endif  // " << guard << "\n";
    return out.str();
  }

  std::string Source() const {
    std::ostringstream out;
    out << kNotice << "#include \"" << Folder(namespace_) << "/types.h\"\n\n"
        << "#include <cstddef>\n#include <string_view>\n\n"
        << "#include \"api/schema/container_ops.h\"\n#include \"api/schema/descriptor.h\"\n\n"
        // The types are no standard-layout ones, for which offsetof is only "conditionally
        // supported"; g++ and clang support it where there are no virtual bases.
        << "#pragma GCC diagnostic ignored \"-Winvalid-offsetof\"\n\n"
        << "namespace assay::api::" << namespace_ << " {\nnamespace {\n\n"
        << "using namespace schema;  // NOLINT(google-build-using-namespace)\n\n";
    EmitEnums(out);
    for (const Message* message : messages_) {
      EmitFields(*message, out);
    }
    out << "}  // namespace\n\nnamespace descriptors {\n";
    for (const Message* message : messages_) {
      EmitDescriptor(*message, out);
    }
    out << "}  // namespace descriptors\n\n}  // namespace assay::api::" << namespace_ << "\n";
    return out.str();
  }

 private:
  std::string Scalar(const Field& field) const {
    const Alias* alias = schema_.FindAlias(field.type, namespace_);
    return alias != nullptr ? alias->scalar : field.type;
  }

  // The C++ type of one value of the field.
  std::string ElementType(const Field& field) const {
    if (const Message* used = schema_.FindMessage(field.type, namespace_)) {
      return used->cpp_namespace == namespace_ ? used->name
                                               : "api::" + used->cpp_namespace + "::" + used->name;
    }
    std::string scalar = Scalar(field);
    if (scalar == "bool") {
      return field.shape == "[]" ? "meta::Bool" : "bool";
    }
    if (scalar == "int32" || scalar == "int64") {
      return "std::" + scalar + "_t";
    }
    return scalar == "string" || scalar == "bytes" ? "std::string" : "meta::" + scalar;
  }

  std::string CppType(const Field& field) const {
    std::string element = ElementType(field);
    if (field.shape == "?") {
      return "std::optional<" + element + ">";
    }
    if (field.shape == "[]") {
      return (field.nilable ? "meta::NilableList<" : "std::vector<") + element + ">";
    }
    return field.shape == "{}" ? "std::map<std::string, " + element + ">" : element;
  }

  void EmitStruct(const Message& message, std::ostringstream& out) const {
    out << "\nstruct " << message.name;
    for (const Field& field : message.fields) {
      if (field.is_inline) {
        out << " : " << ElementType(field);
      }
    }
    out << " {\n";
    for (const Field& field : message.fields) {
      if (!field.is_inline) {
        // Initialised, so that designated initialisers may leave any field out.
        out << "  " << CppType(field) << " " << field.cpp_name << "{};\n";
      }
    }
    out << "  friend bool operator==(const " << message.name << "&, const " << message.name
        << "&) = default;\n};\n";
  }

  void EmitEnums(std::ostringstream& out) const {
    std::set<std::string> done;
    for (const Message* message : messages_) {
      for (const Field& field : message->fields) {
        const Alias* alias = schema_.FindAlias(field.type, namespace_);
        if (alias == nullptr || alias->values.empty() || !done.insert(field.type).second) {
          continue;
        }
        out << "constexpr std::string_view " << EnumName(field) << "[] = {";
        for (const std::string& value : alias->values) {
          out << Quoted(value) << ", ";
        }
        out << "};\n";
      }
    }
    out << "\n";
  }

  std::string EnumName(const Field& field) const {
    std::string name = field.type;
    std::replace(name.begin(), name.end(), '.', '_');
    return "kEnum_" + name;
  }

  void EmitFields(const Message& message, std::ostringstream& out) const {
    for (const Field& field : message.fields) {
      if (!field.map_keys.empty()) {
        out << "constexpr std::string_view kKeys_" << message.name << "_" << field.cpp_name
            << "[] = {";
        for (const std::string& key : field.map_keys) {
          out << Quoted(key) << ", ";
        }
        out << "};\n";
      }
    }
    if (message.fields.empty()) {
      return;
    }
    out << "constexpr FieldDescriptor kFields_" << message.name << "[] = {\n";
    for (const Field& field : message.fields) {
      EmitField(message, field, out);
    }
    out << "};\nconstexpr std::uint16_t kNumbers_" << message.name << "[] = {";
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < message.fields.size(); ++i) {
      if (message.fields[i].number != "0") {
        order.push_back(i);
      }
    }
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::stoul(message.fields[a].number) < std::stoul(message.fields[b].number);
    });
    for (std::size_t i : order) {
      out << i << ", ";
    }
    // An array needs an item; the descriptor's span leaves it out.
    out << (order.empty() ? "0" : "") << "};\n\n";
  }

  void EmitField(const Message& message, const Field& field, std::ostringstream& out) const {
    const Message* used = schema_.FindMessage(field.type, namespace_);
    const Alias* alias = schema_.FindAlias(field.type, namespace_);
    std::string type = used != nullptr ? "Message" : Scalar(field);
    type[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(type[0])));
    std::string element = ElementType(field);
    out << "    {.name = " << Quoted(field.name) << ", .number = " << field.number
        << ", .type = Type::k" << type << ", .shape = Shape::k"
        << (field.shape == "?"    ? "Optional"
            : field.shape == "[]" ? "List"
            : field.shape == "{}" ? "Map"
                                  : "Value")
        << ", .omit = Omit::k"
        << (field.omitzero                   ? "Zero"
            : field.required || field.always ? "Never"
                                             : "Empty");
    if (field.is_inline) {
      out << ", .is_inline = true";
    }
    if (field.required) {
      out << ", .required = true";
    }
    if (!field.merge.empty()) {
      std::string merge = field.merge;
      merge[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(merge[0])));
      out << ", .merge = Merge::k" << merge;
    }
    if (!field.patch_strategies.empty()) {
      out << ", .patch_strategy = 0";
      for (const std::string& strategy : field.patch_strategies) {
        out << " | "
            << (strategy == "merge"        ? "kPatchMerge"
                : strategy == "retainKeys" ? "kPatchRetainKeys"
                                           : "kPatchReplace");
      }
    }
    out << ", .offset = "
        << (field.is_inline ? "0" : "offsetof(" + message.name + ", " + field.cpp_name + ")");
    if (used != nullptr) {
      out << ", .message = &api::" << used->cpp_namespace << "::descriptors::k" << used->name;
    }
    if (field.shape == "?") {
      out << ", .optional_ops = &kOptionalOps<" << element << ">";
    } else if (field.shape == "[]") {
      out << ", .list_ops = &" << (field.nilable ? "kNilableListOps<" : "kListOps<") << element
          << ">";
    } else if (field.shape == "{}") {
      out << ", .map_ops = &kMapOps<" << element << ">";
    }
    if (!field.patch_merge_key.empty()) {
      out << ", .patch_merge_key = " << Quoted(field.patch_merge_key);
    }
    if (!field.map_keys.empty()) {
      out << ", .list_map_keys = kKeys_" << message.name << "_" << field.cpp_name;
    }
    if (!field.gate.empty()) {
      out << ", .feature_gate = " << Quoted(field.gate);
    }
    if (!field.default_json.empty()) {
      out << ", .default_json = " << Quoted(field.default_json);
    }
    if (alias != nullptr) {
      out << ", .go_type = " << Quoted(alias->go_name);
      if (!alias->values.empty()) {
        out << ", .enum_values = " << EnumName(field);
      }
    }
    if (!field.since.empty()) {
      out << ", .since = " << LevelConstant(field.since);
    }
    if (!field.until.empty()) {
      out << ", .until = " << LevelConstant(field.until);
    }
    out << "},\n";
  }

  void EmitDescriptor(const Message& message, std::ostringstream& out) const {
    bool has_numbers = std::any_of(message.fields.begin(), message.fields.end(),
                                   [](const Field& field) { return field.number != "0"; });
    out << "constinit const schema::MessageDescriptor k" << message.name
        << " = {\n    .name = " << Quoted(message.name)
        << ", .full_name = " << Quoted(message.package + "." + message.name)
        << ", .go_name = " << Quoted(message.version + "." + message.name);
    if (!message.fields.empty()) {
      out << ", .fields = kFields_" << message.name;
    }
    if (has_numbers) {
      out << ", .by_number = kNumbers_" << message.name;
    }
    if (message.atomic) {
      out << ", .merge = schema::Merge::kAtomic";
    }
    if (message.has_type_meta) {
      out << ", .has_type_meta = true";
    }
    if (message.list_wrapper) {
      out << ", .is_list_wrapper = true";
    }
    out << ", .size = sizeof(" << message.name << "), .alignment = alignof(" << message.name
        << "), .construct = &schema::Construct<" << message.name
        << ">, .copy_construct = &schema::CopyConstruct<" << message.name
        << ">, .destroy = &schema::Destroy<" << message.name << ">};\n";
  }

  const Schema& schema_;
  std::string namespace_;
  std::vector<const Message*> messages_;
};

bool IsHub(const KindEntry& entry) { return entry.cpp_namespace.find("::") == std::string::npos; }

// Orders versions as Kubernetes does: v1 before v1beta2 before v1beta1 before v1alpha1.
std::tuple<int, int, int> VersionRank(const std::string& version) {
  int major = 0, minor = 0, stage = 0;
  std::size_t at = 1;
  auto number = [&] {
    int value = 0;
    while (at < version.size() && std::isdigit(static_cast<unsigned char>(version[at])) != 0) {
      value = value * 10 + (version[at++] - '0');
    }
    return value;
  };
  major = number();
  if (version.compare(at, 4, "beta") == 0) {
    stage = 1;
    at += 4;
  } else if (version.compare(at, 5, "alpha") == 0) {
    stage = 2;
    at += 5;
  }
  minor = number();
  return {stage, -major, -minor};
}

std::string EmitNames(const std::vector<std::string>& names) {
  std::string text = "{";
  for (const std::string& name : names) {
    text += Quoted(name) + ", ";
  }
  return text + "}";
}

std::string EmitKinds(const Schema& schema) {
  std::map<std::pair<std::string, std::string>, std::vector<KindEntry>> kinds;
  for (const KindEntry& entry : schema.kinds) {
    kinds[{entry.group, entry.kind}].push_back(entry);
  }
  std::ostringstream out, functions, list;
  std::set<std::string> includes;
  for (auto& [name, versions] : kinds) {
    std::sort(versions.begin(), versions.end(), [](const KindEntry& a, const KindEntry& b) {
      return std::tuple(!IsHub(a), VersionRank(a.version)) <
             std::tuple(!IsHub(b), VersionRank(b.version));
    });
    const KindEntry& hub = versions.front();
    if (!IsHub(hub)) {
      throw SchemaError(hub.where + ": kind " + hub.kind + " has no hub version");
    }
    functions << "template <>\nconst Kind& KindOf<" << hub.cpp_namespace << "::" << hub.kind
              << ">() {\n  static const Kind kind = {\n      .group = " << Quoted(hub.group)
              << ", .kind = " << Quoted(hub.kind) << ", .resource = " << Quoted(hub.plural)
              << ", .singular = " << Quoted(hub.singular)
              << ",\n      .short_names = " << EmitNames(hub.short_names)
              << ", .categories = " << EmitNames(hub.categories)
              << ",\n      .namespaced = " << (hub.namespaced ? "true" : "false")
              << ", .has_status = " << (hub.has_status ? "true" : "false")
              << ",\n      .versions = {";
    for (const KindEntry& version : versions) {
      includes.insert(Folder(version.cpp_namespace) + "/types.h");
      functions << "\n          {.version = " << Quoted(version.version)
                << ", .message = &schema::DescriptorOf<" << version.cpp_namespace
                << "::" << version.kind << ">()";
      if (!version.since.empty()) {
        functions << ", .since = " << LevelConstant(version.since);
      }
      if (!version.until.empty()) {
        functions << ", .until = " << LevelConstant(version.until);
      }
      functions << "},";
    }
    functions << "}};\n  return kind;\n}\n\n";
    list << "      &KindOf<" << hub.cpp_namespace << "::" << hub.kind << ">(),\n";
  }
  std::ostringstream wires;
  for (const WireEntry& wire : schema.wires) {
    includes.insert(Folder(wire.cpp_namespace) + "/types.h");
    wires << "      {" << Quoted(wire.api_version) << ", " << Quoted(wire.name)
          << ", &schema::DescriptorOf<" << wire.cpp_namespace << "::" << wire.name << ">()},\n";
  }
  out << kNotice << "#include \"api/internal/kind_tables.h\"\n\n";
  for (const std::string& include : includes) {
    out << "#include \"" << include << "\"\n";
  }
  out << "\nnamespace assay::api {\n\n"
      << functions.str() << "namespace internal {\n\n"
      << "std::vector<const Kind*> GeneratedKinds() {\n  return {\n"
      << list.str() << "  };\n}\n\nstd::vector<WireMessage> GeneratedWireMessages() {\n  return {\n"
      << wires.str() << "  };\n}\n\n}  // namespace internal\n}  // namespace assay::api\n";
  return out.str();
}

}  // namespace

std::map<std::string, std::string> Emit(const Schema& schema) {
  std::set<std::string> namespaces;
  for (const Message& message : schema.messages) {
    namespaces.insert(message.cpp_namespace);
  }
  std::map<std::string, std::string> files;
  for (const std::string& name : namespaces) {
    NamespaceEmitter emitter(schema, name);
    files[Folder(name) + "/types.h"] = emitter.Header();
    files[Folder(name) + "/types.cc"] = emitter.Source();
  }
  files["api/kinds.cc"] = EmitKinds(schema);
  return files;
}

}  // namespace assay::api::schema::compiler
