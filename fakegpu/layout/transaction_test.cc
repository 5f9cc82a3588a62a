#include "fakegpu/layout/transaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/temp_dir.h"
#include "base/testing/status_matchers.h"
#include "base/testing/traced_process.h"
#include "fakegpu/layout/region.h"

namespace assay::fakegpu::layout {
namespace {

constexpr std::uint32_t kGpus = 3;

class TransactionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<TempDir> dir = TempDir::Create("layout-test");
    ASSERT_THAT(dir, assay::testing::IsOk());
    dir_.emplace(*std::move(dir));
    std::string bytes(FileSize(kGpus), '\0');
    NodeState node{};
    node.gpu_count = kGpus;
    const std::vector<GpuState> gpus(kGpus);
    FormatRegion(bytes.data(), node, gpus.data(), kGpus, 1);
    ASSERT_THAT(WriteFileAtomically(path(), bytes), assay::testing::IsOk());
  }
  std::string path() const { return *dir_ / "state"; }

  // A change that touches the node, every GPU and the events: all fields get one value.
  static void SetAll(Transaction& transaction, std::uint64_t value) {
    transaction.node().seed = value;
    for (std::uint32_t slot = 0; slot < kGpus; ++slot) {
      transaction.gpu(slot).noise_seed = value;
      transaction.gpu(slot).health.pcie_replays = value;
    }
    transaction.AddEvent({.number = 0,
                          .type = 1,
                          .data = value,
                          .gpu = 0,
                          .gpu_instance = 0,
                          .compute_instance = 0,
                          .reserved = 0});
  }
  void CommitAll(std::uint64_t value) const { CommitAll(value, path()); }
  static void CommitAll(std::uint64_t value, const std::string& file) {
    Transaction transaction;
    ASSERT_EQ(transaction.Begin(file.c_str()), OpenError::kNone);
    SetAll(transaction, value);
    transaction.Commit();
  }

  static void CommitNothing(const std::string& file) {
    Transaction transaction;
    ASSERT_EQ(transaction.Begin(file.c_str()), OpenError::kNone);
    transaction.Commit();
  }

  // The value that all fields have; nothing if they differ, or an event is not as the node counts.
  std::optional<std::uint64_t> ReadAll() const { return ReadAll(path()); }
  static std::optional<std::uint64_t> ReadAll(const std::string& file) {
    Region region;
    if (region.Open(file.c_str()) != OpenError::kNone) {
      return std::nullopt;
    }
    struct Seen {
      std::uint64_t value;
      std::uint64_t events;
      bool same;
    };
    const Seen seen = region.Read([](const Copy& copy) {
      Seen read{copy.node().seed, copy.node().event_count, true};
      for (std::uint32_t slot = 0; slot < copy.gpu_count(); ++slot) {
        read.same = read.same && copy.gpu(slot).noise_seed == read.value &&
                    copy.gpu(slot).health.pcie_replays == read.value;
      }
      return read;
    });
    Event event{};
    if (!seen.same ||
        (seen.events > 0 && (!region.ReadEvent(seen.events, &event) || event.data != seen.value))) {
      return std::nullopt;
    }
    return seen.value;
  }

 private:
  std::optional<TempDir> dir_;
};

TEST_F(TransactionTest, ShowsAChangeOnceItIsCommitted) {
  {
    Transaction transaction;
    ASSERT_EQ(transaction.Begin(path().c_str()), OpenError::kNone);
    SetAll(transaction, 5);
    EXPECT_EQ(ReadAll(), 0u) << "not yet";
    transaction.Commit();
  }
  EXPECT_EQ(ReadAll(), 5u);
}

TEST_F(TransactionTest, DiscardsAChangeThatIsNotCommitted) {
  CommitAll(5);
  CommitNothing(path());
  {
    Transaction transaction;
    ASSERT_EQ(transaction.Begin(path().c_str()), OpenError::kNone);
    SetAll(transaction, 6);
  }
  EXPECT_EQ(ReadAll(), 5u);
  // The next one starts from what was committed, not from what was discarded.
  Transaction transaction;
  ASSERT_EQ(transaction.Begin(path().c_str()), OpenError::kNone);
  EXPECT_EQ(transaction.node().seed, 5u);
  EXPECT_EQ(transaction.look(2).noise_seed, 5u);
}

// Each commit copies only what the one before changed; the two copies must not drift apart.
TEST_F(TransactionTest, KeepsEarlierChangesOfOtherGpus) {
  for (std::uint64_t value = 1; value <= 12; ++value) {
    Transaction transaction;
    ASSERT_EQ(transaction.Begin(path().c_str()), OpenError::kNone);
    transaction.gpu(static_cast<std::uint32_t>(value % kGpus)).noise_seed = value;
    transaction.Commit();
  }
  Region region;
  ASSERT_EQ(region.Open(path().c_str()), OpenError::kNone);
  EXPECT_EQ(region.Read([](const Copy& copy) {
    return std::vector<std::uint64_t>{copy.gpu(0).noise_seed, copy.gpu(1).noise_seed,
                                      copy.gpu(2).noise_seed};
  }),
            (std::vector<std::uint64_t>{12, 10, 11}));
}

TEST_F(TransactionTest, WritersWaitForEachOther) {
  std::vector<std::jthread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([this] {
      for (int j = 0; j < 50; ++j) {
        Transaction transaction;
        ASSERT_EQ(transaction.Begin(path().c_str()), OpenError::kNone);
        SetAll(transaction, transaction.node().seed + 1);
        transaction.Commit();
      }
    });
  }
  writers.clear();
  EXPECT_EQ(ReadAll(), 200u);
}

TEST_F(TransactionTest, AWaitEndsWithTheNextEvent) {
  Region region;
  ASSERT_EQ(region.Open(path().c_str()), OpenError::kNone);
  const std::uint32_t seen = region.event_futex();
  EXPECT_FALSE(region.WaitForEvent(seen, 1'000'000)) << "a millisecond, and nothing came";
  std::jthread writer([this] { CommitAll(3); });
  while (region.event_futex() == seen) {
    (void)region.WaitForEvent(seen, 10'000'000'000);
  }
}

// Wherever a writer is killed, readers find its commit whole or the one before whole, and the next
// writer goes on from there. What a killed writer leaves is what the file holds while it is
// stopped, so one run, looked at again and again, stands for as many kills.
TEST_F(TransactionTest, SurvivesAWriterThatIsKilledAnywhere) {
  CommitAll(1);
  // A commit copies what the one before changed; this one changes nothing, so that all that the
  // child writes must be undone for another reason.
  CommitNothing(path());
  auto writer = assay::testing::TracedProcess::Start([file = path()] {
    Transaction transaction;
    if (transaction.Begin(file.c_str()) != OpenError::kNone) {
      return false;
    }
    SetAll(transaction, 2);
    transaction.Commit();
    return true;
  });
  if (!writer.has_value()) {
    GTEST_SKIP() << "this system does not let a child be traced";
  }
  constexpr long kStride = 53;  // A prime, to fall on all kinds of instructions.
  const std::string copy = path() + ".copy";
  long steps = 0;
  bool committed = false;
  for (bool running = true; running; running = writer->Step(), ++steps) {
    if (steps % kStride != 0) {
      continue;
    }
    ASSERT_TRUE(std::filesystem::copy_file(path(), copy,
                                           std::filesystem::copy_options::overwrite_existing));
    const std::optional<std::uint64_t> seen = ReadAll(copy);
    ASSERT_TRUE(seen == 1u || seen == 2u) << "half a commit after " << steps << " instructions";
    ASSERT_TRUE(seen == 2u || !committed) << "a commit was undone after " << steps;
    committed = seen == 2u;
    CommitNothing(copy);
    ASSERT_EQ(ReadAll(copy), seen)
        << "the next commit showed what was not committed, after " << steps;
  }
  EXPECT_TRUE(writer->succeeded());
  EXPECT_GT(steps, 30 * kStride);
  EXPECT_TRUE(committed);
  EXPECT_EQ(ReadAll(), 2u);
}

TEST_F(TransactionTest, AKilledWritersLockIsGone) {
  const pid_t child = fork();
  if (child == 0) {
    Transaction transaction;
    (void)transaction.Begin(path().c_str());
    SetAll(transaction, 7);
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(ReadAll(), 0u);
  CommitAll(8);
  EXPECT_EQ(ReadAll(), 8u);
}

TEST_F(TransactionTest, RefusesForeignAndDamagedFiles) {
  ASSAY_ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(path()));
  const auto open_with = [this](const std::string& bytes) {
    std::ofstream(path(), std::ios::binary) << bytes;
    Region region;
    const OpenError error = region.Open(path().c_str());
    EXPECT_EQ(region.is_open(), error == OpenError::kNone);
    return error;
  };
  EXPECT_EQ(open_with(good), OpenError::kNone);
  EXPECT_EQ(open_with(""), OpenError::kForeign);
  EXPECT_EQ(open_with("ASSAYGPU"), OpenError::kForeign);
  EXPECT_EQ(open_with(good.substr(0, good.size() - 1)), OpenError::kCorrupt);
  EXPECT_EQ(open_with(good + "x"), OpenError::kCorrupt);
  std::string other = good;
  other[0] = 'X';
  EXPECT_EQ(open_with(other), OpenError::kForeign);
  other = good;
  other[8] = 99;  // The layout's version.
  EXPECT_EQ(open_with(other), OpenError::kForeign);
  other = good;
  other[offsetof(Header, gpu_capacity)] = 2;
  EXPECT_EQ(open_with(other), OpenError::kCorrupt);
  Region region;
  EXPECT_EQ(region.Open((path() + ".none").c_str()), OpenError::kNotFound);
}

// Nothing that is read is trusted: a count that is too high is cut.
TEST_F(TransactionTest, ReadsNoMoreGpusThanTheFileHolds) {
  Transaction transaction;
  ASSERT_EQ(transaction.Begin(path().c_str()), OpenError::kNone);
  transaction.node().gpu_count = 4'000'000'000;
  EXPECT_EQ(transaction.gpu_count(), kGpus);
  transaction.Commit();
  Region region;
  ASSERT_EQ(region.Open(path().c_str()), OpenError::kNone);
  EXPECT_EQ(region.Read([](const Copy& copy) { return copy.gpu_count(); }), kGpus);
}

}  // namespace
}  // namespace assay::fakegpu::layout
