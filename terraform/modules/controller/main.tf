/**
 * The autoscaler: `fleetfoot serve` as an ECS service on Fargate.
 *
 * It asks GitHub for work and is called by nobody, so it needs no load balancer, no inbound rule and no certificate.
 * What ECS reports of tasks reaches it by a queue (events.tf).
 *
 * ```hcl
 * module "controller" {
 *   source = "github.com/OWNER/fleetfoot//terraform/modules/controller?ref=vVERSION"
 *
 *   name               = "prod"
 *   cluster_arn        = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"
 *   subnet_ids         = ["subnet-0a1b2c3d4e5f60718"]
 *   security_group_ids = ["sg-0a1b2c3d4e5f60718"]
 *   image              = "ghcr.io/acme/fleetfoot-runner:TAG"
 *   log_group_name     = "/fleetfoot/prod"
 *   execution_role_arn = "arn:aws:iam::123456789012:role/prod-execution"
 *   policy_json        = [module.identity.launch_policy_json, module.identity.operate_policy_json]
 * }
 *
 * module "identity" {
 *   source = "github.com/OWNER/fleetfoot//terraform/modules/identity?ref=vVERSION"
 *
 *   name               = "prod"
 *   cluster_arn        = "arn:aws:ecs:eu-west-1:123456789012:cluster/prod"
 *   pools              = { linux-x64 = { family = "prod-linux-x64" } }
 *   mailbox_bucket_arn = "arn:aws:s3:::prod-mailbox"
 *   log_group_arn      = "arn:aws:logs:eu-west-1:123456789012:log-group:/fleetfoot/prod"
 *   app_key            = "kms:arn:aws:kms:eu-west-1:123456789012:key/1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809"
 * }
 * ```
 */

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  service = "${var.name}-controller"
  region  = data.aws_region.current.id
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.service
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = var.execution_role_arn
  task_role_arn            = aws_iam_role.this.arn
  tags                     = var.tags

  # A build of the image registers revisions, too; they are this definition's as well.
  track_latest = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.arch == "arm64" ? "ARM64" : "X86_64"
  }

  container_definitions = jsonencode([{
    name       = "controller"
    image      = var.image
    essential  = true
    entryPoint = ["/usr/local/bin/fleetfoot"]
    command    = ["serve", "--stack", var.name]
    environment = [
      for name, value in merge(var.environment, { AWS_REGION = local.region }) : { name = name, value = value }
    ]

    # It writes nothing and is nobody in particular.
    user                   = "65534:65534"
    privileged             = false
    readonlyRootFilesystem = true
    # ECS gives back an `add` that was left out, which would be a difference at each plan.
    linuxParameters = { initProcessEnabled = false, capabilities = { add = [], drop = ["ALL"] } }

    # It hands over within ten seconds.
    stopTimeout = 30

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = var.log_group_name
        awslogs-region        = local.region
        awslogs-stream-prefix = "controller"
        mode                  = "non-blocking"
        max-buffer-size       = "10m"
      }
    }
  }])
}

resource "aws_ecs_service" "this" {
  #checkov:skip=CKV_AWS_333:In a public subnet without a NAT gateway a public address is the only way out. Nothing is let in.
  name                   = local.service
  cluster                = var.cluster_arn
  task_definition        = aws_ecs_task_definition.this.arn
  desired_count          = var.replicas
  launch_type            = "FARGATE"
  enable_execute_command = false
  propagate_tags         = "SERVICE"
  tags                   = var.tags

  # The new one waits until the old one has handed over.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = var.security_group_ids
    assign_public_ip = var.assign_public_ip
  }

  # Or its first seconds are refusals.
  depends_on = [aws_iam_role_policy.this, aws_sqs_queue_policy.events]
}
