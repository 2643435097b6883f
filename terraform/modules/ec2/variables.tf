variable "name" {
  description = "Name of the fleet: of its auto-scaling group, launch template, role and capacity provider."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9_-]{0,54}$", var.name)) && !can(regex("^(?i)(aws|ecs|fargate)", var.name))
    error_message = "name must be at most 55 letters, digits, - and _, begin with a letter, and not begin with aws, ecs or fargate: ECS keeps these for its own capacity providers."
  }
}

variable "tags" {
  description = "Tags of everything that this module creates, instances and volumes included."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "cluster_name" {
  description = "Name of the ECS cluster that instances join."
  type        = string
  nullable    = false
}

# Where ---------------------------------------------------------------------------------------------------------------

variable "subnet_ids" {
  description = "Subnets of the instances."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids needs at least one subnet."
  }
}

variable "security_group_ids" {
  description = "Security groups of the instances."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.security_group_ids) > 0
    error_message = "security_group_ids needs at least one group; the VPC's default group lets its members in."
  }
}

variable "associate_public_ip" {
  description = "Whether instances get a public address: the only way out of a public subnet."
  type        = bool
  default     = false
  nullable    = false
}

# What ----------------------------------------------------------------------------------------------------------------

variable "arch" {
  description = "Architecture of the instances: `x86_64` or `arm64`. All instance types must be of it."
  type        = string
  default     = "x86_64"
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.arch)
    error_message = "arch must be x86_64 or arm64."
  }
}

variable "instance_types" {
  description = "Instance types, the preferred one first. With more than one the group is mixed, which finds more capacity."
  type        = list(string)
  default     = ["c6i.large"]
  nullable    = false

  validation {
    condition     = length(var.instance_types) > 0 && length(var.instance_types) <= 40 && alltrue([for type in var.instance_types : can(regex("^[a-z0-9-]+\\.[a-z0-9-]+$", type))])
    error_message = "instance_types must be 1 to 40 types such as c6i.large."
  }

  validation {
    # The generation's letters hold a g for Graviton, as in c7g or m6gd; a1 was the first of them.
    condition     = alltrue([for type in var.instance_types : can(regex("^(a1|[a-z]+[0-9]+[a-z]*g[a-z]*|[a-z]+[0-9]+g[a-z-]*)\\.", type)) == (var.arch == "arm64")])
    error_message = "instance_types must all be of the fleet's arch: types with a g after the generation (c7g, m6gd, t4g) are arm64, others x86_64."
  }
}

variable "ami_id" {
  description = "AMI to pin. Without it each new instance gets the newest ECS-optimised Amazon Linux 2023, by its public SSM parameter."
  type        = string
  default     = null

  validation {
    condition     = var.ami_id == null || can(regex("^ami-[0-9a-f]+$", var.ami_id))
    error_message = "ami_id must look like ami-0a1b2c3d4e5f60718."
  }
}

variable "volume_size" {
  description = "GiB of the encrypted root volume (gp3). All tasks of an instance share it, with their images."
  type        = number
  default     = 40
  nullable    = false

  validation {
    condition     = var.volume_size >= 30 && var.volume_size <= 16384
    error_message = "volume_size must be 30 GiB (what the AMI has) to 16384."
  }
}

variable "volume_kms_key_arn" {
  description = "KMS key to encrypt volumes with. The account's default EBS key without it."
  type        = string
  default     = null
}

# How many ------------------------------------------------------------------------------------------------------------

variable "min_size" {
  description = "Instances that are there even without a task. With 0 an idle fleet costs nothing, and the first job waits for an instance."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.min_size >= 0 && floor(var.min_size) == var.min_size
    error_message = "min_size must be a whole number from 0."
  }
}

variable "max_size" {
  description = "The most instances."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.max_size >= 1 && floor(var.max_size) == var.max_size && var.max_size >= var.min_size
    error_message = "max_size must be a whole number from 1, and not below min_size."
  }
}

variable "target_capacity" {
  description = "Percentage of the instances that tasks shall fill. Below 100 ECS keeps spare instances, so that jobs wait less: 50 is one spare for each that is busy. With 100 the fleet goes down to `min_size`."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.target_capacity >= 1 && var.target_capacity <= 100 && floor(var.target_capacity) == var.target_capacity
    error_message = "target_capacity must be a whole percentage from 1 to 100."
  }
}

variable "max_step" {
  description = "The most instances that ECS adds at once."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.max_step >= 1 && var.max_step <= 10000 && floor(var.max_step) == var.max_step
    error_message = "max_step must be a whole number from 1 to 10000."
  }
}

variable "warmup_seconds" {
  description = "How long a new instance takes until it counts, its pull of the image included."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.warmup_seconds >= 0 && var.warmup_seconds <= 10000
    error_message = "warmup_seconds must be 0 to 10000."
  }
}

variable "spot" {
  description = "Whether instances are spot instances. A reclaimed one ends the jobs on it after two minutes."
  type        = bool
  default     = false
  nullable    = false
}

variable "on_demand_base" {
  description = "With `spot`: how many instances are on-demand nevertheless, before the first spot one."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.on_demand_base >= 0 && floor(var.on_demand_base) == var.on_demand_base
    error_message = "on_demand_base must be a whole number from 0."
  }
}

# Images --------------------------------------------------------------------------------------------------------------

variable "prepull_images" {
  description = "Images to pull at boot, before the instance takes its first task."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for image in var.prepull_images : can(regex("^[A-Za-z0-9][A-Za-z0-9._/:@-]*$", image))])
    error_message = "prepull_images must be names of images, REGISTRY/NAME:TAG."
  }
}

variable "prepull_parameters" {
  description = "SSM parameters that hold the name of an image to pull at boot, so that an instance starts with the newest build."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.prepull_parameters : can(regex("^[A-Za-z0-9_./-]+$", name))])
    error_message = "prepull_parameters must be names of SSM parameters."
  }
}

# Roles ---------------------------------------------------------------------------------------------------------------

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the instance role."
  type        = string
  default     = null
}

variable "role_path" {
  description = "Path of the instance role."
  type        = string
  default     = "/"
  nullable    = false

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.role_path))
    error_message = "role_path must begin and end with a slash: / or /ci/."
  }
}
