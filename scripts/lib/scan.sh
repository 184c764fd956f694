# shellcheck shell=bash
# Sourced after aws.sh: what ECR's scan says of an image, and whether that is good enough.

# scan_of REPOSITORY DIGEST: status, number of critical and high findings. PENDING where ECR has not begun.
scan_of() {
  tolerated=ScanNotFoundException ask ecr describe-image-scan-findings --no-paginate \
    --repository-name "$1" --image-id "imageDigest=$2" |
    jq --slurp --compact-output '.[0] // {} | (.imageScanFindings.findingSeverityCounts // {}) as $found | {
      status: (.imageScanStatus.status // "PENDING"), description: (.imageScanStatus.description // ""),
      critical: ($found.CRITICAL // 0), high: ($found.HIGH // 0)}'
}

# objection SCAN: why the image is not good enough, or nothing. ECR's basic scan does not know an image without a
# distribution, as this project's is; that is no pass.
objection() {
  jq --raw-output --argjson critical "${option[max-critical]}" --argjson high "${option[max-high]}" \
    --arg unscanned "${option[allow-unscanned]}" '
    if IN(.status; "COMPLETE", "ACTIVE") then
      [select(.critical > $critical) | "\(.critical) critical findings (allowed: \($critical))"]
      + [select(.high > $high) | "\(.high) high findings (allowed: \($high))"] | join(", ")
    elif $unscanned == "yes" then ""
    else "not scanned, ECR says \(.status) \(.description | rtrimstr("."))" end' <<<"$1"
}

# await_scan REPOSITORY DIGEST: its scan, when ECR is done with it.
await_scan() {
  local scan deadline=$((SECONDS + option[timeout]))
  while true; do
    scan=$(scan_of "$1" "$2")
    [[ $scan =~ '"status":"'(PENDING|IN_PROGRESS) ]] || break
    [ $SECONDS -lt $deadline ] || fail "no scan of $1@$2 after ${option[timeout]} s" \
      "switch on scan on push for $1, or raise --timeout"
    sleep "${option[poll]}"
  done
  echo "$scan"
}
