#include "cel/library/library.h"
#include "cel/library/url.h"

// Source: k8s.io/apiserver/pkg/cel/library/urls.go.

namespace assay::cel::library {
namespace {

constexpr Type kType(TypeKind::kStruct, "kubernetes.URL");

// Keeps the text; its parts are found again when they are asked for.
class UrlValue final : public Opaque {
 public:
  explicit UrlValue(std::string_view text) : text_(text) {}
  const Type* type() const override { return &kType; }
  bool Equals(const Opaque& other) const override {
    const auto& url_value = static_cast<const UrlValue&>(other);
    return text_ == url_value.text_ || url().ToString() == url_value.url().ToString();
  }
  Url url() const { return *Url::Parse(text_); }

 private:
  std::string_view text_;
};

Url Get(const Value& value) { return static_cast<const UrlValue&>(value.opaque()).url(); }

Value ToUrl(const CallContext& context, std::span<const Value> args) {
  const Result<Url> url = Url::Parse(args[0].text());
  if (!url.ok()) {
    return context.Error(
        {"URL parse error during conversion from string: ", url.status().message()});
  }
  return Value::Of(
      static_cast<const Opaque*>(context.arena.New<UrlValue>(context.arena.Copy(args[0].text()))));
}

Value IsUrl(const CallContext&, std::span<const Value> args) {
  return Value::Bool(Url::CheckRequest(args[0].text()).ok());
}

Value Scheme(const CallContext& context, std::span<const Value> args) {
  return context.String(Get(args[0]).scheme);
}
Value Host(const CallContext& context, std::span<const Value> args) {
  return context.String(Get(args[0]).host);
}
Value Hostname(const CallContext& context, std::span<const Value> args) {
  return context.String(Get(args[0]).Hostname());
}
Value Port(const CallContext& context, std::span<const Value> args) {
  return context.String(Get(args[0]).Port());
}
Value Path(const CallContext& context, std::span<const Value> args) {
  return context.String(Get(args[0]).EscapedPath());
}

Value Query(const CallContext& context, std::span<const Value> args) {
  auto* map = context.arena.New<EntryMap>(context.arena);
  for (const auto& [key, values] : Get(args[0]).Query()) {
    auto* list = context.arena.New<MutableList>(context.arena);
    for (const std::string& value : values) {
      list->Append(context.String(value));
    }
    map->Insert(context.String(key), Value::Of(static_cast<const List*>(list)));
  }
  return Value::Of(static_cast<const Map*>(map));
}

#define URL "kubernetes.URL"

}  // namespace

void AddUrls(FunctionTable& table) {
  table.Add("url", {{"string_to_url", "(string) -> " URL, &ToUrl}});
  table.Add("getScheme", {{"url_get_scheme", URL ".() -> string", &Scheme}});
  table.Add("getHost", {{"url_get_host", URL ".() -> string", &Host}});
  table.Add("getHostname", {{"url_get_hostname", URL ".() -> string", &Hostname}});
  table.Add("getPort", {{"url_get_port", URL ".() -> string", &Port}});
  table.Add("getEscapedPath", {{"url_get_escaped_path", URL ".() -> string", &Path}});
  table.Add("getQuery", {{"url_get_query", URL ".() -> map(string, list(string))", &Query}});
  table.Add("isURL", {{"is_url_string", "(string) -> bool", &IsUrl}});
}

}  // namespace assay::cel::library
