#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "tools/assay/commands.h"

namespace assay::tools {
namespace {

constexpr const char* kCompletionFooter = R"help(
Examples:
  source <(assay completion bash)                       now, in this shell
  assay completion bash > /etc/bash_completion.d/assay  for good)help";

constexpr char kBash[] = R"bash(_assay() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command="" word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      certify|verify|rules|lab|allocate|explain|what-if|completion|version) command=$word; break ;;
    esac
  done
  case $command:$previous in
    certify:--testee|lab:--testee) COMPREPLY=($(compgen -f -X '!*.y*ml' -- "$current") $(compgen -d -- "$current")) ;;
    verify:*) COMPREPLY=($(compgen -f -X '!*.json' -- "$current") $(compgen -d -- "$current")) ;;
    certify:--out|certify:--since|lab:--kubeconfig) COMPREPLY=($(compgen -f -- "$current")) ;;
    certify:--filter) COMPREPLY=($(compgen -W "$(assay certify --list 2>/dev/null | cut -d' ' -f1)" -- "$current")) ;;
    rules:--area) COMPREPLY=($(compgen -W "REG ROLL PREP UNPR CKPT CDI SLICE RBAC HLTH TAINT BIND ADMIN STAT META CONF SHAR LIFE" -- "$current")) ;;
    rules:--output) COMPREPLY=($(compgen -W "text json" -- "$current")) ;;
    allocate:--output|allocate:-o) COMPREPLY=($(compgen -W "table json yaml" -- "$current")) ;;
    explain:--output|explain:-o|what-if:--output|what-if:-o) COMPREPLY=($(compgen -W "table json" -- "$current")) ;;
    allocate:--policy) COMPREPLY=($(compgen -W "first-fit best-fit batch" -- "$current")) ;;
    allocate:-f|explain:-f|what-if:-f) COMPREPLY=($(compgen -f -- "$current")) ;;
    :*) COMPREPLY=($(compgen -W "certify verify rules lab allocate explain what-if completion version --help --version" -- "$current")) ;;
    certify:*) COMPREPLY=($(compgen -W "--testee --out --filter --shard --jobs --since --list --help" -- "$current")) ;;
    rules:*) COMPREPLY=($(compgen -W "--area --untested --output --help" -- "$current")) ;;
    lab:*) COMPREPLY=($(compgen -W "--testee --kubeconfig --no-driver --help" -- "$current")) ;;
    allocate:*) COMPREPLY=($(compgen -W "-f --policy --explain --node --output --help" -- "$current") $(compgen -f -- "$current")) ;;
    explain:*) COMPREPLY=($(compgen -W "-f --claim --node --output --help" -- "$current") $(compgen -f -- "$current")) ;;
    what-if:*) COMPREPLY=($(compgen -W "-f --node --output --help" -- "$current") $(compgen -f -- "$current")) ;;
    completion:*) COMPREPLY=($(compgen -W "bash zsh" -- "$current")) ;;
  esac
}
complete -o default -F _assay assay
)bash";

}  // namespace

Command AddCompletion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print a completion script for a shell");
  command->footer(kCompletionFooter);
  command->add_option("shell", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  return [shell]() -> Result<int> {
    if (*shell == "zsh") {
      std::cout << "autoload -U +X bashcompinit && bashcompinit\n";
    }
    std::cout << kBash;
    return 0;
  };
}

}  // namespace assay::tools
