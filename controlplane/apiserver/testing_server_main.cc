// An API server for tests by other programs (kubectl, client-go): registry, garbage collector and
// namespace controller, no scheduler.
//
//   apiserver_for_tests DIRECTORY
//
// Writes DIRECTORY/kubeconfig, then "ready <url>" to stdout, then obeys lines from stdin, each
// answered with "ok": `compact` forgets the watch history, `drop RESOURCE` breaks its watches,
// `expire RESOURCE` ends them with 410, `fault RESOURCE VERB CODE TIMES` answers requests with an
// error. Ends with stdin.

#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>

#include "api/core/types.h"
#include "base/event_loop.h"
#include "controlplane/apiserver/garbage_collector.h"
#include "controlplane/apiserver/in_process_client.h"
#include "controlplane/apiserver/namespace_controller.h"
#include "controlplane/apiserver/registry.h"
#include "controlplane/apiserver/server.h"

namespace assay::controlplane::apiserver {
namespace {

Fault::Action ActionFor(int code) {
  switch (code) {
    case 409:
      return Fault::Conflict();
    case 410:
      return Fault::Expired();
    case 429:
      return Fault::TooManyRequests(1);
    case 503:
      return Fault::ServiceUnavailable();
    default:
      return Fault::InternalError();
  }
}

bool Obey(const std::string& line, Registry& registry, Server& server) {
  std::istringstream words(line);
  std::string command;
  std::string resource;
  words >> command >> resource;
  if (command == "compact") {
    registry.objects().Compact();
  } else if (command == "drop") {
    server.DropWatches({.resources = {resource}});
  } else if (command == "expire") {
    server.ExpireWatches({.resources = {resource}});
  } else if (command == "fault") {
    std::string verb;
    int code = 0;
    int times = 0;
    words >> verb >> code >> times;
    server.faults().Add({.match = {.verbs = {verb}, .resources = {resource}},
                         .action = ActionFor(code),
                         .times = times});
  } else {
    return false;
  }
  return true;
}

int Main(const std::filesystem::path& directory) {
  Registry registry({});
  RequestContext context{.user = User::Controller("setup")};
  for (const char* name : {"default", "kube-system"}) {
    api::core::Namespace ns;
    ns.metadata.name = name;
    if (auto created = registry.Create(api::Object::Of(std::move(ns)), context); !created.ok()) {
      std::cerr << created.error().message << "\n";
      return 2;
    }
  }
  RealEventLoop loop;
  auto client = MakeInProcessClient(registry, loop, User::Controller("controllers"));
  const api::Level level = registry.compatibility().level();
  GarbageCollector collector(*client, GarbageCollector::DefaultKinds(level));
  NamespaceController namespaces(*client, level);
  collector.Start();
  namespaces.Start();
  loop.Start();

  Result<std::unique_ptr<Server>> server =
      Server::Start(registry, {.bookmark_interval = std::chrono::seconds(1)});
  Status written =
      server.ok() ? (*server)->WriteKubeconfig(directory / "kubeconfig", (*server)->admin_token())
                  : server.status();
  if (!written.ok()) {
    std::cerr << written << "\n";
    return 2;
  }
  std::cout << "ready " << (*server)->url() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << (Obey(line, registry, **server) ? "ok" : "unknown command") << std::endl;
  }
  (*server)->Stop();
  loop.StopAndJoin();
  return 0;
}

}  // namespace
}  // namespace assay::controlplane::apiserver

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: apiserver_for_tests DIRECTORY\n";
    return 2;
  }
  return assay::controlplane::apiserver::Main(argv[1]);
}
