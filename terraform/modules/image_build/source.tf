# The bundle: a folder in a bucket, with the Dockerfile and the binaries.

locals {
  bundle = "image/"
  bucket = "${var.name}-image-${local.account}-${local.region}"
  files  = var.source_dir == null ? toset([]) : fileset(var.source_dir, "**")

  # What is uploaded, in one word.
  digest = sha256(join("\n", [for file in sort(local.files) : "${file} ${filesha256("${var.source_dir}/${file}")}"]))

  upload_command = local.from_codecommit ? null : join(" && ", concat(
    ["aws s3 sync image s3://${local.bucket}/${local.bundle}"], values(local.build_commands),
  ))
}

resource "aws_s3_bucket" "source" {
  #checkov:skip=CKV_AWS_18:CloudTrail shows who wrote; there is nothing else to log.
  #checkov:skip=CKV_AWS_144:The bundle can be uploaded again.
  #checkov:skip=CKV_AWS_145:S3 encrypts with AES-256, and nothing in it is secret.
  #checkov:skip=CKV2_AWS_62:What was uploaded is told by the parameter that is written after it (triggers.tf).
  count         = local.from_codecommit ? 0 : 1
  bucket        = local.bucket
  force_destroy = true
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "source" {
  count                   = length(aws_s3_bucket.source)
  bucket                  = aws_s3_bucket.source[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# What was built from can be looked up for a month.
resource "aws_s3_bucket_versioning" "source" {
  count  = length(aws_s3_bucket.source)
  bucket = aws_s3_bucket.source[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "source" {
  count  = length(aws_s3_bucket.source)
  bucket = aws_s3_bucket.source[0].id

  rule {
    id     = "old-bundles"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.source]
}

data "aws_iam_policy_document" "source_tls_only" {
  count = length(aws_s3_bucket.source)

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.source[0].arn, "${aws_s3_bucket.source[0].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

# A resource of its own for the same reason as the mailbox's.
resource "aws_s3_bucket_policy" "source_tls_only" {
  count      = length(aws_s3_bucket.source)
  bucket     = aws_s3_bucket.source[0].id
  policy     = data.aws_iam_policy_document.source_tls_only[0].json
  depends_on = [aws_s3_bucket_public_access_block.source]
}

resource "aws_s3_object" "file" {
  for_each = local.files

  bucket      = aws_s3_bucket.source[0].id
  key         = "${local.bundle}${each.key}"
  source      = "${var.source_dir}/${each.key}"
  source_hash = filemd5("${var.source_dir}/${each.key}")
  tags        = var.tags

  depends_on = [aws_s3_bucket_versioning.source]
}

# Written after the files: that it changes starts a build (triggers.tf), for which everything has to be there.
resource "aws_ssm_parameter" "source" {
  #checkov:skip=CKV2_AWS_34:A checksum is no secret.
  count = var.source_dir == null ? 0 : 1

  name           = local.source_parameter
  description    = "What the runner image was last uploaded to be built from"
  type           = "String"
  insecure_value = local.digest
  tags           = var.tags

  depends_on = [aws_s3_object.file, aws_cloudwatch_event_target.source, aws_iam_role_policy.build, aws_iam_role_policy.trigger]
}
