data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    # ECS does not say which cluster or task it asks for (ECS Developer Guide, "Amazon ECS task IAM role").
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["${join(":", slice(split(":", var.cluster_arn), 0, 5))}:*"]
    }
  }
}

data "aws_iam_policy_document" "this" {
  source_policy_documents = var.policy_json

  statement {
    sid       = "HearOfTasks"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.events.arn]
  }
}

resource "aws_iam_role" "this" {
  name                 = local.service
  description          = "The autoscaler of the stack ${var.name}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  tags                 = var.tags
}

resource "aws_iam_role_policy" "this" {
  name   = "serve"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}
