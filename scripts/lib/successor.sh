# shellcheck shell=bash
# Sourced by deployment.sh: what follows `state`, `config` and `model`, all else being kept.

# What the model is served from, and its image.
read_settings() {
  local environment now pinned='^[^:@]+(@|:[0-9])'
  now=$(jq -r .EndpointStatus <<<"$state")
  [ "$now" = InService ] || fail "$endpoint is $now" "an endpoint is updated while it is InService"
  environment=$(jq -c '.PrimaryContainer.Environment // {}' <<<"$model")
  STRONGROOM_REGISTRY=$(jq -r '.STRONGROOM_REGISTRY // ""' <<<"$environment")
  STRONGROOM_KEY=$(jq -r '.STRONGROOM_KEY // ""' <<<"$environment")
  served=$(jq -r '.STRONGROOM_MODEL // ""' <<<"$environment")
  [[ -n $STRONGROOM_REGISTRY && -n $STRONGROOM_KEY && -n $served && $served != */* ]] ||
    fail "the model of $endpoint is served from no registry" "its container needs STRONGROOM_REGISTRY, _KEY and _MODEL"
  export STRONGROOM_REGISTRY STRONGROOM_KEY
  name=${served%%[:@]*} alias=live version="" before=""
  if [[ $served =~ $pinned ]]; then option[pin]=yes; elif [[ $served == *:* ]]; then alias=${served#*:}; fi
  alias=${option[alias]:-$alias}
  image=${option[image]:-$(jq -r .PrimaryContainer.Image <<<"$model")}
  [[ $image == *@sha256:* ]] || fail "$endpoint has its image by a tag, $image" "name one by its digest: --image"
}

# A name for model and configuration that no other has: 63 characters at most, of letters, digits and dashes.
successor_name() {
  local digest=${image##*@sha256:} kind=${version:-image}
  kind=-${kind//[.+]/-}
  kind=${kind:0:21}-${digest:0:12}-$(date -u +%Y%m%d%H%M%S)
  echo "${endpoint:0:63-${#kind}}$kind"
}

successor_model() {
  jq -c --arg name "$target" --arg image "$image" --arg served "$served" --argjson tags "$1" '
    del(.ModelArn, .CreationTime, .DeploymentRecommendation)
    | .ModelName = $name | .Tags = $tags
    | .PrimaryContainer.Image = $image | .PrimaryContainer.Environment.STRONGROOM_MODEL = $served' <<<"$model"
}

# The tags are how --rollback knows what was before.
successor_config() {
  jq -c --arg name "$target" --argjson tags "$1" --arg alias "$alias" --arg before "$before" '
    .EndpointConfigName as $replaced | del(.EndpointConfigArn, .CreationTime)
    | .EndpointConfigName = $name | .ProductionVariants[].ModelName = $name
    | .Tags = $tags + [{Key: "strongroom:previous-config", Value: $replaced},
        {Key: "strongroom:previous-version", Value: $before}, {Key: "strongroom:alias", Value: $alias}]' <<<"$config"
}
