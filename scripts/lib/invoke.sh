# shellcheck shell=bash
# Sourced after aws.sh: one file through the runtime API.

content_type_of() {
  case "${1##*.}" in
    csv) echo text/csv && return ;;
    json) echo application/json && return ;;
    jsonl) echo application/jsonlines && return ;;
    rec | recordio) echo application/x-recordio && return ;;
  esac
  case "$(head -c 12 "$1" | od -An -tx1 | tr -d ' \n')" in
    ffd8ff*) echo image/jpeg ;;
    89504e47*) echo image/png ;;
    474946383*) echo image/gif ;;
    424d*) echo image/bmp ;;
    52494646????????57454250) echo image/webp ;;
    49492a00* | 4d4d002a*) echo image/tiff ;;
    934e554d5059*) echo application/x-npy ;;
    *) misuse "neither name nor content tell what $1 is; say it by --content-type" ;;
  esac
}

# invoke ENDPOINT FILE OPTION...: the answer on stdout.
invoke() {
  # The CLI empties the file that it writes an answer to: through a pipe it does no harm to what stdout is.
  answer "$@" 3>&1 | cat
}

answer() {
  local said call=(sagemaker-runtime invoke-endpoint)
  said=$(aws "${call[@]}" --endpoint-name "$1" --body "fileb://$2" "${@:3}" /dev/fd/3 2>&1 >/dev/null) ||
    { model_error "$said" && explain "$said" "${call[@]}"; }
}

# Ends the script with what the model said, if the model said something: its JSON stands quoted in the CLI's sentence.
model_error() {
  local pattern='\(([0-9]+)\) from [^ ]+ with message "(.*)' status said
  [[ $1 == *"(ModelError)"* && $1 =~ $pattern ]] || return 0
  status=${BASH_REMATCH[1]} said=${BASH_REMATCH[2]}
  # The sentence ends with the quote, or goes on with where the log is.
  if [[ $said == *'". See http'* ]]; then said=${said%\". See http*}; else said=${said%\"*}; fi
  fail "the model answered $status $(jq -er '.error | "\(.code): \(.message)"' <<<"$said" 2>/dev/null || echo "$said")"
}
