# shellcheck shell=bash
# Sourced by deployment.sh: versions in the registry, and the alias that points to one of them.

# Publishes `bundle` as a version of the model that the endpoint serves, and moves the alias there.
publish() {
  local published
  published=$(strongroom publish "$bundle" --json)
  version=$(jq -r .version <<<"$published")
  [ "$(jq -r .name <<<"$published")" = "$name" ] ||
    fail "$endpoint serves $name, and $bundle is $(jq -r .name <<<"$published")" "publish it for an endpoint of its own"
  note "$name:$version is published"
  if is pin; then
    served=$name@sha256:$(jq -r .digest <<<"$published")
  elif [ -n "${option[alias]}" ]; then
    served=$name:$alias
  fi
  move_alias "$version"
}

# Sets `before` to the version that the alias pointed to; there is none for a new alias.
move_alias() {
  local moved
  [ -n "$1" ] || return 0
  moved=$(strongroom promote "$name:$1" --alias "$alias" --json) || return
  before=$(jq -r 'if .already then .version else .previous // "" end' <<<"$moved")
  note "$name:$alias -> $1${before:+ (was $before)}"
}

alias_back() {
  local failed=$?
  [ -z "$before" ] || move_alias "$before" ||
    note "move it back by hand: strongroom promote $name:$before --alias $alias --registry $STRONGROOM_REGISTRY"
  exit "$failed"
}

report() {
  if is json; then
    jq -nc --arg endpoint "$endpoint" --arg config "$target" --arg model "$name" --arg version "$version" \
      --arg alias "$alias" --arg config_before "$(jq -r .EndpointConfigName <<<"$config")" --arg before "$before" '
      {endpoint: $endpoint, config: $config, model: $model, alias: $alias, version: $version,
       previous: {config: $config_before, version: $before}} | walk(if . == "" then null else . end)'
  else
    echo "$endpoint is in service with $target${version:+, $name:$version}"
  fi
}
