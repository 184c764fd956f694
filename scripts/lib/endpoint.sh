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

# create WHAT JSON: on stdin, since settings of a container have no place among a process's arguments.
create() {
  ask sagemaker "create-$1" --cli-input-json file:///dev/stdin <<<"$2" >/dev/null
}

# roll_to CONFIG DEPLOYMENT: gives the endpoint that configuration, and waits until it has it (0), has gone back or
# failed (1), or the time is up (2). `state` is then what SageMaker said last.
roll_to() {
  local request before="" now deadline=$((SECONDS + option[timeout]))
  # Numbers of instances that autoscaling has changed stay; a serverless variant has none.
  request=$(jq --arg config "$1" --argjson deployment "$2" '{EndpointName, EndpointConfigName: $config,
    RetainAllVariantProperties: all(.ProductionVariants[]; .CurrentServerlessConfig == null)}
    + if $deployment == {} then {} else {DeploymentConfig: $deployment} end' <<<"$state")
  ask sagemaker update-endpoint --cli-input-json file:///dev/stdin <<<"$request" >/dev/null
  while [ $SECONDS -lt $deadline ]; do
    sleep "${option[poll]}"
    # A call that fails once says nothing of the endpoint.
    state=$(ask sagemaker describe-endpoint --endpoint-name "$endpoint") || continue
    now=$(jq -r '[.EndpointStatus, .PendingDeploymentSummary.ProductionVariants[]?.VariantStatus[]?.Status]
      | join(", ")' <<<"$state")
    [ "$now" = "$before" ] || note "$endpoint after $SECONDS s: $now"
    before=$now
    case "$now" in
      InService) [ "$(jq -r .EndpointConfigName <<<"$state")" = "$1" ] && return || return 1 ;;
      OutOfService | Failed | UpdateRollbackFailed) return 1 ;;
    esac
  done
  return 2
}
