# What `fleetfoot reap` and `fleetfoot doctor` look at beside what a launch needs. Nothing of it can be changed or read
# out: listing the mailbox shows addresses of assignments, not what is in them.
data "aws_iam_policy_document" "operate" {
  statement {
    sid       = "ListMail"
    actions   = ["s3:ListBucket"]
    resources = [var.mailbox_bucket_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${var.mailbox_prefix}*"]
    }
  }

  statement {
    sid       = "LookAtMailbox"
    actions   = ["s3:GetLifecycleConfiguration"]
    resources = [var.mailbox_bucket_arn]
  }

  statement {
    sid       = "LookAtLogGroup"
    actions   = ["logs:DescribeLogStreams"]
    resources = [var.log_group_arn, "${var.log_group_arn}:*"]
  }

  statement {
    sid     = "LookAtNetwork"
    actions = ["ec2:DescribeSubnets", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcEndpoints"]
    # EC2's Describe calls take no resource (Service Authorization Reference, Amazon EC2).
    resources = ["*"]
  }

  statement {
    sid     = "LookAtQuotas"
    actions = ["servicequotas:GetServiceQuota"]
    # Takes no resource either (Service Authorization Reference, Service Quotas).
    resources = ["*"]
  }
}
