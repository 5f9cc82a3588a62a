#include "conformance/testee/spawner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "conformance/testee/internal/spawner_process.h"

namespace assay::conformance {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SpawnerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Process> Shell(const std::string& script,
                                 std::uint64_t max_output_bytes = std::uint64_t{64} << 20U) {
    Result<std::unique_ptr<Process>> process =
        spawner_->Spawn({.argv = {"/bin/sh", "-c", script},
                         .env = {{"PATH", "/usr/bin:/bin"}, {"GREETING", "hello"}},
                         .working_directory = "/",
                         .max_output_bytes = max_output_bytes});
    EXPECT_THAT(process, IsOk());
    return process.ok() ? *std::move(process) : nullptr;
  }

  static pid_t PidFrom(const std::string& output) {
    return static_cast<pid_t>(std::strtol(output.c_str(), nullptr, 10));
  }
  static bool Exists(pid_t pid) { return kill(pid, 0) == 0 || errno != ESRCH; }

  std::unique_ptr<Spawner> spawner_ = *Spawner::Start();
};

TEST_F(SpawnerTest, ReportsExitCodeAndOutput) {
  const auto process = Shell("echo $GREETING; echo error >&2; exit 3");
  EXPECT_EQ(process->WaitForExit(seconds(10)), (ExitStatus{.code = 3, .signal = 0}));
  EXPECT_TRUE(process->WaitForOutput("error\n", 0, seconds(10)));
  EXPECT_EQ(process->Output(), "hello\nerror\n");
  EXPECT_EQ(process->Output(6), "error\n");
  EXPECT_THAT(process->Signal(SIGTERM), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(SpawnerTest, SaysWhatCannotBeStarted) {
  EXPECT_THAT(spawner_->Spawn({.argv = {"/no/such/program"}, .env = {}}),
              StatusIs(StatusCode::kNotFound, HasSubstr("/no/such/program")));
  EXPECT_THAT(spawner_->Spawn({.argv = {"/etc/passwd"}, .env = {}}),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("/etc/passwd")));
  EXPECT_THAT(spawner_->Spawn({.argv = {"/bin/true"}, .env = {}, .working_directory = "/no/such"}),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(spawner_->Spawn({.argv = {}, .env = {}}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(spawner_->Spawn({.argv = {"x", std::string(200'000, 'x')}, .env = {}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("more than")));
}

TEST_F(SpawnerTest, ReportsTheSignalThatEndedIt) {
  const auto process = Shell("echo up; exec sleep 1000");
  ASSERT_TRUE(process->WaitForOutput("up", 0, seconds(10)));
  EXPECT_TRUE(process->running());
  EXPECT_THAT(process->Signal(SIGTERM), IsOk());
  EXPECT_EQ(process->WaitForExit(seconds(10)), (ExitStatus{.code = 0, .signal = SIGTERM}));
}

TEST_F(SpawnerTest, KillsWhatIgnoresSigterm) {
  const auto process = Shell("trap '' TERM; echo up; while :; do sleep 1000; done");
  ASSERT_TRUE(process->WaitForOutput("up", 0, seconds(10)));
  EXPECT_THAT(process->Signal(SIGTERM), IsOk());
  EXPECT_EQ(process->WaitForExit(std::chrono::milliseconds(50)), std::nullopt);
  EXPECT_THAT(process->KillTree(), IsOk());
  EXPECT_EQ(process->WaitForExit(seconds(0)), (ExitStatus{.code = 0, .signal = SIGKILL}));
}

TEST_F(SpawnerTest, KillsGrandchildrenInSessionsOfTheirOwn) {
  // The shell in between ends, so that the last one is an orphan in a session of its own.
  const auto process = Shell(
      "setsid sh -c 'sh -c \"echo \\$\\$; exec sleep 1000\" & exit 0'; "
      "exec sleep 1000");
  ASSERT_TRUE(process->WaitForOutput("\n", 0, seconds(10)));
  const pid_t orphan = PidFrom(process->Output());
  ASSERT_TRUE(Exists(orphan));
  EXPECT_THAT(process->KillTree(), IsOk());
  EXPECT_FALSE(Exists(orphan));
}

TEST_F(SpawnerTest, KillsWhatADeadTesteeLeftBehind) {
  const auto process = Shell("setsid sh -c 'echo $$; exec sleep 1000' & exit 0");
  ASSERT_TRUE(process->WaitForOutput("\n", 0, seconds(10)));
  const pid_t orphan = PidFrom(process->Output());
  ASSERT_EQ(process->WaitForExit(seconds(10)), (ExitStatus{.code = 0, .signal = 0}));
  ASSERT_TRUE(Exists(orphan));
  EXPECT_THAT(process->KillTree(), IsOk());
  EXPECT_FALSE(Exists(orphan));
}

TEST_F(SpawnerTest, EndingTheOwnerOfAProcessEndsItsTree) {
  auto process = Shell("echo up; exec sleep 1000");
  ASSERT_TRUE(process->WaitForOutput("up", 0, seconds(10)));
  const pid_t pid = process->pid();
  process.reset();
  EXPECT_FALSE(Exists(pid));
}

TEST_F(SpawnerTest, EndingTheSpawnerEndsEveryTree) {
  const auto process = Shell("setsid sleep 1000 & echo up; exec sleep 1000");
  ASSERT_TRUE(process->WaitForOutput("up", 0, seconds(10)));
  spawner_.reset();
  EXPECT_TRUE(process->WaitForExit(seconds(10)).has_value());
}

TEST_F(SpawnerTest, EndsAFlood) {
  const auto process = Shell("exec yes flood", std::uint64_t{1} << 20U);
  EXPECT_TRUE(process->WaitForExit(seconds(20)).has_value());
  EXPECT_TRUE(process->flooded());
  EXPECT_LT(process->Output().size(), std::size_t{1} << 20U);
  EXPECT_THAT(process->Output(), HasSubstr("bytes dropped"));
}

TEST_F(SpawnerTest, TwoProcessesDoNotMeet) {
  const auto first = Shell("echo up; exec sleep 1000");
  const auto second = Shell("echo up; exec sleep 1000");
  ASSERT_TRUE(first->WaitForOutput("up", 0, seconds(10)));
  ASSERT_TRUE(second->WaitForOutput("up", 0, seconds(10)));
  EXPECT_THAT(first->KillTree(), IsOk());
  EXPECT_FALSE(first->running());
  EXPECT_TRUE(second->running());
}

// What holds when the whole certification is killed: its testee does not outlive it.
TEST(SpawnerDeathTest, ATesteeDoesNotOutliveItsOwner) {
  // Orphans come to this process, where they can be waited for.
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const pid_t owner = fork();
  if (owner == 0) {
    const auto spawner = *Spawner::Start();
    const auto process = *spawner->Spawn({.argv = {"/bin/sleep", "1000"}, .env = {}});
    const pid_t testee = process->pid();
    (void)!write(pipe_fds[1], &testee, sizeof(testee));
    pause();
    _exit(0);
  }
  pid_t testee = 0;
  ASSERT_EQ(read(pipe_fds[0], &testee, sizeof(testee)), static_cast<ssize_t>(sizeof(testee)));
  ASSERT_EQ(kill(testee, 0), 0);
  kill(owner, SIGKILL);
  // The spawner, now ours, ends only after every tree is gone.
  while (waitpid(-1, nullptr, 0) > 0) {
  }
  EXPECT_EQ(errno, ECHILD);
  EXPECT_NE(kill(testee, 0), 0);
}

TEST(SpawnRequestTest, SurvivesTheSocket) {
  const internal::SpawnRequest request{
      .working_directory = "/w", .argv = {"a", "", "b c"}, .env = {"K=V"}};
  const auto decoded = internal::DecodeRequest(internal::EncodeRequest(request));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->working_directory, "/w");
  EXPECT_THAT(decoded->argv, ElementsAre("a", "", "b c"));
  EXPECT_THAT(decoded->env, ElementsAre("K=V"));
  EXPECT_FALSE(internal::DecodeRequest("").has_value());
  EXPECT_FALSE(internal::DecodeRequest(std::string_view("9\0/\0a\0", 6)).has_value());
}

}  // namespace
}  // namespace assay::conformance
