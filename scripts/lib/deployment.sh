# shellcheck shell=bash
# Sourced by scripts/deploy after endpoint.sh: the steps forward and back.
. "${BASH_SOURCE[0]%/*}/successor.sh"
. "${BASH_SOURCE[0]%/*}/alias.sh"

check_usage() {
  [ -n "$endpoint" ] || misuse "--endpoint is missing"
  if is rollback; then
    [ -z "$bundle${option[image]}" ] || misuse "--rollback takes neither a bundle nor an image"
    return
  fi
  [ -n "$bundle${option[image]}" ] || misuse "name a bundle directory, --image or --rollback"
  [[ -z $bundle || -d $bundle ]] || misuse "$bundle is no directory"
  [[ -z ${option[image]} || ${option[image]} =~ @sha256:[0-9a-f]{64}$ ]] ||
    misuse "--image is named by its digest, as scripts/push prints it, not ${option[image]}"
}

plan_forward() {
  local tags
  deployment=$(jq -c --arg alarms "${option[alarms]}" --arg without "${option[without-alarms]}" '
    (.LastDeploymentConfig // {}) | if $without == "yes" then del(.AutoRollbackConfiguration)
    elif $alarms != "" then .AutoRollbackConfiguration.Alarms = ($alarms | split(",") | map({AlarmName: .}))
    else . end
    | if $without == "yes" or .BlueGreenUpdatePolicy or .RollingUpdatePolicy then . else .BlueGreenUpdatePolicy = {
        TrafficRoutingConfiguration: {Type: "ALL_AT_ONCE", WaitIntervalInSeconds: 300}} end' <<<"$state")
  is without-alarms || jq -e '.AutoRollbackConfiguration.Alarms // [] | any' <<<"$deployment" >/dev/null ||
    fail "no alarm would end a deployment of $endpoint" "name some by --alarms, or say --without-alarms"
  plan=()
  [ -z "$bundle" ] || plan=("publish $bundle into $STRONGROOM_REGISTRY under $STRONGROOM_KEY"
    "move $name:$alias to its version")
  plan+=("create a model like $(jq -r .ModelName <<<"$model") with $image"
    "create a configuration like $(jq -r .EndpointConfigName <<<"$config") with that model"
    "update $endpoint with it: $deployment")
}

# An alarm that is firing is why one goes back, so it must not hold that up.
plan_back() {
  local tags
  tags=$(ask sagemaker list-tags --resource-arn "$(jq -r .EndpointConfigArn <<<"$config")" |
    jq -c '.Tags | from_entries')
  target=$(jq -r '."strongroom:previous-config" // ""' <<<"$tags")
  [ -n "$target" ] || fail "the configuration of $endpoint does not say what it replaced" \
    "only scripts/deploy notes that; deploy the older bundle"
  version=$(jq -r '."strongroom:previous-version" // ""' <<<"$tags")
  alias=$(jq -r '."strongroom:alias"' <<<"$tags")
  deployment=$(jq -c '.LastDeploymentConfig // {} | del(.AutoRollbackConfiguration)' <<<"$state")
  plan=("update $endpoint with $target: $deployment")
  [ -z "$version" ] || plan=("move $name:$alias to $version" "${plan[@]}")
}

forward() {
  local tags
  [ -z "$bundle" ] || publish
  target=$(successor_name)
  tags=$(tags_of "$(jq -r .ModelArn <<<"$model")")
  ask_with "$(successor_model "$tags")" sagemaker create-model >/dev/null
  tags=$(tags_of "$(jq -r .EndpointConfigArn <<<"$config")")
  ask_with "$(successor_config "$tags")" sagemaker create-endpoint-config >/dev/null
}
