# What starts a build: new sources, and the schedule.

locals {
  source_parameter = "/fleetfoot/${var.name}/image/source"

  rule_names = { source = "${var.name}-image-source", schedule = "${var.name}-image-schedule" }
  rule_arns  = { for key, name in local.rule_names : key => "arn:${local.partition}:events:${local.region}:${local.account}:rule/${name}" }
}

resource "aws_cloudwatch_event_rule" "source" {
  name        = local.rule_names.source
  description = "New sources of the runner image of ${var.name}"
  tags        = var.tags

  event_pattern = local.from_codecommit ? jsonencode({
    source      = ["aws.codecommit"]
    detail-type = ["CodeCommit Repository State Change"]
    detail = {
      event          = ["referenceCreated", "referenceUpdated"]
      repositoryName = [var.codecommit_repository]
      referenceType  = ["branch"]
      referenceName  = [var.codecommit_branch]
    }
    }) : jsonencode({
    source      = ["aws.ssm"]
    detail-type = ["Parameter Store Change"]
    detail      = { name = [local.source_parameter], operation = ["Create", "Update"] }
  })
}

resource "aws_cloudwatch_event_target" "source" {
  for_each = var.architectures

  rule      = aws_cloudwatch_event_rule.source.name
  target_id = each.key
  arn       = aws_codebuild_project.this[each.key].arn
  role_arn  = aws_iam_role.trigger.arn
}

resource "aws_cloudwatch_event_rule" "schedule" {
  count = var.schedule == "" ? 0 : 1

  name                = local.rule_names.schedule
  description         = "The runner image of ${var.name} anew, with GitHub's newest runner"
  schedule_expression = var.schedule
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "schedule" {
  for_each = var.schedule == "" ? [] : var.architectures

  rule      = aws_cloudwatch_event_rule.schedule[0].name
  target_id = each.key
  arn       = aws_codebuild_project.this[each.key].arn
  role_arn  = aws_iam_role.trigger.arn
}

data "aws_iam_policy_document" "trigger_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = values(local.rule_arns)
    }
  }
}

data "aws_iam_policy_document" "trigger" {
  statement {
    sid       = "Start"
    actions   = ["codebuild:StartBuild"]
    resources = values(local.project_arns)
  }
}

resource "aws_iam_role" "trigger" {
  name                 = "${var.name}-image-trigger"
  description          = "EventBridge, to start builds of the runner image of ${var.name}"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.trigger_trust.json
  tags                 = var.tags
}

resource "aws_iam_role_policy" "trigger" {
  name   = "start"
  role   = aws_iam_role.trigger.id
  policy = data.aws_iam_policy_document.trigger.json
}
