#include "api/field_selector.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "api/core/types.h"
#include "api/schema/descriptor.h"

namespace assay::api {
namespace {

struct KindFields {
  std::string_view group;
  std::string_view kind;
  std::vector<std::string_view> fields;
};

// The kinds with fields of their own (pkg/apis/*/v1/conversion.go); all others have
// metadata.name and metadata.namespace.
const std::vector<KindFields>& Table() {
  static const std::vector<KindFields> table = {
      {"",
       "Pod",
       {"metadata.name", "metadata.namespace", "spec.nodeName", "spec.restartPolicy",
        "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork", "status.phase",
        "status.podIP", "status.podIPs", "status.nominatedNodeName"}},
      {"", "Node", {"metadata.name", "spec.unschedulable"}},
      {"", "Namespace", {"status.phase", "metadata.name"}},
      {"",
       "Event",
       {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
        "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
        "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
        "metadata.namespace", "metadata.name"}},
      {"", "Secret", {"type", "metadata.namespace", "metadata.name"}},
      {"", "Service", {"metadata.namespace", "metadata.name", "spec.clusterIP", "spec.type"}},
      {"", "ReplicationController", {"metadata.name", "metadata.namespace", "status.replicas"}},
      {"batch", "Job", {"metadata.name", "metadata.namespace", "status.successful"}},
      {"certificates.k8s.io", "CertificateSigningRequest", {"metadata.name", "spec.signerName"}},
      {"events.k8s.io",
       "Event",
       {"reason", "regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid",
        "regarding.apiVersion", "regarding.resourceVersion", "regarding.fieldPath",
        "reportingController", "type", "metadata.namespace", "metadata.name"}},
      {"resource.k8s.io", "ResourceSlice", {"metadata.name", "spec.nodeName", "spec.driver"}},
  };
  return table;
}

const KindFields* FindFields(const Kind& kind) {
  auto found = std::find_if(Table().begin(), Table().end(), [&](const KindFields& entry) {
    return entry.group == kind.group && entry.kind == kind.kind;
  });
  return found == Table().end() ? nullptr : &*found;
}

// Old clients still send spec.host.
std::string_view Canonical(const Kind& kind, std::string_view field) {
  bool is_pod = kind.group.empty() && kind.kind == "Pod";
  return is_pod && field == "spec.host" ? "spec.nodeName" : field;
}

Result<std::string> Unescape(std::string_view text) {
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == ',' || c == '=') {
      return InvalidArgumentError("invalid field selector: unescaped character in value: " +
                                  std::to_string(c));
    }
    if (c == '\\') {
      ++i;
      if (i == text.size() || std::string_view("\\,=").find(text[i]) == std::string_view::npos) {
        return InvalidArgumentError("invalid field selector: invalid escape sequence: \\" +
                                    std::string(text.substr(i, 1)));
      }
      c = text[i];
    }
    value += c;
  }
  return value;
}

std::string Escape(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    if (c == '\\' || c == ',' || c == '=') {
      escaped += '\\';
    }
    escaped += c;
  }
  return escaped;
}

// Splits at commas that no backslash stands before.
std::vector<std::string_view> SplitTerms(std::string_view text) {
  std::vector<std::string_view> terms;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || text[i] == ',') {
      terms.push_back(text.substr(start, i - start));
      start = i + 1;
    } else if (text[i] == '\\') {
      ++i;
    }
  }
  if (start < text.size()) {
    terms.push_back(text.substr(start));
  }
  return terms;
}

// The value at a path of JSON names, as fmt.Sprint would print it; "" where there is none.
std::string ValueAt(const schema::MessageDescriptor& message, const void* data,
                    std::string_view path) {
  std::size_t dot = path.find('.');
  const schema::FieldDescriptor* field = message.Find(path.substr(0, dot));
  const void* value = field == nullptr || field->IsContainer() ? nullptr : field->Get(data);
  if (value == nullptr) {
    return "";
  }
  if (dot != std::string_view::npos) {
    return field->type == schema::Type::kMessage
               ? ValueAt(*field->message, value, path.substr(dot + 1))
               : "";
  }
  switch (field->type) {
    case schema::Type::kString:
      return *static_cast<const std::string*>(value);
    case schema::Type::kBool:
      return *static_cast<const bool*>(value) ? "true" : "false";
    case schema::Type::kInt32:
      return std::to_string(*static_cast<const std::int32_t*>(value));
    case schema::Type::kInt64:
      return std::to_string(*static_cast<const std::int64_t*>(value));
    default:
      return "";
  }
}

}  // namespace

std::vector<std::string_view> SelectableFields(const Kind& kind, Level level) {
  const KindFields* own = FindFields(kind);
  if (own == nullptr) {
    return {"metadata.name", "metadata.namespace"};
  }
  std::vector<std::string_view> fields = own->fields;
  if (level >= Level::k1_37 && own->kind == "ResourceSlice") {
    fields.push_back("spec.pool.name");
  }
  return fields;
}

std::string SelectableField(const Object& object, std::string_view field) {
  const Kind& kind = object.kind();
  field = Canonical(kind, field);
  if (object.Is<core::Event>()) {
    const auto& event = object.As<core::Event>();
    if (field == "source") {
      return event.source.component.empty() ? event.reporting_component : event.source.component;
    }
  }
  if (object.Is<core::Pod>() && field == "status.podIP") {
    const auto& ips = object.As<core::Pod>().status.pod_ips;
    return ips.empty() ? "" : ips.front().ip;
  }
  if (kind.group == "batch" && field == "status.successful") {
    field = "status.succeeded";
  }
  std::string value = ValueAt(kind.hub(), object.data(), field);
  // Booleans are never absent upstream.
  if (value.empty() && (field == "spec.hostNetwork" || field == "spec.unschedulable")) {
    return "false";
  }
  return value;
}

Result<FieldSelector> FieldSelector::Parse(std::string_view text) {
  std::vector<std::string_view> terms = SplitTerms(text);
  std::sort(terms.begin(), terms.end());
  FieldSelector selector;
  for (std::string_view term : terms) {
    if (term.empty()) {
      continue;
    }
    std::size_t at = term.find_first_of("!=");
    while (at != std::string_view::npos && term[at] == '!' && term.substr(at, 2) != "!=") {
      at = term.find_first_of("!=", at + 1);
    }
    if (at == std::string_view::npos) {
      return InvalidArgumentError("invalid selector: '" + std::string(text) +
                                  "'; can't understand '" + std::string(term) + "'");
    }
    bool negated = term[at] == '!';
    std::size_t size = negated || term.substr(at, 2) == "==" ? 2 : 1;
    ASSAY_ASSIGN_OR_RETURN(std::string value, Unescape(term.substr(at + size)));
    // As upstream, a term without field and value is no term.
    if (at == 0 && value.empty()) {
      continue;
    }
    selector.requirements_.push_back({std::string(term.substr(0, at)), std::move(value), negated});
  }
  return selector;
}

Status FieldSelector::CheckFor(const Kind& kind, Level level) const {
  const std::vector<std::string_view> allowed = SelectableFields(kind, level);
  for (const Requirement& requirement : requirements_) {
    const std::string& field = requirement.field;
    if (std::find(allowed.begin(), allowed.end(), Canonical(kind, field)) != allowed.end()) {
      continue;
    }
    if (FindFields(kind) == nullptr) {
      return InvalidArgumentError("\"" + field + "\" is not a known field selector: only " +
                                  "\"metadata.name\", \"metadata.namespace\"");
    }
    if (kind.kind == "Job") {
      return InvalidArgumentError("field label \"" + field + "\" not supported for Job");
    }
    if (kind.kind == "ResourceSlice") {
      return InvalidArgumentError("field label not supported for resource.k8s.io/" +
                                  kind.versions.front().version + ", Kind=ResourceSlice: " + field);
    }
    return InvalidArgumentError("field label not supported: " + field);
  }
  return OkStatus();
}

bool FieldSelector::Matches(const Object& object) const {
  return std::all_of(requirements_.begin(), requirements_.end(), [&](const Requirement& r) {
    return (SelectableField(object, r.field) == r.value) != r.negated;
  });
}

std::optional<std::string> FieldSelector::RequiredValue(std::string_view field) const {
  for (const Requirement& requirement : requirements_) {
    if (requirement.field == field && !requirement.negated) {
      return requirement.value;
    }
  }
  return std::nullopt;
}

std::string FieldSelector::ToString() const {
  std::string text;
  for (const Requirement& requirement : requirements_) {
    text += text.empty() ? "" : ",";
    text += requirement.field + (requirement.negated ? "!=" : "=") + Escape(requirement.value);
  }
  return text;
}

}  // namespace assay::api
