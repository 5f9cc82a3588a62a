#include <re2/re2.h>

#include <string>
#include <vector>

#include "cel/library/library.h"
#include "cel/library/opaque_values.h"
#include "cel/library/times.h"
#include "cel/library/url.h"

// Source: k8s.io/apiserver/pkg/cel/library/format.go; the checks are those of
// k8s.io/apimachinery/pkg/util/validation and k8s.io/kube-openapi/pkg/validation/strfmt.

namespace assay::cel::library {
namespace {

using Problems = std::vector<std::string>;

bool Matches(const RE2& regex, std::string_view text) {
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), regex);
}

std::string TooLong(std::size_t limit) {
  return "must be no more than " + std::to_string(limit) + (limit == 1 ? " byte" : " bytes");
}

std::string RegexProblem(std::string_view message, std::string_view pattern,
                         std::initializer_list<std::string_view> examples) {
  std::string text = std::string(message) + " (e.g. ";
  bool first = true;
  for (std::string_view example : examples) {
    text += (first ? "'" : " or '") + std::string(example) + "', ";
    first = false;
  }
  return text + "regex used for validation is '" + std::string(pattern) + "')";
}

constexpr char kLabel1123[] = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
constexpr char kSubdomain1123[] =
    "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
constexpr char kLabel1035[] = "[a-z]([-a-z0-9]*[a-z0-9])?";
constexpr char kQualifiedName[] = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
constexpr char kLabelValue[] = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
constexpr char kUuid[] = "(?i)^[0-9A-F]{8}-?[0-9A-F]{4}-?[0-9A-F]{4}-?[0-9A-F]{4}-?[0-9A-F]{12}$";
constexpr char kDateTime[] =
    "^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\\.[0-9]{1,9})?"
    "(Z|[+-][0-9]{2}:?[0-9]{2})$";

Problems CheckLabel1123(std::string_view text) {
  static const RE2* const regex = new RE2(kLabel1123);
  static const RE2* const subdomain = new RE2(kSubdomain1123);
  Problems problems;
  if (text.size() > 63) {
    problems.push_back(TooLong(63));
  }
  if (!Matches(*regex, text)) {
    if (Matches(*subdomain, text)) {
      problems.emplace_back("must not contain dots");
    } else {
      problems.push_back(RegexProblem(
          "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
          "and must start and end with an alphanumeric character",
          kLabel1123, {"my-name", "123-abc"}));
    }
  }
  return problems;
}

Problems CheckSubdomain1123(std::string_view text) {
  static const RE2* const regex = new RE2(kSubdomain1123);
  Problems problems;
  if (text.size() > 253) {
    problems.push_back(TooLong(253));
  }
  if (!Matches(*regex, text)) {
    problems.push_back(RegexProblem(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
        "'.', and must start and end with an alphanumeric character",
        kSubdomain1123, {"example.com"}));
  }
  return problems;
}

Problems CheckLabel1035(std::string_view text) {
  static const RE2* const regex = new RE2(kLabel1035);
  Problems problems;
  if (text.size() > 63) {
    problems.push_back(TooLong(63));
  }
  if (!Matches(*regex, text)) {
    problems.push_back(RegexProblem(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
        "alphabetic character, and end with an alphanumeric character",
        kLabel1035, {"my-name", "abc-123"}));
  }
  return problems;
}

// A prefix may end with a dash, as if a name followed.
std::string MaskTrailingDash(std::string_view text) {
  std::string masked(text);
  if (masked.size() > 1 && masked.back() == '-') {
    masked[masked.size() - 2] = 'a';
    masked.pop_back();
  }
  return masked;
}
template <Problems (*check)(std::string_view)>
Problems CheckPrefix(std::string_view text) {
  return check(MaskTrailingDash(text));
}

Problems CheckQualifiedName(std::string_view text) {
  static const RE2* const regex = new RE2(kQualifiedName);
  Problems problems;
  std::string_view name = text;
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    if (text.find('/', slash + 1) != std::string_view::npos) {
      problems.push_back("a qualified name " +
                         RegexProblem("must consist of alphanumeric characters, '-', '_' or '.', "
                                      "and must start and end with an alphanumeric character",
                                      kQualifiedName, {"MyName", "my.name", "123-abc"}) +
                         " with an optional DNS subdomain prefix and '/' (e.g. "
                         "'example.com/MyName')");
      return problems;
    }
    const std::string_view prefix = text.substr(0, slash);
    name = text.substr(slash + 1);
    if (prefix.empty()) {
      problems.emplace_back("prefix part must be non-empty");
    } else {
      for (const std::string& problem : CheckSubdomain1123(prefix)) {
        problems.push_back("prefix part " + problem);
      }
    }
  }
  if (name.empty()) {
    problems.emplace_back("name part must be non-empty");
  } else if (name.size() > 63) {
    problems.push_back("name part " + TooLong(63));
  }
  if (!Matches(*regex, name)) {
    problems.push_back("name part " +
                       RegexProblem("must consist of alphanumeric characters, '-', '_' or '.', and "
                                    "must start and end with an alphanumeric character",
                                    kQualifiedName, {"MyName", "my.name", "123-abc"}));
  }
  return problems;
}

Problems CheckLabelValue(std::string_view text) {
  static const RE2* const regex = new RE2(kLabelValue);
  Problems problems;
  if (text.size() > 63) {
    problems.push_back(TooLong(63));
  }
  if (!Matches(*regex, text)) {
    problems.push_back(RegexProblem(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
        "'.', and must start and end with an alphanumeric character",
        kLabelValue, {"MyValue", "my_value", "12345"}));
  }
  return problems;
}

Problems CheckUri(std::string_view text) {
  const Status status = Url::CheckRequest(text);
  return status.ok() ? Problems() : Problems{status.message()};
}

Problems CheckUuid(std::string_view text) {
  static const RE2* const regex = new RE2(kUuid);
  return Matches(*regex, text) ? Problems() : Problems{"does not match the UUID format"};
}

Problems CheckByte(std::string_view text) {
  static const RE2* const regex =
      new RE2("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})");
  return Matches(*regex, text) ? Problems() : Problems{"invalid base64"};
}

Problems CheckDate(std::string_view text) {
  const bool ok = ParseTimestamp(std::string(text) + "T00:00:00Z").has_value() && text.size() == 10;
  return ok ? Problems() : Problems{"invalid date"};
}

Problems CheckDateTime(std::string_view text) {
  static const RE2* const regex = new RE2(kDateTime);
  const bool ok =
      Matches(*regex, text) && ParseTimestamp(std::string(text.substr(0, 19)) + "Z").has_value();
  return ok ? Problems() : Problems{"invalid datetime"};
}

// strfmt.DateTimePattern, which only its length matters of: costs are reckoned with it.
constexpr char kCostDateTime[] =
    "^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$";

struct Format {
  std::string_view function;
  std::string_view name;
  Problems (*check)(std::string_view);
  std::size_t regex_size;
};

constexpr Format kFormats[] = {
    {"format.dns1123Label", "DNS1123Label", &CheckLabel1123, 30},
    {"format.dns1123Subdomain", "DNS1123Subdomain", &CheckSubdomain1123, 60},
    {"format.dns1035Label", "DNS1035Label", &CheckLabel1035, 30},
    {"format.qualifiedName", "QualifiedName", &CheckQualifiedName, 60},
    {"format.dns1123LabelPrefix", "DNS1123LabelPrefix", &CheckPrefix<CheckLabel1123>, 30},
    {"format.dns1123SubdomainPrefix", "DNS1123SubdomainPrefix", &CheckPrefix<CheckSubdomain1123>,
     60},
    {"format.dns1035LabelPrefix", "DNS1035LabelPrefix", &CheckPrefix<CheckLabel1035>, 30},
    {"format.labelValue", "LabelValue", &CheckLabelValue, 40},
    {"format.uri", "URI", &CheckUri, 1103},
    {"format.uuid", "uuid", &CheckUuid, sizeof(kUuid) - 1},
    {"format.byte", "byte", &CheckByte, 84},
    {"format.date", "date", &CheckDate, sizeof(kCostDateTime) - 1},
    {"format.datetime", "datetime", &CheckDateTime, sizeof(kCostDateTime) - 1}};

constexpr Type kType(TypeKind::kStruct, "kubernetes.NamedFormat");

class FormatValue final : public Opaque {
 public:
  explicit constexpr FormatValue(const Format& format) : format_(format) {}
  const Type* type() const override { return &kType; }
  bool Equals(const Opaque& other) const override {
    return format_.name == static_cast<const FormatValue&>(other).format_.name;
  }
  const Format& format() const { return format_; }

 private:
  const Format& format_;
};

Value NewFormat(const CallContext& context, const Format& format) {
  return Value::Of(static_cast<const Opaque*>(context.arena.New<FormatValue>(format)));
}

template <std::size_t i>
Value Constant(const CallContext& context, std::span<const Value>) {
  return NewFormat(context, kFormats[i]);
}

Value Named(const CallContext& context, std::span<const Value> args) {
  for (const Format& format : kFormats) {
    if (format.function.substr(std::string_view("format.").size()) == args[0].text()) {
      return Value::Optional(context.arena.New<Value>(NewFormat(context, format)));
    }
  }
  return Value::Optional(nullptr);
}

Value Validate(const CallContext& context, std::span<const Value> args) {
  const Format& format = static_cast<const FormatValue&>(args[0].opaque()).format();
  const Problems problems = format.check(args[1].text());
  if (problems.empty()) {
    return Value::Optional(nullptr);
  }
  auto* list = context.arena.New<MutableList>(context.arena);
  for (const std::string& problem : problems) {
    list->Append(context.String(problem));
  }
  return Value::Optional(context.arena.New<Value>(Value::Of(static_cast<const List*>(list))));
}

template <std::size_t... i>
void AddConstants(FunctionTable& table, std::index_sequence<i...>) {
  (table.Add(kFormats[i].function,
             {{kFormats[i].function.data(), "() -> kubernetes.NamedFormat", &Constant<i>}}),
   ...);
}

}  // namespace

std::size_t NamedFormatSize(const Opaque& value) {
  return value.type() == &kType ? static_cast<const FormatValue&>(value).format().regex_size : 0;
}

void AddNamedFormats(FunctionTable& table) {
  AddConstants(table, std::make_index_sequence<std::size(kFormats)>());
  table.Add("format.named",
            {{"format-named", "(string) -> optional_type(kubernetes.NamedFormat)", &Named}});
  table.Add("validate",
            {{"format-validate", "kubernetes.NamedFormat.(string) -> optional_type(list(string))",
              &Validate}});
}

}  // namespace assay::cel::library
