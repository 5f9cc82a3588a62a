// PluginWatcher: which sockets lie in the kubelet's plugin registry directory, at any depth. Names
// that start with a dot and whatever is no socket are not plugins
// (pluginmanager/pluginwatcher/plugin_watcher.go).
//
// A socket that is replaced under the same path is removed and added again.
//
// Not thread-safe: lives on its loop, which must be able to watch file descriptors.
#ifndef ASSAY_CONTROLPLANE_NODE_PLUGIN_WATCHER_H_
#define ASSAY_CONTROLPLANE_NODE_PLUGIN_WATCHER_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <tuple>

#include "base/event_loop.h"
#include "base/result.h"

namespace assay::controlplane::node {

class PluginWatcher {
 public:
  struct Handlers {
    std::function<void(const std::string& socket_path)> on_add;
    std::function<void(const std::string& socket_path)> on_remove;
  };

  PluginWatcher(EventLoop& loop, std::filesystem::path directory, Handlers handlers);
  ~PluginWatcher();
  PluginWatcher(const PluginWatcher&) = delete;
  PluginWatcher& operator=(const PluginWatcher&) = delete;

  // Makes the directory where it is missing, reports what lies there, and goes on watching.
  Status Start();

 private:
  // Inode and time of its last change: a new socket may get the number of the old one.
  using Identity = std::tuple<std::uint64_t, std::int64_t, std::int64_t>;

  void OnReadable();
  void Scan();
  void ScanDirectory(const std::filesystem::path& directory, int depth,
                     std::map<std::string, Identity>& found);

  EventLoop* loop_;
  std::filesystem::path directory_;
  Handlers handlers_;
  int inotify_ = -1;
  EventLoop::TimerId rescan_ = EventLoop::kNoTimer;
  std::map<std::string, Identity> sockets_;
};

}  // namespace assay::controlplane::node

#endif  // ASSAY_CONTROLPLANE_NODE_PLUGIN_WATCHER_H_
