# The bundle: a folder in a bucket, with the Dockerfile and the binaries. A new object REVISION in it starts a build; it
# is written last.

locals {
  bundle   = "image/"
  revision = "${local.bundle}REVISION"
  bucket   = "${var.name}-image-${local.account}-${local.region}"
  files    = var.source_dir == null ? [] : fileset(var.source_dir, "**")

  upload_command = local.from_codecommit ? null : join(" && ", [
    "aws s3 sync image s3://${local.bucket}/${local.bundle}",
    "date | aws s3 cp - s3://${local.bucket}/${local.revision}",
  ])
}

resource "aws_s3_bucket" "source" {
  #checkov:skip=CKV_AWS_18:CloudTrail shows who wrote; there is nothing else to log.
  #checkov:skip=CKV_AWS_144:The bundle can be uploaded again.
  #checkov:skip=CKV_AWS_145:S3 encrypts with AES-256, and nothing in it is secret.
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

resource "aws_s3_bucket_notification" "source" {
  count       = length(aws_s3_bucket.source)
  bucket      = aws_s3_bucket.source[0].id
  eventbridge = true
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

resource "aws_s3_object" "revision" {
  count = length(local.files) > 0 ? 1 : 0

  bucket  = aws_s3_bucket.source[0].id
  key     = local.revision
  content = sha256(join("\n", [for file in sort(local.files) : "${file} ${filesha256("${var.source_dir}/${file}")}"]))
  tags    = var.tags

  # Everything that it needs to start a build, and the build to be of these files.
  depends_on = [
    aws_s3_object.file, aws_s3_bucket_notification.source, aws_cloudwatch_event_target.source, aws_iam_role_policy.build,
    aws_iam_role_policy.trigger,
  ]
}
