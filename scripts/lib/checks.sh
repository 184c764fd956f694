# shellcheck shell=bash
# Sourced by scripts/security-monitor after endpoint.sh, scan.sh and invoke.sh: its checks, and which are wanted. Each
# prints what it saw as JSON, with `breaches`: a list of sentences, empty where all is good.
. "${BASH_SOURCE[0]%/*}/health.sh"

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

scan() {
  local image=${option[image]} repository found
  if [ -z "$image" ]; then
    read_endpoint "${option[endpoint]}"
    image=$(jq -r .PrimaryContainer.Image <<<"$model")
  fi
  [[ $image == *@sha256:* ]] || fail "$image is named by no digest"
  repository=${image%@*}
  [[ $repository != *.amazonaws.com*/* ]] || repository=${repository#*/}
  found=$(scan_of "$repository" "${image##*@}")
  jq -c --arg image "$image" --arg objection "$(objection "$found")" \
    '. + {image: $image, breaches: [$objection | select(. != "")]}' <<<"$found"
}

api() {
  local file=${option[file]} status=200 ms said="" begin=${EPOCHREALTIME/[.,]/}
  if [ -n "${option[url]}" ]; then
    read -r status ms < <(timed "${option[url]}/invocations" --data-binary "@$file" \
      --header "Content-Type: $(content_type_of "$file")")
  else
    said=$(invoke "${option[endpoint]}" "$file" --content-type "$(content_type_of "$file")" 2>&1 >/dev/null) || status=0
    ms=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
  fi
  [ "$status" = 200 ] || said=${said:-"/invocations answers $status"}
  jq -nc --argjson ms "$ms" --arg said "${said#"${0##*/}: "}" --argjson most "${option[max-response]}" '
    {response_ms: $ms, breaches: [($said | select(. != "")), ($ms | select(. > $most)
      | "answered after \(.) ms, above \($most)")]}'
}
