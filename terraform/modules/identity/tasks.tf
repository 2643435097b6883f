# The roles of tasks: ECS's own for starting them, the agent's, and those of jobs.

data "aws_iam_policy_document" "tasks_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [local.tasks_service]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    # ECS does not say which cluster or task it asks for (ECS Developer Guide, "Amazon ECS task IAM role").
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["${local.ecs}:*"]
    }
  }
}

# What starts a task -------------------------------------------------------------------------------------------------

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${var.log_group_arn}:log-stream:*"]
  }

  dynamic "statement" {
    for_each = length(var.repository_arns) > 0 ? ["ecr"] : []
    content {
      sid     = "LogInToRegistry"
      actions = ["ecr:GetAuthorizationToken"]
      # The token is the account's, of no repository (Service Authorization Reference, Amazon ECR).
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = length(var.repository_arns) > 0 ? ["ecr"] : []
    content {
      sid       = "Pull"
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = var.repository_arns
    }
  }
}

resource "aws_iam_role" "execution" {
  name                 = "${var.name}-execution"
  description          = "ECS, to start tasks of the stack ${var.name}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.tasks_trust.json
  tags                 = var.tags
}

resource "aws_iam_role_policy" "execution" {
  name   = "start"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

# The agent ----------------------------------------------------------------------------------------------------------

# It may not list: its address has two halves that nobody can guess, and a job can find no other.
data "aws_iam_policy_document" "task" {
  statement {
    sid       = "TakeMail"
    actions   = ["s3:GetObject", "s3:DeleteObject"]
    resources = [local.mailbox_objects_arn]
  }

  dynamic "statement" {
    for_each = var.mailbox_kms_key_arn[*]
    content {
      sid       = "DecryptMail"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [local.s3_of_this_region]
      }
    }
  }
}

resource "aws_iam_role" "task" {
  name                 = "${var.name}-task"
  description          = "The agent in tasks of the stack ${var.name}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.tasks_trust.json
  tags                 = var.tags
}

resource "aws_iam_role_policy" "task" {
  name   = "mailbox"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task.json
}

# Jobs ---------------------------------------------------------------------------------------------------------------

data "aws_iam_policy_document" "job" {
  for_each = var.job_roles

  source_policy_documents = concat([data.aws_iam_policy_document.task.json], each.value.policy[*])
}

resource "aws_iam_role" "job" {
  for_each = var.job_roles

  name                 = "${var.name}-job-${each.key}"
  description          = "The agent and jobs of certain pools of the stack ${var.name}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.tasks_trust.json
  tags                 = var.tags
}

resource "aws_iam_role_policy" "job" {
  for_each = var.job_roles

  name   = "job"
  role   = aws_iam_role.job[each.key].id
  policy = data.aws_iam_policy_document.job[each.key].json
}

# By number and not by ARN, which is not known yet if the policy is created in the same go.
resource "aws_iam_role_policy_attachment" "job" {
  for_each = merge([
    for name, role in var.job_roles : { for i, arn in role.managed_policy_arns : "${name}/${i}" => { role = name, policy = arn } }
  ]...)

  role       = aws_iam_role.job[each.value.role].name
  policy_arn = each.value.policy
}
