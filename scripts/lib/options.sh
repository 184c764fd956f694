# shellcheck shell=bash
# Sourced first: the command line, and errors of one line with a remedy.

if ((BASH_VERSINFO[0] < 5)); then
  echo "missing: bash 5 or later (this is $BASH_VERSION); get it: brew install bash" >&2
  exit 1
fi
shopt -s inherit_errexit
scripts=$(dirname "$0")

# On one line, whatever is quoted in it.
note() {
  local words
  read -d '' -ra words <<<"$1" || true
  echo "${0##*/}: ${words[*]}" >&2
}

fail() {
  note "$1${2:+; $2}"
  exit 1
}

misuse() {
  note "$1; see $0 --help"
  exit 2
}

# parse MOST ARGUMENT...: sorts the command line into `option`, which holds the default of every option, and
# `arguments`, of which there may be MOST. A default of `no` makes a flag; a number, an option that wants one.
parse() {
  local most=$1 name
  arguments=()
  while shift && [ $# -gt 0 ]; do
    name=${1#--}
    case "$1" in
      --help | -h) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" && exit ;;
      --*=*) set -- "" "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
      --?*) [ -n "${option[$name]+known}" ] || misuse "unknown option $1" ;;
      -?*) misuse "unknown option $1" ;;
      *) arguments+=("$1") && continue ;;
    esac
    if [[ ${option[$name]} = @(no|yes) ]]; then
      option[$name]=yes
      continue
    fi
    [ -n "${2:-}" ] || misuse "$1 wants a value"
    [[ ! ${option[$name]} =~ ^[0-9]+$ || $2 =~ ^[0-9]+$ ]] || misuse "$1 wants a whole number, not $2"
    option[$name]=$2
    shift
  done
  [ ${#arguments[@]} -le "$most" ] || misuse "one argument too many: ${arguments[$most]}"
}

is() { [ "${option[$1]}" = yes ]; }
