#include "controlplane/node/plugin_watcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"

namespace assay::controlplane::node {
namespace {

using namespace std::chrono_literals;
using ::assay::testing::IsOk;

// A bound unix socket; its file stays.
class Socket {
 public:
  explicit Socket(const std::filesystem::path& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0) << path;
  }
  ~Socket() { ::close(fd_); }

 private:
  int fd_;
};

class PluginWatcherTest : public ::testing::Test {
 protected:
  PluginWatcherTest() : dir_(*TempDir::Create()) { loop_.Start(); }
  ~PluginWatcherTest() override {
    Run([this] { watcher_.reset(); });
    loop_.StopAndJoin();
  }

  void Run(const std::function<void()>& task) {
    std::mutex mu;
    std::condition_variable done;
    bool ran = false;
    loop_.Post([&] {
      task();
      const std::lock_guard<std::mutex> lock(mu);
      ran = true;
      done.notify_all();
    });
    std::unique_lock<std::mutex> lock(mu);
    done.wait(lock, [&] { return ran; });
  }
  void Start() {
    Run([this] {
      watcher_ = std::make_unique<PluginWatcher>(
          loop_, dir_ / "registry",
          PluginWatcher::Handlers{
              .on_add = [this](const std::string& path) { Note("+", path); },
              .on_remove = [this](const std::string& path) { Note("-", path); }});
      EXPECT_THAT(watcher_->Start(), IsOk());
    });
  }
  void Note(const std::string& sign, const std::string& path) {
    const std::lock_guard<std::mutex> lock(mu_);
    events_.push_back(sign +
                      std::filesystem::path(path).lexically_relative(dir_ / "registry").string());
    changed_.notify_all();
  }
  // Waits until exactly these have come.
  void Expect(const std::vector<std::string>& events) {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait_for(lock, 10s, [&] { return events_.size() >= events.size(); });
    EXPECT_EQ(events_, events);
    events_.clear();
  }

  TempDir dir_;
  RealEventLoop loop_;
  std::mutex mu_;
  std::condition_variable changed_;
  std::vector<std::string> events_;  // Guarded by mu_.
  std::unique_ptr<PluginWatcher> watcher_;
};

TEST_F(PluginWatcherTest, FindsSocketsThatAreThereAndThatCome) {
  std::filesystem::create_directories(dir_ / "registry/sub");
  const Socket there(dir_ / "registry/sub/a.sock");
  Start();
  Expect({"+sub/a.sock"});
  const Socket comes(dir_ / "registry/b.sock");
  Expect({"+b.sock"});
  std::filesystem::create_directories(dir_ / "registry/new/deep");
  const Socket deep(dir_ / "registry/new/deep/c.sock");
  Expect({"+new/deep/c.sock"});
  std::filesystem::remove(dir_ / "registry/b.sock");
  Expect({"-b.sock"});
}

TEST_F(PluginWatcherTest, IgnoresFilesAndHiddenNames) {
  Start();
  const Socket hidden(dir_ / "registry/.a.sock");
  ASSERT_THAT(WriteFileAtomically(dir_ / "registry/file", "x"), IsOk());
  const Socket plugin(dir_ / "registry/b.sock");
  Expect({"+b.sock"});
  std::filesystem::rename(dir_ / "registry/.a.sock", dir_ / "registry/a.sock");
  Expect({"+a.sock"});
}

TEST_F(PluginWatcherTest, AReplacedSocketGoesAndComes) {
  Start();
  const Socket first(dir_ / "registry/a.sock");
  Expect({"+a.sock"});
  const Socket second(dir_ / "registry/.b");
  std::filesystem::rename(dir_ / "registry/.b", dir_ / "registry/a.sock");
  Expect({"-a.sock", "+a.sock"});
}

}  // namespace
}  // namespace assay::controlplane::node
