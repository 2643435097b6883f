/**
 * The ECS cluster, its log group, and the task definitions of all pools.
 *
 * The cluster has Fargate and Fargate Spot, and the EC2 fleets that are named. It has no default strategy: each launch
 * says where it wants to run.
 *
 * ```hcl
 * module "cluster" {
 *   source = "github.com/OWNER/fleetfoot//terraform/modules/cluster?ref=vVERSION"
 *
 *   name               = "prod"
 *   execution_role_arn = "arn:aws:iam::123456789012:role/prod-execution"
 *
 *   task_definitions = {
 *     linux-x64 = {
 *       image         = "ghcr.io/acme/fleetfoot-runner:TAG"
 *       task_role_arn = "arn:aws:iam::123456789012:role/prod-task"
 *     }
 *   }
 * }
 * ```
 */

data "aws_region" "current" {}

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:Container Insights costs more than short tasks do, and is asked for with container_insights.
  #checkov:skip=CKV_AWS_224:ECS Exec is off: no role here allows it.
  name = var.name
  tags = var.tags

  setting {
    name  = "containerInsights"
    value = var.container_insights
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = concat(["FARGATE", "FARGATE_SPOT"], var.capacity_providers)
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch Logs encrypts without it; a KMS key is asked for with log_kms_key_arn.
  #checkov:skip=CKV_AWS_338:These are the agent's logs, of use for days. Jobs' logs are at GitHub.
  name              = coalesce(var.log_group_name, "/fleetfoot/${var.name}")
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}
