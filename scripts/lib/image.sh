# shellcheck shell=bash
# Sourced by scripts/push after aws.sh and scan.sh: an image here, and in the ECR repository `repository` under `tag`.

docker_v2=application/vnd.docker.distribution.manifest.v2+json

tag_of() {
  [[ $1 =~ :([A-Za-z0-9_][A-Za-z0-9._-]*)$ ]] || misuse "$1 has no tag; name one by --tag"
  [ "${BASH_REMATCH[1]}" != latest ] || misuse "latest says nothing of what is in $1; name a tag by --tag"
  echo "${BASH_REMATCH[1]}"
}

repository_uri() {
  local found
  found=$(ask ecr describe-repositories --repository-names "$repository" | jq '.repositories[0]')
  [ "$(jq -r .imageTagMutability <<<"$found")" != MUTABLE ] ||
    note "tags of $repository may be moved by others; make them immutable: aws ecr put-image-tag-mutability"
  jq -r .repositoryUri <<<"$found"
}

# What ECR has under the tag, or null.
in_ecr() {
  local oci=application/vnd.oci.image.manifest.v1+json indices=(application/vnd.oci.image.index.v1+json
    application/vnd.docker.distribution.manifest.list.v2+json)
  ask ecr batch-get-image --repository-name "$repository" --image-ids "imageTag=$tag" \
    --accepted-media-types "$docker_v2" "$oci" "${indices[@]}" | jq -c '.images[0]'
}

# Docker names an image by its configuration, or by its manifest where containerd keeps it.
same_image() {
  jq --exit-status --arg id "$2" \
    '.imageId.imageDigest == $id or (.imageManifest | fromjson | .config.digest) == $id' <<<"$1" >/dev/null
}

# Docker keeps a password in its settings; these are gone with the script, and in memory where there is a place for it.
log_in() {
  local said
  DOCKER_HOST=${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}')}
  DOCKER_CONFIG=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
  trap 'rm -rf "$DOCKER_CONFIG"' EXIT
  export DOCKER_HOST DOCKER_CONFIG
  said=$(ask ecr get-login-password | docker login --username AWS --password-stdin "${uri%%/*}" 2>&1) ||
    fail "docker cannot log in to ${uri%%/*}: $(tail -n 1 <<<"$said")"
}

digest_for_sagemaker() {
  local media
  [ "$1" != null ] || fail "ECR has no $uri:$tag, though docker pushed it"
  media=$(jq -r '.imageManifestMediaType // (.imageManifest | fromjson.mediaType)' <<<"$1")
  [ "$media" = "$docker_v2" ] || fail "SageMaker refuses $uri:$tag: its manifest is $media, not $docker_v2" \
    "build it by make image, delete the tag (aws ecr batch-delete-image) and push again"
  jq -r .imageId.imageDigest <<<"$1"
}
