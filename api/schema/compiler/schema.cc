#include "api/schema/compiler/schema.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

namespace assay::api::schema::compiler {
namespace {

const std::set<std::string>& Scalars() {
  static const std::set<std::string> scalars = {
      "bool", "int32",     "int64",    "string",      "bytes",        "Quantity",
      "Time", "MicroTime", "Duration", "IntOrString", "RawExtension", "FieldsV1"};
  return scalars;
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) {
    parts.push_back(part);
  }
  return parts;
}

// Words of a line; blanks within parentheses do not separate.
std::vector<std::string> Words(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  int depth = 0;
  for (char c : line) {
    if (c == ' ' && depth == 0) {
      if (!word.empty()) {
        words.push_back(std::move(word));
      }
      word.clear();
      continue;
    }
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    word += c;
  }
  if (!word.empty()) {
    words.push_back(std::move(word));
  }
  return words;
}

class FileReader {
 public:
  FileReader(std::string path, Schema& schema) : path_(std::move(path)), schema_(schema) {}

  void Read() {
    std::ifstream in(path_);
    if (!in) {
      throw SchemaError(path_ + ": cannot be read");
    }
    for (std::string line; std::getline(in, line);) {
      ++line_;
      if (line.empty() || line[0] == '#') {
        continue;
      }
      std::vector<std::string> words = Words(line);
      if (line[0] == ' ') {
        ReadField(words);
      } else {
        ReadDirective(words);
      }
    }
  }

 private:
  [[noreturn]] void Fail(const std::string& what) const {
    throw SchemaError(Where() + ": " + what);
  }
  std::string Where() const { return path_ + ":" + std::to_string(line_); }

  void Expect(bool condition, const std::string& what) const {
    if (!condition) {
      Fail(what);
    }
  }

  void ReadDirective(const std::vector<std::string>& words) {
    const std::string& directive = words[0];
    Expect(words.size() >= 2, "a name is expected after " + directive);
    if (directive == "group") {
      Expect(words.size() == 3, "expected: group NAME VERSION");
      group_ = words[1] == "\"\"" ? "" : words[1];
      version_ = words[2];
    } else if (directive == "package") {
      package_ = words[1];
    } else if (directive == "namespace") {
      namespace_ = words[1];
    } else if (directive == "alias") {
      Expect(words.size() == 3, "expected: alias NAME SCALAR");
      AddAlias(words[1], words[2], {});
    } else if (directive == "enum") {
      std::vector<std::string> values(words.begin() + 2, words.end());
      std::replace(values.begin(), values.end(), std::string("\"\""), std::string());
      AddAlias(words[1], "string", std::move(values));
    } else if (directive == "message") {
      AddMessage(words);
    } else if (directive == "kind") {
      AddKind(words);
    } else if (directive == "wire") {
      schema_.wires.push_back({words[1], words.size() > 2 ? words[2] : ApiVersion(), namespace_});
    } else {
      Fail("unknown directive " + directive);
    }
  }

  std::string ApiVersion() const { return group_.empty() ? version_ : group_ + "/" + version_; }

  void AddAlias(const std::string& name, const std::string& scalar,
                std::vector<std::string> values) {
    Expect(Scalars().contains(scalar), scalar + " is no scalar");
    schema_.aliases[namespace_ + "::" + name] = {scalar, version_ + "." + name, std::move(values),
                                                 namespace_, name};
  }

  void AddMessage(const std::vector<std::string>& words) {
    Message message{words[1], namespace_, package_, version_, {}, Where()};
    for (std::size_t i = 2; i < words.size(); ++i) {
      if (words[i] == "atomic") {
        message.atomic = true;
      } else if (words[i] == "typed") {
        message.has_type_meta = true;
      } else if (words[i] == "listwrapper") {
        message.list_wrapper = true;
      } else {
        Fail("unknown flag " + words[i]);
      }
    }
    Expect(schema_.message_index.emplace(message.QualifiedName(), schema_.messages.size()).second,
           "message " + message.name + " is defined twice");
    schema_.messages.push_back(std::move(message));
  }

  void AddKind(const std::vector<std::string>& words) {
    Expect(words.size() >= 3, "expected: kind NAME PLURAL FLAGS");
    KindEntry kind;
    kind.kind = words[1];
    kind.plural = words[2];
    kind.singular = words[1];
    std::transform(kind.singular.begin(), kind.singular.end(), kind.singular.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    kind.group = group_;
    kind.version = version_;
    kind.cpp_namespace = namespace_;
    kind.where = Where();
    for (std::size_t i = 3; i < words.size(); ++i) {
      auto [flag, argument] = SplitFlag(words[i]);
      if (flag == "namespaced") {
        kind.namespaced = true;
      } else if (flag == "status") {
        kind.has_status = true;
      } else if (flag == "short") {
        kind.short_names = Split(argument, ',');
      } else if (flag == "category") {
        kind.categories = Split(argument, ',');
      } else if (flag == "singular") {
        kind.singular = argument;
      } else if (flag == "since") {
        kind.since = argument;
      } else if (flag == "until") {
        kind.until = argument;
      } else {
        Fail("unknown flag " + flag);
      }
    }
    schema_.kinds.push_back(std::move(kind));
  }

  // "map(a,b)" -> {"map", "a,b"}.
  std::pair<std::string, std::string> SplitFlag(const std::string& word) const {
    std::size_t open = word.find('(');
    if (open == std::string::npos) {
      return {word, ""};
    }
    Expect(word.back() == ')', "a ) is missing in " + word);
    return {word.substr(0, open), word.substr(open + 1, word.size() - open - 2)};
  }

  void ReadField(const std::vector<std::string>& words) {
    Expect(!schema_.messages.empty(), "a field outside of a message");
    Expect(words.size() >= 3, "expected: NAME NUMBER TYPE FLAGS");
    Field field;
    field.where = Where();
    field.name = words[0];
    field.cpp_name = ToCppName(field.name);
    field.number = words[1];
    Expect(std::all_of(field.number.begin(), field.number.end(),
                       [](unsigned char c) { return std::isdigit(c) != 0; }),
           field.number + " is no field number");
    field.type = words[2];
    for (const char* shape : {"?", "[]", "{}"}) {
      if (field.type.starts_with(shape)) {
        field.shape = shape;
        field.type = field.type.substr(field.shape.size());
        break;
      }
    }
    for (std::size_t i = 3; i < words.size(); ++i) {
      ReadFieldFlag(words[i], field);
    }
    Expect(!field.nilable || field.shape == "[]", "only a list is nilable");
    schema_.messages.back().fields.push_back(std::move(field));
  }

  void ReadFieldFlag(const std::string& word, Field& field) const {
    auto [flag, argument] = SplitFlag(word);
    if (flag == "inline") {
      field.is_inline = true;
    } else if (flag == "required") {
      field.required = true;
    } else if (flag == "always") {
      field.always = true;
    } else if (flag == "omitzero") {
      field.omitzero = true;
    } else if (flag == "nilable") {
      field.nilable = true;
    } else if (flag == "atomic" || flag == "set" || flag == "granular") {
      field.merge = flag;
    } else if (flag == "map") {
      field.merge = flag;
      field.map_keys = Split(argument, ',');
    } else if (flag == "patch") {
      std::size_t colon = argument.find(':');
      field.patch_strategies = Split(argument.substr(0, colon), ',');
      if (colon != std::string::npos) {
        field.patch_merge_key = argument.substr(colon + 1);
      }
    } else if (flag == "gate") {
      field.gate = argument;
    } else if (flag == "default") {
      field.default_json = argument;
    } else if (flag == "since") {
      field.since = argument;
    } else if (flag == "until") {
      field.until = argument;
    } else {
      Fail("unknown flag " + flag);
    }
  }

  std::string path_;
  Schema& schema_;
  int line_ = 0;
  std::string group_, version_, package_, namespace_;
};

void CheckFields(const Schema& schema) {
  for (const Message& message : schema.messages) {
    std::set<std::string> names, numbers;
    int inlines = 0;
    for (const Field& field : message.fields) {
      if (!names.insert(field.name).second) {
        throw SchemaError(field.where + ": field " + field.name + " is defined twice");
      }
      if (field.number != "0" && !numbers.insert(field.number).second) {
        throw SchemaError(field.where + ": number " + field.number + " is used twice");
      }
      const Message* target = schema.FindMessage(field.type, message.cpp_namespace);
      if (target == nullptr && schema.FindAlias(field.type, message.cpp_namespace) == nullptr &&
          !Scalars().contains(field.type)) {
        throw SchemaError(field.where + ": unknown type " + field.type);
      }
      // An inline struct is a base class at offset 0: there can be one.
      inlines += field.is_inline ? 1 : 0;
      if (field.is_inline && (target == nullptr || !field.shape.empty() || inlines > 1)) {
        throw SchemaError(field.where + ": at most one field, a message by value, can be inline");
      }
    }
  }
}

// Orders messages so that each stands after those that it holds.
void SortMessages(Schema& schema) {
  std::vector<Message> sorted;
  std::map<std::string, int> state;  // 1: being visited, 2: done
  std::function<void(const Message&)> visit = [&](const Message& message) {
    int& mark = state[message.QualifiedName()];
    if (mark == 1) {
      throw SchemaError(message.where + ": message " + message.name + " contains itself");
    }
    if (mark == 2) {
      return;
    }
    mark = 1;
    for (const Field& field : message.fields) {
      if (const Message* used = schema.FindMessage(field.type, message.cpp_namespace)) {
        visit(*used);
      }
    }
    state[message.QualifiedName()] = 2;
    sorted.push_back(message);
  };
  for (const Message& message : schema.messages) {
    visit(message);
  }
  schema.messages = std::move(sorted);
  for (std::size_t i = 0; i < schema.messages.size(); ++i) {
    schema.message_index[schema.messages[i].QualifiedName()] = i;
  }
}

// "core.NodeSelector" and "Device" (seen from a namespace) -> "core::NodeSelector".
std::string Qualify(const std::string& type, const std::string& from) {
  std::size_t dot = type.find('.');
  return dot == std::string::npos ? from + "::" + type
                                  : type.substr(0, dot) + "::" + type.substr(dot + 1);
}

}  // namespace

const Message* Schema::FindMessage(const std::string& type, const std::string& from) const {
  auto found = message_index.find(Qualify(type, from));
  return found == message_index.end() ? nullptr : &messages[found->second];
}

const Alias* Schema::FindAlias(const std::string& type, const std::string& from) const {
  auto found = aliases.find(Qualify(type, from));
  return found == aliases.end() ? nullptr : &found->second;
}

Schema ReadSchema(const std::vector<std::string>& paths) {
  Schema schema;
  for (const std::string& path : paths) {
    FileReader(path, schema).Read();
  }
  CheckFields(schema);
  SortMessages(schema);
  for (const KindEntry& kind : schema.kinds) {
    if (schema.FindMessage(kind.kind, kind.cpp_namespace) == nullptr) {
      throw SchemaError(kind.where + ": kind " + kind.kind + " has no message");
    }
  }
  return schema;
}

std::string ToCppName(const std::string& json_name) {
  auto is_upper = [&](std::size_t i) {
    return i < json_name.size() && std::isupper(static_cast<unsigned char>(json_name[i])) != 0;
  };
  std::string name;
  for (std::size_t i = 0; i < json_name.size(); ++i) {
    if (i > 0 && is_upper(i)) {
      // A new word starts after a lower-case letter or digit, and at the last capital of a run
      // ("CIDRMask" -> cidr_mask), but for the plural s of an acronym ("podIPs" -> pod_ips).
      bool next_is_lower = i + 1 < json_name.size() && !is_upper(i + 1) &&
                           std::isalpha(static_cast<unsigned char>(json_name[i + 1])) != 0;
      bool plural = i + 1 < json_name.size() && json_name[i + 1] == 's' &&
                    (i + 2 == json_name.size() || is_upper(i + 2));
      if (!is_upper(i - 1) || (next_is_lower && !plural)) {
        name += '_';
      }
    }
    name += static_cast<char>(std::tolower(static_cast<unsigned char>(json_name[i])));
  }
  static const std::set<std::string> keywords = {
      "and",     "auto",      "bool",      "break",    "case",     "catch",    "char",
      "class",   "concept",   "const",     "continue", "default",  "delete",   "do",
      "double",  "else",      "enum",      "explicit", "export",   "extern",   "false",
      "float",   "for",       "friend",    "goto",     "if",       "inline",   "int",
      "long",    "mutable",   "namespace", "new",      "not",      "operator", "or",
      "private", "protected", "public",    "register", "requires", "return",   "short",
      "signed",  "sizeof",    "static",    "struct",   "switch",   "template", "this",
      "throw",   "true",      "try",       "typedef",  "typename", "union",    "unsigned",
      "using",   "virtual",   "void",      "volatile", "while",    "xor"};
  return keywords.contains(name) ? name + "_" : name;
}

}  // namespace assay::api::schema::compiler
