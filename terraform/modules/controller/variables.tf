variable "name" {
  description = "The stack's name: what `fleetfoot serve --stack` is given, and prefix of all names."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 24 lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen."
  }
}

variable "tags" {
  description = "Tags of everything that this module creates."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "cluster_arn" {
  description = "The cluster that the service runs in and whose tasks it hears about."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Subnets of the service."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids needs at least one subnet."
  }
}

variable "security_group_ids" {
  description = "Security groups of the service. It calls out and is called by nobody."
  type        = list(string)
  nullable    = false
}

variable "assign_public_ip" {
  description = "Whether the service needs a public address to reach GitHub."
  type        = bool
  default     = false
  nullable    = false
}

variable "image" {
  description = "An image that holds `/usr/local/bin/fleetfoot`; the runner's does."
  type        = string
  nullable    = false
}

variable "arch" {
  description = "Architecture of the image: `x86_64` or `arm64`."
  type        = string
  default     = "x86_64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.arch)
    error_message = "arch must be x86_64 or arm64."
  }
}

variable "cpu" {
  description = "CPU units of the service on Fargate."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = contains([256, 512, 1024, 2048], var.cpu)
    error_message = "cpu must be 256, 512, 1024 or 2048."
  }
}

variable "memory" {
  description = "MiB of the service on Fargate."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = contains(lookup({ "256" = [512, 1024, 2048], "512" = range(1024, 4097, 1024), "1024" = range(2048, 8193, 1024), "2048" = range(4096, 16385, 1024) }, tostring(var.cpu), []), var.memory)
    error_message = "Fargate has no task of that cpu and memory: 256 goes with 512, 1024 or 2048 MiB, 512 with 1024 to 4096, 1024 with 2048 to 8192, 2048 with 4096 to 16384, in steps of 1024."
  }
}

variable "replicas" {
  description = "How many run. One is enough: ECS starts another if it dies. With two the second waits and takes over at once."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.replicas >= 0 && var.replicas <= 3 && floor(var.replicas) == var.replicas
    error_message = "replicas must be 0 (paused) to 3."
  }
}

variable "environment" {
  description = "Further variables of the service, such as an OTLP endpoint. No secrets: whoever may describe tasks reads them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "log_group_name" {
  description = "Log group of the service."
  type        = string
  nullable    = false
}

variable "execution_role_arn" {
  description = "Role that ECS uses to pull the image and write logs."
  type        = string
  nullable    = false
}

variable "policy_json" {
  description = "What the service's role may do beside reading its queue: the same as a launcher of all pools, and what cleaning up needs (outputs `launch_policy_json` and `operate_policy_json` of `identity`)."
  type        = list(string)
  nullable    = false

  validation {
    condition     = alltrue([for json in var.policy_json : can(jsondecode(json).Statement)])
    error_message = "policy_json must be policy documents as JSON."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role."
  type        = string
  default     = null
}

variable "role_path" {
  description = "Path of the role."
  type        = string
  default     = "/"
  nullable    = false
}
