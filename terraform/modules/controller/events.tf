# What ECS reports of this stack's tasks goes to a queue: so the number of calls does not grow with that of runners.

resource "aws_cloudwatch_event_rule" "task_state" {
  name        = "${var.name}-task-state"
  description = "Changes of the state of tasks of the stack ${var.name}"
  tags        = var.tags

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = [var.cluster_arn]
      startedBy  = [{ prefix = "fleetfoot/${var.name}/" }]
    }
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  rule = aws_cloudwatch_event_rule.task_state.name
  arn  = aws_sqs_queue.events.arn
}

# An event only wakes the autoscaler up; what is lost, its next look at ECS shows. So there is no dead-letter queue,
# and nothing is kept for longer than it is news.
resource "aws_sqs_queue" "events" {
  name                       = "${var.name}-task-state"
  sqs_managed_sse_enabled    = true
  message_retention_seconds  = 3600
  visibility_timeout_seconds = 30
  receive_wait_time_seconds  = 20
  tags                       = var.tags
}

data "aws_iam_policy_document" "queue" {
  statement {
    sid       = "FromThisRule"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.events.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.task_state.arn]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.events.arn]

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

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.url
  policy    = data.aws_iam_policy_document.queue.json
}
