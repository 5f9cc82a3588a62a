#include "tools/fakegpuctl/completion.h"

namespace assay::tools {
namespace {

constexpr char kBash[] = R"(_fakegpuctl() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command="" word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      create|capture|show|watch|play|inject|heal|unplug|replug|proc|calls|clock|driver|root|run|completion) command=$word; break ;;
    esac
  done
  case $command in
    "") COMPREPLY=($(compgen -W "create capture show watch play inject heal unplug replug proc calls clock driver root run completion --state --help --version" -- "$current")) ;;
    create) COMPREPLY=($(compgen -W "--replace --seed --help" -- "$current") $(compgen -f -- "$current")) ;;
    capture) COMPREPLY=($(compgen -W "--library --help" -- "$current") $(compgen -d -- "$current")) ;;
    show) COMPREPLY=($(compgen -W "--output text json yaml --help" -- "$current")) ;;
    watch) COMPREPLY=($(compgen -W "--interval --help" -- "$current")) ;;
    play) COMPREPLY=($(compgen -W "--at-once --help" -- "$current") $(compgen -f -- "$current")) ;;
    inject)
      if [[ $previous == inject ]]; then
        COMPREPLY=($(compgen -W "all 0 1 2 3 4 5 6 7" -- "$current"))
      else
        COMPREPLY=($(compgen -W "xid= ecc=corrected ecc=uncorrected lost thermal= power-brake nvlink= nvlink-errors= pcie-replays= fabric=not-started fabric=in-progress fabric=failed return= delay=" -- "$current"))
      fi ;;
    heal|unplug|replug) COMPREPLY=($(compgen -W "all 0 1 2 3 4 5 6 7" -- "$current")) ;;
    proc) COMPREPLY=($(compgen -W "start end --pid --name --memory --utilization --type --encoder --decoder --jpeg --ofa --gi --ci --help" -- "$current")) ;;
    calls) COMPREPLY=($(compgen -W "on off show --everyone --output --process --last --help" -- "$current")) ;;
    clock) COMPREPLY=($(compgen -W "hold step run" -- "$current")) ;;
    driver) COMPREPLY=($(compgen -W "load unload" -- "$current")) ;;
    root) COMPREPLY=($(compgen -W "--library --nvidia-smi --help" -- "$current") $(compgen -d -- "$current")) ;;
    run) COMPREPLY=($(compgen -W "--library --help --" -- "$current") $(compgen -c -- "$current")) ;;
    completion) COMPREPLY=($(compgen -W "bash zsh" -- "$current")) ;;
  esac
}
complete -o default -F _fakegpuctl fakegpuctl
)";

}  // namespace

std::string CompletionScript(std::string_view shell) {
  if (shell == "bash") {
    return kBash;
  }
  if (shell == "zsh") {
    return std::string("autoload -U +X bashcompinit && bashcompinit\n") + kBash;
  }
  return "";
}

}  // namespace assay::tools
