# Builds, pushes and announces one image, on the machine of a CodeBuild project. Its environment is in main.tf.

# The newest release is where GitHub's own link leads. Its API would ask for a token, or count calls by address.
if [ -z "$RUNNER_VERSION" ]; then
  latest=$(curl --fail --silent --show-error --retry 3 --output /dev/null --write-out '%{redirect_url}' \
    https://github.com/actions/runner/releases/latest)
  RUNNER_VERSION=${latest##*/v}
fi
if ! [[ "$RUNNER_VERSION" =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
  echo "no version of actions/runner: '$RUNNER_VERSION'" >&2
  exit 1
fi

# What Docker calls the architecture. BuildKit would say it itself; the older builder does not.
case "$ARCH" in arm64) machine=arm64 ;; *) machine=amd64 ;; esac

base=${BASE_IMAGE:-ghcr.io/actions/actions-runner:$RUNNER_VERSION}
image="$REPOSITORY_URL:$RUNNER_VERSION-$(date --utc +%Y%m%d-%H%M%S)-$ARCH"

aws ecr get-login-password | docker login --username AWS --password-stdin "${REPOSITORY_URL%%/*}"
docker build --pull --tag "$image" \
  --build-arg RUNNER_VERSION="$RUNNER_VERSION" --build-arg BASE="$base" --build-arg SUDO="$SUDO" \
  --build-arg TARGETARCH="$machine" ${TARGET:+--target "$TARGET"} .
docker push "$image"
aws ssm put-parameter --overwrite --name "$IMAGE_PARAMETER" --value "$image"

# Registers a family's newest task definition again, with the new image and, for runners, their version: what jq makes
# of the tags is the first argument. ECS gives a description more fields than it takes for a registration.
register() {
  local tags=$1 family=$2
  aws ecs describe-task-definition --task-definition "$family" --include TAGS |
    jq --arg image "$image" --arg version "$RUNNER_VERSION" "
      (.tags // [] | $tags) as \$tags
      | .taskDefinition
      | del(.taskDefinitionArn, .revision, .status, .requiresAttributes, .compatibilities, .registeredAt, .registeredBy,
            .deregisteredAt)
      | .containerDefinitions[0].image = \$image
      | if \$tags == [] then . else .tags = \$tags end" >definition.json
  aws ecs register-task-definition --cli-input-json file://definition.json \
    --query taskDefinition.taskDefinitionArn --output text
}

key=fleetfoot:runner-version
for family in $FAMILIES; do
  register "map(select(.key != \"$key\")) + [{key: \"$key\", value: \$version}]" "$family"
done

# A service stays with the revision that it was given.
for service in $SERVICES; do
  IFS=/ read -r cluster name family <<<"$service"
  revision=$(register . "$family")
  aws ecs update-service --cluster "$cluster" --service "$name" --task-definition "$revision" \
    --query service.taskDefinition --output text
done
