variable "name" {
  description = "The stack's name, and last part of the parameter's, `/fleetfoot/NAME`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,32}$", var.name))
    error_message = "name must be 1 to 32 letters, digits, - or _."
  }
}

variable "tags" {
  description = "Tags of the parameter."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "region" {
  description = "AWS region of the stack; the provider's without it."
  type        = string
  default     = null
}

variable "cluster" {
  description = "ARN or name of the ECS cluster."
  type        = string
  nullable    = false

  validation {
    condition     = trimspace(var.cluster) != ""
    error_message = "cluster must not be empty."
  }
}

variable "mailbox" {
  description = "Where assignments are handed over."
  type = object({
    bucket = string
    prefix = optional(string, "mailbox/")
  })
  nullable = false
}

variable "log_group" {
  description = "Log group of the tasks."
  type        = string
  default     = null
}

variable "launcher_role" {
  description = "Role that `start` and `stop` assume through OIDC."
  type        = string
  default     = null
}

variable "launcher_subjects" {
  description = "Patterns of the token's subject that it trusts; Fleetfoot explains refusals with them."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "events_queue" {
  description = "SQS queue of task state changes."
  type        = string
  default     = null
}

variable "github" {
  description = "Where runners are registered: `url` of the organisation or repository, `api_url` where it does not follow from that, and the App to act as. The App's `key` is `kms:ARN`, `secretsmanager:ARN`, `file:PATH` or `env:VARIABLE`, never the key itself."
  type = object({
    url     = string
    api_url = optional(string)
    app = optional(object({
      client_id       = string
      installation_id = optional(number)
      key             = string
    }))
  })
  nullable = false

  validation {
    condition     = can(regex("^https?://[^/]+/[^/]+(/[^/]+)?$", var.github.url))
    error_message = "github.url must be an organisation or a repository: https://github.com/acme or https://github.com/acme/shop."
  }

  validation {
    # Not repeated in the message: somebody may have pasted the key itself.
    condition     = var.github.app == null || can(regex("^(kms|secretsmanager|file|env):.+$", var.github.app.key)) && !strcontains(try(var.github.app.key, ""), "PRIVATE KEY")
    error_message = "github.app.key says where the key is: kms:ARN, secretsmanager:ARN, file:PATH or env:VARIABLE. The key itself belongs neither here nor into Terraform's state."
  }
}

variable "pools" {
  description = "The kinds of task there are; the first is the default. `capacity` are capacity providers in order of preference, or `launch_type:EC2`. `network` is for tasks in awsvpc mode only. `warm` tasks are kept ready by the autoscaler: another number in the windows of `schedules`, which open by `cron` in a `time_zone` for a `duration`, or as many as `adaptive` learns, at most `max_warm`, so that the share `p` of jobs finds one."
  type = list(object({
    name            = string
    task_definition = string
    container       = optional(string, "runner")
    arch            = string
    cpu             = number
    memory          = number
    network = optional(object({
      subnets          = list(string)
      security_groups  = optional(list(string), [])
      assign_public_ip = optional(bool, false)
    }))
    capacity = list(string)
    max      = optional(number, 100)
    warm     = optional(number, 0)
    schedules = optional(list(object({
      cron      = string
      duration  = string
      time_zone = optional(string, "UTC")
      warm      = number
    })), [])
    adaptive = optional(object({
      max_warm  = number
      p         = optional(number, 0.95)
      time_zone = optional(string, "UTC")
    }))
  }))
  nullable = false

  validation {
    condition     = length(var.pools) > 0
    error_message = "A stack needs at least one pool."
  }

  validation {
    condition     = alltrue([for pool in var.pools : can(regex("^[A-Za-z0-9_-]{1,32}$", pool.name))]) && length(distinct(var.pools[*].name)) == length(var.pools)
    error_message = "A pool's name must be 1 to 32 letters, digits, - or _, and no other pool's."
  }

  validation {
    condition     = alltrue([for pool in var.pools : contains(["x86_64", "arm64"], pool.arch)])
    error_message = "arch of a pool must be x86_64 or arm64."
  }

  validation {
    condition     = alltrue([for pool in var.pools : length(pool.capacity) > 0 && alltrue([for choice in pool.capacity : !startswith(choice, "launch_type:") || contains(["launch_type:EC2", "launch_type:FARGATE"], choice)])])
    error_message = "capacity of a pool needs at least one choice: FARGATE, FARGATE_SPOT, the name of a capacity provider, launch_type:EC2 or launch_type:FARGATE."
  }

  validation {
    condition     = alltrue([for pool in var.pools : pool.max >= 1 && pool.warm >= 0 && pool.warm <= pool.max])
    error_message = "max of a pool must be at least 1, and warm between 0 and max."
  }

  validation {
    condition     = alltrue(flatten([for pool in var.pools : [for window in pool.schedules : can(regex("^\\S+( \\S+){4}$", window.cron)) && can(regex("^([0-9]+[dhms])+$", window.duration))]]))
    error_message = "schedules of a pool need cron with five fields, such as \"0 8 * * mon-fri\", and a duration from 1m to 168h, such as 10h."
  }

  validation {
    condition     = alltrue(flatten([for pool in var.pools : [for window in pool.schedules : window.warm >= 0 && window.warm <= pool.max]]))
    error_message = "warm of a pool's schedule must be between 0 and the pool's max."
  }

  validation {
    condition     = alltrue([for pool in var.pools : try(pool.adaptive.max_warm >= 1 && pool.adaptive.max_warm <= min(pool.max, 100) && pool.adaptive.p > 0 && pool.adaptive.p < 1, pool.adaptive == null)])
    error_message = "adaptive of a pool needs a max_warm from 1 to 100 that is not above the pool's max, and a p between 0 and 1, such as 0.95."
  }

  validation {
    condition     = alltrue([for pool in var.pools : pool.network != null || !anytrue([for choice in pool.capacity : contains(["FARGATE", "FARGATE_SPOT", "launch_type:FARGATE"], choice)])])
    error_message = "A pool on Fargate needs a network."
  }

  validation {
    condition     = alltrue([for pool in var.pools : try(length(pool.network.subnets) > 0, pool.network == null)])
    error_message = "network of a pool needs at least one subnet."
  }

  validation {
    condition     = alltrue([for pool in var.pools : !try(pool.network.assign_public_ip, false) || alltrue([for choice in pool.capacity : contains(["FARGATE", "FARGATE_SPOT", "launch_type:FARGATE"], choice)])])
    error_message = "Tasks on EC2 in awsvpc mode cannot have a public address: use private subnets with a NAT gateway, or bridge mode."
  }
}

variable "scale_sets" {
  description = "Scale sets of the autoscaler: what `runs-on` names. `url` is where a set is at GitHub if not at `github.url`. `schedules` are windows with another `min` or `max`."
  type = list(object({
    name         = string
    pool         = string
    url          = optional(string)
    runner_group = optional(string, "Default")
    labels       = optional(list(string), [])
    min          = optional(number, 0)
    max          = optional(number, 100)
    schedules = optional(list(object({
      cron      = string
      duration  = string
      time_zone = optional(string, "UTC")
      min       = optional(number)
      max       = optional(number)
    })), [])
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for set in var.scale_sets : contains(var.pools[*].name, set.pool)])
    error_message = "pool of a scale set must be the name of one of the pools."
  }

  validation {
    condition     = alltrue([for set in var.scale_sets : set.min >= 0 && set.min <= set.max]) && length(distinct([for set in var.scale_sets : lower("${coalesce(set.url, var.github.url)} ${set.name}")])) == length(var.scale_sets)
    error_message = "min of a scale set must be between 0 and max, and its name no other set's in the same place at GitHub."
  }

  validation {
    condition     = alltrue([for set in var.scale_sets : set.url == null || can(regex("^https?://[^/]+/[^/]", set.url))])
    error_message = "url of a scale set must be an address at the GitHub of github.url, such as https://github.com/acme or https://github.com/acme/shop."
  }

  validation {
    condition     = alltrue(flatten([for set in var.scale_sets : [for window in set.schedules : can(regex("^\\S+( \\S+){4}$", window.cron)) && can(regex("^([0-9]+[dhms])+$", window.duration))]]))
    error_message = "schedules of a scale set need cron with five fields, such as \"0 8 * * mon-fri\", and a duration from 1m to 168h, such as 10h."
  }

  validation {
    condition     = alltrue(flatten([for set in var.scale_sets : [for window in set.schedules : (window.min != null || window.max != null) && coalesce(window.min, set.min) <= coalesce(window.max, set.max)]]))
    error_message = "A schedule of a scale set must change min, max or both, and leave min at most max."
  }
}
