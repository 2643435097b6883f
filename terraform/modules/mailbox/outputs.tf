output "bucket" {
  description = "Name of the bucket: `mailbox.bucket` of the stack document."
  value       = aws_s3_bucket.this.bucket
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "prefix" {
  description = "What keys begin with: `mailbox.prefix` of the stack document."
  value       = var.prefix
}

output "objects_arn" {
  description = "ARN pattern of assignments: two parts below the prefix, the launch's nonce and the task's id."
  value       = "${aws_s3_bucket.this.arn}/${var.prefix}*/*"
}

output "policy_documents" {
  description = "The bucket's policy as JSON, by name."
  value       = { mailbox_bucket = data.aws_iam_policy_document.tls_only.json }
}
