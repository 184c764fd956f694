# shellcheck shell=bash
# Sourced after aws.sh: a SageMaker endpoint, its configuration and its model.

# read_endpoint NAME: sets `state`, `config` and `model` to what SageMaker says of them.
read_endpoint() {
  local names
  state=$(ask sagemaker describe-endpoint --endpoint-name "$1")
  config=$(ask sagemaker describe-endpoint-config --endpoint-config-name "$(jq -r .EndpointConfigName <<<"$state")")
  names=$(jq -r '[.ProductionVariants[].ModelName] | unique | join(" ")' <<<"$config")
  [[ $names =~ ^[^\ ]+$ ]] || fail "the variants of $1 have not one model in common (${names:-none})" \
    "these scripts are for endpoints of one model"
  model=$(ask sagemaker describe-model --model-name "$names")
}

tags_of() {
  ask sagemaker list-tags --resource-arn "$1" | jq -c '[.Tags[] | select(.Key | test("^(aws|strongroom):") | not)]'
}

# update_endpoint CONFIG DEPLOYMENT: numbers of instances that autoscaling changed stay; a serverless variant has none.
update_endpoint() {
  local request
  request=$(jq -c --arg config "$1" --argjson deployment "$2" '{EndpointName, EndpointConfigName: $config,
    RetainAllVariantProperties: all(.ProductionVariants[]; .CurrentServerlessConfig == null)}
    + if $deployment == {} then {} else {DeploymentConfig: $deployment} end' <<<"$state")
  ask_with "$request" sagemaker update-endpoint >/dev/null
}

# await_endpoint CONFIG: waits until the endpoint has that configuration (0), has gone back or failed (1), or the time
# is up (2). `state` is then what SageMaker said last.
await_endpoint() {
  local before="" now deadline=$((SECONDS + option[timeout]))
  while [ $SECONDS -lt $deadline ]; do
    sleep "${option[poll]}"
    # A call that fails says nothing of the endpoint.
    state=$(ask sagemaker describe-endpoint --endpoint-name "$endpoint") || continue
    now=$(jq -r '[.EndpointStatus, .PendingDeploymentSummary.ProductionVariants[]?.VariantStatus[]?.Status]
      | join(", ")' <<<"$state")
    [ "$now" = "$before" ] || note "$endpoint after $SECONDS s: $now"
    before=$now
    case "$now" in
      InService) [ "$(jq -r .EndpointConfigName <<<"$state")" = "$1" ] || return 1; return 0 ;;
      OutOfService | Failed | UpdateRollbackFailed) return 1 ;;
    esac
  done
  return 2
}
