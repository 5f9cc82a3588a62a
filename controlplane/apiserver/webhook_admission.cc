#include "controlplane/apiserver/webhook_admission.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "api/codec/codec.h"
#include "api/core/types.h"
#include "api/meta/label_selector.h"
#include "api/meta/status.h"
#include "api/registry.h"
#include "base/http/client.h"
#include "base/random.h"

namespace assay::controlplane::apiserver {
namespace {

namespace meta = api::meta;
using api::admissionregistration::RuleWithOperations;
using api::admissionregistration::ValidatingWebhook;
using api::admissionregistration::ValidatingWebhookConfiguration;
using Json = nlohmann::json;

constexpr std::string_view kGroup = "resource.k8s.io";
constexpr std::string_view kReviewVersion = "v1";
constexpr std::string_view kReviewApiVersion = "admission.k8s.io/v1";
constexpr std::int32_t kDefaultTimeoutSeconds = 10;
// An answer is a few lines.
constexpr std::size_t kMaxAnswerBytes = 1024 * 1024;

bool Has(const std::vector<std::string>& values, std::string_view value) {
  return std::ranges::any_of(values,
                             [&](const std::string& each) { return each == "*" || each == value; });
}

// "resourceclaims", "resourceclaims/status", "resourceclaims/*", "*/status", "*", "*/*". Source:
// plugin/webhook/predicates/rules.
bool HasResource(const std::vector<std::string>& patterns, const std::string& resource,
                 const std::string& subresource) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    const std::size_t slash = pattern.find('/');
    const std::string wanted = pattern.substr(0, slash);
    const std::string wanted_subresource =
        slash == std::string::npos ? "" : pattern.substr(slash + 1);
    return (wanted == "*" || wanted == resource) &&
           (wanted_subresource == "*" || wanted_subresource == subresource);
  });
}

bool Matches(const RuleWithOperations& rule, const AdmissionAttributes& attributes,
             const std::string& version) {
  const api::Kind& kind = attributes.object->kind();
  const std::string scope = rule.scope.value_or("*");
  return Has(rule.operations, attributes.operation) && Has(rule.api_groups, kind.group) &&
         Has(rule.api_versions, version) &&
         HasResource(rule.resources, kind.resource, attributes.subresource) &&
         (scope == "*" || scope == (kind.namespaced ? "Namespaced" : "Cluster"));
}

const api::KindVersion& RequestVersion(const AdmissionAttributes& attributes, api::Level level) {
  const api::Kind& kind = attributes.object->kind();
  return attributes.version.empty() ? *api::PreferredVersion(kind, level)
                                    : *api::FindVersion(kind, attributes.version);
}

// In which version the webhook wants the object; null: it does not want it.
const api::KindVersion* WantedVersion(const ValidatingWebhook& hook,
                                      const AdmissionAttributes& attributes, api::Level level) {
  const api::KindVersion& asked = RequestVersion(attributes, level);
  const auto wants = [&](const api::KindVersion& version) {
    return std::ranges::any_of(hook.rules, [&](const RuleWithOperations& rule) {
      return Matches(rule, attributes, version.version);
    });
  };
  if (wants(asked)) {
    return &asked;
  }
  if (hook.match_policy.value_or("Equivalent") == "Exact") {
    return nullptr;
  }
  const auto& versions = attributes.object->kind().versions;
  const auto found = std::ranges::find_if(versions, [&](const api::KindVersion& version) {
    return version.ServedAt(level) && wants(version);
  });
  return found == versions.end() ? nullptr : &*found;
}

bool Selects(const std::optional<meta::LabelSelector>& selector,
             const std::map<std::string, std::string>& labels) {
  if (!selector) {
    return true;
  }
  const Result<meta::LabelQuery> query = meta::LabelQuery::From(*selector);
  return query.ok() && query->Matches(labels);
}

Json KindJson(const api::Kind& kind, const std::string& version) {
  return {{"group", kind.group}, {"version", version}, {"kind", kind.kind}};
}
Json ResourceJson(const api::Kind& kind, const std::string& version) {
  return {{"group", kind.group}, {"version", version}, {"resource", kind.resource}};
}

std::string ReviewOf(const AdmissionAttributes& attributes, const api::KindVersion& version,
                     api::Level level, const std::string& uid) {
  const api::Object& object = *attributes.object;
  const api::Kind& kind = object.kind();
  const std::string asked = RequestVersion(attributes, level).version;
  Json user = {{"username", attributes.user.name}, {"groups", attributes.user.groups}};
  if (!attributes.user.uid.empty()) {
    user["uid"] = attributes.user.uid;
  }
  if (!attributes.user.extra.empty()) {
    user["extra"] = attributes.user.extra;
  }
  const bool create = attributes.old_object == nullptr;
  Json request = {
      {"uid", uid},
      {"kind", KindJson(kind, version.version)},
      {"resource", ResourceJson(kind, version.version)},
      {"requestKind", KindJson(kind, asked)},
      {"requestResource", ResourceJson(kind, asked)},
      {"name", object.name()},
      {"operation", attributes.operation},
      {"userInfo", std::move(user)},
      {"object", Json::parse(api::codec::EncodeJson(object, version, level))},
      {"oldObject",
       create ? Json()
              : Json::parse(api::codec::EncodeJson(*attributes.old_object, version, level))},
      {"dryRun", attributes.dry_run},
      {"options",
       {{"kind", create ? "CreateOptions" : "UpdateOptions"}, {"apiVersion", "meta.k8s.io/v1"}}}};
  if (!object.namespace_().empty()) {
    request["namespace"] = object.namespace_();
  }
  if (!attributes.subresource.empty()) {
    request["subResource"] = attributes.subresource;
    request["requestSubResource"] = attributes.subresource;
  }
  return Json{{"kind", "AdmissionReview"},
              {"apiVersion", kReviewApiVersion},
              {"request", std::move(request)}}
      .dump();
}

std::string TextOf(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// Source: plugin/webhook/errors, ToStatusErr.
meta::Status Denied(const std::string& hook, const Json& result) {
  constexpr std::int64_t kLowest = 400;
  meta::Status status;
  status.status = "Failure";
  status.reason = TextOf(result, "reason");
  const auto code = result.find("code");
  status.code = static_cast<std::int32_t>(
      code != result.end() && code->is_number_integer()
          ? std::clamp<std::int64_t>(code->get<std::int64_t>(), kLowest, 599)
          : kLowest);
  const std::string message = TextOf(result, "message");
  const std::string by = "admission webhook \"" + hook + "\" denied the request";
  status.message = !message.empty()         ? by + ": " + message
                   : !status.reason.empty() ? by + ": " + status.reason
                                            : by + " without explanation";
  return status;
}

}  // namespace

// What a webhook said.
struct WebhookAdmission::Reply {
  bool allowed = false;
  Json status = Json::object();
  std::vector<std::string> warnings;
};

WebhookAdmission::WebhookAdmission(const store::Store& objects,
                                   const api::Compatibility& compatibility)
    : objects_(&objects), compatibility_(&compatibility) {
  loop_.Start();
}

WebhookAdmission::~WebhookAdmission() { loop_.StopAndJoin(); }

ApiError WebhookAdmission::Admit(const AdmissionAttributes& attributes,
                                 std::vector<std::string>& warnings) {
  if (attributes.object->kind().group != kGroup) {
    return std::nullopt;
  }
  const auto configurations = objects_->List(api::KindOf<ValidatingWebhookConfiguration>(), {});
  if (!configurations.ok()) {
    return meta::InternalError(configurations.status().message());
  }
  for (const store::VersionPtr& item : configurations->items) {
    for (const ValidatingWebhook& hook :
         item->object().As<ValidatingWebhookConfiguration>().webhooks) {
      const api::KindVersion* const version =
          WantedVersion(hook, attributes, compatibility_->level());
      const bool selected =
          version != nullptr &&
          (!hook.namespace_selector ||
           SelectsNamespace(*hook.namespace_selector, *attributes.object)) &&
          (Selects(hook.object_selector, attributes.object->metadata().labels) ||
           (attributes.old_object != nullptr &&
            Selects(hook.object_selector, attributes.old_object->metadata().labels)));
      if (selected) {
        ASSAY_API_RETURN_IF_ERROR(Ask(hook, attributes, *version, warnings));
      }
    }
  }
  return std::nullopt;
}

// What is in no namespace is in all of them.
bool WebhookAdmission::SelectsNamespace(const meta::LabelSelector& selector,
                                        const api::Object& object) const {
  if (!object.kind().namespaced) {
    return true;
  }
  const store::VersionPtr found =
      objects_->Get(api::KindOf<api::core::Namespace>(), {"", object.namespace_()});
  return found != nullptr && Selects(selector, found->object().metadata().labels);
}

ApiError WebhookAdmission::Ask(const ValidatingWebhook& hook, const AdmissionAttributes& attributes,
                               const api::KindVersion& version,
                               std::vector<std::string>& warnings) {
  const std::string side_effects = hook.side_effects.value_or("Unknown");
  if (attributes.dry_run && side_effects != "None" && side_effects != "NoneOnDryRun") {
    return meta::BadRequest("admission webhook \"" + hook.name + "\" does not support dry run");
  }
  Result<Reply> reply = Call(hook, attributes, version);
  if (!reply.ok()) {
    if (hook.failure_policy.value_or("Fail") == "Ignore") {
      return std::nullopt;
    }
    return meta::InternalError("failed calling webhook \"" + hook.name +
                               "\": " + reply.status().message());
  }
  std::ranges::move(reply->warnings, std::back_inserter(warnings));
  return reply->allowed ? ApiError() : Denied(hook.name, reply->status);
}

Result<WebhookAdmission::Reply> WebhookAdmission::Call(const ValidatingWebhook& hook,
                                                       const AdmissionAttributes& attributes,
                                                       const api::KindVersion& version) {
  if (!Has(hook.admission_review_versions, kReviewVersion)) {
    return UnimplementedError("webhook does not accept v1 AdmissionReviews");
  }
  if (!hook.match_conditions.empty()) {
    return UnimplementedError("matchConditions are not evaluated here");
  }
  if (!hook.client_config.url) {
    return UnimplementedError("clientConfig: services have no address here; expected a url");
  }
  const std::chrono::seconds timeout(hook.timeout_seconds.value_or(kDefaultTimeoutSeconds));
  // Scheme and host; the rest is the path.
  const std::string& url = *hook.client_config.url;
  const std::size_t host = url.find("://");
  const std::size_t path = host == std::string::npos ? host : url.find('/', host + 3);
  const std::string target = path == std::string::npos ? "/" : url.substr(path);
  http::ClientRequest request{.method = "POST", .target = target};
  request.target += (target.find('?') == std::string::npos ? "?timeout=" : "&timeout=") +
                    std::to_string(timeout.count()) + "s";
  request.headers.Set("Content-Type", "application/json");
  const std::string uid = Random::FromSystem().Uuid();
  request.body = ReviewOf(attributes, version, compatibility_->level(), uid);
  request.timeout = timeout;

  const Result<http::Response> response = Send({.url = url.substr(0, path),
                                                .ca_pem = hook.client_config.ca_bundle,
                                                .user_agent = "kube-apiserver-admission",
                                                .max_body_bytes = kMaxAnswerBytes,
                                                .connect_timeout = timeout},
                                               std::move(request));
  ASSAY_RETURN_IF_ERROR(response.status());
  if (response->status != 200) {
    return UnavailableError("the server answered " + std::to_string(response->status) + ": " +
                            response->body.substr(0, 200));
  }
  return Read(response->body, uid);
}

// On the loop of this, whatever thread it is called on.
Result<http::Response> WebhookAdmission::Send(http::ClientOptions options,
                                              http::ClientRequest request) {
  std::promise<Result<http::Response>> answer;
  std::unique_ptr<http::Client> client;
  loop_.Post([&] {
    Result<std::unique_ptr<http::Client>> made = http::Client::Create(loop_, std::move(options));
    if (!made.ok()) {
      answer.set_value(made.status());
      return;
    }
    client = *std::move(made);
    client->Send(std::move(request),
                 [&](Result<http::Response> response) { answer.set_value(std::move(response)); });
  });
  Result<http::Response> response = answer.get_future().get();
  std::promise<void> gone;
  loop_.Post([&] {
    client.reset();
    gone.set_value();
  });
  gone.get_future().wait();
  return response;
}

Result<WebhookAdmission::Reply> WebhookAdmission::Read(const std::string& body,
                                                       const std::string& uid) {
  const Json review = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  const Json said = review.is_object() ? review.value("response", Json()) : Json();
  if (!said.is_object() || TextOf(review, "kind") != "AdmissionReview" ||
      TextOf(review, "apiVersion") != kReviewApiVersion) {
    return InvalidArgumentError("the answer is no AdmissionReview of " +
                                std::string(kReviewApiVersion) + " with a response");
  }
  if (TextOf(said, "uid") != uid || !said.value("allowed", Json()).is_boolean()) {
    return InvalidArgumentError("expected response.uid=\"" + uid + "\" and response.allowed");
  }
  Reply reply{.allowed = said["allowed"].get<bool>()};
  if (said.contains("status") && said["status"].is_object()) {
    reply.status = said["status"];
  }
  for (const Json& warning : said.value("warnings", Json::array())) {
    if (warning.is_string()) {
      reply.warnings.push_back(warning.get<std::string>());
    }
  }
  return reply;
}

}  // namespace assay::controlplane::apiserver
