variable "name" {
  description = "Name of the cluster, and prefix of the task definitions' families, `NAME-KEY`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{0,63}$", var.name))
    error_message = "name must be 1 to 64 letters, digits and hyphens and begin with a letter."
  }
}

variable "tags" {
  description = "Tags of everything that this module creates."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "container_insights" {
  description = "CloudWatch Container Insights: `disabled`, `enabled` or `enhanced`. It is billed by metric and costs more than short tasks do."
  type        = string
  default     = "disabled"
  nullable    = false

  validation {
    condition     = contains(["disabled", "enabled", "enhanced"], var.container_insights)
    error_message = "container_insights must be disabled, enabled or enhanced."
  }
}

variable "capacity_providers" {
  description = "Names of capacity providers of EC2 fleets, to be associated with the cluster beside FARGATE and FARGATE_SPOT."
  type        = list(string)
  default     = []
  nullable    = false
}

# Logs ----------------------------------------------------------------------------------------------------------------

variable "log_group_name" {
  description = "Name of the log group of all tasks; `/fleetfoot/NAME` without it."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "How long to keep logs of tasks. Jobs' own logs are at GitHub; these are the agent's."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods that CloudWatch Logs offers: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 or more."
  }
}

variable "log_kms_key_arn" {
  description = "KMS key to encrypt logs with; its key policy must allow `logs.REGION.amazonaws.com`. CloudWatch Logs uses its own without it."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn must be the ARN of a key (not of an alias), arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

# Task definitions ----------------------------------------------------------------------------------------------------

variable "execution_role_arn" {
  description = "Role that ECS uses to pull images and write logs. Needed with task definitions."
  type        = string
  default     = null
}

variable "task_definitions" {
  description = <<-EOT
    The kinds of task there are; the key becomes the end of the family's name.

    - `image`: a tag or digest of an image whose `/usr/local/bin/fleetfoot agent` makes a runner.
    - `task_role_arn`: the agent's role.
    - `launch_type`: `FARGATE` or `EC2`.
    - `network_mode`: `awsvpc`, or on EC2 `bridge`, for instances whose only way out is their own public address.
    - `arch`: `x86_64` or `arm64`.
    - `cpu`, `memory`: in CPU units (1024 are one vCPU) and MiB. Fargate has certain pairs only.
    - `ephemeral_storage`: GiB on Fargate, 21 to 200; 20 without it.
    - `runner_version`: version of GitHub's runner in the image, for `fleetfoot doctor`.
    - `job_credentials`: whether jobs are shown the way to the task role's credentials.
    - `environment`: further variables of the agent. No secrets: whoever may describe tasks reads them.
    - `readonly_root_filesystem`: whether only `writable_paths` can be written to. On Fargate the image must declare them with `VOLUME`, or they are empty.
  EOT
  type = map(object({
    image                    = string
    task_role_arn            = string
    launch_type              = optional(string, "FARGATE")
    network_mode             = optional(string, "awsvpc")
    arch                     = optional(string, "x86_64")
    cpu                      = optional(number, 1024)
    memory                   = optional(number, 2048)
    ephemeral_storage        = optional(number)
    runner_version           = optional(string)
    job_credentials          = optional(bool, false)
    environment              = optional(map(string), {})
    readonly_root_filesystem = optional(bool, false)
    writable_paths           = optional(list(string), ["/home/runner", "/tmp", "/var/tmp"])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.task_definitions) : can(regex("^[A-Za-z0-9_-]{1,32}$", key))])
    error_message = "Keys of task_definitions are names of pools: 1 to 32 letters, digits, - or _."
  }

  validation {
    condition     = alltrue([for task in values(var.task_definitions) : contains(["FARGATE", "EC2"], task.launch_type)])
    error_message = "launch_type of a task definition must be FARGATE or EC2."
  }

  validation {
    condition     = alltrue([for task in values(var.task_definitions) : task.network_mode == "awsvpc" || (task.network_mode == "bridge" && task.launch_type == "EC2")])
    error_message = "network_mode of a task definition must be awsvpc, or bridge with launch_type EC2: Fargate knows only awsvpc."
  }

  validation {
    condition     = alltrue([for task in values(var.task_definitions) : contains(["x86_64", "arm64"], task.arch)])
    error_message = "arch of a task definition must be x86_64 or arm64."
  }

  validation {
    # ECS Developer Guide, "Task CPU and memory".
    condition = alltrue([
      for task in values(var.task_definitions) : task.launch_type != "FARGATE" || contains(
        lookup({
          "256"   = [512, 1024, 2048]
          "512"   = range(1024, 4097, 1024)
          "1024"  = range(2048, 8193, 1024)
          "2048"  = range(4096, 16385, 1024)
          "4096"  = range(8192, 30721, 1024)
          "8192"  = range(16384, 61441, 4096)
          "16384" = range(32768, 122881, 8192)
        }, tostring(task.cpu), []),
        task.memory,
      )
    ])
    error_message = "Fargate has no task of that cpu and memory. It has 256 CPU units with 512, 1024 or 2048 MiB; 512 with 1024 to 4096; 1024 with 2048 to 8192; 2048 with 4096 to 16384; 4096 with 8192 to 30720 (in steps of 1024); 8192 with 16384 to 61440 (in steps of 4096); 16384 with 32768 to 122880 (in steps of 8192)."
  }

  validation {
    condition     = alltrue([for task in values(var.task_definitions) : task.launch_type != "EC2" || (task.cpu >= 128 && task.memory >= 128)])
    error_message = "A task definition for EC2 needs a cpu of at least 128 units (ECS's least) and a memory of at least 128 MiB, and room for both on an instance."
  }

  validation {
    condition     = alltrue([for task in values(var.task_definitions) : task.ephemeral_storage == null || (task.launch_type == "FARGATE" && try(task.ephemeral_storage >= 21 && task.ephemeral_storage <= 200, false))])
    error_message = "ephemeral_storage must be 21 to 200 GiB, and is for Fargate: on EC2 the instance's volume is shared."
  }

  validation {
    condition     = alltrue([for task in values(var.task_definitions) : alltrue([for name in keys(task.environment) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && !contains(["FLEETFOOT_MAILBOX", "FLEETFOOT_STOP_GRACE", "FLEETFOOT_JOB_CREDENTIALS"], name)])])
    error_message = "environment of a task definition takes names of variables; FLEETFOOT_MAILBOX, FLEETFOOT_STOP_GRACE and FLEETFOOT_JOB_CREDENTIALS are set by the launcher and this module."
  }

  validation {
    condition     = length(var.task_definitions) == 0 || var.execution_role_arn != null
    error_message = "Task definitions need execution_role_arn: without it ECS can neither pull from ECR nor write logs."
  }
}

variable "stop_timeout" {
  description = "Seconds from SIGTERM to SIGKILL when a task is told to stop; the agent is told the same. The longest gives a job most time to end by itself, and costs nothing otherwise."
  type        = number
  default     = 120
  nullable    = false

  validation {
    condition     = var.stop_timeout >= 2 && var.stop_timeout <= 120 && floor(var.stop_timeout) == var.stop_timeout
    error_message = "stop_timeout must be 2 to 120 seconds, which is what Fargate takes."
  }
}

variable "drop_capabilities" {
  description = "Linux capabilities to take from tasks, of those that Docker gives. Jobs lose raw sockets and device nodes; the agent needs SETUID, SETGID, CHOWN, DAC_OVERRIDE, FOWNER and KILL."
  type        = list(string)
  default     = ["MKNOD", "NET_RAW"]
  nullable    = false

  validation {
    condition     = length(setintersection(["ALL", "SETUID", "SETGID", "CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL"], var.drop_capabilities)) == 0
    error_message = "drop_capabilities must leave SETUID, SETGID, CHOWN, DAC_OVERRIDE, FOWNER and KILL: the agent is root and starts the runner as another user."
  }
}
