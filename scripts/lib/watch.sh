# shellcheck shell=bash
# Sourced by scripts/security-monitor after checks.sh: which checks, their records, and who is told.

choose_checks() {
  local endpoint=${option[endpoint]} url=${option[url]} webhook='^(https://[^"\\[:space:]]+)?$'
  [ -z "$endpoint" ] || [ -z "$url" ] || misuse "--endpoint and --url exclude each other"
  [[ ${STRONGROOM_WEBHOOK:-} =~ $webhook ]] || misuse "STRONGROOM_WEBHOOK is no https URL"
  [ -z "${option[file]}" ] || [ -r "${option[file]}" ] || misuse "${option[file]} cannot be read"
  case "$verb" in
    health | scan | api) checks=("$verb") ;;
    once | continuous)
      [ -z "$endpoint$url" ] || checks+=(health)
      [ -z "$endpoint${option[image]}" ] || checks+=(scan)
      [ -z "${option[file]}" ] || checks+=(api) ;;
    *) misuse "${verb:+unknown verb $verb, }the verb is health, scan, api, once or continuous" ;;
  esac
  [ "$verb" != scan ] || [ -n "$endpoint${option[image]}" ] || misuse "scan wants --endpoint or --image"
  [ "$verb" != api ] || [ -n "${option[file]}" ] || misuse "api wants --file"
  [ "$verb" = scan ] || [ -n "$endpoint$url" ] || misuse "--endpoint or --url is missing"
}

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
