// WebhookAdmission: asks the webhooks of ValidatingWebhookConfigurations whether an object of
// resource.k8s.io may be created or changed.
//
// As upstream: rules with operations, groups, versions, resources and scope; matchPolicy;
// namespaceSelector and objectSelector; caBundle, timeoutSeconds, failurePolicy, sideEffects in dry
// runs; warnings. What it cannot do, a call that reaches no service and matchConditions, counts as
// a failed call, for which failurePolicy has the answer.
//
// A call blocks its thread, as it blocks the request upstream. Calls are made on a thread of their
// own, so that the caller may be on any.
//
// Source: apiserver, pkg/admission/plugin/webhook.
//
// Thread-safe.
#ifndef ASSAY_CONTROLPLANE_APISERVER_WEBHOOK_ADMISSION_H_
#define ASSAY_CONTROLPLANE_APISERVER_WEBHOOK_ADMISSION_H_

#include <memory>
#include <string>
#include <vector>

#include "api/admissionregistration/types.h"
#include "api/compatibility.h"
#include "api/object.h"
#include "base/event_loop.h"
#include "base/http/client.h"
#include "base/result.h"
#include "controlplane/apiserver/api_result.h"
#include "controlplane/apiserver/user.h"
#include "controlplane/store/store.h"

namespace assay::controlplane::apiserver {

// A write that passed validation and is not stored yet.
struct AdmissionAttributes {
  std::string operation;  // "CREATE", "UPDATE"
  const api::Object* object = nullptr;
  const api::Object* old_object = nullptr;  // Null: CREATE.
  std::string subresource;
  std::string version;  // Of the request; empty: the preferred one.
  User user;
  bool dry_run = false;
};

class WebhookAdmission {
 public:
  // What is referred to outlives this.
  WebhookAdmission(const store::Store& objects, const api::Compatibility& compatibility);
  ~WebhookAdmission();
  WebhookAdmission(const WebhookAdmission&) = delete;
  WebhookAdmission& operator=(const WebhookAdmission&) = delete;

  // The first refusal in the order of the configurations' names; adds to `warnings`.
  ApiError Admit(const AdmissionAttributes& attributes, std::vector<std::string>& warnings);

 private:
  struct Reply;
  ApiError Ask(const api::admissionregistration::ValidatingWebhook& hook,
               const AdmissionAttributes& attributes, const api::KindVersion& version,
               std::vector<std::string>& warnings);
  Result<Reply> Call(const api::admissionregistration::ValidatingWebhook& hook,
                     const AdmissionAttributes& attributes, const api::KindVersion& version);
  Result<http::Response> Send(http::ClientOptions options, http::ClientRequest request);
  static Result<Reply> Read(const std::string& body, const std::string& uid);
  bool SelectsNamespace(const api::meta::LabelSelector& selector, const api::Object& object) const;

  const store::Store* objects_;
  const api::Compatibility* compatibility_;
  RealEventLoop loop_;  // Runs while this lives.
};

}  // namespace assay::controlplane::apiserver

#endif  // ASSAY_CONTROLPLANE_APISERVER_WEBHOOK_ADMISSION_H_
