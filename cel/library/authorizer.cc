#include "cel/library/library.h"

// Source: k8s.io/apiserver/pkg/cel/library/authz.go. The functions are declared everywhere, so that
// the same expressions compile; the variable `authorizer`, without which none can be called, is
// declared only where requests are admitted, which is nowhere here.

namespace assay::cel::library {

void AddAuthorizer(FunctionTable& table) {
#define AUTHZ(name) "kubernetes.authorization." name
  table.Add("path", {{"authorizer_path", AUTHZ("Authorizer") ".(string) -> " AUTHZ("PathCheck")}});
  table.Add("check",
            {{"pathcheck_check", AUTHZ("PathCheck") ".(string) -> " AUTHZ("Decision")},
             {"resourcecheck_check", AUTHZ("ResourceCheck") ".(string) -> " AUTHZ("Decision")}});
  table.Add("group",
            {{"authorizer_group", AUTHZ("Authorizer") ".(string) -> " AUTHZ("GroupCheck")}});
  table.Add("serviceAccount", {{"authorizer_serviceaccount",
                                AUTHZ("Authorizer") ".(string, string) -> " AUTHZ("Authorizer")}});
  table.Add("resource",
            {{"groupcheck_resource", AUTHZ("GroupCheck") ".(string) -> " AUTHZ("ResourceCheck")}});
  table.Add("subresource", {{"resourcecheck_subresource",
                             AUTHZ("ResourceCheck") ".(string) -> " AUTHZ("ResourceCheck")}});
  table.Add("namespace", {{"resourcecheck_namespace",
                           AUTHZ("ResourceCheck") ".(string) -> " AUTHZ("ResourceCheck")}});
  table.Add("name", {{"resourcecheck_name",
                      AUTHZ("ResourceCheck") ".(string) -> " AUTHZ("ResourceCheck")}});
  table.Add("fieldSelector", {{"authorizer_fieldselector",
                               AUTHZ("ResourceCheck") ".(string) -> " AUTHZ("ResourceCheck")}});
  table.Add("labelSelector", {{"authorizer_labelselector",
                               AUTHZ("ResourceCheck") ".(string) -> " AUTHZ("ResourceCheck")}});
  table.Add("errored", {{"decision_errored", AUTHZ("Decision") ".() -> bool"}});
  table.Add("error", {{"decision_error", AUTHZ("Decision") ".() -> string"}});
  table.Add("allowed", {{"decision_allowed", AUTHZ("Decision") ".() -> bool"}});
  table.Add("reason", {{"decision_reason", AUTHZ("Decision") ".() -> string"}});
#undef AUTHZ
}

}  // namespace assay::cel::library
