#include "cel/testing/expression_generator.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "cel/environment.h"
#include "cel/messages.h"
#include "cel/type.h"

namespace assay::cel::testing {
namespace {

constexpr int kMaxCalls = 40;

const FunctionTable& IncludesTable() {
  static const FunctionTable* const table = [] {
    auto* functions = new FunctionTable;
    functions->Add("includes", {{"dra_includes_dyn_dyn", "dyn.(dyn) -> bool"}});
    return functions;
  }();
  return *table;
}

// Not callable by name, or of no use without an authorizer.
bool IsLeftOut(const Function& function) {
  static constexpr std::array<std::string_view, 16> kNames = {"@not_strictly_false",
                                                              "@sortByAssociatedKeys",
                                                              "cel.@mapInsert",
                                                              "in",
                                                              "authorizer",
                                                              "serviceAccount",
                                                              "path",
                                                              "group",
                                                              "resource",
                                                              "subresource",
                                                              "namespace",
                                                              "name",
                                                              "check",
                                                              "allowed",
                                                              "fieldSelector",
                                                              "labelSelector"};
  return std::find(kNames.begin(), kNames.end(), function.name) != kNames.end();
}

}  // namespace

ExpressionGenerator::ExpressionGenerator(Random& random, const GeneratorOptions& options)
    : random_(random), options_(options) {
  const auto add = [this](const FunctionTable& table) {
    for (const auto& [name, function] : table.functions()) {
      if (IsLeftOut(*function)) {
        continue;
      }
      for (const Overload& overload : function->overloads) {
        candidates_.push_back({function.get(), &overload});
      }
    }
  };
  add(Environment::KubernetesFunctions());
  if (options.lists) {
    add(IncludesTable());
  }
}

std::string_view ExpressionGenerator::Pick(std::initializer_list<std::string_view> pool) {
  return *(pool.begin() + random_.Below(pool.size()));
}

std::string ExpressionGenerator::Next() {
  locals_.clear();
  in_literal_ = false;
  budget_ = kMaxCalls;
  percent_ill_typed_ = Chance(25) ? 6 : 0;
  const int depth =
      1 + static_cast<int>(random_.Below(static_cast<std::uint64_t>(options_.max_depth)));
  std::string text = Of(options_.any_type ? RandomType(2) : Type::Bool(), depth);
  return Chance(options_.percent_broken) ? Broken(std::move(text)) : text;
}

const Type* ExpressionGenerator::KeyType() {
  const std::array<const Type*, 4> types = {Type::String(), Type::Int(), Type::Bool(),
                                            Type::Uint()};
  return types[Chance(60) ? 0 : random_.Below(types.size())];
}

const Type* ExpressionGenerator::RandomType(int depth) {
  const auto opaque = [this](std::string_view name) { return Type::Opaque(arena_, name, {}); };
  if (Chance(2)) {
    return FindMessageType(Chance(50) ? "google.protobuf.Empty"
                                      : "google.protobuf.Struct.FieldsEntry")
        ->type;
  }
  switch (random_.Below(depth > 0 ? 24 : 16)) {
    case 0:
    case 1:
      return Type::Bool();
    case 2:
    case 3:
      return Type::Int();
    case 4:
      return Type::Uint();
    case 5:
      return Type::Double();
    case 6:
    case 7:
      return Type::String();
    case 8:
      return Type::Bytes();
    case 9:
      return Type::Duration();
    case 10:
      return Type::Timestamp();
    case 11:
      return Type::Struct(arena_, "kubernetes.Quantity");
    case 12:
      return Type::Struct(arena_, "kubernetes.Semver");
    case 13:
      return opaque(Chance(50) ? "net.IP" : "net.CIDR");
    case 14:
      return Type::Struct(arena_, "kubernetes.URL");
    case 15:
      return Chance(70) ? Type::Dyn() : (Chance(50) ? Type::Null() : Type::TypeType());
    case 16:
    case 17:
    case 18:
    case 19:
      return Type::List(arena_, RandomType(depth - 1));
    case 20:
    case 21:
      return Type::Map(arena_, KeyType(), RandomType(depth - 1));
    default:
      return Type::Optional(arena_, RandomType(depth - 1));
  }
}

std::string ExpressionGenerator::Of(const Type* type, int depth) {
  if (percent_ill_typed_ > 0 && Chance(percent_ill_typed_)) {
    if (Chance(30)) {
      return Chance(50) ? DevicePart() : Attribute(depth);
    }
    type = RandomType(1);
  }
  if (budget_ <= 0) {
    depth = 0;
  }
  if (Chance(2)) {
    return "dyn(" + OfType(type, depth - 1) + ")";
  }
  return OfType(type, depth);
}

std::string ExpressionGenerator::OfType(const Type* type, int depth) {
  if (!locals_.empty() && Chance(35)) {
    std::vector<std::string_view> names;
    for (const Local& local : locals_) {
      if (Same(local.type, type)) {
        names.push_back(local.name);
      }
    }
    if (!names.empty()) {
      return std::string(names[random_.Below(names.size())]);
    }
  }
  if (depth <= 0) {
    return Leaf(type);
  }
  --budget_;
  if (Chance(5)) {
    if (std::string message = Message(type, depth); !message.empty()) {
      return message;
    }
  }
  if (type->IsDyn()) {
    switch (random_.Below(6)) {
      case 0:
        return "dyn(" + Of(RandomType(1), depth - 1) + ")";
      case 1:
        return Of(RandomType(1), depth);
      case 2:
        return DevicePart();
      default:
        return Attribute(depth);
    }
  }
  if (Chance(12)) {
    return Macro(type, depth);
  }
  if (type->kind() == TypeKind::kList && Chance(35)) {
    return List(type->parameter(0), depth);
  }
  if (type->kind() == TypeKind::kMap && Chance(60)) {
    return Map(type->parameter(0), type->parameter(1), depth);
  }
  if (Chance(in_literal_ ? 0 : 8)) {
    return Attribute(depth);
  }
  std::vector<const Candidate*> fitting;
  for (const Candidate& candidate : candidates_) {
    Bindings bindings(static_cast<std::size_t>(candidate.overload->type_params));
    if (Unify(candidate.overload->result, type, bindings)) {
      // What returns any type is picked seldom, lest it be picked always.
      if (candidate.overload->result->kind() != TypeKind::kTypeParam || Chance(20)) {
        fitting.push_back(&candidate);
      }
    }
  }
  if (fitting.empty()) {
    return Leaf(type);
  }
  return Call(*fitting[random_.Below(fitting.size())], type, depth);
}

bool ExpressionGenerator::Unify(const Type* pattern, const Type* type, Bindings& bindings) const {
  if (pattern->kind() == TypeKind::kTypeParam) {
    const Type*& bound = bindings[static_cast<std::size_t>(pattern->variable())];
    if (bound == nullptr) {
      bound = type;
      return true;
    }
    return Same(bound, type);
  }
  if (pattern->kind() != type->kind() || pattern->name() != type->name() ||
      pattern->parameters().size() != type->parameters().size()) {
    return false;
  }
  for (std::size_t i = 0; i < pattern->parameters().size(); ++i) {
    if (!Unify(pattern->parameter(i), type->parameter(i), bindings)) {
      return false;
    }
  }
  return true;
}

const Type* ExpressionGenerator::Instantiate(const Type* pattern, Bindings& bindings) {
  if (pattern->kind() == TypeKind::kTypeParam) {
    const Type*& bound = bindings[static_cast<std::size_t>(pattern->variable())];
    if (bound == nullptr) {
      bound = RandomType(1);
    }
    return bound;
  }
  if (pattern->parameters().empty()) {
    return pattern;
  }
  std::vector<const Type*> parameters;
  for (const Type* parameter : pattern->parameters()) {
    parameters.push_back(Instantiate(parameter, bindings));
  }
  return arena_.New<Type>(pattern->kind(), pattern->name(), arena_.Copy(parameters));
}

std::string ExpressionGenerator::Message(const Type* type, int depth) {
  std::vector<const MessageType*> fitting;
  for (const MessageType& message : MessageTypes()) {
    if (Same(message.type, type) || (type->IsDyn() && message.type->IsDyn())) {
      fitting.push_back(&message);
    }
  }
  if (fitting.empty()) {
    return {};
  }
  const MessageType& message = *fitting[random_.Below(fitting.size())];
  std::string text = std::string(message.name) + "{";
  bool first = true;
  for (const MessageField& field : message.fields) {
    if (!Chance(message.form == MessageType::Form::kValue ? 25 : 80)) {
      continue;
    }
    const bool optional = Chance(8);
    std::string value = MessageFieldValue(message, field, optional, depth - 1);
    text += std::string(first ? "" : ", ") + (optional ? "?" : "") +
            (Chance(1) ? "missing" : std::string(field.name)) + ": " + value;
    first = false;
  }
  text += "}";
  if (message.type->kind() == TypeKind::kStruct && Chance(25)) {
    return "(" + text +
           std::string(Pick({".key)", ".value)", ".?key).orValue(\"\")", ".missing)"}));
  }
  return text;
}

std::string ExpressionGenerator::MessageFieldValue(const MessageType& message,
                                                   const MessageField& field, bool optional,
                                                   int depth) {
  if (message.form == MessageType::Form::kAny && Chance(90)) {
    return std::string(
        field.kind == FieldKind::kString
            ? Pick({"\"type.googleapis.com/google.protobuf.Int32Value\"",
                    "\"google.protobuf.Value\"", "\"x/google.protobuf.Struct\"",
                    "\"google.protobuf.StringValue\"", "\"a/google.protobuf.Timestamp\"", "\"\""})
            : Pick({"b\"\"", "b\"\\x08\\x05\"", "b\"\\n\\x03abc\"", "b\"\\x1a\\x01x\"",
                    "b\"\\xff\""}));
  }
  const Type* type = Chance(10) ? Type::Dyn() : field.type();
  if (type->IsDyn() && Chance(40)) {
    type = RandomType(1);
  }
  return Of(optional ? Type::Optional(arena_, type) : type, depth);
}

std::string ExpressionGenerator::Call(const Candidate& candidate, const Type* result, int depth) {
  const Overload& overload = *candidate.overload;
  Bindings bindings(static_cast<std::size_t>(overload.type_params));
  Unify(overload.result, result, bindings);
  std::vector<std::string> args;
  for (std::size_t i = 0; i < overload.params.size(); ++i) {
    // cel-go makes the list before it looks at the cost.
    if (candidate.function->name == "lists.range") {
      args.emplace_back(Pick({"0", "1", "3", "5", "20", "-1", "60"}));
      continue;
    }
    if (overload.params[i]->kind() == TypeKind::kString && Chance(75)) {
      std::string text = TextFor(candidate.function->name, i);
      if (!text.empty()) {
        args.push_back(std::move(text));
        continue;
      }
    }
    args.push_back(Of(Instantiate(overload.params[i], bindings), depth - 1));
  }
  return Spell(*candidate.function, overload, args);
}

std::string ExpressionGenerator::Spell(const Function& function, const Overload& overload,
                                       const std::vector<std::string>& args) {
  const std::string name(function.name);
  if (name == "_?_:_") {
    return "(" + args[0] + " ? " + args[1] + " : " + args[2] + ")";
  }
  if (name == "_[_]") {
    return args[0] + "[" + args[1] + "]";
  }
  if (name == "_[?_]") {
    return args[0] + "[?" + args[1] + "]";
  }
  if (name == "_?._") {
    return args[0] + ".?" + std::string(Pick({"a", "b", "s", "missing"}));
  }
  if (name == "!_" || name == "-_") {
    return name.substr(0, 1) + "(" + args[0] + ")";
  }
  if (name == "@in") {
    return "(" + args[0] + " in " + args[1] + ")";
  }
  if (name.size() > 2 && name.front() == '_' && name.back() == '_') {
    const std::string text = args[0] + " " + name.substr(1, name.size() - 2) + " " + args[1];
    return Chance(85) ? "(" + text + ")" : text;
  }
  std::string text = overload.is_member ? args[0] + "." + name + "(" : name + "(";
  const std::size_t first = overload.is_member ? 1 : 0;
  for (std::size_t i = first; i < args.size(); ++i) {
    text += (i == first ? "" : ", ") + args[i];
  }
  return text + ")";
}

std::string ExpressionGenerator::NewName() {
  return std::string(Pick({"x", "y", "z", "k", "v", "device", "a"})) +
         (Chance(50) ? "" : std::to_string(locals_.size()));
}

std::string ExpressionGenerator::Macro(const Type* type, int depth) {
  switch (random_.Below(6)) {
    case 0: {
      const Type* bound = RandomType(1);
      const std::string init = Of(bound, depth - 1);
      locals_.push_back({NewName(), bound});
      const std::string name = locals_.back().name;
      std::string text = "cel.bind(" + name + ", " + init + ", " + Of(type, depth - 1) + ")";
      locals_.pop_back();
      return text;
    }
    case 1:
      if (type->kind() == TypeKind::kBool) {
        return "has(" + (Chance(70) ? "device.attributes[\"dra.example.com\"]" : DevicePart()) +
               "." + std::string(Pick({"b", "i", "s", "missing", "driver"})) + ")";
      }
      break;
    case 2:
      if (type->IsOptional()) {
        const Type* inner = RandomType(1);
        const std::string operand = Of(Type::Optional(arena_, inner), depth - 1);
        locals_.push_back({NewName(), inner});
        const std::string name = locals_.back().name;
        const bool flat = Chance(50);
        std::string text = operand + (flat ? ".optFlatMap(" : ".optMap(") + name + ", " +
                           Of(flat ? type : type->parameter(0), depth - 1) + ")";
        locals_.pop_back();
        return text;
      }
      break;
    default:
      break;
  }
  return Comprehension(type, depth);
}

std::string ExpressionGenerator::Comprehension(const Type* type, int depth) {
  const bool map = Chance(25);
  const Type* key = map ? KeyType() : Type::Int();
  const Type* value = Chance(70) ? (Chance(50) ? Type::Int() : Type::String()) : RandomType(1);
  std::string range =
      map ? Of(Type::Map(arena_, key, value), depth - 1) : Of(Type::List(arena_, value), depth - 1);
  if (Chance(10)) {
    range = DevicePart();
    key = Type::String();
    value = Type::Dyn();
  }
  const bool two = Chance(35);
  const std::size_t outer = locals_.size();
  const std::string first = NewName();
  locals_.push_back({first, two || map ? key : value});
  std::string names = first;
  if (two) {
    locals_.push_back({NewName(), value});
    names += ", " + locals_.back().name;
  }
  std::string text;
  const auto predicate = [&] { return Of(Type::Bool(), depth - 1); };
  if (type->kind() == TypeKind::kBool) {
    const std::string_view macro = two ? Pick({"all", "exists", "existsOne", "exists_one"})
                                       : Pick({"all", "exists", "exists_one"});
    text = range + "." + std::string(macro) + "(" + names + ", " + predicate() + ")";
  } else if (type->kind() == TypeKind::kList) {
    switch (random_.Below(4)) {
      case 0:
        text = range + ".filter(" + first + ", " + predicate() + ")";
        break;
      case 1:
        text = range + ".sortBy(" + first + ", " +
               Of(Chance(50) ? Type::Int() : Type::String(), depth - 1) + ")";
        break;
      default:
        text = range + (two ? ".transformList(" : ".map(") + names + ", " +
               (Chance(30) ? predicate() + ", " : "") + Of(type->parameter(0), depth - 1) + ")";
        break;
    }
  } else if (type->kind() == TypeKind::kMap && two) {
    const bool entry = Chance(40);
    text = range + (entry ? ".transformMapEntry(" : ".transformMap(") + names + ", " +
           (Chance(30) ? predicate() + ", " : "") +
           (entry ? Map(type->parameter(0), type->parameter(1), 1)
                  : Of(type->parameter(1), depth - 1)) +
           ")";
  } else {
    locals_.resize(outer);
    return Leaf(type);
  }
  locals_.resize(outer);
  return text;
}

// A part of the device that is no attribute.
std::string ExpressionGenerator::DevicePart() {
  return std::string(
      Pick({"device", "device.driver", "device.allowMultipleAllocations", "device.attributes",
            "device.capacity", "device.attributes[device.driver]",
            "device.attributes[\"dra.example.com\"]", "device.capacity[\"dra.example.com\"]",
            "device.attributes[\"none.example.com\"]"}));
}

// An attribute: its type shows only at run time, but for an optional's.
std::string ExpressionGenerator::Attribute(int depth) {
  const std::string domain(Chance(85) ? "dra.example.com"
                                      : Pick({"other.example.com", "none.example.com"}));
  const std::string id(options_.lists && Chance(40) ? Pick({"il", "sl", "bl", "vl"})
                                                    : Pick({"b", "i", "s", "v", "n", "missing"}));
  const std::string path = "device.attributes[\"" + domain + "\"]";
  if (Chance(5) && depth > 0) {
    return path + "[" + Of(Type::String(), 0) + "]";
  }
  return path + "." + id;
}

std::string ExpressionGenerator::List(const Type* element, int depth) {
  // Elements must be of one type.
  const bool outer = std::exchange(in_literal_, percent_ill_typed_ == 0);
  std::string text = "[";
  const std::size_t size = Chance(3) ? 20 : random_.Below(5);
  for (std::size_t i = 0; i < size; ++i) {
    text += i == 0 ? "" : ", ";
    if (Chance(4)) {
      text += "?" + Of(Type::Optional(arena_, element), depth - 1);
    } else {
      text += Of(element, Chance(50) ? 0 : depth - 2);
    }
  }
  in_literal_ = outer;
  return text + "]";
}

std::string ExpressionGenerator::Map(const Type* key, const Type* value, int depth) {
  const bool outer = std::exchange(in_literal_, percent_ill_typed_ == 0);
  std::string text = "{";
  const std::size_t size = random_.Below(4);
  for (std::size_t i = 0; i < size; ++i) {
    text += i == 0 ? "" : ", ";
    const bool optional = Chance(4);
    text += (optional ? "?" : "") + Of(key, 0) + ": " +
            Of(optional ? Type::Optional(arena_, value) : value, Chance(50) ? 0 : depth - 2);
  }
  in_literal_ = outer;
  return text + "}";
}

std::string ExpressionGenerator::StringLiteral(std::string_view text) {
  if (Chance(10) && text.find('\\') == std::string_view::npos &&
      text.find('\'') == std::string_view::npos && text.find('\n') == std::string_view::npos) {
    return (Chance(50) ? "r'" : "'") + std::string(text) + "'";
  }
  std::string literal = "\"";
  for (char c : text) {
    switch (c) {
      case '"':
      case '\\':
        literal += std::string("\\") + c;
        break;
      case '\n':
        literal += "\\n";
        break;
      default:
        literal += c;
        break;
    }
  }
  return literal + "\"";
}

// A literal that the function's parameter may want; empty: nothing in particular.
std::string ExpressionGenerator::TextFor(std::string_view function, std::size_t param) {
  std::string_view text;
  if (function == "quantity" || function == "isQuantity") {
    text = Pick({"1Gi",
                 "80Gi",
                 "0",
                 "1",
                 "-1",
                 "1500m",
                 "1e3",
                 "1E",
                 "1.5Gi",
                 "0.1",
                 "1n",
                 "1u",
                 "999999999999999999",
                 "9223372036854775807",
                 "9223372036854775808",
                 "1Ki",
                 "+5",
                 "1e-9",
                 "0.0000000001",
                 "12Mi",
                 "abc",
                 "",
                 "1 Gi",
                 "1gi",
                 ".5",
                 "5.",
                 "1e400",
                 "-0.5k",
                 "1000000000000Ei",
                 "1.123456789123",
                 "0x10",
                 "1_000",
                 "18446744073709551615",
                 "-9223372036854775808",
                 "3e18",
                 "1Ti",
                 "2Pi"});
  } else if (function == "semver" || function == "isSemver") {
    text = Pick({"1.2.3",      "0.0.0",
                 "v1.2.3",     "1.2",
                 "1",          "01.2.3",
                 "1.2.3-rc.1", "1.2.3-rc.1+b5",
                 "1.2.3+b",    "10.20.30",
                 "1.2.3-",     "1.2.3-01",
                 "v1",         "V1.2.3",
                 "1.2.3.4",    "",
                 "a.b.c",      "1.2.3-alpha.beta",
                 "1.2.3-1.2",  "18446744073709551616.0.0",
                 "1.-2.3",     " 1.2.3",
                 "v01.002",    "1.2.3+",
                 "1.02.3-x"});
  } else if (function == "url" || function == "isURL") {
    text = Pick({"https://user:pass@example.com:8080/a%20b/c?x=1&y=2&x=3#f", "http://[::1]:80/",
                 "/path", "example.com", "https://example.com", "", "http://a b", "mailto:a@b",
                 "http://%41.com/", "https://example.com:port/", "http://[fe80::1%25en0]/",
                 "//host/path", "http://h?a;b", "http://h/?a=%zz", "http://example.com/ä?q=ö",
                 "http:/x", "http://h:/", "http://u@h/", "https://h/%2f?a+b=c+d&e"});
  } else if (function == "ip" || function == "isIP" || function == "ip.isCanonical" ||
             (function == "containsIP" && param == 1)) {
    text = Pick({"10.0.0.1",
                 "::1",
                 "127.0.0.1",
                 "0.0.0.0",
                 "::",
                 "fe80::1",
                 "224.0.0.1",
                 "ff02::1",
                 "2001:DB8::1",
                 "2001:db8::1",
                 "::ffff:1.2.3.4",
                 "1.2.3",
                 "1.2.3.4.5",
                 "01.2.3.4",
                 "256.1.1.1",
                 "",
                 "fe80::1%eth0",
                 "169.254.1.1",
                 "2001:db8:0:0:0:0:0:1",
                 "192.168.1.7",
                 "255.255.255.255",
                 "::1.2.3.4",
                 "1:2"});
  } else if (function == "cidr" || function == "isCIDR" ||
             (function == "containsCIDR" && param == 1)) {
    text = Pick({"10.0.0.0/8", "10.1.2.3/8", "0.0.0.0/0", "::/0", "192.168.0.0/16", "2001:db8::/32",
                 "1.2.3.4/32", "1.2.3.4/33", "10.0.0.0", "fe80::1%eth0/64", "::ffff:1.2.3.0/120",
                 "::1/128", "10.0.0.0/08", "10.0.0.0/-1", "", "10.0.0.0/24", "2001:db8::1/129",
                 "192.168.1.0/24"});
  } else if (function == "duration") {
    text = Pick({"1s", "1h30m", "-5m", "1.5s", "0", "100ms", "3us", "7ns", "9223372036s", "1d", "",
                 "1h-3m", "+2s", "100000000h", "2562047h", "1µs", ".5s", "1.s", "292277024626s"});
  } else if (function == "timestamp") {
    text = Pick({"2020-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2023-02-28T23:59:59.999999999Z",
                 "2024-02-29T12:00:00+05:30", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
                 "2023-02-29T00:00:00Z", "2020-01-01", "2020-01-01T24:00:00Z",
                 "2020-01-01t00:00:00z", "2020-01-01T00:00:00.1-08:00", "", "10000-01-01T00:00:00Z",
                 "2020-06-15T12:30:45.123Z"});
  } else if (function.starts_with("get") && param == 1) {
    text = Pick({"UTC", "America/New_York", "Europe/Berlin", "+05:30", "-08:00", "Asia/Kolkata",
                 "Nowhere/City", "", "23:59", "-3:00", "+1", "Australia/Sydney", "05:60", "Local",
                 "America/Sao_Paulo"});
  } else if (function == "matches" ||
             ((function == "find" || function == "findAll") && param == 1)) {
    text = param == 0 ? Pick({"hello world", "abc123", "", "äöü", "fish"})
                      : Pick({"^h.*d$", "[0-9]+", "", "(a|b)*c", "(", "\\d{2,3}", "a{1001}",
                              "[[:alpha:]]+", "(?i)HELLO", "ö", ".", "fi(sh)?", "\\pL", "x*",
                              "(?P<n>a)", "\\C", "[z-a]", "o"});
  } else if (function == "format" && param == 0) {
    text = Pick({"%s", "%d", "%s and %d", "%.2f", "%e", "%x",  "%X", "%o", "%b",  "%%",
                 "%",  "%q", "%s %s",     "%.3e", "",   "%5d", "%f", "%c", "%.s", "%d%d%d"});
  } else if (function == "format.named") {
    text = Pick({"dns1123Label", "dns1123Subdomain", "dns1035Label", "qualifiedName",
                 "dns1123LabelPrefix", "dns1123SubdomainPrefix", "dns1035LabelPrefix", "labelValue",
                 "uri", "uuid", "byte", "date", "datetime", "nonsense"});
  } else if (function == "validate" && param == 1) {
    text = Pick({"my-name", "My_Name", "example.com", "", "a.b/c",
                 "123e4567-e89b-12d3-a456-426614174000", "aGVsbG8=", "2021-01-01",
                 "2021-01-01T00:00:00Z", "http://a/b", "-x",
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"});
  } else if (function == "int" || function == "uint" || function == "double") {
    text = Pick({"1",
                 "-1",
                 "0",
                 "12345678901234567890",
                 "abc",
                 "1.5",
                 "",
                 "+1",
                 "1e3",
                 "NaN",
                 "inf",
                 "0x10",
                 " 1",
                 "1u",
                 "9223372036854775807",
                 "-9223372036854775808",
                 "1_000",
                 "-0",
                 "1e400",
                 "0b1",
                 "0o7",
                 "1e-400"});
  } else if (function == "bool") {
    text = Pick({"true", "false", "TRUE", "True", "t", "F", "1", "0", "", "yes", "tRUE"});
  } else if (function == "split" || function == "replace" || function == "indexOf" ||
             function == "lastIndexOf" || function == "join") {
    text = param == 0 ? Pick({"a,b,,c", "hello hello", "", "äöüäöü", "tacocat"})
                      : Pick({",", "", "l", "ö", "hello", "xyz", "a", "co"});
  } else {
    return {};
  }
  return StringLiteral(text);
}

std::string ExpressionGenerator::DoubleLiteral() {
  return std::string(
      Pick({"0.0", "1.0", "-1.5", "2.5e10", "1e-5", "3.14159", "9007199254740993.0", "1e308",
            "-0.0", "9.3e18", "0.1", "18446744073709551616.0", "double('NaN')", "double('-inf')",
            "123456.789", "1e21", "1e20", "100.0", "5e-324"}));
}

std::string ExpressionGenerator::Leaf(const Type* type) {
  if (Chance(in_literal_ ? 0 : 10)) {
    return Attribute(0);
  }
  const auto text = [](std::string_view view) { return std::string(view); };
  switch (type->kind()) {
    case TypeKind::kBool:
      return text(Pick({"true", "false", "device.allowMultipleAllocations"}));
    case TypeKind::kInt:
      return text(
          Pick({"0", "1", "-1", "2", "3", "7", "10", "42", "100", "9223372036854775807",
                "-9223372036854775808", "0x1F", "-0x2", "9007199254740993", "5", "64", "1000000"}));
    case TypeKind::kUint:
      return text(Pick({"0u", "1u", "2u", "7u", "18446744073709551615u", "9223372036854775808u",
                        "0xFFu", "3u"}));
    case TypeKind::kDouble:
      return DoubleLiteral();
    case TypeKind::kString:
      if (Chance(10)) {
        return "device.driver";
      }
      return StringLiteral(Pick({"",
                                 "a",
                                 "b",
                                 "fish",
                                 "hello world",
                                 "Hello",
                                 "dra.example.com",
                                 "äöü",
                                 "日本語",
                                 "s",
                                 "i",
                                 "1.2.3",
                                 "1Gi",
                                 "10.0.0.1",
                                 "a,b,c",
                                 "tab\there",
                                 "line\nbreak",
                                 "quote\"d",
                                 "😀x",
                                 "zz",
                                 "back\\slash",
                                 "  trim  ",
                                 "ǅ",
                                 "%s",
                                 "0",
                                 "true"}));
    case TypeKind::kBytes:
      return text(Pick(
          {"b''", "b'a'", "b'abc'", "b'\\xff\\x00'", "b'\xC3\xA4'", "b'\\101'", "bytes(\"zz\")"}));
    case TypeKind::kDuration:
      return "duration(" + TextFor("duration", 0) + ")";
    case TypeKind::kTimestamp:
      return Chance(15) ? "timestamp(" + Leaf(Type::Int()) + ")"
                        : "timestamp(" + TextFor("timestamp", 0) + ")";
    case TypeKind::kNull:
      return "null";
    case TypeKind::kType:
      return text(
          Pick({"int", "string", "list", "map", "type", "net.IP", "google.protobuf.Duration",
                "null_type", "type(1)", "type([])", "bool", "bytes", "double", "uint",
                "optional_type", "google.protobuf.Empty", "google.protobuf.Int64Value"}));
    case TypeKind::kList:
      return List(type->parameter(0), 0);
    case TypeKind::kMap:
      return Map(type->parameter(0), type->parameter(1), 0);
    case TypeKind::kStruct:
    case TypeKind::kOpaque:
      if (type->name() == "kubernetes.Quantity") {
        return Chance(30) ? text(Pick({"device.capacity[\"dra.example.com\"].mem",
                                       "device.capacity[\"dra.example.com\"].cores"}))
                          : "quantity(" + TextFor("quantity", 0) + ")";
      }
      if (type->name() == "kubernetes.Semver") {
        return "semver(" + TextFor("semver", 0) + ")";
      }
      if (type->name() == "kubernetes.URL") {
        return "url(" + TextFor("url", 0) + ")";
      }
      if (type->name() == "net.IP") {
        return "ip(" + TextFor("ip", 0) + ")";
      }
      if (type->name() == "net.CIDR") {
        return "cidr(" + TextFor("cidr", 0) + ")";
      }
      if (type->name() == "kubernetes.NamedFormat") {
        // An optional one, at first.
        return text(
            Pick({"format.named(\"dns1123Label\").value()", "format.dns1123Label()",
                  "format.dns1123Subdomain()", "format.dns1035Label()", "format.qualifiedName()",
                  "format.labelValue()", "format.uri()", "format.uuid()", "format.byte()",
                  "format.date()", "format.datetime()", "format.dns1123LabelPrefix()"}));
      }
      if (FindMessageType(type->name()) != nullptr) {
        return std::string(type->name()) + "{}";
      }
      if (type->IsOptional()) {
        return Chance(30) ? "optional.none()" : "optional.of(" + Leaf(type->parameter(0)) + ")";
      }
      return "device";
    default:
      return Attribute(0);
  }
}

std::string ExpressionGenerator::Broken(std::string text) {
  static constexpr std::array<std::string_view, 50> kTokens = {
      "(",  ")",  "[",    "]",    "{",    "}", ".",  ",",      "?",   ":",    "+",    "-",    "*",
      "/",  "%",  "!",    "==",   "!=",   "<", "<=", "&&",     "||",  "in",   "true", "null", "1",
      "1u", "1.", ".5",   "'a'",  "\"",   "'", "\\", "`a`",    "&",   "|",    "=",    "#",    "//",
      "b'", "r'", "'''a", "\x80", "\xFF", "ä", "0x", "has(x)", "for", "all(", "\t\n"};
  const std::size_t changes = 1 + random_.Below(2);
  for (std::size_t i = 0; i < changes; ++i) {
    const std::size_t at = random_.Below(text.size() + 1);
    const std::size_t length = std::min<std::size_t>(random_.Below(4), text.size() - at);
    switch (random_.Below(4)) {
      case 0:
        text.erase(at, length + 1);
        break;
      case 1:
        text.insert(at, text.substr(random_.Below(text.size() + 1), 1 + random_.Below(6)));
        break;
      case 2:
        text.replace(at, length, kTokens[random_.Below(kTokens.size())]);
        break;
      default:
        text.insert(at, kTokens[random_.Below(kTokens.size())]);
        break;
    }
  }
  return text;
}

dra::DeviceContent RandomDevice(Random& random, bool lists) {
  const auto chance = [&random](std::uint64_t percent) { return random.Below(100) < percent; };
  const auto pick = [&random](std::initializer_list<const char*> pool) {
    return std::string(*(pool.begin() + random.Below(pool.size())));
  };
  const auto text = [&] {
    return pick({"fish", "", "a", "hello world", "äöü", "1.2.3", "80Gi", "dra.example.com", "x"});
  };
  const auto integer = [&]() -> std::int64_t {
    return chance(80) ? static_cast<std::int64_t>(random.Below(12)) - 2
                      : (chance(50) ? INT64_MAX : INT64_MIN);
  };
  const auto version = [&] {
    return dra::Version{pick({"1.2.3", "0.0.0", "1.2.3-rc.1+b5", "10.20.30", "1.2.3-alpha"})};
  };
  const auto scalar = [&](std::uint64_t kind) -> dra::AttributeValue {
    switch (kind) {
      case 0:
        return chance(50);
      case 1:
        return integer();
      case 2:
        return text();
      default:
        return version();
    }
  };
  dra::DeviceContent content;
  content.driver = chance(95) ? "dra.example.com" : "";
  content.allow_multiple_allocations = chance(50);
  const auto add = [&](const char* name, dra::AttributeValue value) {
    if (chance(85)) {
      content.attributes.push_back({name, std::move(value)});
    }
  };
  add("b", scalar(chance(90) ? 0 : random.Below(4)));
  add("i", scalar(chance(90) ? 1 : random.Below(4)));
  add("s", scalar(chance(90) ? 2 : random.Below(4)));
  add("v", scalar(chance(90) ? 3 : random.Below(4)));
  add("other.example.com/s", scalar(random.Below(4)));
  add("other.example.com/n", scalar(1));
  if (lists) {
    const std::size_t size = chance(5) ? 60 : random.Below(4);
    std::vector<bool> bools;
    std::vector<std::int64_t> ints;
    std::vector<std::string> strings;
    std::vector<dra::Version> versions;
    for (std::size_t i = 0; i < size; ++i) {
      bools.push_back(chance(50));
      ints.push_back(integer());
      strings.push_back(text());
      versions.push_back(version());
    }
    add("bl", bools);
    add("il", ints);
    add("sl", strings);
    add("vl", versions);
  }
  if (chance(1)) {
    content.attributes.push_back({"n", std::monostate()});
  }
  if (chance(1)) {
    content.attributes.push_back(
        {"w", dra::Version{pick({"1.2", "01.2.3", "", "1.2.3-", "a.b.c", "1.2.x"})}});
  }
  const auto add_capacity = [&](const char* name, std::string quantity) {
    if (chance(85)) {
      content.capacity.push_back({name, std::move(quantity)});
    }
  };
  add_capacity("mem", pick({"1Gi", "80Gi", "0", "1.5Gi", "9223372036854775807",
                            "4611686018427387904", "1e3"}));
  add_capacity("cores", pick({"1500m", "1", "-1", "3.5", "100n"}));
  add_capacity("other.example.com/mem", pick({"1", "2Ki"}));
  return content;
}

}  // namespace assay::cel::testing
