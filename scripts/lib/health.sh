# shellcheck shell=bash
# Sourced by checks.sh: the check of an endpoint's or a container's health.

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
