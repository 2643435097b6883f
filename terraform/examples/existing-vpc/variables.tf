variable "region" {
  description = "AWS region of the stack."
  type        = string
  default     = "us-east-1"
}

variable "repository" {
  description = "The repository whose jobs get runners, such as `acme/shop`."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be OWNER/NAME, such as acme/shop."
  }
}

variable "image" {
  description = "The runner's image, such as `ghcr.io/OWNER/fleetfoot-runner:TAG` of a release."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "private_subnet_ids" {
  description = "Its private subnets, with a way out to GitHub."
  type        = list(string)
}

variable "oidc_provider_arn" {
  description = "The account's IAM OIDC provider for GitHub. An account takes only one, and most have it."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary that the account wants on every role."
  type        = string
  default     = null
}

variable "artifact_bucket" {
  description = "Bucket that jobs of the pool `publish` may write to, below `releases/`."
  type        = string
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = { team = "platform" }
}
