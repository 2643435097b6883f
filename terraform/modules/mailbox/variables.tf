variable "name" {
  description = "Prefix of the bucket's name, which is `NAME-mailbox-ACCOUNT-REGION` unless `bucket_name` says otherwise."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 24 lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen: a bucket's name has at most 63 characters, and account and region are part of it."
  }
}

variable "bucket_name" {
  description = "The bucket's whole name, if it has to be another one."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name must be 3 to 63 lower-case letters, digits and hyphens. Dots are not taken: they break TLS."
  }
}

variable "tags" {
  description = "Tags of everything that this module creates."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "prefix" {
  description = "What the keys of assignments begin with. `mailbox.prefix` of the stack document has to be the same."
  type        = string
  default     = "mailbox/"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*/$", var.prefix)) && length(var.prefix) <= 128
    error_message = "prefix must be one or more folders of letters, digits, - and _, and end with a slash: mailbox/."
  }
}

variable "expire_days" {
  description = "After how many days S3 deletes an assignment that nobody took. It lives for minutes and is of no use after an hour."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.expire_days >= 1 && floor(var.expire_days) == var.expire_days
    error_message = "expire_days must be a whole number of days, at least 1: S3 knows nothing shorter."
  }
}

variable "kms_key_arn" {
  description = "KMS key to encrypt assignments with. Without it S3 uses its own AES-256 keys, which cost nothing and need no permission."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias), arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "access_logs" {
  description = "S3 access logs, to the bucket of this name. None are written without it."
  type        = object({ bucket = string })
  default     = null
}
