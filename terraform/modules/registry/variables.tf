variable "name" {
  description = "Name of the repository, such as `fleetfoot-runner`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]+(?:[._/-][a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 256
    error_message = "name must be a repository name of ECR: 2 to 256 lower-case letters and digits, with single . _ - or / between them."
  }
}

variable "tags" {
  description = "Tags of everything that this module creates."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "keep_images" {
  description = "How many images of each architecture to keep. With a weekly build, 8 are two months; the one in use is always among the newest."
  type        = number
  default     = 8
  nullable    = false

  validation {
    condition     = var.keep_images >= 2 && var.keep_images <= 1000 && floor(var.keep_images) == var.keep_images
    error_message = "keep_images must be a whole number from 2 (the one in use and the one before) to 1000."
  }
}

variable "kms_key_arn" {
  description = "KMS key to encrypt images with. Without it ECR uses its own AES-256 key, which costs nothing. A change replaces the repository."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias), arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "force_delete" {
  description = "Whether destroying the repository may delete the images in it. They can be built again."
  type        = bool
  default     = true
  nullable    = false
}
