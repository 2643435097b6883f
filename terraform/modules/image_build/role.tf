# What a build may do. Who can change the sources or the project decides what runs in every runner: guard both.

locals {
  services    = flatten(values(var.services))
  families    = distinct(concat(flatten(values(var.families)), local.services[*].family))
  definitions = [for family in local.families : "arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition/${family}:*"]
}

data "aws_iam_policy_document" "build_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["codebuild.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = values(local.project_arns)
    }
  }
}

data "aws_iam_policy_document" "build" {
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:log-stream:*"]
  }

  dynamic "statement" {
    for_each = aws_s3_bucket.source[*].arn
    content {
      sid       = "ReadBundle"
      actions   = ["s3:GetObject", "s3:GetObjectVersion"]
      resources = ["${statement.value}/${local.bundle}*"]
    }
  }

  dynamic "statement" {
    for_each = aws_s3_bucket.source[*].arn
    content {
      sid       = "FindBundle"
      actions   = ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetBucketAcl"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = var.codecommit_repository[*]
    content {
      sid       = "ReadRepository"
      actions   = ["codecommit:GitPull"]
      resources = ["arn:${local.partition}:codecommit:${local.region}:${local.account}:${statement.value}"]
    }
  }

  statement {
    sid     = "LogInToRegistry"
    actions = ["ecr:GetAuthorizationToken"]
    # The token is the account's, of no repository (Service Authorization Reference, Amazon ECR).
    resources = ["*"]
  }

  statement {
    sid = "Push"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload",
      "ecr:PutImage", "ecr:UploadLayerPart",
    ]
    resources = [var.repository_arn]
  }

  statement {
    sid       = "Announce"
    actions   = ["ssm:PutParameter"]
    resources = [for parameter in aws_ssm_parameter.image : parameter.arn]
  }

  dynamic "statement" {
    for_each = length(local.definitions) > 0 ? ["families"] : []
    content {
      sid     = "LookAtDefinitions"
      actions = ["ecs:DescribeTaskDefinition"]
      # AWS knows no resource and no condition for it (Service Authorization Reference, Amazon ECS).
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = length(local.definitions) > 0 ? ["families"] : []
    content {
      sid       = "RegisterDefinitions"
      actions   = ["ecs:RegisterTaskDefinition"]
      resources = local.definitions
    }
  }

  dynamic "statement" {
    for_each = length(local.definitions) > 0 ? ["families"] : []
    content {
      sid       = "TagDefinitions"
      actions   = ["ecs:TagResource"]
      resources = local.definitions

      condition {
        test     = "StringEquals"
        variable = "ecs:CreateAction"
        values   = ["RegisterTaskDefinition"]
      }
    }
  }

  dynamic "statement" {
    for_each = length(local.definitions) > 0 ? ["families"] : []
    content {
      sid       = "PassRoles"
      actions   = ["iam:PassRole"]
      resources = var.passed_role_arns

      condition {
        test     = "StringEquals"
        variable = "iam:PassedToService"
        values   = ["ecs-tasks.amazonaws.com"]
      }
    }
  }

  dynamic "statement" {
    for_each = length(local.services) > 0 ? ["services"] : []
    content {
      sid     = "UpdateServices"
      actions = ["ecs:UpdateService"]
      resources = [
        for service in local.services :
        "arn:${local.partition}:ecs:${local.region}:${local.account}:service/${service.cluster}/${service.name}"
      ]
    }
  }
}

resource "aws_iam_role" "build" {
  name                 = "${var.name}-image-build"
  description          = "CodeBuild, for the runner image of ${var.name}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.build_trust.json
  tags                 = var.tags
}

resource "aws_iam_role_policy" "build" {
  name   = "build"
  role   = aws_iam_role.build.id
  policy = data.aws_iam_policy_document.build.json
}
