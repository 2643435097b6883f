#!/usr/bin/env bash
# How the project that Fleetfoot grew from starts a runner: who am I, a label, a task with the token in it.
set -euo pipefail

# Debian's uuid-runtime may be missing; the kernel makes one more cheaply.
command -v uuidgen >/dev/null || uuidgen() { cat /proc/sys/kernel/random/uuid; }

aws sts get-caller-identity

task_vm_id=$(uuidgen)
echo "VM ID generated $task_vm_id"

aws ecs run-task \
  --cluster "$CLUSTER" \
  --task-definition "$TASK_DEF_NAME" \
  --count 1 \
  --launch-type FARGATE \
  --network-configuration "awsvpcConfiguration={subnets=[$SUBNET],securityGroups=[$SECURITY_GROUP],assignPublicIp=ENABLED}" \
  --overrides "{\"containerOverrides\": [{\"name\": \"$CONTAINER\", \"environment\": [
      {\"name\": \"RUNNER_NAME\", \"value\": \"$task_vm_id\"},
      {\"name\": \"RUNNER_LABELS\", \"value\": \"$task_vm_id\"},
      {\"name\": \"GITHUB_PAT\", \"value\": \"$RUNNER_PAT\"}]}]}"
