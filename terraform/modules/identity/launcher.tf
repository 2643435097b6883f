# What a launcher may do, by its name, and under "*" what one of all pools may do.

locals {
  grants = merge(
    { "*" = keys(var.pools) },
    { for name, launcher in var.launchers : name => coalesce(launcher.pools, keys(var.pools)) },
  )
}

data "aws_iam_policy_document" "launch" {
  for_each = local.grants

  # Any revision, because a launch by family takes the newest.
  statement {
    sid       = "Run"
    actions   = ["ecs:RunTask"]
    resources = distinct([for pool in each.value : "${local.ecs}:task-definition/${var.pools[pool].family}:*"])

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.cluster_arn]
    }
  }

  statement {
    sid       = "TagAtLaunch"
    actions   = ["ecs:TagResource"]
    resources = [local.tasks_arn]

    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }

  statement {
    sid       = "LookAndStop"
    actions   = ["ecs:DescribeTasks", "ecs:StopTask"]
    resources = [local.tasks_arn]
  }

  statement {
    sid     = "List"
    actions = ["ecs:ListTasks"]
    # The resource of ListTasks is a container instance, which tasks on Fargate have none of. The cluster is what can
    # be named.
    resources = ["*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.cluster_arn]
    }
  }

  # With these two a refused launch is explained.
  statement {
    sid       = "LookAtCluster"
    actions   = ["ecs:DescribeClusters"]
    resources = [var.cluster_arn]
  }

  statement {
    sid     = "LookAtDefinitions"
    actions = ["ecs:DescribeTaskDefinition"]
    # AWS knows no resource and no condition for it (Service Authorization Reference, Amazon ECS).
    resources = ["*"]
  }

  # A launch may name other roles than the task definition's, so exactly these and to nobody but ECS's tasks.
  statement {
    sid       = "PassRoles"
    actions   = ["iam:PassRole"]
    resources = distinct(concat([aws_iam_role.execution.arn], [for pool in each.value : local.task_role_arns[pool]]))

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = [local.tasks_service]
    }
  }

  # To put and to take away, not to read.
  statement {
    sid       = "Mail"
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = [local.mailbox_objects_arn]
  }

  dynamic "statement" {
    for_each = var.mailbox_kms_key_arn[*]
    content {
      sid       = "EncryptMail"
      actions   = ["kms:GenerateDataKey"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [local.s3_of_this_region]
      }
    }
  }

  statement {
    sid       = "ReadStack"
    actions   = ["ssm:GetParameter"]
    resources = [local.parameter_arn]
  }

  dynamic "statement" {
    for_each = local.app_kms_key_arn[*]
    content {
      sid       = "SignAsApp"
      actions   = ["kms:Sign"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:SigningAlgorithm"
        values   = [local.signing_algorithm]
      }
    }
  }

  dynamic "statement" {
    for_each = local.app_secret_arn[*]
    content {
      sid       = "ReadAppKey"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = local.app_secret_arn == null ? [] : var.app_secret_kms_key_arn[*]
    content {
      sid       = "DecryptAppKey"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${local.region}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }
}

data "aws_iam_policy_document" "launcher" {
  for_each = var.launchers

  source_policy_documents = concat(
    [data.aws_iam_policy_document.launch[each.key].json],
    each.value.operate ? [data.aws_iam_policy_document.operate.json] : [],
  )
}

resource "aws_iam_role" "launcher" {
  for_each = var.launchers

  name                 = "${var.name}-launcher-${each.key}"
  description          = "Workflow jobs that launch runners of the stack ${var.name}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.launcher_trust[each.key].json
  tags                 = var.tags

  lifecycle {
    precondition {
      condition     = length(jsonencode(jsondecode(data.aws_iam_policy_document.launcher_trust[each.key].json))) <= 4096
      error_message = "The trust policy of the launcher ${each.key} is longer than the 4096 characters that IAM can be made to take (2048 without asking). Make several launchers, or name repositories and environments by patterns."
    }
  }
}

resource "aws_iam_role_policy" "launcher" {
  for_each = var.launchers

  name   = "launch"
  role   = aws_iam_role.launcher[each.key].id
  policy = data.aws_iam_policy_document.launcher[each.key].json
}
