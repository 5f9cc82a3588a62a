#include "controlplane/node/plugin_watcher.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace assay::controlplane::node {
namespace {

constexpr int kMaxDepth = 16;
// Events tell that something changed; what there is tells the scan. One now and then catches what
// happened in a directory before its watch began.
constexpr Duration kRescan = std::chrono::seconds(1);

}  // namespace

PluginWatcher::PluginWatcher(EventLoop& loop, std::filesystem::path directory, Handlers handlers)
    : loop_(&loop), directory_(std::move(directory)), handlers_(std::move(handlers)) {}

PluginWatcher::~PluginWatcher() {
  loop_->CancelTimer(rescan_);
  if (inotify_ >= 0) {
    loop_->Unwatch(inotify_);
    ::close(inotify_);
  }
}

Status PluginWatcher::Start() {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) {
    return ErrnoError(error.value(), "creating " + directory_.string());
  }
  inotify_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify_ < 0) {
    return ErrnoError(errno, "watching " + directory_.string());
  }
  ASSAY_RETURN_IF_ERROR(loop_->WatchReadable(inotify_, [this] { OnReadable(); }));
  Scan();
  return OkStatus();
}

void PluginWatcher::OnReadable() {
  alignas(inotify_event) std::array<char, 4096> buffer{};
  while (::read(inotify_, buffer.data(), buffer.size()) > 0) {
  }
  Scan();
}

void PluginWatcher::Scan() {
  loop_->CancelTimer(rescan_);
  rescan_ = loop_->RunAfter(kRescan, [this] { Scan(); });
  std::map<std::string, Identity> found;
  ScanDirectory(directory_, 0, found);
  const std::map<std::string, Identity> before = std::exchange(sockets_, found);
  // What goes, goes first.
  for (const auto& [path, identity] : before) {
    if (const auto now = found.find(path); now == found.end() || now->second != identity) {
      handlers_.on_remove(path);
    }
  }
  for (const auto& [path, identity] : found) {
    if (const auto was = before.find(path); was == before.end() || was->second != identity) {
      handlers_.on_add(path);
    }
  }
}

void PluginWatcher::ScanDirectory(const std::filesystem::path& directory, int depth,
                                  std::map<std::string, Identity>& found) {
  // Watching twice is watching once.
  ::inotify_add_watch(inotify_, directory.c_str(),
                      IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    struct stat info = {};
    if (it->path().filename().native().starts_with('.') ||
        ::lstat(it->path().c_str(), &info) != 0) {
      continue;
    }
    if (S_ISDIR(info.st_mode) && depth < kMaxDepth) {
      ScanDirectory(it->path(), depth + 1, found);
    } else if (S_ISSOCK(info.st_mode)) {
      found[it->path().string()] = {info.st_ino, info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
    }
  }
}

}  // namespace assay::controlplane::node
