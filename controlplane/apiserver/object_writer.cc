#include "controlplane/apiserver/object_writer.h"

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "api/json/json.h"
#include "api/meta/types.h"
#include "api/proto/proto.h"

namespace assay::controlplane::apiserver {
namespace {

namespace codec = api::codec;
namespace meta = api::meta;
namespace proto = api::proto;
using api::json::TypeMeta;
using codec::Format;

// The numbers of every list's fields, and of WatchEvent's and RawExtension's.
constexpr std::uint32_t kListMetadata = 1;
constexpr std::uint32_t kListItems = 2;
constexpr std::uint32_t kEventType = 1;
constexpr std::uint32_t kEventObject = 2;
constexpr std::uint32_t kRaw = 1;

const TypeMeta& PartialType() {
  static const auto* type =
      new TypeMeta{.api_version = "meta.k8s.io/v1", .kind = "PartialObjectMetadata"};
  return *type;
}

meta::PartialObjectMetadata PartialOf(const meta::ObjectMeta& metadata) {
  return {.metadata = metadata};
}

std::string PartialJson(const meta::ObjectMeta& metadata) {
  return api::json::EncodeAs(PartialOf(metadata), PartialType());
}

api::table::TableOptions TableOptionsFor(const WriteForm& form) {
  return {.version = form.version->version,
          .include_object = form.include_object,
          .no_headers = form.no_headers};
}

TypeMeta TypeOf(const api::Kind& kind, const WriteForm& form) {
  return {.api_version = codec::ApiVersionOf(kind, *form.version), .kind = kind.kind};
}

// As upstream's typed lists have them: without apiVersion and kind.
std::string_view WithoutType(std::string_view json) {
  static constexpr std::string_view kMetadata = "\"metadata\":";
  std::size_t start = json.find(kMetadata);
  return start == std::string_view::npos ? json.substr(1) : json.substr(start);
}

meta::ListMeta ListMetaOf(const ListAnswer& list) {
  return {.resource_version = std::to_string(list.resource_version),
          .continue_ = list.continue_,
          .remaining_item_count = list.remaining_item_count};
}

std::string WriteTable(const api::Kind& kind, const ListAnswer& list, const WriteForm& form) {
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

TypeMeta ListTypeOf(const api::Kind& kind, const WriteForm& form) {
  TypeMeta type =
      form.output.form == OutputForm::kPartialMetadata ? PartialType() : TypeOf(kind, form);
  type.kind += "List";
  return type;
}

std::string WriteProtoList(const api::Kind& kind, const ListAnswer& list, const WriteForm& form) {
  const meta::ListMeta metadata = ListMetaOf(list);
  std::string raw;
  proto::AppendField(kListMetadata,
                     proto::EncodeMessage(api::schema::DescriptorOf<meta::ListMeta>(), &metadata),
                     &raw);
  for (const VersionPtr& item : list.items) {
    if (form.output.form == OutputForm::kPartialMetadata) {
      const meta::PartialObjectMetadata partial = PartialOf(item->object().metadata());
      proto::AppendField(
          kListItems,
          proto::EncodeMessage(api::schema::DescriptorOf<meta::PartialObjectMetadata>(), &partial),
          &raw);
    } else {
      proto::AppendField(kListItems, item->Protobuf(*form.version), &raw);
    }
  }
  return proto::EncodeEnvelope(ListTypeOf(kind, form), raw);
}

// A line of JSON, or a frame: the length of what follows, big endian, and the event.
std::string Event(std::string_view type, std::string_view object, Format format) {
  if (format == Format::kJson) {
    while (object.ends_with('\n')) {
      object.remove_suffix(1);
    }
    return std::string("{\"type\":\"").append(type).append("\",\"object\":").append(object) + "}\n";
  }
  std::string raw_extension;
  proto::AppendField(kRaw, object, &raw_extension);
  std::string event;
  proto::AppendField(kEventType, type, &event);
  proto::AppendField(kEventObject, raw_extension, &event);
  const auto size = static_cast<std::uint32_t>(event.size());
  std::string frame;
  for (int shift : {24, 16, 8, 0}) {
    frame += static_cast<char>(size >> shift & 255);
  }
  return frame += event;
}

}  // namespace

std::string WriteObject(const store::Version& object, const WriteForm& form) {
  switch (form.output.form) {
    case OutputForm::kTable: {
      api::table::TableOptions options = TableOptionsFor(form);
      options.resource_version = object.object().metadata().resource_version;
      return api::table::EncodeTable(object.object().kind(), {object.object()}, form.now, options);
    }
    case OutputForm::kPartialMetadata:
      return codec::EncodeAs(PartialOf(object.object().metadata()), PartialType(),
                             form.output.format);
    default:
      // The text is shared by all who read it.
      return form.output.format == Format::kJson
                 ? object.Json(*form.version)
                 : proto::EncodeEnvelope(TypeOf(object.object().kind(), form),
                                         object.Protobuf(*form.version));
  }
}

std::string WriteList(const api::Kind& kind, const ListAnswer& list, const WriteForm& form) {
  if (form.output.form == OutputForm::kTable) {
    return WriteTable(kind, list, form);
  }
  if (form.output.format == Format::kProtobuf) {
    return WriteProtoList(kind, list, form);
  }
  const TypeMeta type = ListTypeOf(kind, form);
  std::string out = "{\"kind\":\"" + type.kind + "\",\"apiVersion\":\"" + type.api_version +
                    "\",\"metadata\":" + api::json::EncodeAs(ListMetaOf(list)) + ",\"items\":[";
  bool first = true;
  for (const VersionPtr& item : list.items) {
    if (!first) {
      out += ',';
    }
    first = false;
    if (form.output.form == OutputForm::kPartialMetadata) {
      out += PartialJson(item->object().metadata());
    } else {
      out.append("{").append(WithoutType(item->Json(*form.version)));
    }
  }
  return out + "]}\n";
}

std::string WriteEvent(std::string_view type, const store::Version& object, const WriteForm& form) {
  if (form.output == Output{OutputForm::kObject, Format::kJson}) {
    return Event(type, object.Json(*form.version), Format::kJson);  // Without a copy of it.
  }
  return Event(type, WriteObject(object, form), form.output.format);
}

std::string WriteBookmark(const api::Kind& kind, std::uint64_t resource_version,
                          bool initial_events_end, const WriteForm& form) {
  meta::ObjectMeta metadata{.resource_version = std::to_string(resource_version)};
  if (initial_events_end) {
    metadata.annotations["k8s.io/initial-events-end"] = "true";
  }
  if (form.output.form == OutputForm::kTable) {
    // A Table without rows cannot carry the annotation; its one row's object does.
    return Event(
        "BOOKMARK",
        R"({"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":")" +
            metadata.resource_version +
            R"("},"columnDefinitions":null,"rows":[{"cells":[],"object":)" + PartialJson(metadata) +
            "}]}",
        Format::kJson);
  }
  const store::Encoder encoder = [](const api::Object& object, const api::KindVersion& version,
                                    Format format) {
    return codec::Encode(object, version, format);
  };
  Draft draft = Draft::New(kind);
  draft.metadata() = std::move(metadata);
  return WriteEvent("BOOKMARK",
                    store::Version(std::move(draft).Freeze(), resource_version, &encoder), form);
}

std::string WriteErrorEvent(const meta::Status& status, Format format) {
  return Event("ERROR", codec::EncodeAs(status, {.api_version = "v1", .kind = "Status"}, format),
               format);
}

std::string WatchMediaType(Format format) {
  std::string type(codec::MediaTypeOf(format));
  return format == Format::kJson ? type : type + ";stream=watch";
}

}  // namespace assay::controlplane::apiserver
