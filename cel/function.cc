#include "cel/function.h"

#include <algorithm>

#include "base/check.h"

namespace assay::cel {
namespace {

// Parses signatures; type parameters are numbered as they appear.
class SignatureParser {
 public:
  SignatureParser(Arena& arena, std::string_view text) : arena_(arena), text_(text) {}

  void Parse(Overload* overload) {
    if (!text_.starts_with("(")) {
      overload->is_member = true;
      overload->params.push_back(ParseType());
      Take(".");
    }
    Take("(");
    while (!text_.starts_with(")")) {
      overload->params.push_back(ParseType());
      if (text_.starts_with(", ")) {
        Take(", ");
      }
    }
    Take(") -> ");
    overload->result = ParseType();
    overload->type_params = static_cast<int>(params_.size());
    ASSAY_CHECK(text_.empty()) << "left over of a signature: " << std::string(text_);
  }

  const Type* ParseType() {
    const bool opaque = text_.starts_with("!");
    if (opaque) {
      Take("!");
    }
    std::size_t length = text_.find_first_of("(), ");
    // A receiver ends at the '.' before its '('.
    if (length != std::string_view::npos && length > 0 && text_[length] == '(' &&
        text_[length - 1] == '.') {
      --length;
    }
    const std::string_view name = text_.substr(0, length);
    text_.remove_prefix(name.size());
    std::vector<const Type*> parameters;
    if (text_.starts_with("(")) {
      Take("(");
      parameters.push_back(ParseType());
      while (text_.starts_with(", ")) {
        Take(", ");
        parameters.push_back(ParseType());
      }
      Take(")");
    }
    return Named(name, opaque, parameters);
  }

 private:
  void Take(std::string_view expected) {
    ASSAY_CHECK(text_.starts_with(expected))
        << "signature: expected " << std::string(expected) << " at " << std::string(text_);
    text_.remove_prefix(expected.size());
  }

  const Type* Named(std::string_view name, bool opaque,
                    const std::vector<const Type*>& parameters) {
    static const std::map<std::string_view, const Type*> kBasic = {
        {"bool", Type::Bool()},         {"int", Type::Int()},
        {"uint", Type::Uint()},         {"double", Type::Double()},
        {"string", Type::String()},     {"bytes", Type::Bytes()},
        {"duration", Type::Duration()}, {"timestamp", Type::Timestamp()},
        {"dyn", Type::Dyn()},           {"any", Type::Any()},
        {"null_type", Type::Null()},
    };
    if (const auto basic = kBasic.find(name); basic != kBasic.end()) {
      return basic->second;
    }
    if (name == "list") {
      return Type::List(arena_, parameters[0]);
    }
    if (name == "map") {
      return Type::Map(arena_, parameters[0], parameters[1]);
    }
    if (name == "type") {
      return parameters.empty() ? Type::TypeType() : Type::TypeOf(arena_, parameters[0]);
    }
    if (name.size() == 1 && name[0] >= 'A' && name[0] <= 'Z') {
      return Parameter(name);
    }
    if (opaque || !parameters.empty()) {
      std::span<const Type*> copy = arena_.Copy(parameters);
      return Type::Opaque(arena_, arena_.Copy(name), copy);
    }
    return Type::Struct(arena_, arena_.Copy(name));
  }

  const Type* Parameter(std::string_view name) {
    for (const Type* param : params_) {
      if (param->name() == name) {
        return param;
      }
    }
    params_.push_back(Type::Param(arena_, arena_.Copy(name), static_cast<int>(params_.size())));
    return params_.back();
  }

  Arena& arena_;
  std::string_view text_;
  std::vector<const Type*> params_;
};

std::string Replaced(std::string text, char placeholder, std::string_view with) {
  for (std::size_t at = text.find(placeholder); at != std::string::npos;
       at = text.find(placeholder, at + with.size())) {
    text.replace(at, 1, with);
  }
  return text;
}

bool AcceptsAll(const Overload& overload, std::span<const Value> args) {
  return overload.params.size() == args.size() &&
         std::equal(args.begin(), args.end(), overload.params.begin(),
                    [](const Value& arg, const Type* type) { return Accepts(type, arg); });
}

}  // namespace

Function& FunctionTable::Get(std::string_view name) {
  std::unique_ptr<Function>& function = functions_[name];
  if (function == nullptr) {
    function = std::make_unique<Function>();
    function->name = name;
  }
  return *function;
}

void FunctionTable::AddOverload(Function& function, std::string_view id, std::string_view signature,
                                Implementation implementation) {
  Overload overload;
  overload.id = id;
  overload.implementation = implementation;
  SignatureParser(arena_, signature).Parse(&overload);
  function.overloads.push_back(std::move(overload));
}

Function& FunctionTable::Add(std::string_view name, std::initializer_list<OverloadSpec> overloads) {
  Function& function = Get(name);
  for (const OverloadSpec& spec : overloads) {
    AddOverload(function, spec.id, spec.signature, spec.implementation);
  }
  return function;
}

Function& FunctionTable::AddShared(std::string_view name, Implementation implementation,
                                   KindSet receivers,
                                   std::initializer_list<OverloadSpec> overloads) {
  Function& function = Add(name, overloads);
  function.implementation = implementation;
  function.receivers = receivers;
  return function;
}

Function& FunctionTable::AddForEach(std::string_view name, std::span<const NamedType> types,
                                    const OverloadSpec& spec) {
  Function& function = Get(name);
  for (const NamedType& type : types) {
    const std::string id = Replaced(spec.id, '%', type.id);
    AddOverload(function, arena_.Copy(id), Replaced(spec.signature, '$', type.type),
                spec.implementation);
  }
  return function;
}

const Function* FunctionTable::Find(std::string_view name) const {
  const auto it = functions_.find(name);
  return it == functions_.end() ? nullptr : it->second.get();
}

const Type* FunctionTable::ParseType(std::string_view text) {
  return SignatureParser(arena_, text).ParseType();
}

bool Accepts(const Type* type, const Value& value) {
  switch (type->kind()) {
    case TypeKind::kDyn:
    case TypeKind::kAny:
    case TypeKind::kTypeParam:
      return true;
    case TypeKind::kList:
      return value.Is(ValueKind::kList) &&
             (value.list().size() == 0 || Accepts(type->parameter(0), value.list().At(0)));
    case TypeKind::kMap:
      if (!value.Is(ValueKind::kMap)) {
        return false;
      }
      if (value.map().size() == 0) {
        return true;
      }
      return Accepts(type->parameter(0), value.map().At(0).key) &&
             Accepts(type->parameter(1), value.map().At(0).value);
    default:
      return TypeName(value) == type->name();
  }
}

Value NoSuchOverload(const CallContext& context, std::string_view function,
                     std::span<const Value> args) {
  std::string types;
  for (const Value& arg : args) {
    if (arg.IsError()) {
      return arg;
    }
    types += (types.empty() ? "" : ", ") + std::string(TypeName(arg));
  }
  return context.Error({"no such overload: ", function, "(", types, ")"});
}

Value Call(const CallContext& context, const Function& function, const Overload* overload,
           std::span<const Value> args) {
  if (function.implementation != nullptr) {
    if (!args.empty() && (KindBit(args[0].kind()) & function.receivers) == 0) {
      // In Go, values of these kinds are asked for the function themselves.
      constexpr KindSet kAsked = KindBit(ValueKind::kString) | KindBit(ValueKind::kDuration) |
                                 KindBit(ValueKind::kTimestamp);
      return (KindBit(args[0].kind()) & kAsked) != 0
                 ? NoSuchOverload()
                 : context.Error({"no such overload: ", function.name});
    }
    return function.implementation(context, args);
  }
  if (overload == nullptr && function.overloads.size() == 1) {
    overload = &function.overloads.front();
  }
  if (overload != nullptr) {
    if (overload->implementation != nullptr &&
        (function.unguarded || AcceptsAll(*overload, args))) {
      return overload->implementation(context, args);
    }
    return NoSuchOverload(context, function.name, args);
  }
  for (const Overload& candidate : function.overloads) {
    if (candidate.implementation != nullptr &&
        (function.unguarded ? candidate.params.size() == args.size()
                            : AcceptsAll(candidate, args))) {
      return candidate.implementation(context, args);
    }
  }
  return NoSuchOverload(context, function.name, args);
}

}  // namespace assay::cel
