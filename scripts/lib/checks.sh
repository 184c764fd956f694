# shellcheck shell=bash
# Sourced by scripts/security-monitor after endpoint.sh, scan.sh and invoke.sh: its checks. Each prints what it saw as
# JSON, with `breaches`: a list of sentences, empty where all is good.

# of_health FILTER ARGUMENT...: jq with health.jq and the limits of the command line.
of_health() {
  jq -c -L "$scripts/lib" --argjson limits "{\"cpu\": ${option[max-cpu]}, \"memory\": ${option[max-memory]},
    \"latency\": ${option[max-latency]}, \"errors\": ${option[max-5xx]}}" "${@:2}" "include \"health\"; $1"
}

health() {
  if [ -n "${option[url]}" ]; then health_of_container; else health_of_endpoint; fi
}

health_of_endpoint() {
  local queries
  read_endpoint "${option[endpoint]}"
  queries=$(of_health 'queries($endpoint)' --arg endpoint "${option[endpoint]}" <<<"$config")
  ask_with "$queries" cloudwatch get-metric-data |
    of_health 'endpoint($config; $status; $limits)' --argjson config "$config" \
      --arg status "$(jq -r .EndpointStatus <<<"$state")"
}

health_of_container() {
  local ping ms
  read -r ping ms < <(timed "${option[url]}/ping")
  { curl --silent --fail --max-time 10 "${option[url]}/metrics" || true; } |
    of_health 'container($ping; $ms; $limits)' --raw-input --slurp --argjson ping "$ping" --argjson ms "$ms"
}

# timed URL OPTION...: the status, 0 where there is no answer, and the time to the answer in ms.
timed() {
  curl --silent --output /dev/null --max-time 60 --write-out '%{http_code} %{time_total}\n' "${@:2}" "$1" |
    awk '{ printf "%d %d\n", $1, $2 * 1000 }' || true
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
