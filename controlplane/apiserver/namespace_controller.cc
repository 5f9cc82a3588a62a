#include "controlplane/apiserver/namespace_controller.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/core/types.h"
#include "api/registry.h"

namespace assay::controlplane::apiserver {
namespace {

using api::Kind;
using api::Object;
using api::client::Client;
using api::core::Namespace;

// How often a namespace is looked at whose content is still going.
constexpr Duration kPoll = std::chrono::milliseconds(200);
constexpr std::string_view kFinalizer = "kubernetes";

}  // namespace

struct NamespaceController::Impl : std::enable_shared_from_this<NamespaceController::Impl> {
  Impl(Client& the_client, api::Level level) : client(the_client) {
    for (const Kind* kind : api::AllKinds()) {
      if (kind->namespaced && api::PreferredVersion(*kind, level) != nullptr) {
        kinds.push_back(kind);
      }
    }
  }

  Client& client;
  std::vector<const Kind*> kinds;
  std::unique_ptr<api::client::WatchHandle> watch;
  std::set<std::string> emptying;

  template <typename F>
  auto Guard(F f) {
    return [weak = weak_from_this(), f = std::move(f)](auto&&... args) mutable {
      if (auto self = weak.lock()) {
        f(std::forward<decltype(args)>(args)...);
      }
    };
  }

  void Start() {
    // Without a version the watch begins with what is there.
    watch = client.Watch(api::KindOf<Namespace>(), {},
                         Guard([this](const api::client::WatchEvent& event) {
                           if (event.type == api::client::WatchEventType::kBookmark) {
                             return;
                           }
                           if (event.type == api::client::WatchEventType::kDeleted) {
                             emptying.erase(event.object.name());
                           } else if (event.object.metadata().deletion_timestamp &&
                                      emptying.insert(event.object.name()).second) {
                             Empty(event.object.name());
                           }
                         }),
                         Guard([this](const Status&) {
                           client.loop().RunAfter(kPoll, Guard([this] { Start(); }));
                         }));
  }

  void Empty(const std::string& name) {
    for (const Kind* kind : kinds) {
      client.DeleteCollection(*kind, {.namespace_ = name}, [](const Status&) {});
    }
    CountRest(name, 0, 0);
  }

  // Lists kind after kind; what is left has finalizers or a grace period.
  void CountRest(const std::string& name, std::size_t index, std::size_t left) {
    if (!emptying.contains(name)) {
      return;
    }
    if (index == kinds.size()) {
      if (left == 0) {
        Finalize(name);
      } else {
        client.loop().RunAfter(kPoll, Guard([this, name] { Empty(name); }));
      }
      return;
    }
    client.List(*kinds[index], {.namespace_ = name},
                Guard([this, name, index, left](const Result<api::client::ObjectList>& list) {
                  CountRest(name, index + 1, left + (list.ok() ? list->items.size() : 1));
                }));
  }

  void Finalize(const std::string& name) {
    client.Get(
        api::KindOf<Namespace>(), {"", name}, Guard([this, name](const Result<Object>& found) {
          if (!found.ok()) {
            emptying.erase(name);
            return;
          }
          Namespace ns = found->As<Namespace>();
          std::erase(ns.spec.finalizers, kFinalizer);
          client.Update(Object::Of(std::move(ns)), {.subresource = "finalize"},
                        Guard([this, name](const Result<Object>& updated) {
                          if (!updated.ok() && updated.status().code() != StatusCode::kNotFound) {
                            client.loop().RunAfter(kPoll, Guard([this, name] { Finalize(name); }));
                          }
                        }));
        }));
  }
};

NamespaceController::NamespaceController(Client& client, api::Level level)
    : impl_(std::make_shared<Impl>(client, level)) {}

NamespaceController::~NamespaceController() = default;

void NamespaceController::Start() { impl_->Start(); }

}  // namespace assay::controlplane::apiserver
