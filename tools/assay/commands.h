// The subcommands of `assay`. Each adds its flags to a CLI11 application and returns what to run
// once the command line has been parsed; its result is the exit code.
//
// Not thread-safe: a command line.
#ifndef ASSAY_TOOLS_ASSAY_COMMANDS_H_
#define ASSAY_TOOLS_ASSAY_COMMANDS_H_

#include <filesystem>
#include <functional>

#include "base/result.h"

namespace CLI {
class App;
}  // namespace CLI

namespace assay::tools {

// An error is one line on stderr and exit code 2.
using Command = std::function<Result<int>()>;

Command AddCertify(CLI::App& app);
Command AddVerify(CLI::App& app);
Command AddRules(CLI::App& app);
Command AddLab(CLI::App& app);
Command AddAllocate(CLI::App& app);
Command AddExplain(CLI::App& app);
Command AddWhatIf(CLI::App& app);
Command AddCompletion(CLI::App& app);

// The directory of the running program.
std::filesystem::path BinDirectory();
// What is installed beside the program, or lies beside it in the build: <prefix>/share/assay.
std::filesystem::path ShareDirectory();

// Routes SIGINT and SIGTERM to Interrupted(); a second one ends the process at once.
void CatchInterrupts();
bool Interrupted();
// Returns when Interrupted() is true.
void WaitForInterrupt();

}  // namespace assay::tools

#endif  // ASSAY_TOOLS_ASSAY_COMMANDS_H_
