# shellcheck shell=bash
# Sourced after options.sh: calls of the AWS CLI, of either version.

export AWS_PAGER=""
# Version 1 reads only the other name.
[ -z "${AWS_REGION:-}" ] || export AWS_DEFAULT_REGION=$AWS_REGION

# One call, answered with JSON. A failure ends the script, but for the error code that `tolerated` names: that answers
# nothing.
ask() {
  local said
  { said=$(aws --output json "$@" 2>&1 >&3 3>&-) || explain "$said" "$@"; } 3>&1
}

# ask_with JSON SERVICE CALL: a call with these parameters, not as an argument, which all users of a machine may read,
# but in a file of one's own: the CLI reads it twice.
ask_with() (
  file=$(mktemp -p /dev/shm 2>/dev/null || mktemp)
  trap 'rm -f "$file"' EXIT
  echo "$1" >"$file"
  ask "${@:2}" --cli-input-json "file://$file"
)

# explain SAID SERVICE CALL...: ends the script with what the CLI said, on one line, and what helps.
explain() {
  local said=${1#*An error occurred } remedy=""
  [[ $1 != *"(${tolerated:--})"* ]] || return 0
  case "$said" in
    *credentials* | *"oken has expired"* | *ExpiredToken* | *InvalidClientToken* | *UnrecognizedClient*)
      remedy="log in (aws sso login), or set AWS_PROFILE" ;;
    *"specify a region"*) remedy="set AWS_REGION" ;;
    *"config profile"*) remedy="aws configure list-profiles tells which there are" ;;
    *AccessDenied* | *"not authorized"*) remedy="$0 --help lists the actions it needs" ;;
    *"not connect"* | *"timed out"* | *"timeout"* | *"SSL"*) remedy="check the network and AWS_REGION" ;;
    *NotFound* | *"not find"* | *"not found"*) remedy="check the name and AWS_REGION" ;;
  esac
  said=${said%$'\n'}
  fail "aws $2 $3: ${said%.}" "$remedy"
}
