#!/usr/bin/env bash
# The entry point of the seed's image and its kin, as short as it can be: gets a registration at GitHub with curl and
# jq, and becomes the runner. With an App, openssl signs its JWT. The images' own scripts do more: they run config.sh,
# which starts .NET once more and asks GitHub again, and stay beside the runner to remove it.
set -euo pipefail

github() {
  curl --fail --silent --show-error --header 'Accept: application/vnd.github+json' \
    --header "Authorization: Bearer $1" "${@:2}"
}

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

if [[ -n ${APP_ID:-} ]]; then
  now=$(date +%s)
  claims=$(jq --null-input --compact-output --arg id "$APP_ID" --argjson now "$now" \
    '{iat: ($now - 60), exp: ($now + 540), iss: $id}')
  unsigned=$(printf '{"alg":"RS256","typ":"JWT"}' | base64url).$(printf %s "$claims" | base64url)
  signature=$(printf %s "$unsigned" | openssl dgst -sha256 -sign <(printf '%s\n' "$APP_PRIVATE_KEY") | base64url)
  jwt=$unsigned.$signature
  installation=$(github "$jwt" "$API/repos/$GITHUB_OWNER/$GITHUB_REPOSITORY/installation" | jq .id)
  token=$(github "$jwt" --request POST "$API/app/installations/$installation/access_tokens" | jq --raw-output .token)
else
  token=$GITHUB_PAT
fi

jitconfig=$(jq --null-input --arg name "$RUNNER_NAME" --arg labels "$RUNNER_LABELS" \
  '{name: $name, runner_group_id: 1, labels: ["self-hosted", $labels]}' |
  github "$token" --data @- "$API/repos/$GITHUB_OWNER/$GITHUB_REPOSITORY/actions/runners/generate-jitconfig" |
  jq --raw-output .encoded_jit_config)

unset GITHUB_PAT APP_PRIVATE_KEY
export ACTIONS_RUNNER_INPUT_JITCONFIG=$jitconfig
exec "$RUNNER_DIR/bin/Runner.Listener" run
