#include "controlplane/apiserver/object_writer.h"

#include <string_view>

#include "api/codec/codec.h"
#include "api/json/json.h"
#include "api/meta/types.h"

namespace assay::controlplane::apiserver {
namespace {

namespace meta = api::meta;

std::string PartialMetadata(const meta::ObjectMeta& metadata) {
  meta::PartialObjectMetadata partial{.metadata = metadata};
  return api::json::EncodeAs(partial,
                             {.api_version = "meta.k8s.io/v1", .kind = "PartialObjectMetadata"});
}

api::table::TableOptions TableOptionsFor(const WriteForm& form) {
  return {.version = form.version->version,
          .include_object = form.include_object,
          .no_headers = form.no_headers};
}

// As upstream's typed lists have them: without apiVersion and kind.
std::string_view WithoutType(std::string_view json) {
  static constexpr std::string_view kMetadata = "\"metadata\":";
  std::size_t start = json.find(kMetadata);
  return start == std::string_view::npos ? json.substr(1) : json.substr(start);
}

void AppendListMeta(const ListAnswer& list, std::string& out) {
  meta::ListMeta metadata{.resource_version = std::to_string(list.resource_version),
                          .continue_ = list.continue_,
                          .remaining_item_count = list.remaining_item_count};
  out += ",\"metadata\":" + api::json::EncodeAs(metadata);
}

}  // namespace

std::string WriteObject(const store::Version& object, const WriteForm& form) {
  switch (form.form) {
    case OutputForm::kTable: {
      api::table::TableOptions options = TableOptionsFor(form);
      options.resource_version = object.object().metadata().resource_version;
      return api::table::EncodeTable(object.object().kind(), {object.object()}, form.now, options);
    }
    case OutputForm::kPartialMetadata:
      return PartialMetadata(object.object().metadata());
    default:
      return object.Json(*form.version);
  }
}

std::string WriteList(const api::Kind& kind, const ListAnswer& list, const WriteForm& form) {
  if (form.form == OutputForm::kTable) {
    api::table::TableOptions options = TableOptionsFor(form);
    options.resource_version = std::to_string(list.resource_version);
    options.continue_ = list.continue_;
    std::vector<api::Object> objects;
    objects.reserve(list.items.size());
    for (const VersionPtr& item : list.items) {
      objects.push_back(item->object());
    }
    return api::table::EncodeTable(kind, objects, form.now, options);
  }
  const bool partial = form.form == OutputForm::kPartialMetadata;
  std::string out = partial ? R"({"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1")"
                            : "{\"kind\":\"" + kind.kind + "List\",\"apiVersion\":\"" +
                                  api::codec::ApiVersionOf(kind, *form.version) + "\"";
  AppendListMeta(list, out);
  out += ",\"items\":[";
  bool first = true;
  for (const VersionPtr& item : list.items) {
    if (!first) {
      out += ',';
    }
    first = false;
    if (partial) {
      out += PartialMetadata(item->object().metadata());
    } else {
      out.append("{").append(WithoutType(item->Json(*form.version)));
    }
  }
  return out + "]}\n";
}

std::string WriteEvent(std::string_view type, const store::Version& object, const WriteForm& form) {
  std::string line = "{\"type\":\"";
  line.append(type).append("\",\"object\":");
  if (form.form == OutputForm::kObject) {
    line += object.Json(*form.version);  // Shared by all watchers.
  } else {
    std::string text = WriteObject(object, form);
    while (text.ends_with('\n')) {
      text.pop_back();
    }
    line += text;
  }
  return line += "}\n";
}

std::string WriteBookmark(const api::Kind& kind, std::uint64_t resource_version,
                          bool initial_events_end, const WriteForm& form) {
  meta::ObjectMeta metadata{.resource_version = std::to_string(resource_version)};
  if (initial_events_end) {
    metadata.annotations["k8s.io/initial-events-end"] = "true";
  }
  std::string object;
  if (form.form == OutputForm::kObject) {
    Draft draft = Draft::New(kind);
    draft.metadata() = std::move(metadata);
    object = api::codec::EncodeJson(std::move(draft).Freeze(), *form.version, api::Level::k1_37);
  } else if (form.form == OutputForm::kTable) {
    // A Table without rows cannot carry the annotation; its one row's object does.
    object = R"({"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":")" +
             metadata.resource_version +
             R"("},"columnDefinitions":null,"rows":[{"cells":[],"object":)" +
             PartialMetadata(metadata) + "}]}";
  } else {
    object = PartialMetadata(metadata);
  }
  return "{\"type\":\"BOOKMARK\",\"object\":" + object + "}\n";
}

std::string WriteErrorEvent(const meta::Status& status) {
  return "{\"type\":\"ERROR\",\"object\":" +
         api::json::EncodeAs(status, {.api_version = "v1", .kind = "Status"}) + "}\n";
}

}  // namespace assay::controlplane::apiserver
