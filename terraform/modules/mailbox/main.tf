/**
 * The mailbox: the bucket in which the launcher leaves each task its assignment.
 *
 * An assignment holds the runner's single-use identity. It lies here for some seconds, under a key of two unguessable
 * halves, until its task reads and deletes it. So nothing is kept: no versions, and what nobody took is deleted after
 * a day.
 *
 * ```hcl
 * module "mailbox" {
 *   source = "github.com/OWNER/fleetfoot//terraform/modules/mailbox?ref=vVERSION"
 *
 *   name = "prod"
 * }
 * ```
 */

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  bucket = coalesce(var.bucket_name, "${var.name}-mailbox-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}")
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Access logs are asked for with access_logs.
  #checkov:skip=CKV_AWS_21:A version would keep a deleted assignment, which is a secret.
  #checkov:skip=CKV_AWS_144:There is nothing to replicate: an assignment is for one task in this region.
  #checkov:skip=CKV_AWS_145:S3 encrypts with AES-256 without it; a KMS key costs a dollar a month and is asked for with kms_key_arn.
  #checkov:skip=CKV2_AWS_62:The task polls its own key; nobody is to be notified.
  bucket = local.bucket
  tags   = var.tags

  # What lies here is of no use to anybody after an hour.
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "forget"
    status = "Enabled"

    # All of the bucket: it holds nothing but mail.
    filter {}

    expiration {
      days = var.expire_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_logging" "this" {
  count         = var.access_logs == null ? 0 : 1
  bucket        = aws_s3_bucket.this.id
  target_bucket = var.access_logs.bucket
  target_prefix = "${local.bucket}/"
}
