# shellcheck shell=bash
# Sourced by scripts/security-monitor after checks.sh: the records of checks, and who is told.

# Makes one check: a record, and word of it where it turned bad or good.
watch() {
  local seen failed record
  set +e
  seen=$(set -e; "$1" 2>&1)
  failed=$?
  set -e
  [ "$failed" -eq 0 ] || seen=$(jq -nc --arg said "${seen#"${0##*/}: "}" '{breaches: ["not checked: \($said)"]}')
  record=$(jq -c --arg check "$1" --arg target "${option[endpoint]:-${option[url]:-${option[image]}}}" \
    '{time: (now | todate), check: $check, target: $target, ok: (.breaches == [])} + .' <<<"$seen")
  if [ -z "${option[record]}" ] || is dry-run; then echo "$record"; else echo "$record" >>"${option[record]}"; fi
  [[ $record == *'"ok":true'* ]] || worst=1
  tell_changes "$1" "$record"
}

# Figures of health and api are others each time: only what is wrong counts there.
declare -A told=()
tell_changes() {
  local wrong
  wrong=$(jq -r '.breaches | join("; ")' <<<"$2")
  [ "$1" = scan ] || wrong=${wrong//[0-9.]/}
  [ "$wrong" != "${told[$1]:-}" ] || return 0
  told[$1]=$wrong
  tell "$(jq -c '(if .ok then "good again" else .breaches | join("; ") end) as $what
    | {text: "\(.target): \(.check): \($what)"} + .' <<<"$2")"
}

tell() {
  local webhook=${STRONGROOM_WEBHOOK:-} topic=${option[topic]}
  if is dry-run; then
    [ -z "$webhook$topic" ] || echo "would tell ${topic:-the webhook}${topic:+${webhook:+ and the webhook}}: $1"
    return
  fi
  if [ -n "$topic" ]; then
    (ask sns publish --topic-arn "$topic" --subject "Strongroom: $(jq -r .check <<<"$1")" --message "$1") >/dev/null ||
      worst=1
  fi
  # By a file of settings, so that the URL is no argument of a process.
  [ -z "$webhook" ] || curl --silent --show-error --fail --max-time 10 --proto =https --output /dev/null \
    --config <(printf 'url = "%s"\n' "$webhook") --header "Content-Type: application/json" --data "$1" || worst=1
}
