locals {
  container_name = "runner"

  # The architecture in ECS's word.
  cpu_architecture = { x86_64 = "X86_64", arm64 = "ARM64" }

  environment = {
    for key, task in var.task_definitions : key => merge(task.environment, {
      # The agent has to know how long ECS waits before it kills.
      FLEETFOOT_STOP_GRACE      = "${var.stop_timeout}s"
      FLEETFOOT_JOB_CREDENTIALS = tostring(task.job_credentials)
    })
  }

  # ECS gives back an `add` that was left out, and forgets capabilities without any: said otherwise than so, each plan
  # would show a difference.
  capabilities = { for field, value in { capabilities = { add = [], drop = var.drop_capabilities } } : field => value if length(var.drop_capabilities) > 0 }

  # What may be written to although the root file system is read-only, by the volume's name.
  volumes = {
    for key, task in var.task_definitions : key =>
    { for path in task.writable_paths : replace(trim(path, "/"), "/", "-") => path if task.readonly_root_filesystem }
  }

  container = {
    for key, task in var.task_definitions : key => {
      name       = local.container_name
      image      = task.image
      essential  = true
      entryPoint = ["/usr/local/bin/fleetfoot", "agent"]

      environment = [for name, value in local.environment[key] : { name = name, value = value }]
      mountPoints = [for name, path in local.volumes[key] : { sourceVolume = name, containerPath = path, readOnly = false }]

      privileged             = false
      readonlyRootFilesystem = task.readonly_root_filesystem
      stopTimeout            = var.stop_timeout

      # The agent reaps orphans itself, so no init.
      linuxParameters = merge({ initProcessEnabled = false }, local.capabilities)

      # Fargate takes no other limit. Fargate's own is this one; on EC2 it is the Docker daemon's.
      ulimits = [{ name = "nofile", softLimit = 65535, hardLimit = 65535 }]

      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.this.name
          awslogs-region        = data.aws_region.current.id
          awslogs-stream-prefix = local.container_name
          # In the mode `blocking` a job would stand still while CloudWatch cannot be reached.
          mode            = "non-blocking"
          max-buffer-size = "10m"
        }
      }
    }
  }
}

resource "aws_ecs_task_definition" "this" {
  #checkov:skip=CKV_AWS_336:Jobs write where their tools want to. readonly_root_filesystem is there for pools whose jobs do not.
  #checkov:skip=CKV_AWS_249:Both roles are given, and are different ones.
  for_each = var.task_definitions

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = [each.value.launch_type]
  network_mode             = each.value.network_mode
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = each.value.task_role_arn
  container_definitions    = jsonencode([local.container[each.key]])

  # A build of the image registers revisions, too; they are this definition's as well.
  track_latest = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = local.cpu_architecture[each.value.arch]
  }

  dynamic "ephemeral_storage" {
    for_each = each.value.ephemeral_storage[*]
    content {
      size_in_gib = ephemeral_storage.value
    }
  }

  dynamic "volume" {
    for_each = keys(local.volumes[each.key])
    content {
      name = volume.value

      # On EC2 Docker fills a new volume with what the image has there, and removes it with the task.
      dynamic "docker_volume_configuration" {
        for_each = each.value.launch_type == "EC2" ? ["task"] : []
        content {
          scope  = docker_volume_configuration.value
          driver = "local"
        }
      }
    }
  }

  # ECS knows nothing of what is in an image; `fleetfoot doctor` reads it here.
  tags = merge(var.tags, each.value.runner_version == null ? {} : { "fleetfoot:runner-version" = each.value.runner_version })
}
